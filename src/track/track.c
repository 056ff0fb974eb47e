#include "track/track.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "net/tls.h"
#include "track/beat.h"
#include "track/pump.h"
#include "track/redis.h"
#include "track/reminder.h"
#include "track/retain.h"
#include "track/script.h"

enum { ORPHANS_EVERY_MS = 5000, ORPHANS_MAX = 64, PATH_BYTES = 4096 };

struct track {
    struct loop *loop;
    char *node_id, *dir;
    struct tls_client *tls;
    struct redis *redis;
    struct pump *pump;
    struct reminder *reminder;
    struct beat *beat;
    struct webhook *webhook;
    struct held *held;
    struct sealer *sealer; /* NULL: no key */
    struct retain *retain;
    struct ring **ring; /* one per worker */
    unsigned n_workers;
    int64_t keep_ms;
    struct timer *orphans;
    struct log_limit orphan_limit;
};

/* Locks and shared mappings are not what they seem on these. */
static bool is_network_fs(const char *dir)
{
    static const struct {
        uint32_t magic;
    } known[] = {{0x6969} /* NFS */,     {0xff534d42} /* CIFS */, {0xfe534d42} /* SMB 2 */, {0x517b} /* SMB */,
                 {0x5346414f} /* AFS */, {0x00c36400} /* Ceph */, {0x01161970} /* GFS2 */,  {0x7461636f} /* OCFS2 */};
    struct statfs fs;
    if (statfs(dir, &fs) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if ((uint32_t)fs.f_type == known[i].magic)
            return true;
    return false;
}

static int prepare_dir(const char *dir, struct err *e)
{
    struct stat st;
    if (mkdir(dir, 0750) < 0 && errno != EEXIST)
        return err_sys(e, "ring.dir %s: cannot be made", dir);
    if (stat(dir, &st) < 0)
        return err_sys(e, "ring.dir %s", dir);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, "ring.dir %s: is no folder", dir);
    if (is_network_fs(dir))
        return err_set(e, "ring.dir %s: lies on a network file system, must be a local one", dir);
    return 0;
}

static bool is_ring_name(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".ring") == 0;
}

static bool adopt(struct track *t, const char *name)
{
    char path[PATH_BYTES];
    struct err e;
    if (snprintf(path, sizeof(path), "%s/%s", t->dir, name) >= (int)sizeof(path))
        return false;
    struct ring *r = ring_adopt(path, t->keep_ms, &e);
    if (r) {
        log_event(LOG_INFO, "ring_found", "file=%s unsent_bytes=%zu", path, ring_unsent_bytes(r));
        pump_add_orphan(t->pump, r);
    } else if (e.text[0]) {
        log_event_limited(&t->orphan_limit, LOG_ERROR, "ring_unusable", "%s", e.text);
    }
    return r;
}

/* Rings that no process holds: of workers that are no more, of a process that has ended or was killed. Those of living
 * processes, our own among them, are locked. */
static void on_orphans(void *ctx)
{
    struct track *t = ctx;
    struct pump_state st;
    pump_get_state(t->pump, &st);
    DIR *d = st.orphans < ORPHANS_MAX ? opendir(t->dir) : NULL;
    if (!d)
        return;
    unsigned room = ORPHANS_MAX - st.orphans;
    for (struct dirent *f; room && (f = readdir(d));)
        room -= is_ring_name(f->d_name) && adopt(t, f->d_name);
    closedir(d);
}

static int open_rings(struct track *t, const struct conf *conf, struct err *e)
{
    for (unsigned i = 0; i < t->n_workers; i++) {
        t->ring[i] = ring_open(t->dir, i, (size_t)conf->ring.size_bytes, (unsigned)conf->redis.shards, t->keep_ms, e);
        if (!t->ring[i])
            return err_prefix(e, "ring of worker %u", i);
    }
    return 0;
}

static int make_tls(struct track *t, const struct conf *conf, struct err *e)
{
    if (!conf->redis.tls.is_on)
        return 0;
    t->tls = tls_client_new(conf->redis.tls.ca, conf->redis.tls.verify, e);
    return t->tls ? 0 : err_prefix(e, "redis.tls");
}

static void set_counting(struct track *t, const struct conf *conf, const struct directory *d)
{
    char text[MEASURE_TEXT_MAX];
    pump_set_counting(t->pump, conf->tracking.zone ? conf->tracking.zone : "UTC",
                      measure_text(&conf->tracking.measure, text), d);
}

static void start_pump(struct track *t, const struct conf *conf, const struct directory *d)
{
    struct redis_options o = redis_options_of(conf);
    o.tls = t->tls;
    o.client_name = "chatgated";
    t->redis = redis_new(t->loop, &o);
    t->pump = pump_new(&(struct pump_options){.loop = t->loop,
                                              .redis = t->redis,
                                              .script = script_text("apply"),
                                              .node_id = t->node_id,
                                              .n_shards = (unsigned)conf->redis.shards,
                                              .wait_replicas = (unsigned)conf->redis.wait_replicas,
                                              .timeout_ms = conf->redis.timeout_ms});
    set_counting(t, conf, d);
    for (unsigned i = 0; i < t->n_workers; i++)
        pump_add_ring(t->pump, t->ring[i]);
    t->orphans = timer_new(t->loop, on_orphans, t);
    timer_start(t->orphans, ORPHANS_EVERY_MS, true);
    on_orphans(t);
}

static void start_reminders(struct track *t, const struct track_options *o)
{
    t->reminder = reminder_start(&(struct reminder_options){.loop = t->loop,
                                                            .redis = t->redis,
                                                            .conf = o->conf,
                                                            .directory = o->directory,
                                                            .node_id = t->node_id,
                                                            .n_shards = (unsigned)o->conf->redis.shards,
                                                            .notify = o->notify,
                                                            .has_agent = o->has_agent,
                                                            .ctx = o->ctx});
    t->webhook = webhook_start(&(struct webhook_options){.loop = t->loop,
                                                         .redis = t->redis,
                                                         .conf = o->conf,
                                                         .node_id = t->node_id,
                                                         .n_shards = (unsigned)o->conf->redis.shards});
}

static void start_held(struct track *t, const struct track_options *o)
{
    t->held = held_start(&(struct held_options){.loop = t->loop,
                                                .redis = t->redis,
                                                .conf = o->conf,
                                                .node_id = t->node_id,
                                                .n_shards = (unsigned)o->conf->redis.shards,
                                                .claimed = o->held,
                                                .has_agent = o->has_agent,
                                                .ctx = o->ctx});
}

static int start_sealer(struct track *t, const struct track_options *o, struct err *e)
{
    t->sealer = sealer_start(&(struct sealer_options){.loop = t->loop,
                                                      .redis = t->redis,
                                                      .conf = o->conf,
                                                      .node_id = t->node_id,
                                                      .n_shards = (unsigned)o->conf->redis.shards},
                             e);
    return t->sealer || !e->text[0] ? 0 : err_prefix(e, "evidence.key");
}

void track_expect_held(struct track *t)
{
    held_expect(t->held);
}

void track_held_done(struct track *t, struct span id, const char *fence, enum held_outcome outcome, struct span why)
{
    held_done(t->held, id, fence, outcome, why);
}

struct track *track_start(const struct track_options *o, unsigned n_workers, struct err *e)
{
    struct track *t = xcalloc(1, sizeof(*t));
    t->loop = o->loop;
    t->node_id = xstrdup(o->node_id);
    t->dir = xstrdup(o->conf->ring.dir);
    t->n_workers = n_workers;
    t->ring = xcalloc(n_workers, sizeof(*t->ring));
    t->keep_ms = o->conf->redis.keep_ms;
    if (prepare_dir(t->dir, e) < 0 || open_rings(t, o->conf, e) < 0 || make_tls(t, o->conf, e) < 0) {
        track_stop(&t);
        return NULL;
    }
    start_pump(t, o->conf, o->directory);
    start_reminders(t, o);
    t->beat = beat_start(&(struct beat_options){.loop = t->loop,
                                                .redis = t->redis,
                                                .node_id = t->node_id,
                                                .state = o->state,
                                                .rules = o->rules,
                                                .ctx = o->ctx});
    start_held(t, o);
    t->retain = retain_start(&(struct retain_options){
        .loop = t->loop, .redis = t->redis, .conf = o->conf, .n_shards = (unsigned)o->conf->redis.shards});
    if (start_sealer(t, o, e) < 0) {
        track_stop(&t);
        return NULL;
    }
    return t;
}

struct ring *track_ring(struct track *t, unsigned worker)
{
    return t->ring[worker];
}

void track_beat_now(struct track *t)
{
    beat_now(t->beat);
}

void track_reconfigure(struct track *t, const struct conf *conf, const struct directory *d)
{
    pump_set_wait_replicas(t->pump, (unsigned)conf->redis.wait_replicas);
    set_counting(t, conf, d);
    reminder_reconfigure(t->reminder, conf, d);
    webhook_reconfigure(t->webhook, conf);
    held_reconfigure(t->held, conf);
    retain_reconfigure(t->retain, conf);
}

bool track_is_drained(const struct track *t)
{
    return pump_is_drained(t->pump);
}

void track_get_state(const struct track *t, struct track_state *out)
{
    struct pump_state p;
    pump_get_state(t->pump, &p);
    uint64_t connects = redis_connects(t->redis);
    *out = (struct track_state){
        .is_connected = redis_is_up(t->redis),
        .events_pumped = p.applied,
        .events_dup = p.dup,
        .events_lost = p.lost_full + p.lost_gap,
        .gaps = p.gaps,
        .reconnects = connects ? connects - 1 : 0,
        .scripts = p.scripts,
        .unsent_bytes = p.unsent_bytes,
        .ring_bytes = p.ring_bytes,
        .oldest_unsent_ms = p.oldest_unsent_ms,
        .redis_clock_offset_ms = p.clock_offset_ms,
    };
    held_get_state(t->held, &out->held);
    reminder_get_counts(t->reminder, &out->reminders_raised, &out->reminders_delivered, &out->reminders_held);
    sealer_get_state(t->sealer, &out->sealer);
    const char *why = !out->is_connected ? redis_last_error(t->redis) : !p.is_ready || p.paused ? p.trouble : "";
    snprintf(out->last_error, sizeof(out->last_error), "%s", why);
}

const struct webhook *track_webhooks(const struct track *t)
{
    return t->webhook;
}

void track_stop(struct track **tp)
{
    struct track *t = *tp;
    if (!t)
        return;
    redis_free(&t->redis); /* ends what is in flight, so its users can go */
    pump_free(&t->pump);
    reminder_stop(&t->reminder);
    beat_stop(&t->beat);
    webhook_stop(&t->webhook);
    held_stop(&t->held);
    sealer_stop(&t->sealer);
    retain_stop(&t->retain);
    timer_free(&t->orphans);
    for (unsigned i = 0; i < t->n_workers; i++)
        ring_close(&t->ring[i], false); /* what is kept although confirmed is kept for the next run, too */
    free(t->ring);
    tls_client_unref(&t->tls);
    free(t->node_id);
    free(t->dir);
    free(t);
    *tp = NULL;
}

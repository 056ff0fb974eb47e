#include "track/pump.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "track/pump_lane.h"

enum {
    TICK_MS = 20, /* many events share a script call, and the workers' core is woken less often */
    SCAN_PER_TICK = 8192,
    WAIT_RETRY_MS = 1000,
    WAIT_MAX_MS = 1000,
};

/* ---- a new link ---- */

/* What is known of cg:meta holds until it is read again: with one server its answer comes before those to the lanes, in
 * a Cluster the master that keeps it may be away while others work. */
static void on_up(void *ctx)
{
    struct pump *p = ctx;
    p->is_meta_fresh = false;
    p->meta_retry_ms = 0;
    p->n_news++;
    for (struct pump_ring *pr = p->rings; pr; pr = pr->next)
        for (unsigned s = 0; s < ring_shards(pr->ring); s++)
            lane_forget(&pr->lane[s]);
    if (p->info_connects != redis_connects(p->o.redis))
        pump_ask_info(p);
    if (!p->is_meta_asked)
        pump_ask_meta(p);
}

/* ---- a ring: finding records, letting go of them ---- */

/* New records to their lanes, a bounded number. At the head, all numbers drawn before are known: in a lane or lost. */
static void scan_ring(struct pump_ring *pr, uint64_t confirmed_before)
{
    uint64_t newest[RING_SHARDS_MAX];
    unsigned n_shards = ring_shards(pr->ring);
    for (unsigned s = 0; s < n_shards; s++)
        newest[s] = ring_newest_seq(pr->ring, s);
    struct ring_record rec;
    uint64_t next;
    size_t n = 0;
    for (; n < SCAN_PER_TICK; n++, pr->scan = next) {
        if (!ring_read(pr->ring, &pr->scan, &rec, &next))
            break;
        lane_push(&pr->lane[rec.shard], &rec, pr->scan, pr->scan < confirmed_before);
    }
    for (unsigned s = 0; n < SCAN_PER_TICK && s < n_shards; s++)
        pr->lane[s].known = MAX_OF(pr->lane[s].known, newest[s]);
}

static uint64_t confirmed_of(const struct pump_ring *pr)
{
    uint64_t min = pr->scan;
    for (unsigned s = 0; s < ring_shards(pr->ring); s++) {
        const struct lane *l = &pr->lane[s];
        if (l->done < l->n)
            min = MIN_OF(min, lane_pos(l, l->done));
    }
    return min;
}

/* Remembers when a position was confirmed, at most 16 of them: an eighth of the time that records are kept apart. */
static void add_mark(struct pump_ring *pr, uint64_t confirmed, int64_t now_ms)
{
    size_t n = pr->n_marks;
    while (n && pr->mark[n - 1].pos > confirmed) /* Redis went back */
        n--;
    if ((!n || pr->mark[n - 1].pos < confirmed) && n < ARRAY_LEN(pr->mark) &&
        (!n || now_ms - pr->mark[n - 1].at_ms >= ring_keep_ms(pr->ring) / 8)) {
        pr->mark[n].pos = confirmed;
        pr->mark[n++].at_ms = now_ms;
    }
    pr->n_marks = n;
}

/* Up to where records were kept long enough after their confirmation. */
static uint64_t kept_long_enough(struct pump_ring *pr, int64_t now_ms)
{
    size_t n = 0;
    while (n < pr->n_marks && now_ms - pr->mark[n].at_ms >= ring_keep_ms(pr->ring))
        n++;
    uint64_t pos = n ? pr->mark[n - 1].pos : ring_tail(pr->ring);
    if (n > 1) { /* the last one stays: it holds until a later one is old enough */
        memmove(pr->mark, pr->mark + n - 1, (pr->n_marks - n + 1) * sizeof(pr->mark[0]));
        pr->n_marks -= n - 1;
    }
    return pos;
}

/* Does each lane know what the master has that now serves its shard? While one does not, that master may turn out to
 * have less than another one confirmed. */
static bool is_settled(const struct pump *p, const struct pump_ring *pr)
{
    if (p->meta_shards != ring_shards(pr->ring))
        return p->meta_shards && p->is_meta_fresh; /* never sent, so all that is confirmed was so long ago */
    for (unsigned s = 0; s < ring_shards(pr->ring); s++)
        if (pr->lane[s].state != LANE_READY && pr->lane[s].state != LANE_SENT)
            return false;
    return true;
}

/* Confirmed records stay as long as there is plenty of room: should Redis forget some, they can be sent again. A ring
 * about to refuse events lets go of all that is confirmed: a sure loss is worse than a possible one. */
static uint64_t releasable(struct pump *p, struct pump_ring *pr, uint64_t confirmed, int64_t now_ms)
{
    uint64_t tail = ring_tail(pr->ring), used = ring_head(pr->ring) - tail, capacity = ring_capacity_bytes(pr->ring);
    uint64_t safe = is_settled(p, pr) ? kept_long_enough(pr, now_ms) : tail;
    if (p->o.wait_replicas)
        safe = pr->waited = MIN_OF(pr->waited, confirmed);
    safe = MAX_OF(MIN_OF(safe, confirmed), tail);
    uint64_t room = MAX_OF(capacity / 16, 3 * (uint64_t)EVENT_ENCODED_MAX); /* a full ring takes events again at two */
    if (used > capacity - room && confirmed > safe) {
        p->total.released_early++;
        log_event_limited(&p->early_limit, LOG_WARN, "ring_released_early", "file=%s bytes=%" PRIu64,
                          ring_path(pr->ring), confirmed - safe);
        return confirmed;
    }
    return pr->is_orphan || used > capacity / 2 ? safe : tail;
}

static void let_go(struct pump *p, struct pump_ring *pr, int64_t now_ms)
{
    uint64_t confirmed = confirmed_of(pr);
    if (confirmed != ring_confirmed(pr->ring))
        ring_set_confirmed(pr->ring, confirmed);
    add_mark(pr, confirmed, now_ms);
    uint64_t to = releasable(p, pr, confirmed, now_ms);
    if (to == ring_tail(pr->ring))
        return;
    for (unsigned s = 0; s < ring_shards(pr->ring); s++)
        lane_trim(&pr->lane[s], to);
    ring_release(pr->ring, to);
}

static bool has_waiting_lane(const struct pump_ring *pr)
{
    for (unsigned s = 0; s < ring_shards(pr->ring); s++)
        if (lane_is_waiting(&pr->lane[s]))
            return true;
    return false;
}

/* When of each lane it is known how far Redis is, those records that it has not get numbers from 1 under a new id. */
static void rename_if_settled(struct pump *p, struct pump_ring *pr)
{
    uint64_t base[RING_SHARDS_MAX];
    for (unsigned s = 0; s < ring_shards(pr->ring); s++)
        if (!lane_is_settled(&pr->lane[s]))
            return;
    for (unsigned s = 0; s < ring_shards(pr->ring); s++)
        base[s] = lane_rebase(&pr->lane[s]);
    char old[RING_ID_LEN + 1];
    memcpy(old, ring_id(pr->ring), sizeof(old));
    ring_rename(pr->ring, base);
    pr->want_rename = false;
    p->total.renamed++;
    log_event(LOG_ERROR, "ring_renamed", "file=%s from=%s to=%s", ring_path(pr->ring), old, ring_id(pr->ring));
}

static void turn_ring(struct pump *p, struct pump_ring *pr, int64_t now_ms)
{
    scan_ring(pr, pr->confirmed_at_open);
    if (pr->is_orphan)
        ring_settle(pr->ring);
    if (p->meta_shards == ring_shards(pr->ring)) {
        if (pr->want_rename)
            rename_if_settled(p, pr);
        for (unsigned s = 0; s < p->meta_shards; s++)
            lane_turn(&pr->lane[s], now_ms);
    } else if (p->meta_shards && !pr->is_unfit_told) {
        log_event(LOG_ERROR, "ring_unfit", "file=%s shards=%u in_redis=%u then=\"its events stay in the file\"",
                  ring_path(pr->ring), ring_shards(pr->ring), p->meta_shards);
        pr->is_unfit_told = true;
    }
    let_go(p, pr, now_ms);
}

static void free_ring(struct pump_ring *pr, bool may_delete)
{
    for (unsigned s = 0; s < ring_shards(pr->ring); s++)
        free(pr->lane[s].pos);
    free(pr->lane);
    if (pr->is_orphan)
        ring_close(&pr->ring, may_delete);
    free(pr);
}

static bool is_finished(const struct pump_ring *pr)
{
    return pr->is_orphan && ring_tail(pr->ring) == ring_head(pr->ring) && !has_waiting_lane(pr) && !pr->want_rename;
}

static void turn_rings(struct pump *p, int64_t now_ms)
{
    for (struct pump_ring **at = &p->rings; *at;) {
        struct pump_ring *pr = *at;
        turn_ring(p, pr, now_ms);
        if (is_finished(pr)) {
            log_event(LOG_INFO, "ring_drained", "file=%s", ring_path(pr->ring));
            *at = pr->next;
            free_ring(pr, true);
        } else {
            at = &pr->next;
        }
    }
}

/* ---- replicas ---- */

/* WAIT speaks of all that this connection saw before it, and every command counts as seeing: what was confirmed when it
 * was sent is what the replicas then have. In a Cluster each master is asked, and all must say so. */
static void on_wait(void *ctx, const struct redis_reply *reply)
{
    struct pump *p = ctx;
    int64_t n;
    if (!redis_get_int(reply, &n) || n < p->o.wait_replicas) {
        p->is_wait_short = true;
        if (reply->kind == REDIS_INT)
            log_event_limited(&p->wait_limit, LOG_WARN, "replicas_behind", "confirmed_by=%" PRId64 " wanted=%u",
                              reply->integer, p->o.wait_replicas);
    }
    if (--p->n_waits)
        return;
    bool is_enough = !p->is_wait_short && p->wait_news == p->n_news;
    for (struct pump_ring *pr = p->rings; pr; pr = pr->next) {
        if (is_enough)
            pr->waited = MAX_OF(pr->waited, pr->wait_pos);
        pr->wait_pos = 0;
    }
    if (!is_enough)
        p->wait_retry_ms = clock_mono_ms() + WAIT_RETRY_MS;
}

static void ask_wait(struct pump *p, int64_t now_ms)
{
    bool has_news = false;
    for (struct pump_ring *pr = p->rings; pr; pr = pr->next)
        has_news |= ring_confirmed(pr->ring) > pr->waited;
    if (!has_news || p->n_waits || now_ms < p->wait_retry_ms || !redis_is_whole(p->o.redis))
        return;
    for (struct pump_ring *pr = p->rings; pr; pr = pr->next)
        pr->wait_pos = ring_confirmed(pr->ring);
    char n[16], ms[24];
    snprintf(n, sizeof(n), "%u", p->o.wait_replicas);
    snprintf(ms, sizeof(ms), "%" PRId64, MAX_OF(MIN_OF(p->o.timeout_ms / 2, WAIT_MAX_MS), 1));
    p->is_wait_short = false;
    p->wait_news = p->n_news;
    p->n_waits = (unsigned)redis_masters(p->o.redis);
    for (size_t i = 0, masters = p->n_waits; i < masters; i++)
        redis_command_at_str(p->o.redis, i, on_wait, p, "WAIT", n, ms, NULL);
}

/* ---- life ---- */

static void on_tick(void *ctx)
{
    struct pump *p = ctx;
    int64_t now_ms = clock_mono_ms();
    bool is_up = redis_is_up(p->o.redis);
    if (!is_up)
        p->meta_shards = 0;
    turn_rings(p, now_ms);
    if (is_up) {
        if (!p->is_meta_fresh && !p->is_meta_asked && now_ms >= p->meta_retry_ms)
            pump_ask_meta(p);
        if (p->o.wait_replicas && p->meta_shards)
            ask_wait(p, now_ms);
    }
    timer_start(p->tick, TICK_MS, false);
}

struct pump *pump_new(const struct pump_options *o)
{
    struct pump *p = xcalloc(1, sizeof(*p));
    p->o = *o;
    p->node_id = xstrdup(o->node_id);
    snprintf(p->schema, sizeof(p->schema), "%d", SCHEMA_VERSION);
    p->script = redis_script_add(o->redis, o->script);
    day_zone_set(&p->zone, "UTC");
    p->tick = timer_new(o->loop, on_tick, p);
    redis_on_up(o->redis, on_up, p);
    timer_start(p->tick, 0, false);
    return p;
}

void pump_free(struct pump **pp)
{
    struct pump *p = *pp;
    if (!p)
        return;
    for (struct pump_ring *pr = p->rings, *next; pr; pr = next) {
        next = pr->next;
        free_ring(pr, false);
    }
    timer_free(&p->tick);
    day_zone_fini(&p->zone);
    shop_zones_fini(&p->shops);
    free(p->node_id);
    pack_fini(&p->pack);
    free(p);
    *pp = NULL;
}

static void add(struct pump *p, struct ring *r, bool is_orphan)
{
    struct pump_ring *pr = xcalloc(1, sizeof(*pr));
    pr->ring = r;
    pr->is_orphan = is_orphan;
    pr->scan = ring_tail(r);
    pr->confirmed_at_open = ring_confirmed(r);
    pr->lane = xcalloc(ring_shards(r), sizeof(*pr->lane));
    for (unsigned s = 0; s < ring_shards(r); s++)
        lane_init(&pr->lane[s], p, pr, s);
    pr->next = p->rings;
    p->rings = pr;
}

void pump_add_ring(struct pump *p, struct ring *r)
{
    add(p, r, false);
}

void pump_add_orphan(struct pump *p, struct ring *r)
{
    add(p, r, true);
}

void pump_set_wait_replicas(struct pump *p, unsigned n)
{
    p->o.wait_replicas = n;
}

void pump_set_counting(struct pump *p, const char *zone, const char *measure, const struct directory *d)
{
    day_zone_set(&p->zone, zone);
    shop_zones_set(&p->shops, d);
    snprintf(p->measure, sizeof(p->measure), "%s", measure);
}

bool pump_is_drained(const struct pump *p)
{
    bool is_up = redis_is_up(p->o.redis);
    for (const struct pump_ring *pr = p->rings; pr; pr = pr->next)
        if (ring_unsent_bytes(pr->ring) || (is_up && !p->is_refused_told && !is_settled(p, pr)))
            return false;
    return true;
}

static void add_ring_state(const struct pump_ring *pr, struct pump_state *out)
{
    out->rings++;
    out->orphans += pr->is_orphan;
    out->unsent_bytes += ring_unsent_bytes(pr->ring);
    out->ring_bytes += ring_capacity_bytes(pr->ring);
    out->lost_full += ring_lost(pr->ring);
    out->gaps += ring_gaps(pr->ring);
    for (unsigned s = 0; s < ring_shards(pr->ring); s++)
        out->paused += pr->lane[s].state == LANE_PAUSED;
    struct ring_record rec;
    uint64_t pos = ring_confirmed(pr->ring), next;
    if (ring_unsent_bytes(pr->ring) && ring_read(pr->ring, &pos, &rec, &next)) {
        int64_t age = clock_wall_ms() - rec.at_ms;
        out->oldest_unsent_ms = MAX_OF(out->oldest_unsent_ms, (uint64_t)MAX_OF(age, 0));
    }
}

void pump_get_state(const struct pump *p, struct pump_state *out)
{
    *out = p->total;
    out->is_ready = redis_is_up(p->o.redis) && p->meta_shards == p->o.n_shards;
    out->clock_offset_ms = redis_clock_offset_worst_ms(p->o.redis);
    for (const struct pump_ring *pr = p->rings; pr; pr = pr->next)
        add_ring_state(pr, out);
    snprintf(out->trouble, sizeof(out->trouble), "%s", p->trouble);
}

#include "gate/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "gate/alias.h"
#include "gate/capture.h"
#include "gate/gate_parts.h"
#include "gate/hold.h"
#include "gate/inherit.h"
#include "gate/limits.h"
#include "gate/session.h"
#include "gate/xmpp_key.h"
#include "gate/xmpp_ledger.h"

enum { DRAIN_POLL_MS = 50, PUMP_GRACE_MS = 5000 };

static const char *const mode_names[] = {
#define X(id, name) [id] = name,
    MODES(X)
#undef X
};

const char *mode_name(enum mode m)
{
    return mode_names[m];
}

/* --- start --- */

/* A session takes two descriptors; what is open now stays open, and some are kept for Redis, health checks, the
 * operator, and the sessions that several workers accept in the same moment. */
static void measure_capacity(struct gate *g)
{
    const struct conf *c = g->snap->conf;
    struct rlimit r;
    g->descriptor_sessions = UINT32_MAX;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    if (r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    int lowest_free = dup(STDERR_FILENO);
    if (lowest_free >= 0)
        close(lowest_free);
    int64_t kept = lowest_free + 24 + 2 * (int64_t)g->n_workers;
    for (size_t i = 0; i < c->n_upstreams; i++)
        kept += (int64_t)c->upstream[i].n_servers;
    int64_t sessions = MAX_OF(((int64_t)r.rlim_cur - kept) / 2, 1);
    g->descriptor_sessions = (unsigned)MIN_OF(sessions, (int64_t)UINT32_MAX);
    log_event(LOG_INFO, "capacity", "descriptors=%lld sessions=%lld configured=%lld", (long long)r.rlim_cur,
              (long long)sessions, (long long)c->limits.connections);
    if (c->limits.connections > sessions)
        log_event(LOG_WARN, "capacity_low",
                  "limits.connections=%lld needs=%lld descriptors=%lld hint=\"raise LimitNOFILE or lower the limit\"",
                  (long long)c->limits.connections, (long long)(c->limits.connections * 2 + kept),
                  (long long)r.rlim_cur);
}

static unsigned worker_count(const struct conf *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return c->workers ? (unsigned)c->workers : (unsigned)MAX_OF(cores, 1);
}

static bool on_notify(void *ctx, struct span agent, struct span conv, struct span text)
{
    struct gate *g = ctx;
    struct seat seat;
    if (!node_seat_find(g->node, agent, &seat))
        return false;
    worker_post_notice(g->worker[seat.worker], seat.session, conv, text);
    return true;
}

static bool on_has_agent(void *ctx, struct span agent)
{
    struct gate *g = ctx;
    struct seat seat;
    return node_seat_find(g->node, agent, &seat);
}

static void on_held(void *ctx, const struct held_item *item)
{
    hold_take(ctx, item);
}

static int start_tracking(struct gate *g, struct err *e)
{
    if (!g->snap->conf->redis.is_on) {
        log_event(LOG_WARN, "tracking_off", "why=\"redis.enabled is false\"");
        return 0;
    }
    struct track_options o = {.conf = g->snap->conf,
                              .directory = g->snap->directory,
                              .loop = g->loop,
                              .node_id = g->node_id,
                              .notify = on_notify,
                              .has_agent = on_has_agent,
                              .state = gate_describe,
                              .rules = gate_list_rules,
                              .held = on_held,
                              .ctx = g};
    g->track = track_start(&o, g->n_workers, e);
    return g->track ? 0 : -1;
}

/* Worker 0 binds first, so that a busy port is one clear error; the others share it by SO_REUSEPORT. An inherited or
 * Unix socket is one queue that all workers accept from. */
static int listen_entry(struct gate *g, size_t i, struct err_list *errs)
{
    const struct conf_listener *l = &g->snap->conf->listener[i];
    struct err e;
    int inherited = inherit_find(l->name, &l->addr);
    bool is_shared = inherited >= 0 || l->addr.path;
    int first = -1;
    struct addr a;
    if (inherited < 0 && addr_resolve(&l->addr, true, &a, &e) < 0) {
        err_list_add(errs, "listener %s: %s", l->name, e.text);
        return -1;
    }
    for (unsigned w = 0; w < g->n_workers; w++) {
        int fd = is_shared && w   ? fcntl(first, F_DUPFD_CLOEXEC, 0)
                 : inherited >= 0 ? inherited
                                  : listen_socket(&a, true, &e);
        if (fd < 0 && is_shared && w)
            err_sys(&e, "dup");
        if (fd < 0) {
            err_list_add(errs, "listener %s: %s: %s", l->name, l->addr.text, e.text);
            return -1;
        }
        if (w == 0) {
            first = fd;
            if (l->addr.port == 0 && !l->addr.path) /* the others must share the port that was drawn */
                getsockname(fd, &a.any.sa, &a.len);
        }
        worker_listen(g->worker[w], i, fd);
    }
    struct addr bound = {.len = sizeof(bound.any)};
    getsockname(first, &bound.any.sa, &bound.len);
    unsigned port = bound.any.sa.sa_family == AF_INET    ? ntohs(bound.any.in.sin_port)
                    : bound.any.sa.sa_family == AF_INET6 ? ntohs(bound.any.in6.sin6_port)
                                                         : 0;
    log_event(LOG_INFO, "listening", "listener=%s address=%s port=%u profile=%s upstream=%s tls=%d", l->name,
              l->addr.text, port, l->profile, l->upstream, l->tls.is_on);
    return 0;
}

static int start_workers(struct gate *g, struct err_list *errs)
{
    g->worker = xcalloc(g->n_workers, sizeof(struct worker *));
    for (unsigned i = 0; i < g->n_workers; i++)
        g->worker[i] = worker_new(g, i, g->snap, g->track ? track_ring(g->track, i) : NULL);
    int rc = 0;
    for (size_t i = 0; i < g->snap->conf->n_listeners; i++)
        if (listen_entry(g, i, errs) < 0)
            rc = -1; /* all that are in the way are told */
    if (rc < 0)
        return -1;
    inherit_report_unused();
    measure_capacity(g);
    for (unsigned i = 0; i < g->n_workers; i++)
        worker_start(g->worker[i]);
    return 0;
}

static void start_checks(struct gate *g)
{
    for (size_t i = 0; i < g->snap->n_upstreams; i++)
        upstream_start_checks(g->snap->upstream[i], g->loop);
}

void gate_load_xmpp(struct gate *g, const struct snapshot *snap)
{
    const struct conf *c = snap->conf;
    struct err e = {{0}};
    bool is_xmpp = false;
    for (size_t i = 0; i < c->n_listeners; i++)
        is_xmpp = is_xmpp || profile_xmpp(snap->entry[i]->profile);
    if (!is_xmpp || g->xmpp_ledger)
        return;
    if (xmpp_key_load(c->ring.dir, g->xmpp_key, &e) < 0)
        log_event(LOG_WARN, "xmpp_key", "why=\"%s\" effect=\"refusals under way are lost at a restart\"", e.text);
    g->xmpp_ledger = xmpp_ledger_open(c->ring.dir, (size_t)c->limits.connections, g->xmpp_key, &e);
    if (*e.text)
        log_event(LOG_WARN, "xmpp_ledger", "why=\"%s\" effect=\"at a restart XMPP clients cannot resume\"", e.text);
}

struct gate *gate_start(const char *conf_path, struct loop *loop, struct err_list *errs)
{
    struct gate *g = xcalloc(1, sizeof(*g));
    g->conf_path = xstrdup(conf_path);
    g->loop = loop;
    g->started_ms = clock_wall_ms();
    g->node = node_new();
    g->addr_limit = addr_limit_new();
    struct err e;
    int rc = snapshot_load(conf_path, NULL, &g->snap, errs);
    if (rc == 0)
        rc = conf_load(conf_path, &g->started_conf, errs);
    if (rc == 0) {
        g->node_id = xstrdup(g->snap->conf->node);
        g->n_workers = worker_count(g->snap->conf);
        log_set_level(g->snap->conf->log_level);
        start_checks(g);
        g->alias = alias_new(g->snap->conf, &e);
        rc = e.text[0] ? -1 : start_tracking(g, &e);
        if (rc < 0)
            err_list_add(errs, "%s: %s", conf_path, e.text);
        gate_load_xmpp(g, g->snap); /* in the folder that tracking may have made */
    }
    if (rc == 0) {
        g->capture = capture_new(g->node_id, g->n_workers);
        capture_configure(g->capture, g->snap->conf);
        rc = start_workers(g, errs);
    }
    if (rc < 0) {
        gate_stop(&g);
        return NULL;
    }
    log_event(LOG_INFO, "started", "version=%s node=%s workers=%u rules=%zu rules_version=%s", CHATGATE_VERSION,
              g->node_id, g->n_workers, ruleset_count(g->snap->rules), ruleset_version(g->snap->rules));
    return g;
}

/* --- mode --- */

static void on_mode_over(void *arg)
{
    gate_set_mode(arg, MODE_ENFORCE, 0);
}

void gate_set_mode(struct gate *g, enum mode m, int64_t for_ms)
{
    log_event(LOG_WARN, "mode", "from=%s to=%s for_ms=%lld", mode_names[g->mode], mode_names[m], (long long)for_ms);
    g->mode = (int)m;
    if (!g->mode_timer)
        g->mode_timer = timer_new(g->loop, on_mode_over, g);
    timer_stop(g->mode_timer);
    g->mode_until_ms = for_ms ? clock_wall_ms() + for_ms : 0;
    if (g->track)
        track_beat_now(g->track);
    if (for_ms)
        timer_start(g->mode_timer, for_ms, false);
}

/* --- end --- */

/* Sessions first, then what they left in the rings, as far as Redis takes it in time. */
static void on_drain_poll(void *arg)
{
    struct gate *g = arg;
    int64_t now = clock_mono_ms();
    bool empty = atomic_load(&g->connections) == 0;
    bool pumped = !g->track || track_is_drained(g->track);
    if ((empty && pumped) || now >= g->drain_deadline_ms + PUMP_GRACE_MS || (now >= g->drain_deadline_ms && pumped)) {
        log_event(LOG_INFO, "drained", "sessions_left=%u ring_empty=%d", atomic_load(&g->connections), pumped);
        loop_stop(g->loop);
    }
}

void gate_drain(struct gate *g)
{
    if (g->is_draining)
        return;
    g->is_draining = true;
    if (g->track)
        track_beat_now(g->track);
    int64_t ms = g->snap->conf->timeouts.drain_ms;
    log_event(LOG_INFO, "draining", "sessions=%u ms=%lld", atomic_load(&g->connections), (long long)ms);
    for (unsigned i = 0; i < g->n_workers; i++)
        worker_post_drain(g->worker[i], ms);
    g->drain_deadline_ms = clock_mono_ms() + ms + 3500; /* the last close frames are answered within the linger time */
    g->drain_timer = timer_new(g->loop, on_drain_poll, g);
    timer_start(g->drain_timer, DRAIN_POLL_MS, true);
}

void gate_stop(struct gate **gp)
{
    struct gate *g = *gp;
    if (!g)
        return;
    for (unsigned i = 0; g->worker && i < g->n_workers; i++)
        worker_free(&g->worker[i]);
    xmpp_ledger_free(&g->xmpp_ledger);
    loop_run_posted(g->loop); /* what the workers' last turns reported and gave back */
    capture_free(&g->capture);
    alias_free(&g->alias);
    if (g->track)
        track_stop(&g->track);
    for (size_t i = 0; g->snap && i < g->snap->n_upstreams; i++)
        upstream_stop_checks(g->snap->upstream[i]);
    if (g->mode_timer)
        timer_free(&g->mode_timer);
    if (g->drain_timer)
        timer_free(&g->drain_timer);
    snapshot_unref(&g->snap);
    conf_free(&g->started_conf);
    node_free(&g->node);
    addr_limit_free(&g->addr_limit);
    free(g->worker);
    free(g->conf_path);
    free(g->node_id);
    free(g);
    *gp = NULL;
}

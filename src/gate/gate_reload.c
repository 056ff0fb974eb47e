/* Another configuration and other rules under a running gateway; a bad file changes nothing. */
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/capture.h"
#include "gate/gate_parts.h"

static void move_checks(struct gate *g, struct snapshot *from, struct snapshot *to)
{
    for (size_t i = 0; i < to->n_upstreams; i++) {
        bool kept = false;
        for (size_t k = 0; k < from->n_upstreams; k++)
            kept = kept || from->upstream[k] == to->upstream[i];
        if (!kept)
            upstream_start_checks(to->upstream[i], g->loop);
    }
    for (size_t k = 0; k < from->n_upstreams; k++) {
        bool kept = false;
        for (size_t i = 0; i < to->n_upstreams; i++)
            kept = kept || from->upstream[k] == to->upstream[i];
        if (!kept)
            upstream_stop_checks(from->upstream[k]);
    }
}

static int refuse_reload(struct gate *g, const struct err_list *errs)
{
    g->reloads_failed++;
    g->last_failed_ms = clock_wall_ms();
    snprintf(g->last_reload_error, sizeof(g->last_reload_error), "%s", errs->n ? errs->line[0] : "unknown");
    if (g->track)
        track_beat_now(g->track);
    log_event(LOG_ERROR, "reload_failed", "errors=%zu first=\"%s\"", errs->n,
              log_text(g->last_reload_error, (char[LOG_TEXT_MAX]){0}));
    return -1;
}

struct loading {
    const char *path;
    const struct snapshot *old;
    struct snapshot *now;
    struct err_list *errs;
    int rc;
};

static void *load(void *arg)
{
    struct loading *l = arg;
    setpriority(PRIO_PROCESS, (id_t)gettid(), 19); /* this thread alone; it only ever falls, hence a thread */
    l->rc = snapshot_load(l->path, l->old, &l->now, l->errs);
    return NULL;
}

/* Compiling many rules takes a while: at the lowest priority, so that no worker waits for its core meanwhile. */
static int load_quietly(struct loading *l)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, load, l) == 0)
        pthread_join(thread, NULL);
    else
        l->rc = snapshot_load(l->path, l->old, &l->now, l->errs);
    return l->rc;
}

int gate_reload(struct gate *g, struct err_list *errs)
{
    struct snapshot *old = g->snap;
    struct loading l = {.path = g->conf_path, .old = old, .errs = errs};
    int64_t began_ms = clock_mono_ms();
    if (load_quietly(&l) < 0)
        return refuse_reload(g, errs);
    struct snapshot *now = l.now;
    conf_restart_needed(g->started_conf, now->conf, errs);
    for (size_t i = 0; i < errs->n; i++)
        log_event(LOG_WARN, "reload_needs_restart", "key=\"%s\"", errs->line[i]);
    gate_load_xmpp(g, now);
    for (unsigned i = 0; i < g->n_workers; i++)
        worker_post_snapshot(g->worker[i], now);
    move_checks(g, old, now);
    log_set_level(now->conf->log_level);
    if (g->track)
        track_reconfigure(g->track, now->conf, now->directory);
    capture_configure(g->capture, now->conf);
    g->snap = now;
    g->reloads++;
    g->last_reload_ms = clock_wall_ms();
    g->last_reload_error[0] = '\0';
    if (g->track)
        track_beat_now(g->track);
    log_event(LOG_INFO, "reloaded", "rules=%zu rules_version=%s ms=%lld", ruleset_count(now->rules),
              ruleset_version(now->rules), (long long)(clock_mono_ms() - began_ms));
    snapshot_unref(&old);
    return 0;
}

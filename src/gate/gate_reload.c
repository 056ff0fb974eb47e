/* Another configuration and other rules under a running gateway; a bad file changes nothing. */
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
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

struct reload_wish {
    gate_reloaded_fn done;
    void *ctx;
    struct reload_wish *next;
};

struct reload {
    struct gate *gate;
    pthread_t thread;
    bool has_thread, is_given_up;
    int64_t began_ms;
    struct snapshot *now;
    struct err_list errs;
    int rc;
    struct reload_wish *wishes;
};

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

static int take_over(struct gate *g, struct reload *r)
{
    struct snapshot *old = g->snap, *now = r->now;
    conf_restart_needed(g->started_conf, now->conf, &r->errs);
    for (size_t i = 0; i < r->errs.n; i++)
        log_event(LOG_WARN, "reload_needs_restart", "key=\"%s\"", r->errs.line[i]);
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
              ruleset_version(now->rules), (long long)(clock_mono_ms() - r->began_ms));
    snapshot_unref(&old);
    return 0;
}

static void tell(struct reload_wish *list, int rc, const struct err_list *errs)
{
    for (struct reload_wish *w = list, *next; w; w = next) {
        next = w->next;
        w->done(w->ctx, rc, errs);
        free(w);
    }
}

static void start(struct gate *g);

static void on_loaded(void *arg)
{
    struct reload *r = arg;
    struct gate *g = r->gate;
    if (r->has_thread && !r->is_given_up)
        pthread_join(r->thread, NULL); /* this was its last deed */
    g->reload = NULL;
    if (r->is_given_up) {
        snapshot_unref(&r->now);
        err_list_add(&r->errs, "the daemon ends");
        r->rc = -1;
    } else {
        r->rc = r->rc < 0 ? refuse_reload(g, &r->errs) : take_over(g, r);
    }
    tell(r->wishes, r->rc, &r->errs);
    err_list_fini(&r->errs);
    bool is_over = r->is_given_up;
    free(r);
    if (g->reload_wishes && !is_over)
        start(g);
}

/* The snapshot in force may be read meanwhile: it changes on the control thread alone, by what this brings. */
static void *load(void *arg)
{
    struct reload *r = arg;
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), 19)) /* this thread alone; it only ever falls, hence a thread */
        log_event(LOG_WARN, "reload_priority", "error=\"%s\" effect=\"messages may wait while rules are compiled\"",
                  strerror(errno));
    r->rc = snapshot_load(r->gate->conf_path, r->gate->snap, &r->now, &r->errs);
    loop_post(r->gate->loop, on_loaded, r);
    return NULL;
}

/* Compiling many rules takes a while: at the lowest priority, so that no worker waits for its core, and beside the
 * control thread, which goes on pumping and answering, however long it takes. */
static void start(struct gate *g)
{
    struct reload *r = g->reload = xcalloc(1, sizeof(*r));
    *r = (struct reload){.gate = g, .began_ms = clock_mono_ms(), .wishes = g->reload_wishes};
    g->reload_wishes = NULL;
    r->has_thread = pthread_create(&r->thread, NULL, load, r) == 0;
    if (!r->has_thread) {
        r->rc = snapshot_load(g->conf_path, g->snap, &r->now, &r->errs);
        on_loaded(r);
    }
}

void gate_reload(struct gate *g, gate_reloaded_fn done, void *ctx)
{
    struct reload_wish **end = &g->reload_wishes, *w = xmalloc(sizeof(*w));
    *w = (struct reload_wish){done, ctx, NULL};
    while (*end)
        end = &(*end)->next;
    *end = w;
    if (!g->reload)
        start(g);
}

void gate_end_reload(struct gate *g)
{
    struct err_list errs = {0};
    if (g->reload) {
        pthread_join(g->reload->thread, NULL);
        g->reload->is_given_up = true;
        loop_run_posted(g->loop);
    }
    err_list_add(&errs, "the daemon ends");
    tell(g->reload_wishes, -1, &errs);
    g->reload_wishes = NULL;
    err_list_fini(&errs);
}

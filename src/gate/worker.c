#include "gate/worker.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "gate/capture_mask.h"
#include "gate/gate.h"
#include "gate/hold.h"
#include "gate/inspect.h"
#include "gate/session.h"
#include "gate/xmpp.h"

enum { SLICE_NS = 100000, SWEEP_MS = 125, SWEEP_PARTS = 8, DRAIN_SWEEP_MS = 50 };

static void free_dead(struct worker *w)
{
    while (w->dead) {
        struct session *s = w->dead;
        w->dead = s->next;
        exchange_free(s);
        ws_free(&s->ws);
        xmpp_free(&s->xmpp);
        buf_fini(&s->unsent);
        buf_fini(&s->cin);
        buf_fini(&s->bin);
        entry_unref(&s->entry);
        free(s);
    }
}

static void on_reap(void *arg)
{
    free_dead(arg);
}

/* While draining, every session gets its own moment, so that the clients do not all come back at once. */
static void drain_some(struct worker *w)
{
    int64_t left_ms = MAX_OF(w->drain_until_ms - w->now_ms, 1);
    unsigned n = atomic_load(&w->n_sessions);
    uint64_t share = (uint64_t)n * DRAIN_SWEEP_MS / (uint64_t)left_ms + 1;
    for (struct session *s = w->first, *next; s && share; s = next) {
        next = s->next;
        if (session_drain(s))
            share--;
    }
}

/* Every session once a second, an eighth of them at a time: with many of them no message waits for all. */
static void on_sweep(void *arg)
{
    struct worker *w = arg;
    w->now_ms = clock_tick_ms();
    uint32_t from = w->sweep_part * (w->n_slots / SWEEP_PARTS);
    uint32_t to = w->sweep_part + 1 == SWEEP_PARTS ? w->n_slots : from + w->n_slots / SWEEP_PARTS;
    w->sweep_part = (w->sweep_part + 1) % SWEEP_PARTS;
    for (uint32_t i = from; i < to; i++)
        if (w->slot[i])
            session_check_deadline(w->slot[i], w->now_ms);
    if (w->is_draining)
        drain_some(w);
}

struct worker *worker_new(struct gate *g, unsigned index, struct snapshot *snap, struct ring *ring)
{
    struct worker *w = xcalloc(1, sizeof(*w));
    w->gate = g;
    w->index = index;
    w->loop = loop_new();
    w->snap = snapshot_ref(snap);
    w->ring = ring;
    w->listener = xcalloc(snap->conf->n_listeners, sizeof(struct listener *));
    w->n_listeners = snap->conf->n_listeners;
    w->rbuf = xmalloc(READ_BYTES);
    w->pscratch = profile_scratch_new();
    w->rscratch = rule_scratch_new();
    w->mask = capture_mask_new();
    w->judged = xcalloc(UNITS_MAX, sizeof(*w->judged));
    w->reaper = timer_new(w->loop, on_reap, w);
    w->sweep = timer_new(w->loop, on_sweep, w);
    timer_start(w->sweep, SWEEP_MS, true);
    w->now_ms = clock_tick_ms();
    return w;
}

struct listen_ctx {
    struct worker *w;
    size_t entry;
};

static void on_accept(void *ctx, int fd, const struct addr *peer)
{
    struct listen_ctx *l = ctx;
    session_accept(l->w, l->entry, fd, peer);
}

static bool has_room(void *ctx)
{
    const struct listen_ctx *l = ctx;
    return gate_has_room(l->w->gate);
}

void worker_listen(struct worker *w, size_t entry, int fd)
{
    struct listen_ctx *ctx = arena_alloc(&w->lasting, sizeof(*ctx));
    *ctx = (struct listen_ctx){w, entry};
    w->listener[entry] = listener_new(w->loop, fd, on_accept, ctx);
    listener_set_room(w->listener[entry], has_room);
}

/* sched_setattr(2), which glibc 2.36 has no name for. */
struct sched_attr_v0 {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

/* Where other threads share the core (the pump and Redis, on a small machine), one that wants it for a short time only
 * goes first when it wakes; its share stays the same. So a message does not wait for a slice of theirs, 1.4 ms or more,
 * to end. Linux 6.12 and later; others ignore it. */
static void ask_short_slice(void)
{
    struct sched_attr_v0 a = {.size = 0};
    if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) || a.policy != SCHED_OTHER)
        return; /* the operator has chosen another policy, or forbids to ask */
    a.runtime_ns = SLICE_NS;
    if (syscall(SYS_sched_setattr, 0, &a, 0))
        log_event(LOG_DEBUG, "worker_slice", "error=\"%s\"", strerror(errno));
}

static void *run(void *arg)
{
    struct worker *w = arg;
    ask_short_slice();
    loop_run(w->loop);
    return NULL;
}

void worker_start(struct worker *w)
{
    if (pthread_create(&w->thread, NULL, run, w))
        abort();
}

void worker_free(struct worker **wp)
{
    struct worker *w = *wp;
    if (!w)
        return;
    if (w->thread) {
        loop_stop(w->loop);
        pthread_join(w->thread, NULL);
        loop_run_posted(w->loop);
    }
    for (size_t i = 0; i < w->n_listeners; i++)
        listener_free(&w->listener[i]);
    while (w->first)
        session_end(w->first, END_DRAIN);
    free_dead(w);
    timer_free(&w->reaper);
    timer_free(&w->sweep);
    loop_free(&w->loop);
    snapshot_unref(&w->snap);
    profile_scratch_free(&w->pscratch);
    rule_scratch_free(&w->rscratch);
    capture_mask_free(&w->mask);
    buf_fini(&w->plain), buf_fini(&w->wire), buf_fini(&w->words), buf_fini(&w->emitted), buf_fini(&w->notes);
    xmpp_pool_fini(&w->xmpp_pool);
    arena_fini(&w->arena);
    arena_fini(&w->lasting);
    free(w->judged);
    free(w->rbuf);
    free(w->listener);
    free(w->slot);
    free(w->generation);
    free(w);
    *wp = NULL;
}

/* --- sessions --- */

uint64_t worker_put_session(struct worker *w, struct session *s)
{
    uint32_t i = w->free_hint;
    while (i < w->n_slots && w->slot[i])
        i++;
    if (i >= w->n_slots) {
        uint32_t n = w->n_slots ? w->n_slots * 2 : 64;
        w->slot = xrealloc(w->slot, n * sizeof(struct session *));
        w->generation = xrealloc(w->generation, n * sizeof(uint32_t));
        memset(w->slot + w->n_slots, 0, (n - w->n_slots) * sizeof(struct session *));
        memset(w->generation + w->n_slots, 0, (n - w->n_slots) * sizeof(uint32_t));
        i = w->n_slots;
        w->n_slots = n;
    }
    w->slot[i] = s;
    w->free_hint = i + 1;
    s->next = w->first;
    if (w->first)
        w->first->prev = s;
    w->first = s;
    atomic_fetch_add(&w->n_sessions, 1);
    return (uint64_t)++w->generation[i] << 32 | i;
}

struct session *worker_get_session(struct worker *w, uint64_t id)
{
    uint32_t i = (uint32_t)id;
    return i < w->n_slots && w->generation[i] == (uint32_t)(id >> 32) ? w->slot[i] : NULL;
}

void worker_bury_session(struct worker *w, struct session *s, uint64_t id)
{
    uint32_t i = (uint32_t)id;
    w->slot[i] = NULL;
    w->free_hint = MIN_OF(w->free_hint, i);
    if (s->prev)
        s->prev->next = s->next;
    else
        w->first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->prev = NULL;
    s->next = w->dead;
    w->dead = s;
    atomic_fetch_sub(&w->n_sessions, 1);
    timer_fire_soon(w->reaper);
}

/* --- posted from other threads --- */

struct post_snapshot {
    struct worker *w;
    struct snapshot *snap;
};

/* Control thread. */
static void on_snapshot_back(void *arg)
{
    struct snapshot *old = arg;
    snapshot_unref(&old);
}

static void on_snapshot(void *arg)
{
    struct post_snapshot *p = arg;
    loop_post(p->w->gate->loop, on_snapshot_back, p->w->snap); /* freeing it may take longer than a message may wait */
    p->w->snap = p->snap;
    free(p);
}

void worker_post_snapshot(struct worker *w, struct snapshot *snap)
{
    struct post_snapshot *p = xmalloc(sizeof(*p));
    *p = (struct post_snapshot){w, snapshot_ref(snap)};
    loop_post(w->loop, on_snapshot, p);
}

struct post_drain {
    struct worker *w;
    int64_t ms;
};

static void on_drain(void *arg)
{
    struct post_drain *p = arg;
    struct worker *w = p->w;
    w->is_draining = true;
    w->now_ms = clock_tick_ms();
    w->drain_until_ms = w->now_ms + p->ms;
    for (size_t i = 0; i < w->n_listeners; i++)
        if (w->listener[i])
            listener_pause(w->listener[i], true);
    timer_start(w->sweep, DRAIN_SWEEP_MS, true);
    free(p);
}

void worker_post_drain(struct worker *w, int64_t ms)
{
    struct post_drain *p = xmalloc(sizeof(*p));
    *p = (struct post_drain){w, ms};
    loop_post(w->loop, on_drain, p);
}

struct post_hold {
    struct worker *w;
    struct hold_task *task;
};

static void on_hold(void *arg)
{
    struct post_hold *p = arg;
    hold_run(p->w, p->task);
    free(p);
}

void worker_post_hold(struct worker *w, struct hold_task *task)
{
    struct post_hold *p = xmalloc(sizeof(*p));
    *p = (struct post_hold){w, task};
    loop_post(w->loop, on_hold, p);
}

struct post_notice {
    struct worker *w;
    uint64_t session;
    char *conv, *text;
    size_t conv_len, text_len;
};

static void on_notice(void *arg)
{
    struct post_notice *p = arg;
    struct session *s = worker_get_session(p->w, p->session);
    if (s)
        session_notice(s, span_of(p->conv, p->conv_len), span_of(p->text, p->text_len));
    free(p->conv);
    free(p->text);
    free(p);
}

void worker_post_notice(struct worker *w, uint64_t session, struct span conv, struct span text)
{
    struct post_notice *p = xmalloc(sizeof(*p));
    *p = (struct post_notice){w, session, xmemdup0(conv.p, conv.n), xmemdup0(text.p, text.n), conv.n, text.n};
    loop_post(w->loop, on_notice, p);
}

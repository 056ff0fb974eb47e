#include "gate/capture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "gate/capture_file.h"
#include "gate/capture_mask.h"
#include "gate/capture_record.h"

enum { POLL_MS = 100, RETRY_MS = 5000, BATCH_BYTES = 256 * 1024 };

/* One writer, one reader. Positions only grow; bytes [head, tail) are queued, at position modulo the size. */
struct queue {
    _Alignas(64) atomic_size_t tail; /* written by the worker */
    _Alignas(64) atomic_size_t head; /* written by the writer thread */
    _Atomic(uint8_t *) bytes;        /* NULL until capturing was first switched on; then kept */
    struct buf record;               /* being made by the worker */
};

struct capture {
    struct queue *queue;
    unsigned n_queues;
    atomic_bool is_on;
    atomic_uint sample;
    atomic_ullong number, written, failed;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool is_ending, is_full;
    char *dir;
    int64_t max_bytes, keep;
    /* the writer's own */
    struct capture_file file;
    struct capture_mask *mask;
    struct buf record, lines;
    uint64_t n_lines; /* in `lines` */
    int64_t retry_ms; /* after a failure nothing is tried before */
    bool was_full;
};

struct capture *capture_new(const char *node_id, unsigned n_workers)
{
    struct capture *c = xcalloc(1, sizeof(*c));
    c->n_queues = n_workers;
    c->queue = aligned_alloc(_Alignof(struct queue), n_workers * sizeof(struct queue));
    if (!c->queue)
        abort();
    memset(c->queue, 0, n_workers * sizeof(struct queue));
    c->file = (struct capture_file){.node = xstrdup(node_id), .fd = -1};
    atomic_store(&c->sample, 1);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &attr);
    pthread_condattr_destroy(&attr);
    return c;
}

/* --- workers --- */

bool capture_wants(const struct capture *c, struct span conv)
{
    if (!atomic_load_explicit(&c->is_on, memory_order_acquire))
        return false;
    unsigned sample = atomic_load_explicit(&c->sample, memory_order_relaxed);
    return sample <= 1 || hash_stable(conv) % sample == 0;
}

static void copy_in(uint8_t *ring, size_t at, struct span s)
{
    size_t from = at % CAPTURE_QUEUE_BYTES, first = MIN_OF(s.n, CAPTURE_QUEUE_BYTES - from);
    memcpy(ring + from, s.p, first);
    memcpy(ring, s.p + first, s.n - first);
}

static void copy_out(const uint8_t *ring, size_t at, void *out, size_t n)
{
    size_t from = at % CAPTURE_QUEUE_BYTES, first = MIN_OF(n, CAPTURE_QUEUE_BYTES - from);
    memcpy(out, ring + from, first);
    memcpy((uint8_t *)out + first, ring, n - first);
}

bool capture_add(struct capture *c, unsigned worker, const struct capture_item *item)
{
    struct queue *q = &c->queue[worker];
    uint8_t *ring = atomic_load_explicit(&q->bytes, memory_order_acquire);
    buf_reset(&q->record);
    if (!ring || !capture_record_encode(item, atomic_fetch_add(&c->number, 1), &q->record))
        return false;
    size_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    size_t used = tail - atomic_load_explicit(&q->head, memory_order_acquire);
    if (q->record.len > CAPTURE_QUEUE_BYTES - used)
        return false;
    copy_in(ring, tail, buf_span(&q->record));
    atomic_store_explicit(&q->tail, tail + q->record.len, memory_order_release);
    return true;
}

/* --- the writer --- */

static void flush(struct capture *c)
{
    static struct log_limit limit;
    struct err e;
    if (!c->n_lines)
        return;
    int64_t now_ms = clock_mono_ms();
    if (now_ms < c->retry_ms) {
        atomic_fetch_add(&c->failed, c->n_lines);
    } else if (capture_file_write(&c->file, buf_span(&c->lines), &e) < 0) {
        log_event_limited(&limit, LOG_WARN, "capture_failed", "error=\"%s\" retry_ms=%d", e.text, RETRY_MS);
        c->retry_ms = now_ms + RETRY_MS;
        atomic_fetch_add(&c->failed, c->n_lines);
    } else {
        atomic_fetch_add(&c->written, c->n_lines);
    }
    buf_reset(&c->lines);
    c->n_lines = 0;
}

/* The queue whose first record below its limit has the smallest number; n_queues: none. */
static unsigned next_queue(struct capture *c, const size_t *limit, struct capture_head *head)
{
    unsigned best = c->n_queues;
    for (unsigned i = 0; i < c->n_queues; i++) {
        struct queue *q = &c->queue[i];
        size_t at = atomic_load_explicit(&q->head, memory_order_relaxed);
        if (at == limit[i])
            continue;
        struct capture_head h = {0};
        copy_out(q->bytes, at, &h, sizeof(h));
        if (best == c->n_queues || h.number < head->number) {
            best = i;
            *head = h;
        }
    }
    return best;
}

static void drain(struct capture *c, size_t *limit)
{
    for (unsigned i = 0; i < c->n_queues; i++)
        limit[i] = atomic_load_explicit(&c->queue[i].tail, memory_order_acquire);
    struct capture_head h = {0};
    for (unsigned i; (i = next_queue(c, limit, &h)) < c->n_queues;) {
        struct queue *q = &c->queue[i];
        size_t at = atomic_load_explicit(&q->head, memory_order_relaxed);
        buf_reset(&c->record);
        copy_out(q->bytes, at, buf_reserve(&c->record, h.bytes), h.bytes);
        buf_commit(&c->record, h.bytes);
        atomic_store_explicit(&q->head, at + h.bytes, memory_order_release);
        capture_record_print(buf_span(&c->record), c->was_full ? NULL : c->mask, &c->lines);
        c->n_lines++;
        if (c->lines.len > BATCH_BYTES)
            flush(c);
    }
    flush(c);
}

/* Waits for the next turn and takes over the settings; false: this is the last one. */
static bool wait_turn(struct capture *c)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&c->lock);
    if (!c->is_ending) {
        if (atomic_load(&c->is_on))
            pthread_cond_timedwait(&c->wake, &c->lock, &until);
        else
            pthread_cond_wait(&c->wake, &c->lock);
    }
    c->was_full = c->is_full;
    capture_file_set(&c->file, c->dir, c->max_bytes, c->keep);
    bool is_ending = c->is_ending;
    pthread_mutex_unlock(&c->lock);
    return !is_ending;
}

static void *run(void *arg)
{
    struct capture *c = arg;
    size_t *limit = xcalloc(c->n_queues, sizeof(*limit));
    c->mask = capture_mask_new();
    bool goes_on;
    do {
        goes_on = wait_turn(c);
        drain(c, limit);
        if (!atomic_load(&c->is_on))
            capture_file_close(&c->file);
    } while (goes_on);
    capture_mask_free(&c->mask);
    free(limit);
    return NULL;
}

/* --- control --- */

static void start(struct capture *c)
{
    for (unsigned i = 0; i < c->n_queues; i++)
        atomic_store_explicit(&c->queue[i].bytes, xmalloc(CAPTURE_QUEUE_BYTES), memory_order_release);
    if (pthread_create(&c->thread, NULL, run, c))
        abort();
    c->has_thread = true;
}

void capture_configure(struct capture *c, const struct conf *conf)
{
    bool was_on = atomic_load(&c->is_on), is_on = conf->capture.is_on;
    pthread_mutex_lock(&c->lock);
    free(c->dir);
    c->dir = xstrdup(conf->capture.dir);
    c->is_full = conf->capture.is_full;
    c->max_bytes = conf->capture.max_bytes;
    c->keep = conf->capture.keep;
    atomic_store(&c->sample, (unsigned)conf->capture.sample);
    if (is_on && !c->has_thread)
        start(c);
    atomic_store(&c->is_on, is_on);
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    if (is_on != was_on)
        log_event(LOG_WARN, "capture", "is_on=%d text=%s sample=%lld", is_on, conf->capture.is_full ? "full" : "masked",
                  (long long)conf->capture.sample);
}

struct capture_state capture_get_state(const struct capture *c)
{
    return (struct capture_state){atomic_load(&c->is_on), atomic_load(&c->written), atomic_load(&c->failed)};
}

void capture_free(struct capture **cp)
{
    struct capture *c = *cp;
    if (!c)
        return;
    *cp = NULL;
    if (c->has_thread) {
        pthread_mutex_lock(&c->lock);
        c->is_ending = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    for (unsigned i = 0; i < c->n_queues; i++) {
        free(atomic_load(&c->queue[i].bytes));
        buf_fini(&c->queue[i].record);
    }
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    capture_file_fini(&c->file);
    buf_fini(&c->record);
    buf_fini(&c->lines);
    free(c->queue);
    free(c->dir);
    free(c);
}

#include "net/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <time.h>

#include "base/log.h"
#include "base/xalloc.h"

enum { THREADS_MAX = 4, WAITING_MAX = 256 };

/* A look-up belongs to its caller until fn was called or it was cancelled, and to the thread that works on it; `all`
 * holds it as long as anybody has it. */
struct resolve {
    struct loop *loop; /* NULL: somebody waits for `done` */
    char *host;
    uint16_t port;
    resolve_fn fn;
    void *ctx;
    struct resolve *next_waiting, *prev, *next;
    enum { LOOK_WAITING, LOOK_WORKING, LOOK_POSTED } state; /* for a thread; for the answer; for the loop */
    bool is_cancelled;
    struct addr list[RESOLVE_ADDRS_MAX];
    size_t n;
    char why[RESOLVE_WHY_MAX];
};

/* Threads are started when they are first needed and stay. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct resolve *first, **last;
    struct resolve *all;
    unsigned n_waiting, n_threads, n_idle;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

/* With the lock held. */
static void forget(struct resolve *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        pool.all = r->next;
    if (r->next)
        r->next->prev = r->prev;
    free(r->host);
    free(r);
}

static void on_answer(void *ctx)
{
    struct resolve *r = ctx;
    if (!r->is_cancelled) /* set in this very thread */
        r->fn(r->ctx, r->list, r->n, r->why);
    pthread_mutex_lock(&pool.lock);
    forget(r);
    pthread_mutex_unlock(&pool.lock);
}

static bool look_up(const char *host, uint16_t port, int flags, struct addr *list, size_t *n, char why[RESOLVE_WHY_MAX])
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV}, *found = NULL;
    int rc = getaddrinfo(host, service, &hints, &found);
    *n = 0;
    for (const struct addrinfo *a = rc ? NULL : found; a && *n < RESOLVE_ADDRS_MAX; a = a->ai_next) {
        list[*n] = (struct addr){.len = a->ai_addrlen};
        memcpy(&list[(*n)++].any, a->ai_addr, a->ai_addrlen);
    }
    if (!rc)
        freeaddrinfo(found);
    snprintf(why, RESOLVE_WHY_MAX, "%.80s: %s", host, rc ? gai_strerror(rc) : *n ? "" : "no address");
    return *n;
}

static void *work(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (!pool.first) {
            pool.n_idle++;
            pthread_cond_wait(&pool.work, &pool.lock);
            pool.n_idle--;
        }
        struct resolve *r = pool.first;
        pool.first = r->next_waiting;
        if (!pool.first)
            pool.last = &pool.first;
        pool.n_waiting--;
        r->state = LOOK_WORKING;
        if (!r->is_cancelled) {
            pthread_mutex_unlock(&pool.lock);
            look_up(r->host, r->port, AI_ADDRCONFIG, r->list, &r->n, r->why);
            pthread_mutex_lock(&pool.lock);
        }
        if (r->is_cancelled) { /* its loop may be gone */
            forget(r);
        } else {
            r->state = LOOK_POSTED;
            if (r->loop)
                loop_post(r->loop, on_answer, r);
            else
                pthread_cond_broadcast(&pool.done);
        }
    }
    return NULL;
}

static bool add_thread(void)
{
    pthread_t t;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    bool is_made = pthread_create(&t, &attr, work, NULL) == 0;
    pthread_attr_destroy(&attr);
    pool.n_threads += is_made;
    return is_made;
}

/* With the lock held. False: nobody will look at it. */
static bool enqueue(struct resolve *r)
{
    if (pool.n_waiting >= WAITING_MAX) {
        snprintf(r->why, sizeof(r->why), "%.80s: %u look-ups wait already", r->host, pool.n_waiting);
        return false;
    }
    if (pool.n_waiting >= pool.n_idle && pool.n_threads < THREADS_MAX && !add_thread() && !pool.n_threads) {
        snprintf(r->why, sizeof(r->why), "%.80s: no thread for the look-up", r->host);
        return false;
    }
    if (!pool.first)
        pool.last = &pool.first;
    *pool.last = r;
    pool.last = &r->next_waiting;
    pool.n_waiting++;
    pthread_cond_signal(&pool.work);
    return true;
}

/* With the lock held. */
static void keep(struct resolve *r)
{
    r->next = pool.all;
    if (r->next)
        r->next->prev = r;
    pool.all = r;
}

struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, resolve_fn fn, void *ctx)
{
    struct resolve *r = xcalloc(1, sizeof(*r));
    *r = (struct resolve){.loop = l, .host = xstrdup(host), .port = port, .fn = fn, .ctx = ctx};
    bool is_numeric = resolve_numeric(host, port, &r->list[0]);
    r->n = is_numeric;
    pthread_mutex_lock(&pool.lock);
    keep(r);
    if (is_numeric || !enqueue(r)) {
        r->state = LOOK_POSTED;
        loop_post(l, on_answer, r);
    }
    pthread_mutex_unlock(&pool.lock);
    return r;
}

void resolve_cancel(struct resolve **rp)
{
    struct resolve *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    pthread_mutex_lock(&pool.lock);
    r->is_cancelled = true;
    pthread_mutex_unlock(&pool.lock);
}

static bool is_all_done(struct resolve *const *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (r[i]->state != LOOK_POSTED)
            return false;
    return true;
}

/* With the lock held. */
static void take_answer(struct resolve *r, struct resolve_wish *w)
{
    if (r->state != LOOK_POSTED) {
        snprintf(w->why, sizeof(w->why), "%.80s: no answer in time", r->host);
        r->is_cancelled = true; /* the thread that has it, or will have it, frees it */
        return;
    }
    memcpy(w->list, r->list, sizeof(w->list));
    w->n = r->n;
    memcpy(w->why, r->why, sizeof(w->why));
    forget(r);
}

void resolve_within(struct resolve_wish *wish, size_t n, int64_t limit_ms)
{
    struct resolve **r = xcalloc(n ? n : 1, sizeof(struct resolve *));
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ns = end.tv_nsec + limit_ms % 1000 * 1000000;
    end.tv_sec += limit_ms / 1000 + ns / 1000000000;
    end.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&pool.lock);
    for (size_t i = 0; i < n; i++) {
        r[i] = xcalloc(1, sizeof(**r));
        *r[i] = (struct resolve){.host = xstrdup(wish[i].host), .port = wish[i].port};
        keep(r[i]);
        if (!enqueue(r[i]))
            r[i]->state = LOOK_POSTED;
    }
    while (!is_all_done(r, n) && pthread_cond_clockwait(&pool.done, &pool.lock, CLOCK_MONOTONIC, &end) == 0)
        ;
    for (size_t i = 0; i < n; i++)
        take_answer(r[i], &wish[i]);
    pthread_mutex_unlock(&pool.lock);
    free(r);
}

bool resolve_numeric(const char *host, uint16_t port, struct addr *out)
{
    size_t n;
    char why[RESOLVE_WHY_MAX];
    struct addr list[RESOLVE_ADDRS_MAX];
    bool is_numeric = look_up(host, port, AI_NUMERICHOST, list, &n, why);
    if (is_numeric)
        *out = list[0];
    return is_numeric;
}

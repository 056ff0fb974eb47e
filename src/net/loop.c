#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/xalloc.h"

struct posted {
    loop_fn fn;
    void *ctx;
    struct posted *next;
};

/* Other threads append to the list under the lock and ring the eventfd; the loop takes the whole list at once. */
struct loop {
    struct event_base *base;
    pthread_mutex_t lock;
    struct posted *head, **tail;
    struct event *bell;
    int bell_fd;
};

struct timer {
    struct event *ev;
    loop_fn fn;
    void *ctx;
    struct timeval interval;
    bool is_periodic;
};

static struct posted *take_posted(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct posted *list = l->head;
    l->head = NULL;
    l->tail = &l->head;
    pthread_mutex_unlock(&l->lock);
    return list;
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
        abort(); /* an eventfd of our own does not fail otherwise */
    loop_run_posted(arg);
}

void loop_run_posted(struct loop *l)
{
    for (struct posted *p = take_posted(l); p;) {
        struct posted *next = p->next;
        p->fn(p->ctx);
        free(p);
        p = next;
    }
}

struct loop *loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof(*l));
    struct event_config *cfg = event_config_new();
    /* One changelist per turn instead of one epoll_ctl per interest change. Safe here: no descriptor is registered
     * twice. */
    event_config_set_flag(cfg, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST | EVENT_BASE_FLAG_NOLOCK);
    l->base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    l->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!l->base || l->bell_fd < 0)
        abort();
    pthread_mutex_init(&l->lock, NULL);
    l->tail = &l->head;
    l->bell = event_new(l->base, l->bell_fd, EV_READ | EV_PERSIST, on_bell, l);
    event_add(l->bell, NULL);
    return l;
}

void loop_run(struct loop *l)
{
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

static void on_stop(void *ctx)
{
    struct loop *l = ctx;
    event_base_loopexit(l->base, NULL);
}

void loop_stop(struct loop *l)
{
    loop_post(l, on_stop, l);
}

void loop_free(struct loop **lp)
{
    struct loop *l = *lp;
    if (!l)
        return;
    for (struct posted *p = l->head; p;) {
        struct posted *next = p->next;
        free(p);
        p = next;
    }
    event_free(l->bell);
    close(l->bell_fd);
    event_base_free(l->base);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *lp = NULL;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

void loop_post(struct loop *l, loop_fn fn, void *ctx)
{
    struct posted *p = xmalloc(sizeof(*p));
    *p = (struct posted){.fn = fn, .ctx = ctx};
    pthread_mutex_lock(&l->lock);
    *l->tail = p;
    l->tail = &p->next;
    pthread_mutex_unlock(&l->lock);
    const uint64_t one = 1;
    if (write(l->bell_fd, &one, sizeof(one)) < 0 && errno != EAGAIN) /* EAGAIN: it is ringing already */
        abort();
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct timer *t = arg;
    if (t->is_periodic)
        event_add(t->ev, &t->interval);
    t->fn(t->ctx);
}

struct timer *timer_new(struct loop *l, loop_fn fn, void *ctx)
{
    struct timer *t = xcalloc(1, sizeof(*t));
    t->ev = evtimer_new(l->base, on_timer, t);
    t->fn = fn;
    t->ctx = ctx;
    return t;
}

void timer_start(struct timer *t, int64_t ms, bool is_periodic)
{
    t->interval = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    t->is_periodic = is_periodic;
    event_add(t->ev, &t->interval);
}

void timer_fire_soon(struct timer *t)
{
    event_active(t->ev, EV_TIMEOUT, 0);
}

void timer_stop(struct timer *t)
{
    event_del(t->ev);
}

void timer_free(struct timer **t)
{
    if (!*t)
        return;
    event_free((*t)->ev);
    free(*t);
    *t = NULL;
}

#include "bench_loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"

enum { BATCH = 256 };

struct loop {
    int epoll;
    bool has_no_pwait2; /* Linux before 5.11 */
    int n, at;          /* the batch being delivered */
    struct epoll_event batch[BATCH];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

void loop_catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal}, ign = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGPIPE, &ign, NULL);
}

bool loop_is_interrupted(void)
{
    return interrupted;
}

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

struct loop *loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof(*l));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        perror("epoll_create1");
        exit(1);
    }
    /* The default slack of 50 us would make every due message that much late. */
    prctl(PR_SET_TIMERSLACK, 1000L, 0L, 0L, 0L);
    return l;
}

void loop_free(struct loop **l)
{
    if (!*l)
        return;
    close((*l)->epoll);
    free(*l);
    *l = NULL;
}

static void control(struct loop *l, int op, struct source *s)
{
    struct epoll_event e = {.events = s->events, .data.ptr = s};
    if (epoll_ctl(l->epoll, op, s->fd, &e) < 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

void loop_add(struct loop *l, struct source *s, uint32_t events)
{
    s->events = events;
    control(l, EPOLL_CTL_ADD, s);
}

void loop_set(struct loop *l, struct source *s, uint32_t events)
{
    if (s->events == events)
        return;
    s->events = events;
    control(l, EPOLL_CTL_MOD, s);
}

void loop_remove(struct loop *l, struct source *s)
{
    if (s->fd < 0)
        return;
    for (int i = l->at; i < l->n; i++)
        if (l->batch[i].data.ptr == s)
            l->batch[i].data.ptr = NULL;
    close(s->fd);
    s->fd = -1;
}

static int wait_for(struct loop *l, int64_t left_ns)
{
    struct timespec t = {left_ns / 1000000000, left_ns % 1000000000};
    if (!l->has_no_pwait2) {
        int n = epoll_pwait2(l->epoll, l->batch, BATCH, &t, NULL);
        if (n >= 0 || errno != ENOSYS)
            return n;
        l->has_no_pwait2 = true;
    }
    return epoll_wait(l->epoll, l->batch, BATCH, (int)(left_ns / 1000000)); /* the last millisecond is polled */
}

void loop_turn(struct loop *l, int64_t until_ns)
{
    int64_t left = until_ns - now_ns();
    int n = wait_for(l, MAX_OF(left, 0));
    if (n < 0 && errno != EINTR) {
        perror("epoll_wait");
        exit(1);
    }
    l->n = MAX_OF(n, 0);
    for (l->at = 0; l->at < l->n;) {
        struct epoll_event e = l->batch[l->at++];
        if (e.data.ptr) {
            struct source *s = e.data.ptr;
            s->on_ready(s, e.events);
        }
    }
    l->n = 0;
}

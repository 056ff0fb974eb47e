#include "net/listen.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"

enum { ACCEPTS_PER_TURN = 64, BACKLOG = 4096, RETRY_MS = 200 };

struct listener {
    int fd;
    struct event *ev;
    struct timer *retry;
    listen_fn fn;
    listen_room_fn has_room; /* NULL: always */
    void *ctx;
    bool is_paused, is_starved;
    struct log_limit limit;
};

/* A socket file that a killed process left behind is in the way; anything else there is not ours to remove. */
static int clear_path(const struct addr *a, struct err *e)
{
    struct stat st;
    if (lstat(a->any.un.sun_path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, "bind: the path exists and is not a socket");
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_alive = probe >= 0 && (connect(probe, &a->any.sa, a->len) == 0 || errno == EAGAIN);
    if (probe >= 0)
        close(probe);
    if (is_alive)
        return err_set(e, "bind: another process listens there");
    unlink(a->any.un.sun_path);
    return 0;
}

int listen_socket(const struct addr *a, bool reuse_port, struct err *e)
{
    int fd = socket(a->any.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (reuse_port && a->any.sa.sa_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (a->any.sa.sa_family == AF_UNIX && clear_path(a, e) < 0) {
        close(fd);
        return -1;
    }
    addr_set_no_delay(fd);
    if (bind(fd, &a->any.sa, a->len) < 0 || listen(fd, BACKLOG) < 0) {
        err_sys(e, "bind");
        close(fd);
        return -1;
    }
    return fd;
}

static void arm(struct listener *l)
{
    if (l->is_paused || l->is_starved)
        event_del(l->ev);
    else
        event_add(l->ev, NULL);
}

static void on_retry(void *arg)
{
    struct listener *l = arg;
    l->is_starved = false;
    arm(l);
}

static void starve(struct listener *l, const char *why)
{
    log_event_limited(&l->limit, LOG_WARN, "accept_paused", "why=\"%s\" retry_ms=%d", why, RETRY_MS);
    l->is_starved = true;
    arm(l);
    timer_start(l->retry, RETRY_MS, false);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct listener *l = arg;
    for (int i = 0; i < ACCEPTS_PER_TURN && !l->is_paused; i++) {
        if (l->has_room && !l->has_room(l->ctx)) {
            starve(l, "as many sessions as descriptors allow");
            return;
        }
        struct addr peer = {.len = sizeof(peer.any)};
        int s = accept4(fd, &peer.any.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (s >= 0) {
            l->fn(l->ctx, s, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            starve(l, strerror(errno));
        else if (errno == ECONNABORTED || errno == EINTR)
            continue;
        return; /* EAGAIN: nobody waits */
    }
}

struct listener *listener_new(struct loop *loop, int fd, listen_fn fn, void *ctx)
{
    struct listener *l = xcalloc(1, sizeof(*l));
    addr_set_no_delay(fd); /* again for a socket that was inherited */
    *l = (struct listener){.fd = fd, .fn = fn, .ctx = ctx};
    l->ev = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_accept, l);
    l->retry = timer_new(loop, on_retry, l);
    arm(l);
    return l;
}

void listener_set_room(struct listener *l, listen_room_fn has_room)
{
    l->has_room = has_room;
}

void listener_pause(struct listener *l, bool paused)
{
    l->is_paused = paused;
    arm(l);
}

void listener_free(struct listener **lp)
{
    struct listener *l = *lp;
    if (!l)
        return;
    event_free(l->ev);
    timer_free(&l->retry);
    close(l->fd);
    free(l);
    *lp = NULL;
}

#include "net/stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/xalloc.h"
#include "net/resolve.h"
#include "net/tls.h"

/* The bufferevent does the work; `is_dead` tells that the handlers must not be called any more. */
struct stream {
    struct bufferevent *bev;
    struct stream_handlers h;
    void *ctx;
    bool *closed_flag;       /* set while a callback runs: tells it that the stream was closed under it */
    struct resolve *look_up; /* of the name, before it connects; NULL: none */
    struct timer *late;      /* the connect time-out: look-up, connect, TLS handshake */
};

static void on_readable(struct bufferevent *bev, void *arg)
{
    struct stream *s = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    bool closed = false;
    s->closed_flag = &closed;
    while (evbuffer_get_length(in)) {
        size_t n = evbuffer_get_length(in);
        size_t used = s->h.on_data(s->ctx, span_of(evbuffer_pullup(in, -1), n));
        if (closed)
            return;
        evbuffer_drain(in, used);
        if (!used)
            break;
    }
    s->closed_flag = NULL;
}

static void end_with(struct stream *s, const char *why)
{
    resolve_cancel(&s->look_up);
    timer_free(&s->late);
    bufferevent_disable(s->bev, EV_READ | EV_WRITE);
    bufferevent_setcb(s->bev, NULL, NULL, NULL, NULL);
    s->h.on_end(s->ctx, why);
}

/* A question in several pieces (a long script, several TLS records) must not wait for the peer's delayed
 * acknowledgement, 40 ms. A Unix socket refuses the option, which is fine. */
static void set_no_delay(struct bufferevent *bev)
{
    const int on = 1;
    setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct stream *s = arg;
    if (what & BEV_EVENT_CONNECTED) {
        set_no_delay(bev);
        timer_free(&s->late);
        s->h.on_open(s->ctx);
        return;
    }
    char why[200];
    if (what & BEV_EVENT_EOF)
        snprintf(why, sizeof(why), "closed by the peer");
    else
        snprintf(why, sizeof(why), "%s", tls_stream_error(bev, EVUTIL_SOCKET_ERROR()));
    end_with(s, why);
}

static int connect_unix(struct stream *s, const char *path, struct err *e)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(un.sun_path))
        return err_set(e, "%s: path of a Unix socket is longer than %zu bytes", path, sizeof(un.sun_path) - 1);
    memcpy(un.sun_path, path, strlen(path));
    return bufferevent_socket_connect(s->bev, (struct sockaddr *)&un, sizeof(un)) ? err_sys(e, "%s", path) : 0;
}

static int connect_addr(struct stream *s, const struct addr *a)
{
    return bufferevent_socket_connect(s->bev, &a->any.sa, (int)a->len);
}

static void on_found(void *ctx, const struct addr *list, size_t n, const char *why)
{
    struct stream *s = ctx;
    s->look_up = NULL;
    if (!n)
        end_with(s, why);
    else if (connect_addr(s, &list[0]) < 0)
        end_with(s, strerror(errno));
}

static void on_late(void *ctx)
{
    struct stream *s = ctx;
    end_with(s, s->look_up ? "timed out while the name was looked up" : "timed out");
}

/* A numeric address is connected to at once; a name is looked up first, which takes its time elsewhere. */
static int connect_inet(struct stream *s, struct loop *l, const struct stream_options *o, struct err *e)
{
    struct addr a;
    if (resolve_numeric(o->host, o->port, &a))
        return connect_addr(s, &a) ? err_sys(e, "%s:%u", o->host, o->port) : 0;
    s->look_up = resolve_start(l, o->host, o->port, on_found, s);
    return 0;
}

struct stream *stream_open(struct loop *l, const struct stream_options *o, const struct stream_handlers *h, void *ctx,
                           struct err *e)
{
    struct stream *s = xcalloc(1, sizeof(*s));
    s->h = *h;
    s->ctx = ctx;
    int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS; /* deferred: no callback before we return */
    s->bev = o->tls ? tls_stream_new(loop_base(l), o->tls, o->server_name ? o->server_name : o->host, options)
                    : bufferevent_socket_new(loop_base(l), -1, options);
    if (!s->bev) {
        err_set(e, "%s: cannot create a connection", o->host);
        free(s);
        return NULL;
    }
    bufferevent_setcb(s->bev, on_readable, NULL, on_event, s);
    /* Not the bufferevent's own time-out: taken back once it is connected, it stays with the write event of
     * libevent 2.1 and cuts whoever reads slowly later. */
    s->late = timer_new(l, on_late, s);
    timer_start(s->late, o->connect_timeout_ms, false);
    bufferevent_enable(s->bev, EV_READ | EV_WRITE);
    if ((o->host[0] == '/' ? connect_unix(s, o->host, e) : connect_inet(s, l, o, e)) < 0)
        stream_close(&s);
    return s;
}

void stream_write(struct stream *s, const void *p, size_t n)
{
    bufferevent_write(s->bev, p, n);
}

size_t stream_pending(const struct stream *s)
{
    return evbuffer_get_length(bufferevent_get_output(s->bev));
}

void stream_close(struct stream **sp)
{
    struct stream *s = *sp;
    if (!s)
        return;
    if (s->closed_flag)
        *s->closed_flag = true;
    resolve_cancel(&s->look_up);
    timer_free(&s->late);
    bufferevent_free(s->bev);
    free(s);
    *sp = NULL;
}

#include "net/stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/xalloc.h"
#include "net/tls.h"

/* The bufferevent does the work; `is_dead` tells that the handlers must not be called any more. */
struct stream {
    struct bufferevent *bev;
    struct stream_handlers h;
    void *ctx;
    bool *closed_flag; /* set while a callback runs: tells it that the stream was closed under it */
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
    bufferevent_disable(s->bev, EV_READ | EV_WRITE);
    bufferevent_setcb(s->bev, NULL, NULL, NULL, NULL);
    s->h.on_end(s->ctx, why);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct stream *s = arg;
    if (what & BEV_EVENT_CONNECTED) {
        bufferevent_set_timeouts(bev, NULL, NULL);
        s->h.on_open(s->ctx);
        return;
    }
    char why[200];
    int dns = bufferevent_socket_get_dns_error(bev);
    if (what & BEV_EVENT_TIMEOUT)
        snprintf(why, sizeof(why), "timed out");
    else if (dns)
        snprintf(why, sizeof(why), "name not found: %s", gai_strerror(dns));
    else if (what & BEV_EVENT_EOF)
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

/* A numeric address is connected to at once; a name is looked up first, blocking: only at (re)connects, on the control
 * thread, never on the message path. */
static int connect_inet(struct stream *s, const char *host, uint16_t port, struct err *e)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(host, service, &hints, &list);
    if (rc)
        return err_set(e, "%s: %s", host, gai_strerror(rc));
    rc = bufferevent_socket_connect(s->bev, list->ai_addr, (int)list->ai_addrlen);
    freeaddrinfo(list);
    return rc ? err_sys(e, "%s:%u", host, port) : 0;
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
    struct timeval limit = {.tv_sec = o->connect_timeout_ms / 1000, .tv_usec = o->connect_timeout_ms % 1000 * 1000};
    bufferevent_set_timeouts(s->bev, NULL, &limit);
    bufferevent_enable(s->bev, EV_READ | EV_WRITE);
    if ((o->host[0] == '/' ? connect_unix(s, o->host, e) : connect_inet(s, o->host, o->port, e)) < 0)
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
    bufferevent_free(s->bev);
    free(s);
    *sp = NULL;
}

#include "bench_xmpp_peer.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

static void end(struct xmpp_peer *p, const char *why)
{
    if (p->has_ended)
        return;
    p->has_ended = true;
    loop_remove(p->loop, &p->src);
    p->calls->on_end(p, why);
}

void xmpp_peer_flush(struct xmpp_peer *p)
{
    size_t done = 0;
    while (done < p->out.len && !p->has_ended) {
        ssize_t n = send(p->src.fd, buf_span(&p->out).p + done, p->out.len - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            end(p, strerror(errno));
        if (n < 0)
            break;
        done += (size_t)n;
    }
    if (p->has_ended)
        return;
    if (done < p->out.len)
        buf_consume(&p->out, done);
    else
        buf_reset(&p->out);
    loop_set(p->loop, &p->src, EPOLLIN | (p->out.len ? EPOLLOUT : 0u));
}

/* --- the login --- */

static void base64(struct span in, struct buf *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < in.n; i += 3) {
        uint32_t v = (uint32_t)in.p[i] << 16;
        v |= i + 1 < in.n ? (uint32_t)in.p[i + 1] << 8 : 0;
        v |= i + 2 < in.n ? (uint32_t)in.p[i + 2] : 0;
        char four[4] = {letters[v >> 18], letters[v >> 12 & 63], i + 1 < in.n ? letters[v >> 6 & 63] : '=',
                        i + 2 < in.n ? letters[v & 63] : '='};
        buf_append(out, four, 4);
    }
}

static void put_header(struct xmpp_peer *p)
{
    buf_printf(&p->out,
               "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xmlns='jabber:client' "
               "xmlns:stream='http://etherx.jabber.org/streams'>",
               p->account.domain);
}

static void put_auth(struct xmpp_peer *p)
{
    struct buf plain = {0};
    buf_append(&plain, "", 1);
    buf_append_str(&plain, p->account.user);
    buf_append(&plain, "", 1);
    buf_append_str(&plain, p->account.password);
    buf_append_str(&p->out, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>");
    base64(buf_span(&plain), &p->out);
    buf_append_str(&p->out, "</auth>");
    buf_fini(&plain);
}

static void put_bind(struct xmpp_peer *p)
{
    buf_printf(
        &p->out,
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource></bind></iq>",
        p->account.resource);
}

static const struct {
    void (*put)(struct xmpp_peer *p);
    const char *awaited;
} steps[] = {
    {put_header, "</stream:features>"},
    {put_auth, "<success"},
    {put_header, "</stream:features>"},
    {put_bind, "</iq>"},
};

static bool has(struct span in, const char *what)
{
    return memmem(in.p, in.n, what, strlen(what)) != NULL;
}

static void go_on(struct xmpp_peer *p)
{
    struct span in = buf_span(&p->in);
    if (has(in, "<failure") || has(in, "<stream:error") || has(in, "type='error'"))
        end(p, buf_cstr(&p->in));
    else if (has(in, steps[p->step].awaited)) {
        buf_reset(&p->in);
        if (++p->step < ARRAY_LEN(steps))
            steps[p->step].put(p);
        else
            p->is_open = true;
        xmpp_peer_flush(p);
    }
}

/* --- messages --- */

static void take_messages(struct xmpp_peer *p)
{
    static const char tag[] = "</message>";
    struct span in = buf_span(&p->in);
    size_t at = 0;
    for (const uint8_t *end; (end = memmem(in.p + at, in.n - at, tag, sizeof(tag) - 1));) {
        size_t to = (size_t)(end - in.p) + sizeof(tag) - 1;
        p->calls->on_message(p, span_of(in.p + at, to - at));
        at = to;
    }
    if (at == in.n)
        buf_reset(&p->in);
    else
        buf_consume(&p->in, at);
}

static void on_ready(struct source *src, uint32_t ready)
{
    struct xmpp_peer *p = CONTAINER_OF(src, struct xmpp_peer, src);
    if (ready & EPOLLOUT)
        xmpp_peer_flush(p);
    if (p->has_ended || !(ready & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t n = recv(p->src.fd, buf_reserve(&p->in, READ_BYTES), READ_BYTES, 0);
    if (n > 0) {
        buf_commit(&p->in, (size_t)n);
        p->read_ns = now_ns();
    }
    if (n > 0 && p->is_open)
        take_messages(p);
    else if (n > 0)
        go_on(p);
    else if (n == 0)
        end(p, "the server closed the connection");
    else if (errno != EAGAIN && errno != EINTR)
        end(p, strerror(errno));
}

int xmpp_peer_start(struct xmpp_peer *p, struct loop *l, const struct endpoint *to, const struct xmpp_peer_calls *calls,
                    struct err *e)
{
    *p = (struct xmpp_peer){.account = p->account, .loop = l, .calls = calls};
    p->src.fd = wire_connect(to, 0, e);
    if (p->src.fd < 0)
        return -1;
    p->src.on_ready = on_ready;
    steps[0].put(p);
    loop_add(l, &p->src, EPOLLIN | EPOLLOUT);
    return 0;
}

void xmpp_peer_fini(struct xmpp_peer *p)
{
    if (p->loop && !p->has_ended)
        loop_remove(p->loop, &p->src);
    buf_fini(&p->in);
    buf_fini(&p->out);
    *p = (struct xmpp_peer){.account = p->account};
}

/* STARTTLS towards the server, before the client's stream begins. */
#include "base/log.h"
#include "gate/gate.h"
#include "gate/xmpp.h"

#define NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"

void xmpp_upstream_begin(struct session *s)
{
    struct xmpp *x = s->xmpp;
    struct buf b = {0};
    buf_append_str(&b, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                       "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='");
    xmpp_escape(&b, buf_span(&x->domain));
    buf_append_str(&b, "'>");
    x->upstream = XMPP_UP_FEATURES;
    x->waits = true; /* the client's stream begins inside TLS */
    session_to_backend(s, b.data, b.len);
    buf_fini(&b);
}

static void fail(struct session *s, const char *why)
{
    counter_add(&s->w->count.backend_failures, 1);
    log_event(LOG_WARN, "backend_starttls", "session=%llx upstream=%s why=\"%s\"", (unsigned long long)s->id,
              upstream_name(s->entry->upstream), why);
    xmpp_no_backend(s);
}

static void start_tls(struct session *s)
{
    struct upstream *u = s->entry->upstream;
    struct err e = {{0}};
    s->xmpp->upstream = XMPP_UP_TLS;
    xmpp_stream_restart(s->xmpp->in);
    if (conn_start_tls_client(&s->backend, upstream_tls(u), upstream_server_name(u, s->server), &e) < 0)
        fail(s, e.text);
}

static void take_element(struct session *s, const struct xmpp_dom *d, bool has_more)
{
    static const char ask[] = "<starttls xmlns='" NS_TLS "'/>";
    struct xmpp *x = s->xmpp;
    if (x->upstream == XMPP_UP_FEATURES && xmpp_child(d, 0, NS_TLS, "starttls")) {
        x->upstream = XMPP_UP_PROCEED;
        session_to_backend(s, ask, sizeof(ask) - 1);
    } else if (x->upstream == XMPP_UP_FEATURES) {
        fail(s, "the server does not offer STARTTLS");
    } else if (!xmpp_is(d, 0, NS_TLS, "proceed")) {
        fail(s, "the server refused STARTTLS");
    } else if (has_more) {
        fail(s, "bytes in the clear behind <proceed/>");
    } else {
        start_tls(s);
    }
}

size_t xmpp_upstream_take(struct session *s, struct span in)
{
    struct xmpp_item item;
    switch (xmpp_next(s->xmpp->in, in, &item)) {
    case XMPP_MORE:
        return 0;
    case XMPP_HEADER:
    case XMPP_SPACE:
        return item.raw.n;
    case XMPP_ELEMENT:
        take_element(s, item.dom, item.raw.n < in.n);
        return s->state == SS_XMPP ? item.raw.n : in.n;
    case XMPP_PART:
    case XMPP_END:
    case XMPP_BAD:
        break;
    }
    fail(s, "the server's stream is not as it must be before STARTTLS");
    return in.n;
}

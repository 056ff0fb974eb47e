/* An XMPP client over TCP before the server is connected: TLS from the first byte, or the gateway's own STARTTLS. */
#include <errno.h>

#include "base/log.h"
#include "gate/gate.h"
#include "gate/xmpp.h"
#include "proto/xmpp_jid.h"

#define NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"

void xmpp_begin(struct session *s)
{
    if (!s->xmpp)
        s->xmpp = xmpp_new(s, false);
    session_set_state(s, SS_XMPP_OPEN);
    session_set_deadline(s, s->w->snap->conf->timeouts.handshake_ms);
}

bool xmpp_takes_tls(struct session *s)
{
    uint8_t first;
    struct err e = {{0}};
    if (!s->entry->tls || s->client.tls || s->xmpp->has_greeted || s->cin.len)
        return false;
    ssize_t n = recv(s->client.fd, &first, 1, MSG_PEEK);
    if (n != 1)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (first != 0x16) /* a TLS handshake record */
        return false;
    if (conn_start_tls(&s->client, s->entry->tls, &e) < 0)
        session_end(s, END_CLIENT_ERROR);
    else
        session_set_state(s, SS_HANDSHAKE);
    return true;
}

void xmpp_take_header(struct session *s, const struct xmpp_item *item)
{
    struct xmpp *x = s->xmpp;
    buf_reset(&x->domain);
    xmpp_append_bare(&x->domain, xmpp_attr(item->dom, 0, "to"));
}

static void offer_tls(struct session *s)
{
    static const char features[] =
        "<stream:features><starttls xmlns='" NS_TLS "'><required/></starttls></stream:features>";
    xmpp_greet(s);
    session_to_client(s, features, sizeof(features) - 1);
}

static void start_tls(struct session *s, bool has_more)
{
    static const char proceed[] = "<proceed xmlns='" NS_TLS "'/>";
    struct xmpp *x = s->xmpp;
    struct err e = {{0}};
    if (has_more) { /* what comes in the clear behind it could be somebody else's */
        counter_add(&s->w->count.protocol_errors, 1);
        session_end(s, END_PROTOCOL);
        return;
    }
    session_to_client(s, proceed, sizeof(proceed) - 1);
    if (s->state == SS_DEAD)
        return;
    xmpp_stream_restart(x->out);
    x->has_greeted = false;
    if (conn_queued(&s->client) || conn_start_tls(&s->client, s->entry->tls, &e) < 0)
        session_end(s, END_CLIENT_ERROR);
    else
        session_set_state(s, SS_HANDSHAKE);
}

/* Returns the bytes used. */
size_t xmpp_open_stream(struct session *s, struct span in)
{
    struct xmpp *x = s->xmpp;
    struct xmpp_item item;
    enum xmpp_got got = xmpp_next(x->out, in, &item);
    bool wants_tls = s->entry->tls && !s->client.tls;
    switch (got) {
    case XMPP_MORE:
        return 0;
    case XMPP_SPACE:
        break;
    case XMPP_HEADER:
        xmpp_take_header(s, &item);
        if (wants_tls) {
            offer_tls(s);
            break;
        }
        if (s->entry->profile && xmpp_is(item.dom, 0, "http://etherx.jabber.org/streams", "stream")) {
            xmpp_stream_restart(x->out); /* the server gets this header: it is read again then */
            session_set_state(s, SS_CONNECT);
            session_connect_backend(s);
            return 0;
        }
        xmpp_fail(s, "invalid-namespace", END_PROTOCOL);
        return in.n;
    case XMPP_ELEMENT:
        if (xmpp_is(item.dom, 0, NS_TLS, "starttls")) {
            start_tls(s, item.raw.n < in.n);
            return in.n;
        }
        xmpp_fail(s, "policy-violation", END_PROTOCOL);
        return in.n;
    case XMPP_END:
        xmpp_fail(s, "undefined-condition", END_CLIENT_CLOSED);
        return in.n;
    case XMPP_PART:
    case XMPP_BAD:
        counter_add(&s->w->count.protocol_errors, 1);
        xmpp_log_bad(s, x->out, &item);
        xmpp_fail(s, xmpp_fault_condition(item.fault), END_PROTOCOL);
        return in.n;
    }
    return item.raw.n;
}

void xmpp_backend_open(struct session *s)
{
    struct xmpp *x = s->xmpp;
    if (s->state == SS_CONNECT)
        session_set_state(s, SS_XMPP);
    session_set_deadline(s, s->w->snap->conf->timeouts.request_ms);
    if (x->upstream == XMPP_UP_OPEN && profile_xmpp(s->entry->profile)->upstream_starttls) {
        xmpp_upstream_begin(s);
        return;
    }
    x->upstream = XMPP_UP_OPEN;
    x->waits = false;
    session_feed_client(s);
}

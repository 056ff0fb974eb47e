/* XMPP over TCP: the client's leg, the server's leg, the streams between them. */
#include "gate/xmpp.h"

#include <errno.h>

#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "gate/xmpp_rooms.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_write.h"

#define NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"

struct xmpp *xmpp_new(struct session *s, bool is_framed)
{
    struct xmpp *x = xcalloc(1, sizeof(*x));
    struct xmpp_stream_options o = {.max_bytes = (size_t)s->w->snap->conf->limits.message_bytes,
                                    .is_framed = is_framed};
    x->is_framed = is_framed;
    x->out = xmpp_stream_new(&s->w->xmpp_pool, &o);
    o.passes_long = true;
    x->in = xmpp_stream_new(&s->w->xmpp_pool, &o);
    return x;
}

void xmpp_free(struct xmpp **xp)
{
    struct xmpp *x = *xp;
    if (!x)
        return;
    xmpp_stream_free(&x->out);
    xmpp_stream_free(&x->in);
    xmpp_rooms_free(&x->rooms);
    struct buf *all[] = {&x->jid, &x->agent, &x->domain, &x->mechanism, &x->user, &x->bind_id, &x->inject};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_fini(all[i]);
    free(x);
    *xp = NULL;
}

/* --- the end --- */

static void linger(struct session *s, enum end_reason why)
{
    if (s->state == SS_DEAD || s->state == SS_LINGER)
        return;
    session_drop_backend(s);
    session_linger(s, why);
}

static void greet(struct session *s)
{
    struct xmpp *x = s->xmpp;
    struct buf b = {0};
    char id[33];
    rand_hex32(id);
    buf_append_str(&b, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                       "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en' id='");
    buf_append_str(&b, id);
    if (x->domain.len) {
        buf_append_str(&b, "' from='");
        xmpp_escape(&b, buf_span(&x->domain));
    }
    buf_append_str(&b, "'>");
    session_to_client(s, b.data, b.len);
    buf_fini(&b);
    x->has_greeted = true;
}

void xmpp_fail(struct session *s, const char *condition, enum end_reason why)
{
    struct xmpp *x = s->xmpp;
    if (s->state == SS_DEAD || s->state == SS_LINGER)
        return;
    if (x->is_long_in) { /* in the middle of the server's element nothing can be said */
        session_end(s, why);
        return;
    }
    if (!x->has_greeted)
        greet(s);
    struct buf b = {0};
    struct span tag = xmpp_stream_tag(x->in);
    xmpp_write_error(&b, condition, tag.n ? tag : span_str("stream:stream"));
    session_to_client(s, b.data, b.len);
    buf_fini(&b);
    linger(s, why);
}

void xmpp_backend_ended(struct session *s)
{
    if (s->state != SS_LINGER && s->state != SS_DEAD && !s->xmpp->has_greeted) {
        xmpp_no_backend(s);
        return;
    }
    /* Without the end of the stream: a client with stream management comes back and resumes. */
    linger(s, END_BACKEND_CLOSED);
}

void xmpp_no_backend(struct session *s)
{
    xmpp_fail(s, "remote-connection-failed", END_BACKEND_ERROR);
}

void xmpp_drain(struct session *s)
{
    if (s->state == SS_HANDSHAKE) /* nothing can be said before TLS is there */
        session_end(s, END_DRAIN);
    else if (s->xmpp->is_framed) /* without <close/>, so that the session can be resumed */
        ws_close(s, WS_CLOSE_GOING_AWAY, "the gateway restarts", END_DRAIN);
    else if (s->xmpp->counts) /* a cut, not an end: the server keeps the session until the client resumes it */
        linger(s, END_DRAIN);
    else
        xmpp_fail(s, "system-shutdown", END_DRAIN);
}

/* --- before the server is connected --- */

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

static void take_header(struct session *s, const struct xmpp_item *item)
{
    struct xmpp *x = s->xmpp;
    buf_reset(&x->domain);
    xmpp_append_bare(&x->domain, xmpp_attr(item->dom, 0, "to"));
}

static void offer_tls(struct session *s)
{
    static const char features[] =
        "<stream:features><starttls xmlns='" NS_TLS "'><required/></starttls></stream:features>";
    greet(s);
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
static size_t open_stream(struct session *s, struct span in)
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
        take_header(s, &item);
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

/* --- relaying --- */

/* Elements of `in` one after the other; bytes [run, at) passed and wait to be sent on in one piece. */
struct walk {
    struct span in;
    size_t at, run;
    void (*send)(struct session *s, const void *p, size_t n);
};

static void flush(struct session *s, struct walk *k)
{
    k->send(s, k->in.p + k->run, k->at - k->run);
    k->run = k->at;
}

static void move_on(struct session *s, struct walk *k, enum xmpp_fate fate, size_t n)
{
    if (fate == XMPP_AS_IS) {
        k->at += n;
        return;
    }
    flush(s, k); /* what passed before goes first */
    if (fate == XMPP_REPLACED && s->state == SS_XMPP)
        k->send(s, s->w->emitted.data + s->w->emitted.start, s->w->emitted.len);
    k->run = k->at += n;
}

static void touch(struct session *s)
{
    const struct conf *c = s->w->snap->conf;
    session_set_deadline(s, s->xmpp->agent.len ? c->timeouts.websocket_idle_ms : c->timeouts.request_ms);
}

/* One item of the client; false: more bytes, or the server's answer, are awaited. */
static bool take_from_client(struct session *s, struct walk *k)
{
    struct xmpp *x = s->xmpp;
    struct xmpp_item item;
    switch (xmpp_next(x->out, span_from(k->in, k->at), &item)) {
    case XMPP_MORE:
        return false;
    case XMPP_HEADER:
        take_header(s, &item);
        k->at += item.raw.n;
        return true;
    case XMPP_END:
        x->client_ended = true;
        k->at += item.raw.n;
        return true;
    case XMPP_SPACE:
        k->at += item.raw.n;
        return true;
    case XMPP_ELEMENT: {
        uint64_t end = s->sent_bytes + (k->at - k->run) + item.raw.n;
        move_on(s, k, xmpp_take_out(s, &item, end), item.raw.n);
        return s->state != SS_XMPP || !session_is_over_rate(s, item.raw.n);
    }
    case XMPP_PART:
    case XMPP_BAD:
        break;
    }
    flush(s, k);
    k->at = k->run = k->in.n;
    counter_add(&s->w->count.protocol_errors, 1);
    xmpp_fail(s, xmpp_fault_condition(item.fault), END_PROTOCOL);
    return false;
}

size_t xmpp_from_client(struct session *s, struct span in)
{
    struct xmpp *x = s->xmpp;
    if (s->state == SS_XMPP_OPEN)
        return open_stream(s, in);
    struct walk k = {.in = in, .send = session_to_backend};
    touch(s);
    unsent_begin(s);
    while (k.at < in.n && s->state == SS_XMPP && !x->waits && !s->is_throttled && take_from_client(s, &k))
        continue;
    if (s->state == SS_XMPP)
        flush(s, &k);
    unsent_settle(s);
    xmpp_stream_rest(x->out);
    return s->state == SS_XMPP ? k.at : in.n;
}

/* SASL succeeded: both streams begin anew. */
static void restart(struct session *s, struct walk *k)
{
    struct xmpp *x = s->xmpp;
    flush(s, k);
    x->wants_restart = false;
    xmpp_stream_restart(x->in);
    xmpp_stream_restart(x->out);
    if (s->state == SS_XMPP)
        session_feed_client(s);
}

static bool take_from_backend(struct session *s, struct walk *k)
{
    struct xmpp *x = s->xmpp;
    struct xmpp_item item;
    enum xmpp_got got = xmpp_next(x->in, span_from(k->in, k->at), &item);
    bool waited = x->waits;
    switch (got) {
    case XMPP_MORE:
        return false;
    case XMPP_PART:
        x->is_long_in = !item.is_last;
        k->at += item.raw.n;
        break;
    case XMPP_HEADER:
        x->has_greeted = true;
        k->at += item.raw.n;
        break;
    case XMPP_END:
        k->at += item.raw.n;
        flush(s, k);
        if (x->client_ended)
            linger(s, END_DONE);
        break;
    case XMPP_SPACE:
        k->at += item.raw.n;
        break;
    case XMPP_ELEMENT:
        move_on(s, k, xmpp_take_in(s, &item), item.raw.n);
        break;
    case XMPP_BAD:
        flush(s, k);
        k->at = k->run = k->in.n;
        counter_add(&s->w->count.backend_failures, 1);
        log_event(LOG_WARN, "bad_xml", "session=%llx upstream=%s condition=%s", (unsigned long long)s->id,
                  upstream_name(s->entry->upstream), xmpp_fault_condition(item.fault));
        linger(s, END_BACKEND_ERROR);
        return false;
    }
    if (s->state != SS_XMPP)
        return false;
    if (x->inject.len && !x->is_long_in) {
        flush(s, k);
        xmpp_flush_injected(s);
    }
    if (x->wants_restart)
        restart(s, k);
    else if (waited && !x->waits) {
        flush(s, k);
        session_feed_client(s);
    }
    return s->state == SS_XMPP;
}

size_t xmpp_from_backend(struct session *s, struct span in)
{
    if (s->xmpp->upstream != XMPP_UP_OPEN)
        return xmpp_upstream_take(s, in);
    struct walk k = {.in = in, .send = session_to_client};
    touch(s);
    while (k.at < in.n && s->state == SS_XMPP && take_from_backend(s, &k))
        continue;
    if (s->state == SS_XMPP)
        flush(s, &k);
    if (s->state != SS_DEAD)
        xmpp_stream_rest(s->xmpp->in);
    return s->state == SS_XMPP ? k.at : in.n;
}

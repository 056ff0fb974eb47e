/* XMPP streams over TCP, both ways: elements are looked at, what is not edited goes on in the bytes that came. */
#include "base/log.h"
#include "gate/gate.h"
#include "gate/xmpp.h"

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

void xmpp_log_bad(struct session *s, const struct xmpp_stream *from, const struct xmpp_item *item)
{
    bool is_client = from == s->xmpp->out;
    char why[120] = "";
    if (item->fault == XMPP_TOO_COMPLEX)
        snprintf(why, sizeof(why), " why=\"an element's names and attributes need more memory\" parser_bytes=%zu",
                 xmpp_stream_max_memory(from));
    log_event(is_client ? LOG_INFO : LOG_WARN, "bad_xml", "session=%llx from=%s upstream=%s condition=%s%s",
              (unsigned long long)s->id, is_client ? "client" : "server", upstream_name(s->entry->upstream),
              xmpp_fault_condition(item->fault), why);
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
        xmpp_take_header(s, &item);
        k->at += item.raw.n;
        return true;
    case XMPP_END:
        x->client_ended = x->sm.is_over = true;
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
    xmpp_log_bad(s, x->out, &item);
    xmpp_fail(s, xmpp_fault_condition(item.fault), END_PROTOCOL);
    return false;
}

size_t xmpp_from_client(struct session *s, struct span in)
{
    struct xmpp *x = s->xmpp;
    if (s->state == SS_XMPP_OPEN)
        return xmpp_open_stream(s, in);
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
        if (item.is_stanza)
            xmpp_sm_count_in(&x->sm);
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
            xmpp_linger(s, END_DONE);
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
        xmpp_log_bad(s, x->in, &item);
        xmpp_linger(s, END_BACKEND_ERROR);
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

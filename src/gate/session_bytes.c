/* What comes in on either side, and which side may be read now. */
#include "base/clock.h"
#include "gate/gate.h"
#include "gate/session_parts.h"
#include "gate/xmpp.h"

enum { READS_PER_TURN = 4 };

static size_t use_client_bytes(struct session *s, struct span in)
{
    switch ((enum session_state)s->state) {
    case SS_HEAD:
    case SS_RELAY:
        return http_from_client(s, in);
    case SS_WS:
        return ws_from_client(s, in);
    case SS_LINGER:
        return in.n;
    case SS_XMPP_OPEN:
    case SS_XMPP:
        return xmpp_from_client(s, in);
    case SS_PROXY:
    case SS_HANDSHAKE:
    case SS_CONNECT:
    case SS_DEAD:
        break;
    }
    return 0;
}

static size_t use_backend_bytes(struct session *s, struct span in)
{
    if (s->state == SS_RELAY)
        return http_from_backend(s, in);
    if (s->state == SS_WS)
        return ws_from_backend(s, in);
    if (s->state == SS_XMPP)
        return xmpp_from_backend(s, in);
    if (s->state == SS_HEAD)
        http_backend_ended(s); /* an answer that nobody asked for must not be taken for the next one's */
    return in.n;
}

/* Uses what it can of old and new bytes; the rest is kept in `hold`. */
static void feed(struct session *s, struct buf *hold, struct span fresh, size_t (*use)(struct session *, struct span))
{
    if (hold->len)
        buf_append_span(hold, fresh);
    struct span in = hold->len ? buf_span(hold) : fresh;
    size_t total = 0, used = 1;
    while (s->state != SS_DEAD && total < in.n && used) {
        used = use(s, span_from(in, total));
        total += used;
    }
    if (s->state == SS_DEAD)
        return;
    if (hold->len)
        buf_consume(hold, total);
    else
        buf_append_span(hold, span_from(in, total));
}

static bool waits_for_backend(const struct session *s)
{
    return s->state == SS_CONNECT || (s->state == SS_RELAY && s->x->req_done) ||
           (s->state == SS_XMPP && s->xmpp->waits);
}

/* Bytes for the client that it caused itself (refusals) come on top of what the backend may queue. A client that takes
 * none of them is not read any more. */
bool session_client_may_send(const struct session *s)
{
    const size_t mark = (size_t)s->w->snap->conf->limits.buffer_bytes;
    if (s->state == SS_LINGER)
        return !s->client_eof;
    return !s->is_throttled && !s->client_eof && !(s->cin.len && waits_for_backend(s)) &&
           conn_queued(&s->backend) <= mark && conn_queued(&s->client) <= 2 * mark && !ws_is_inject_full(s);
}

void session_update_reading(struct session *s)
{
    if (s->state != SS_DEAD)
        conn_set_reading(&s->client, session_client_may_send(s));
}

void session_feed_client(struct session *s)
{
    if (s->cin.len)
        feed(s, &s->cin, span_of("", 0), use_client_bytes);
    session_update_reading(s);
}

/* The client sends no more: it may still want the rest of what it asked for. */
static void on_client_eof(struct session *s)
{
    bool wants_answer = s->x && waits_for_backend(s) && !s->x->is_websocket;
    bool wants_rest = (s->state == SS_HEAD || s->state == SS_LINGER) && conn_queued(&s->client);
    if (!wants_answer && !wants_rest) {
        session_client_gone(s, END_CLIENT_CLOSED);
        return;
    }
    s->client_eof = true;
    if (s->state == SS_HEAD)
        session_linger(s, END_CLIENT_CLOSED);
    session_update_reading(s);
}

static void read_side(struct session *s, struct conn *c, struct buf *hold, size_t (*use)(struct session *, struct span))
{
    struct worker *w = s->w;
    w->now_ms = clock_tick_ms();
    for (int i = 0; i < READS_PER_TURN && s->state != SS_DEAD && c->state == CONN_OPEN && c->want_read; i++) {
        size_t got;
        enum conn_io io = conn_read(c, w->rbuf, READ_BYTES, &got);
        if (io == CONN_IO_AGAIN)
            return;
        if (io != CONN_IO_OK) {
            if (c == &s->backend)
                session_backend_gone(s);
            else if (io == CONN_IO_EOF)
                on_client_eof(s);
            else
                session_client_gone(s, END_CLIENT_CLOSED);
            return;
        }
        feed(s, hold, span_of(w->rbuf, got), use);
        session_update_reading(s); /* pipelined requests, for one, wait in the socket */
        if (s->state == SS_DEAD || (got < READ_BYTES && !(c->tls && tls_has_pending(c->tls))))
            return;
    }
    if (s->state != SS_DEAD)
        conn_read_again(c);
}

void session_read_client(struct session *s)
{
    read_side(s, &s->client, &s->cin, use_client_bytes);
}

void session_read_backend(struct session *s)
{
    read_side(s, &s->backend, &s->bin, use_backend_bytes);
}

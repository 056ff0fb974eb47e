/* Backend to client: frames go on as they come; a bounded copy of each message is observed. Notices and refusals are
 * put between the backend's messages, never into one. */
#include "base/clock.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/xmpp.h"

/* Refusals stop the client at INJECT_BYTES_MARK; up to INJECT_BYTES_MAX what it caused until then finds room. */
enum { CLOSING_MS = 10000, INJECT_BYTES_MARK = 64 * 1024, INJECT_BYTES_MAX = 256 * 1024 };

/* Once a close frame was seen, the connections have to end soon, whatever still comes. */
void ws_set_deadline(struct session *s)
{
    if (!s->ws->client_closed && !s->ws->backend_closed)
        session_set_deadline(s, s->w->snap->conf->timeouts.websocket_idle_ms);
}

void ws_set_deadline_closing(struct session *s)
{
    if (!s->ws->client_closed && !s->ws->backend_closed)
        session_set_deadline(s, CLOSING_MS);
}

/* --- frames of our own --- */

static bool is_gap(const struct ws *ws)
{
    return !ws->in_left && !ws->in_open;
}

static void flush_injected(struct session *s)
{
    struct ws *ws = s->ws;
    if (!ws->inject.len || !is_gap(ws) || s->state != SS_WS)
        return;
    struct buf b = ws->inject;
    ws->inject = (struct buf){0};
    session_to_client(s, b.data + b.start, b.len);
    buf_fini(&b);
}

bool ws_is_inject_full(const struct session *s)
{
    return s->ws && s->ws->inject.len > INJECT_BYTES_MARK;
}

bool ws_may_inject(const struct session *s)
{
    return s->state == SS_WS && is_gap(s->ws) && !s->ws->backend_closed && !ws_is_inject_full(s);
}

static void queue_frame(struct session *s, uint8_t opcode, struct span payload)
{
    uint8_t head[WS_HEAD_MAX];
    size_t n = ws_write_head(head, true, opcode, payload.n, NULL);
    if (s->state != SS_WS || s->ws->backend_closed || s->ws->inject.len + n + payload.n > INJECT_BYTES_MAX)
        return;
    buf_append(&s->ws->inject, head, n);
    buf_append_span(&s->ws->inject, payload);
}

void ws_inject(struct session *s, uint8_t opcode, struct span payload)
{
    queue_frame(s, opcode, payload);
    /* while the backend's bytes are being walked they are not all out yet: ws_from_backend flushes at the gap */
    if (!s->ws->is_walking_in)
        flush_injected(s);
}

void ws_inject_all(struct session *s, const struct buf *payloads, const size_t *len, size_t n)
{
    struct span all = buf_span(payloads);
    for (size_t i = 0; i < n; i++) {
        ws_inject(s, s->ws->opcode, span_of(all.p, len[i]));
        all = span_from(all, len[i]);
    }
}

bool ws_notice(struct session *s, struct span conv, struct span text)
{
    struct buf b = {0};
    size_t len[4];
    bool has_room = s->state == SS_WS && !ws_is_inject_full(s) &&
                    conn_queued(&s->client) <= 2 * (size_t)s->w->snap->conf->limits.buffer_bytes;
    size_t n = has_room ? profile_notice(&s->ws->pc, conv, text, clock_wall_ms(), &b, len) : 0;
    if (n) {
        ws_inject_all(s, &b, len, n);
        counter_add(&s->w->count.notices, 1);
    }
    buf_fini(&b);
    return n > 0;
}

/* --- the end --- */

static void send_close(struct session *s, bool to_backend, int code, const char *reason)
{
    uint8_t frame[WS_HEAD_MAX + WS_CONTROL_MAX], payload[WS_CONTROL_MAX];
    static const uint8_t mask[4] = {0x5a, 0x17, 0xc3, 0x88}; /* a close frame of ours hides nothing */
    size_t n = MIN_OF(strlen(reason), (size_t)WS_CONTROL_MAX - 2);
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    memcpy(payload + 2, reason, n);
    size_t head = ws_write_head(frame, true, WS_CLOSE, n + 2, to_backend ? mask : NULL);
    if (to_backend)
        ws_mask(frame + head, payload, n + 2, mask, 0);
    else
        memcpy(frame + head, payload, n + 2);
    if (to_backend)
        session_to_backend(s, frame, head + n + 2);
    else
        session_to_client(s, frame, head + n + 2);
}

void ws_close(struct session *s, int code, const char *reason, enum end_reason why)
{
    struct ws *ws = s->ws;
    bool clean = is_gap(ws) || (!ws->in_left && ws->in_open); /* a close frame may stand between fragments */
    if (s->backend.state == CONN_OPEN && !ws->client_closed && !ws->frag_open)
        send_close(s, true, WS_CLOSE_GOING_AWAY, "");
    if (s->state != SS_WS)
        return;
    if (clean) { /* else only the missing rest of the backend's frame tells */
        flush_injected(s);
        if (s->state == SS_WS && !ws->backend_closed)
            send_close(s, false, code, reason);
    }
    if (s->state == SS_WS)
        session_linger(s, why);
}

void ws_backend_ended(struct session *s)
{
    if (s->state != SS_WS)
        return;
    session_drop_backend(s);
    if (s->ws->backend_closed || s->ws->client_closed) {
        session_linger(s, END_BACKEND_CLOSED);
        return;
    }
    counter_add(&s->w->count.backend_failures, 1);
    ws_close(s, WS_CLOSE_TRY_LATER, "the server is gone", END_BACKEND_ERROR);
}

/* --- observing --- */

static void observe(struct session *s, struct span payload)
{
    struct worker *w = s->w;
    if (s->xmpp) { /* too long, or in fragments: no XMPP server does that */
        counter_add(&w->count.observe_skipped, 1);
        return;
    }
    struct unit units[UNITS_MAX];
    size_t n = profile_read(w->pscratch, &s->ws->pc, S2C, payload, 0, units);
    if (s->ws->pc.uid.len && !s->is_seated)
        session_seat(s);
    inspect_reset(w);
    for (size_t i = 0; i < n; i++) {
        if (units[i].is_nack)
            inspect_refused_later(s, units[i].conv, units[i].customer, units[i].mid);
        else if (units[i].kind == UNIT_INCOMING && units[i].role == ROLE_CUSTOMER)
            inspect_incoming(s, &units[i]);
        else if (units[i].has_cause)
            counter_add(&w->count.observe_skipped, 1);
    }
    if (!n)
        counter_add(&w->count.units_other, 1);
}

/* A frame begins whose payload did not come whole, or which is a fragment: its message is copied while it passes. */
static void begin_frame(struct session *s, const struct ws_head *h)
{
    struct ws *ws = s->ws;
    ws->in_left = h->len;
    ws->in_is_control = h->opcode >= WS_CLOSE;
    if (ws->in_is_control)
        return;
    if (h->opcode != WS_CONT) {
        buf_reset(&ws->in_copy);
        ws->in_watch = h->opcode == ws->opcode;
    }
    ws->in_open = !h->fin;
    if (ws->in_copy.len + h->len > (uint64_t)s->w->snap->conf->limits.message_bytes && ws->in_watch) {
        ws->in_watch = false;
        counter_add(&s->w->count.observe_skipped, 1);
        buf_fini(&ws->in_copy);
    }
}

static void end_frame(struct session *s)
{
    struct ws *ws = s->ws;
    if (ws->in_is_control || ws->in_open)
        return;
    if (ws->in_watch)
        observe(s, buf_span(&ws->in_copy));
    ws->in_watch = false;
    buf_fini(&ws->in_copy);
}

static size_t take_payload(struct session *s, struct span in)
{
    struct ws *ws = s->ws;
    size_t n = (size_t)MIN_OF(ws->in_left, (uint64_t)in.n);
    if (ws->in_watch && !ws->in_is_control)
        buf_append(&ws->in_copy, in.p, n);
    ws->in_left -= n;
    if (!ws->in_left)
        end_frame(s);
    return n;
}

static void backend_error(struct session *s)
{
    counter_add(&s->w->count.backend_failures, 1);
    log_event(LOG_WARN, "bad_frame", "session=%llx upstream=%s", (unsigned long long)s->id,
              upstream_name(s->entry->upstream));
    ws_close(s, WS_CLOSE_INTERNAL, "the server sent a broken frame", END_BACKEND_ERROR);
}

/* A header at a frame's border. Returns bytes used, 0 when more are awaited or the frame is broken. */
static size_t take_head(struct session *s, struct span in, bool *is_broken)
{
    struct ws *ws = s->ws;
    struct ws_head h;
    enum parse p = ws_parse_head(in, false, &h);
    if (p == PARSE_MORE)
        return 0;
    bool is_control = p == PARSE_DONE && h.opcode >= WS_CLOSE;
    if (p == PARSE_BAD || (!is_control && ws->in_open != (h.opcode == WS_CONT))) {
        *is_broken = true;
        return 0;
    }
    if (h.opcode == WS_CLOSE && !ws->backend_closed) {
        ws_set_deadline_closing(s);
        ws->backend_closed = true;
    }
    bool is_whole = h.fin && !is_control && !ws->in_open && in.n >= h.head_len + h.len;
    if (is_whole) { /* the usual case: looked at in place */
        if (h.opcode == ws->opcode)
            observe(s, span_of(in.p + h.head_len, (size_t)h.len));
        return h.head_len + (size_t)h.len;
    }
    begin_frame(s, &h);
    if (!ws->in_left)
        end_frame(s);
    return h.head_len;
}

/* XMPP: a whole message may be changed, so it is awaited in full; [*run, *at) passed before and goes first. False: more
 * bytes are awaited. One that is too long or in fragments is left to take_head. */
static bool take_stanza(struct session *s, struct span in, size_t *at, size_t *run, bool *is_other)
{
    struct ws_head h;
    struct span rest = span_from(in, *at);
    enum parse p = ws_parse_head(rest, false, &h);
    *is_other = p == PARSE_BAD || (p == PARSE_DONE && (h.opcode != WS_TEXT || !h.fin ||
                                                       h.len > (uint64_t)s->w->snap->conf->limits.message_bytes));
    if (*is_other && p == PARSE_DONE && h.opcode == WS_TEXT) {
        size_t seen = MIN_OF((size_t)XMPP_WS_NAME, (size_t)h.len);
        if (rest.n < h.head_len + seen)
            return false;
        xmpp_ws_pass(s, span_of(rest.p + h.head_len, seen));
    }
    if (*is_other)
        return true;
    size_t total = p == PARSE_DONE ? h.head_len + (size_t)h.len : SIZE_MAX;
    if (rest.n < total)
        return false;
    enum xmpp_fate fate = xmpp_ws_in(s, span_of(rest.p + h.head_len, (size_t)h.len));
    if (fate == XMPP_AS_IS) {
        *at += total;
        return true;
    }
    session_to_client(s, in.p + *run, *at - *run);
    if (fate == XMPP_REPLACED) {
        uint8_t head[WS_HEAD_MAX];
        struct buf *b = &s->w->emitted;
        session_to_client(s, head, ws_write_head(head, true, WS_TEXT, b->len, NULL));
        session_to_client(s, b->data + b->start, b->len);
    }
    *run = *at += total;
    return true;
}

size_t ws_from_backend(struct session *s, struct span in)
{
    struct ws *ws = s->ws;
    size_t at = 0, run = 0;
    bool is_broken = false;
    ws_set_deadline(s);
    ws->is_walking_in = true;
    while (at < in.n && s->state == SS_WS) {
        if (ws->inject.len && is_gap(ws)) {
            session_to_client(s, in.p + run, at - run);
            run = at;
            flush_injected(s);
            continue;
        }
        if (s->xmpp && is_gap(ws)) {
            bool is_other;
            if (!take_stanza(s, in, &at, &run, &is_other))
                break;
            if (!is_other)
                continue;
        }
        size_t used = ws->in_left ? take_payload(s, span_from(in, at)) : take_head(s, span_from(in, at), &is_broken);
        if (!used)
            break;
        at += used;
    }
    ws->is_walking_in = false;
    session_to_client(s, in.p + run, at - run);
    bool was_full = ws_is_inject_full(s);
    flush_injected(s);
    if (is_broken && s->state == SS_WS)
        backend_error(s);
    if (was_full && s->state == SS_WS)
        session_feed_client(s);
    return s->state == SS_WS ? at : in.n;
}

/* Client to backend: whole messages are inspected; what passes goes on in the very bytes that came. */
#include "base/clock.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "gate/hold.h"
#include "gate/inspect.h"
#include "gate/policy.h"
#include "gate/xmpp.h"

enum { FRAGMENT_HEADS_MAX = 64 * 1024 };

/* What becomes of a whole message. */
enum fate {
    FATE_AS_IS,   /* the bytes that came */
    FATE_NOTHING, /* refused: nothing of it */
    FATE_EDITED,  /* one frame with the payload in the worker's `emitted` */
    FATE_BAD,     /* the session ends: not UTF-8 */
};

void ws_start(struct session *s, struct span query)
{
    struct ws *ws = s->ws = xcalloc(1, sizeof(*ws));
    profile_conn_init(&ws->pc, s->entry->profile, s->x->ws, query);
    ws->opcode = s->x->ws_opcode;
    counter_add(&s->w->count.websockets, 1);
    session_set_deadline(s, s->w->snap->conf->timeouts.websocket_idle_ms);
    if (profile_xmpp(s->entry->profile))
        s->xmpp = xmpp_new(s, true);
    if (ws->pc.uid.len) /* some backends name the agent in the handshake */
        session_seat(s);
}

void ws_free(struct ws **wsp)
{
    struct ws *ws = *wsp;
    if (!ws)
        return;
    profile_conn_fini(&ws->pc);
    buf_fini(&ws->frag_wire);
    buf_fini(&ws->frag_plain);
    buf_fini(&ws->in_copy);
    buf_fini(&ws->inject);
    free(ws);
    *wsp = NULL;
}

/* --- one message --- */

static void send_frame(struct session *s, uint8_t opcode, struct span payload)
{
    uint8_t mask[4], head[WS_HEAD_MAX];
    rand_bytes(mask, sizeof(mask));
    size_t n = ws_write_head(head, true, opcode, payload.n, mask);
    struct buf frame = {0};
    buf_append(&frame, head, n);
    ws_mask(buf_reserve(&frame, payload.n), payload.p, payload.n, mask, 0);
    buf_commit(&frame, payload.n);
    session_to_backend(s, frame.data, frame.len);
    buf_fini(&frame);
}

static void tell_agent(struct session *s, const struct unit *u, const struct judged *j)
{
    struct worker *w = s->w;
    struct profile_words words = {.reason = j->reason, .rule = j->rule};
    size_t len[4], n;
    buf_reset(&w->wire);
    if (j->refused) {
        n = profile_refuse(w->pscratch, &s->ws->pc, u, &words, clock_wall_ms(), &w->wire, len);
        ws_inject_all(s, &w->wire, len, n);
    } else if (j->reason.n) {
        ws_notice(s, u->conv, j->reason);
    }
}

static bool judge_units(struct session *s, struct span payload, const struct unit *units, size_t n,
                        struct unit_fate *fates)
{
    struct worker *w = s->w;
    bool changed = false;
    for (size_t i = 0; i < n; i++) {
        struct judged *j = &w->judged[i];
        inspect_outgoing(s, &units[i], j);
        if (j->action == ACTION_HOLD)
            hold_unit(s, payload, units, n, i);
        fates[i] = (struct unit_fate){.drop = j->refused, .edit = j->edit, .n_edits = j->n_edits};
        changed = changed || j->refused || j->n_edits;
    }
    return changed;
}

/* A splice that failed refuses every unit that wanted an edit. */
static void refuse_edited(struct session *s, size_t n, struct unit_fate *fates)
{
    for (size_t i = 0; i < n; i++) {
        struct judged *j = &s->w->judged[i];
        if (!fates[i].n_edits || j->refused)
            continue;
        j->n_edits = 0;
        j->action = ACTION_PASS;
        inspect_fail(s, j, CAUSE_REWRITE_FAILED);
        fates[i] = (struct unit_fate){.drop = j->refused};
    }
}

/* Fates of the units to the fate of the message. */
static enum fate splice(struct session *s, struct span payload, const struct unit *units, size_t n)
{
    struct worker *w = s->w;
    struct unit_fate fates[UNITS_MAX];
    unsigned dropped = 0;
    if (!judge_units(s, payload, units, n, fates))
        return FATE_AS_IS;
    buf_reset(&w->emitted);
    enum emit emit = profile_emit(w->pscratch, payload, units, n, fates, &w->emitted, &dropped);
    if (emit == EMIT_FAILED) {
        refuse_edited(s, n, fates);
        buf_reset(&w->emitted);
        emit = profile_emit(w->pscratch, payload, units, n, fates, &w->emitted, &dropped);
    }
    return emit == EMIT_AS_IS ? FATE_AS_IS : emit == EMIT_BYTES ? FATE_EDITED : FATE_NOTHING;
}

/* `end`: where the message ends in the stream to the backend when it goes on as it is. */
static enum fate handle_units(struct session *s, struct span payload, const struct unit *units, size_t n, uint64_t end)
{
    struct worker *w = s->w;
    inspect_reset(w);
    enum fate fate = splice(s, payload, units, n);
    for (size_t i = 0; i < n; i++) {
        struct judged *j = &w->judged[i];
        if (!inspect_record(s, j))
            fate = FATE_NOTHING;
        if (!j->refused)
            unsent_note(s, &j->event, end);
        tell_agent(s, &units[i], j);
        if (s->state != SS_WS)
            return FATE_NOTHING;
    }
    return fate;
}

/* The other kind of frame on this route: nothing in it can be inspected. */
static enum fate handle_binary(struct session *s)
{
    if (!policy_blocks(s->w->snap->conf, &s->w->count, CAUSE_BINARY) || s->w->gate->mode != MODE_ENFORCE)
        return FATE_AS_IS;
    s->blocked++;
    ws_notice(s, span_of("", 0), span_str(policy_reason(CAUSE_BINARY)));
    return FATE_NOTHING;
}

static enum fate handle_message(struct session *s, uint8_t opcode, struct span payload, uint64_t end)
{
    struct worker *w = s->w;
    struct unit units[UNITS_MAX];
    bool is_read = opcode == s->ws->opcode && !s->xmpp;
    size_t n = is_read ? profile_read(w->pscratch, &s->ws->pc, C2S, payload, 0, units) : 0;
    bool saw_utf8 = is_read && profile_saw_utf8(w->pscratch); /* as nearly always: not looked for a second time */
    if (opcode == WS_TEXT && !saw_utf8 && !utf8_is_valid(payload))
        return FATE_BAD;
    if (opcode != s->ws->opcode)
        return handle_binary(s);
    if (s->xmpp) {
        enum xmpp_fate fate = xmpp_ws_out(s, payload, end);
        return fate == XMPP_AS_IS ? FATE_AS_IS : fate == XMPP_REPLACED ? FATE_EDITED : FATE_NOTHING;
    }
    if (n)
        return handle_units(s, payload, units, n, end);
    counter_add(&w->count.units_other, 1);
    return FATE_AS_IS;
}

bool ws_refuse_again(struct session *s, struct span payload, struct span reason)
{
    struct worker *w = s->w;
    struct unit units[UNITS_MAX];
    struct profile_words words = {.reason = reason, .rule = span_str("")};
    size_t len[4];
    size_t n = payload.n ? profile_read(w->pscratch, &s->ws->pc, C2S, payload, 0, units) : 0;
    buf_reset(&w->wire);
    n = n ? profile_refuse(w->pscratch, &s->ws->pc, &units[0], &words, clock_wall_ms(), &w->wire, len) : 0;
    ws_inject_all(s, &w->wire, len, n);
    return n > 0;
}

bool ws_send_approved(struct session *s, struct span payload)
{
    size_t mark;
    bool is_sent = false;
    unsent_begin(s);
    mark = unsent_mark(s);
    enum fate fate = handle_message(s, s->ws->opcode, payload, s->sent_bytes);
    if (s->state == SS_WS && (fate == FATE_AS_IS || fate == FATE_EDITED)) {
        send_frame(s, s->ws->opcode, fate == FATE_AS_IS ? payload : buf_span(&s->w->emitted));
        is_sent = true;
        if (s->state == SS_WS)
            unsent_move(s, mark, s->sent_bytes);
    }
    unsent_settle(s);
    return is_sent;
}

/* --- frames --- */

/* Frames in `in` one after the other; bytes [run, at) passed and wait to be sent on in one piece. */
struct walk {
    struct span in;
    size_t at, run;
};

static void flush(struct session *s, struct walk *k)
{
    if (s->backend.state == CONN_OPEN) /* lingering too: what passed goes out */
        session_to_backend(s, k->in.p + k->run, k->at - k->run);
    k->run = k->at;
}

static void stop_with(struct session *s, struct walk *k, int code, const char *why)
{
    flush(s, k);
    k->at = k->run = k->in.n;
    if (s->state != SS_WS)
        return;
    counter_add(&s->w->count.protocol_errors, 1);
    ws_close(s, code, why, END_PROTOCOL);
}

static void send_edited(struct session *s, uint8_t opcode, size_t mark)
{
    send_frame(s, opcode, buf_span(&s->w->emitted));
    if (s->state == SS_WS)
        unsent_move(s, mark, s->sent_bytes);
}

/* A frame of a fragmented message (header and payload): kept until the last one. */
static void take_fragment(struct session *s, struct walk *k, const struct ws_head *h, size_t total)
{
    struct ws *ws = s->ws;
    const uint8_t *frame = k->in.p + k->at;
    flush(s, k);
    k->run = k->at += total;
    if (s->state != SS_WS)
        return;
    if (!ws->frag_open)
        ws->frag_opcode = h->opcode;
    ws->frag_open = !h->fin;
    buf_append(&ws->frag_wire, frame, total);
    ws_mask(buf_reserve(&ws->frag_plain, h->len), frame + h->head_len, h->len, h->mask, 0);
    buf_commit(&ws->frag_plain, h->len);
    if (!h->fin)
        return;
    size_t mark = unsent_mark(s);
    enum fate fate = handle_message(s, ws->frag_opcode, buf_span(&ws->frag_plain), s->sent_bytes + ws->frag_wire.len);
    if (fate == FATE_AS_IS)
        session_to_backend(s, ws->frag_wire.data, ws->frag_wire.len);
    else if (fate == FATE_EDITED)
        send_edited(s, ws->frag_opcode, mark);
    else if (fate == FATE_BAD)
        stop_with(s, k, WS_CLOSE_BAD_UTF8, "not UTF-8");
    buf_fini(&ws->frag_wire);
    buf_fini(&ws->frag_plain);
}

static void take_message(struct session *s, struct walk *k, const struct ws_head *h, size_t total)
{
    struct buf *plain = &s->w->plain;
    buf_reset(plain);
    ws_mask(buf_reserve(plain, h->len), k->in.p + k->at + h->head_len, h->len, h->mask, 0);
    buf_commit(plain, h->len);
    size_t mark = unsent_mark(s);
    enum fate fate = handle_message(s, h->opcode, buf_span(plain), s->sent_bytes + (k->at - k->run) + total);
    if (fate == FATE_AS_IS) {
        k->at += total;
        return;
    }
    if (fate == FATE_BAD) {
        stop_with(s, k, WS_CLOSE_BAD_UTF8, "not UTF-8");
        return;
    }
    flush(s, k); /* what passed before goes first */
    if (fate == FATE_EDITED && s->state == SS_WS)
        send_edited(s, h->opcode, mark);
    k->run = k->at += total;
}

static void take_control(struct session *s, struct walk *k, const struct ws_head *h, size_t total)
{
    if (h->opcode == WS_CLOSE) {
        uint8_t plain[WS_CONTROL_MAX];
        ws_mask(plain, k->in.p + k->at + h->head_len, h->len, h->mask, 0);
        if (!ws_close_is_valid(span_of(plain, h->len))) {
            stop_with(s, k, WS_CLOSE_PROTOCOL, "bad close frame");
            return;
        }
        ws_set_deadline_closing(s);
        s->ws->client_closed = true;
    }
    k->at += total;
}

/* Fragments count with their headers too: endless empty ones are a big message as well. */
static bool is_too_big(const struct session *s, const struct ws_head *h)
{
    const uint64_t max = (uint64_t)s->w->snap->conf->limits.message_bytes;
    return h->len > max || s->ws->frag_plain.len + h->len > max ||
           s->ws->frag_wire.len + h->len > 2 * max + FRAGMENT_HEADS_MAX;
}

/* One frame; false: the rest of it (or the next second) is awaited. */
static bool take_frame(struct session *s, struct walk *k)
{
    struct ws *ws = s->ws;
    struct ws_head h;
    struct span rest = span_from(k->in, k->at);
    enum parse p = ws_parse_head(rest, true, &h);
    if (p == PARSE_MORE)
        return false;
    bool is_control = p == PARSE_DONE && h.opcode >= WS_CLOSE;
    if (p == PARSE_BAD || (!is_control && ws->frag_open != (h.opcode == WS_CONT))) {
        stop_with(s, k, WS_CLOSE_PROTOCOL, "protocol error");
        return true;
    }
    if (!is_control && is_too_big(s, &h)) {
        stop_with(s, k, WS_CLOSE_TOO_BIG, "message too big");
        return true;
    }
    size_t total = h.head_len + (size_t)h.len;
    if (rest.n < total || (!is_control && session_is_over_rate(s, total)))
        return false;
    if (is_control)
        take_control(s, k, &h, total);
    else if (!h.fin || ws->frag_open)
        take_fragment(s, k, &h, total);
    else
        take_message(s, k, &h, total);
    return true;
}

size_t ws_from_client(struct session *s, struct span in)
{
    struct walk k = {.in = in};
    ws_set_deadline(s);
    if (s->ws->client_closed)
        return in.n; /* RFC 6455 5.5.1: nothing counts after a close frame */
    unsent_begin(s);
    while (k.at < in.n && s->state == SS_WS && !s->ws->client_closed && session_client_may_send(s) && take_frame(s, &k))
        continue;
    flush(s, &k);
    unsent_settle(s);
    return k.at;
}

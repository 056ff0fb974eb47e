/* Client to server: logins are followed, messages are inspected. */
#include "base/log.h"
#include "gate/gate.h"
#include "gate/hold.h"
#include "gate/inspect.h"
#include "gate/policy.h"
#include "gate/xmpp.h"
#include "gate/xmpp_rooms.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"
#include "proto/xmpp_token.h"

#define NS_SASL  "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_SASL2 "urn:xmpp:sasl:2"

enum { ID_MAX = 1024 };

/* --- login --- */

static void take_first(struct session *s, struct span base64)
{
    struct xmpp *x = s->xmpp;
    struct buf first = {0};
    if (base64.n > 4 * ID_MAX || !xmpp_base64_decode(span_trim(base64), &first) ||
        !xmpp_sasl_user(buf_span(&x->mechanism), buf_span(&first), &x->user))
        buf_fini(&x->user);
    if (first.len) /* it may hold a password */
        memset(first.data, 0, first.cap);
    buf_fini(&first);
}

static void take_mechanism(struct session *s, struct span mechanism, struct span first)
{
    struct xmpp *x = s->xmpp;
    buf_fini(&x->user);
    buf_reset(&x->mechanism);
    buf_append_span(&x->mechanism, span_of(mechanism.p, MIN_OF(mechanism.n, 64u)));
    if (first.n)
        take_first(s, first);
}

static void take_sasl(struct session *s, const struct xmpp_dom *d)
{
    struct xmpp *x = s->xmpp;
    if (xmpp_is(d, 0, NS_SASL, "auth"))
        take_mechanism(s, xmpp_attr(d, 0, "mechanism"), xmpp_text(d, 0));
    else if (xmpp_is(d, 0, NS_SASL, "response") && !x->user.len && xmpp_text(d, 0).n)
        take_first(s, xmpp_text(d, 0));
    x->waits = !x->is_framed; /* over WebSocket nothing is parsed anew */
}

static enum xmpp_fate take_sm(struct session *s, const struct xmpp_item *item)
{
    struct xmpp_cuts cuts = {.n = 0};
    bool ok = xmpp_sm_out(s, item, &cuts);
    return xmpp_carry_out(s, item, &cuts, ok);
}

static enum xmpp_fate take_sasl2(struct session *s, const struct xmpp_item *item)
{
    const struct xmpp_dom *d = item->dom;
    if (!xmpp_is(d, 0, NS_SASL2, "authenticate"))
        return XMPP_AS_IS;
    uint32_t first = xmpp_child(d, 0, NS_SASL2, "initial-response");
    take_mechanism(s, xmpp_attr(d, 0, "mechanism"), first ? xmpp_text(d, first) : span_of("", 0));
    return take_sm(s, item); /* a session may be resumed inside the login */
}

/* --- messages --- */

void xmpp_fill_unit(struct session *s, const struct xmpp_message *m, struct unit *u)
{
    struct span to = m->to.n ? m->to : buf_span(&s->xmpp->agent);
    u->kind = m->is_opaque ? UNIT_OPAQUE : m->is_correction ? UNIT_EDIT : UNIT_SEND;
    u->has_cause = m->is_too_much;
    u->cause = CAUSE_TOO_COMPLEX;
    u->n_texts = m->n_said;
    for (size_t i = 0; i < m->n_said; i++)
        u->text[i] = m->said[i].text;
    u->conv = u->customer = xmpp_lower_bare(s->w, to);
    if (!m->is_groupchat && xmpp_resource(to).n && xmpp_rooms_has(s->xmpp->rooms, u->conv))
        u->conv = u->customer = to; /* a private message in a room */
    u->mid = m->id;
    u->sender = buf_span(&s->xmpp->agent);
}

/* Words as they are typed, piece by piece: they would be with the customer before they can be judged. */
static enum xmpp_fate leave_live_text_out(struct session *s, const struct xmpp_item *item)
{
    struct xmpp_cuts cuts = {.n = 0};
    bool ok = xmpp_cut_companions(&cuts, item->dom);
    return xmpp_carry_out(s, item, &cuts, ok);
}

/* A message that was held comes to nothing after all. The client knows it as refused, and nothing may take its place in
 * the server's count. */
static enum xmpp_fate leave_approved(struct session *s, const struct unit *u, bool is_refused)
{
    if (!is_refused) /* it was recorded as delivered */
        inspect_refused_later(s, u->conv, u->customer, u->mid);
    return XMPP_NOTHING;
}

static enum xmpp_fate take_message(struct session *s, const struct xmpp_item *item, uint64_t end)
{
    struct worker *w = s->w;
    struct xmpp_message m;
    struct unit u = {.kind = UNIT_NONE};
    struct judged *j = &w->judged[0];
    xmpp_message_read(item->dom, 0, &m);
    if (!m.n_said && !m.is_opaque && !m.is_too_much) {
        counter_add(&w->count.units_other, 1);
        return m.has_live_text ? leave_live_text_out(s, item) : XMPP_AS_IS;
    }
    inspect_reset(w);
    xmpp_fill_unit(s, &m, &u);
    inspect_outgoing(s, &u, j);
    if (j->action == ACTION_HOLD)
        hold_stanza(s, item, &u);
    bool is_edited = !j->refused && (j->n_edits || m.has_live_text);
    if (is_edited && !xmpp_edit(s, item, &m, j)) {
        j->n_edits = 0;
        j->action = ACTION_PASS;
        inspect_fail(s, j, CAUSE_REWRITE_FAILED);
        is_edited = false;
    }
    bool is_refused = !inspect_record(s, j) || j->refused;
    if (s->w->approved.n && (is_refused ? xmpp_sm_is_counting(&s->xmpp->sm) : !xmpp_sm_add_out(s)))
        return leave_approved(s, &u, is_refused);
    if (is_refused) {
        struct xmpp_bounce b = {.id = m.id,
                                .to = m.to,
                                .self = buf_span(&s->xmpp->jid),
                                .reason = j->reason,
                                .rule = j->rule,
                                .kind = m.is_groupchat ? XMPP_STANZA_GROUPCHAT : XMPP_STANZA_MESSAGE};
        return xmpp_refuse(s, &b, !m.is_error);
    }
    unsent_note(s, &j->event, end);
    if (j->reason.n)
        xmpp_notice(s, u.conv, j->reason);
    return is_edited ? XMPP_REPLACED : XMPP_AS_IS;
}

/* Over TCP a stanza has its namespace from the stream's header, so it is read behind one. */
bool xmpp_send_approved(struct session *s, struct span stanza)
{
    struct xmpp_stream_options o = {.max_bytes = MAX_OF(stanza.n + 1, (size_t)s->w->snap->conf->limits.message_bytes)};
    struct xmpp_stream *reader = xmpp_stream_new(&s->w->xmpp_pool, &o);
    struct buf text = {0};
    struct xmpp_item item;
    enum xmpp_fate fate = XMPP_NOTHING;
    buf_append_str(&text, "<stream:stream xmlns='" XMPP_NS_CLIENT "' xmlns:stream='http://etherx.jabber.org/streams'>");
    size_t head = text.len;
    buf_append_span(&text, stanza);
    bool is_read = xmpp_next(reader, buf_span(&text), &item) == XMPP_HEADER &&
                   xmpp_next(reader, span_from(buf_span(&text), head), &item) == XMPP_ELEMENT &&
                   item.raw.n == stanza.n && xmpp_is(item.dom, 0, XMPP_NS_CLIENT, "message");
    unsent_begin(s);
    if (is_read)
        fate = take_message(s, &item, s->sent_bytes + stanza.n);
    bool is_sent = fate != XMPP_NOTHING && s->state == SS_XMPP;
    if (is_sent && fate == XMPP_AS_IS)
        session_to_backend(s, stanza.p, stanza.n);
    else if (is_sent)
        session_to_backend(s, s->w->emitted.data + s->w->emitted.start, s->w->emitted.len);
    unsent_settle(s);
    xmpp_stream_free(&reader);
    buf_fini(&text);
    return is_sent;
}

/* --- everything --- */

static void take_iq(struct session *s, const struct xmpp_dom *d)
{
    struct span id = xmpp_attr(d, 0, "id");
    if (xmpp_child(d, 0, "urn:ietf:params:xml:ns:xmpp-bind", "bind") && id.n <= ID_MAX) {
        buf_reset(&s->xmpp->bind_id);
        buf_append_span(&s->xmpp->bind_id, id);
    }
}

/* STARTTLS and compression were not offered: their bytes could not be read. */
static enum xmpp_fate refuse_layer(struct session *s, const char *failure)
{
    counter_add(&s->w->count.protocol_errors, 1);
    xmpp_inject(s, span_str(failure));
    return XMPP_NOTHING;
}

enum xmpp_fate xmpp_take_out(struct session *s, const struct xmpp_item *item, uint64_t end)
{
    const struct xmpp_dom *d = item->dom;
    struct span ns = xmpp_ns(d, 0);
    if (item->is_stanza && !s->w->approved.n) /* refused ones give way to others */
        xmpp_sm_count_out(&s->xmpp->sm);
    if (xmpp_is(d, 0, XMPP_NS_CLIENT, "message"))
        return take_message(s, item, end);
    if (xmpp_is(d, 0, XMPP_NS_CLIENT, "presence"))
        return xmpp_take_presence(s, item);
    if (xmpp_is(d, 0, XMPP_NS_CLIENT, "iq")) {
        take_iq(s, d);
        return xmpp_take_request(s, item);
    }
    if (span_is(ns, NS_SASL))
        take_sasl(s, d);
    else if (span_is(ns, NS_SASL2))
        return take_sasl2(s, item);
    else if (span_starts(ns, span_str("urn:xmpp:sm:")))
        return take_sm(s, item);
    else if (xmpp_is(d, 0, "urn:ietf:params:xml:ns:xmpp-framing", "open")) {
        buf_reset(&s->xmpp->domain);
        xmpp_append_bare(&s->xmpp->domain, xmpp_attr(d, 0, "to"));
    } else if (xmpp_is(d, 0, "urn:ietf:params:xml:ns:xmpp-framing", "close"))
        s->xmpp->sm.is_over = true;
    else if (xmpp_is(d, 0, "urn:ietf:params:xml:ns:xmpp-tls", "starttls"))
        return refuse_layer(s, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    else if (xmpp_is(d, 0, "http://jabber.org/protocol/compress", "compress"))
        return refuse_layer(s, "<failure xmlns='http://jabber.org/protocol/compress'><setup-failed/></failure>");
    return XMPP_AS_IS;
}

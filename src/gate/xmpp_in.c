/* Server to client: features that would blind the gateway are taken out, the agent's identity is learnt, customers'
 * messages are observed. */
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/xmpp.h"
#include "gate/xmpp_rooms.h"
#include "proto/profile_time.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"

#define NS_SASL   "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_SASL2  "urn:xmpp:sasl:2"
#define NS_STREAM "http://etherx.jabber.org/streams"

enum { JID_MAX = 3071 };

/* --- features --- */

static enum xmpp_fate take_features(struct session *s, const struct xmpp_item *item)
{
    const struct xmpp_dom *d = item->dom;
    struct xmpp_cuts cuts = {.n = 0};
    bool strip_sm = profile_xmpp(s->entry->profile)->strips_sm, ok = true;
    for (uint32_t i = 1; ok && i < d->node[0].end; i++)
        if (xmpp_is(d, i, "urn:ietf:params:xml:ns:xmpp-tls", "starttls") ||
            xmpp_is(d, i, "http://jabber.org/features/compress", "compression") ||
            (strip_sm && span_starts(xmpp_ns(d, i), span_str("urn:xmpp:sm:"))))
            ok = xmpp_cut_node(&cuts, d, i);
    buf_reset(&s->w->emitted);
    enum xmpp_fate fate = XMPP_AS_IS;
    if (cuts.n) /* nested cuts are one; too many of them: nothing is offered */
        fate = ok && xmpp_splice(&cuts, item->raw, &s->w->emitted) ? XMPP_REPLACED : XMPP_NOTHING;
    xmpp_cuts_fini(&cuts);
    return fate;
}

/* --- identity --- */

static void learn(struct session *s, struct span jid)
{
    struct xmpp *x = s->xmpp;
    if (s->is_seated || jid.n > JID_MAX || !xmpp_is_person(jid))
        return;
    buf_reset(&x->agent);
    xmpp_append_bare(&x->agent, jid);
    buf_reset(&x->jid);
    buf_append_span(&x->jid, jid);
}

static void seat(struct session *s)
{
    if (s->xmpp->agent.len)
        session_seat(s);
}

/* The server has accepted the login of this user; which resource it is comes later. */
static void learn_user(struct session *s)
{
    struct xmpp *x = s->xmpp;
    if (!x->user.len || !x->domain.len)
        return;
    if (!memchr(buf_span(&x->user).p, '@', x->user.len)) {
        buf_append_str(&x->user, "@");
        buf_append_span(&x->user, buf_span(&x->domain));
    }
    learn(s, buf_span(&x->user));
}

static void take_sasl(struct session *s, const struct xmpp_dom *d)
{
    struct xmpp *x = s->xmpp;
    x->waits = false;
    if (!span_is(xmpp_name(d, 0), "success"))
        return;
    learn_user(s);
    x->wants_restart = !x->is_framed;
}

static void take_sasl2(struct session *s, const struct xmpp_dom *d)
{
    if (!span_is(xmpp_name(d, 0), "success"))
        return;
    uint32_t id = xmpp_child(d, 0, NS_SASL2, "authorization-identifier");
    if (!id)
        return;
    learn(s, xmpp_text(d, id));
    bool is_session = xmpp_resource(xmpp_text(d, id)).n;
    for (uint32_t c = 1; c < d->node[0].end; c = d->node[c].end)
        is_session = is_session || span_is(xmpp_name(d, c), "resumed");
    if (is_session)
        seat(s);
}

static void take_bind(struct session *s, const struct xmpp_dom *d, uint32_t bind)
{
    struct xmpp *x = s->xmpp;
    uint32_t jid = xmpp_child(d, bind, NULL, "jid");
    if (!jid || !x->bind_id.len || !span_is(xmpp_attr(d, 0, "type"), "result") ||
        !span_eq(xmpp_attr(d, 0, "id"), buf_span(&x->bind_id)))
        return;
    learn(s, xmpp_text(d, jid));
    buf_fini(&x->bind_id);
    seat(s);
}

static enum xmpp_fate take_iq(struct session *s, const struct xmpp_dom *d)
{
    if (span_starts(xmpp_attr(d, 0, "id"), span_str("cgb-")))
        return xmpp_answer(s, d);
    uint32_t bind = s->is_seated ? 0 : xmpp_child(d, 0, "urn:ietf:params:xml:ns:xmpp-bind", "bind");
    if (bind)
        take_bind(s, d, bind);
    return XMPP_AS_IS;
}

/* --- messages --- */

/* What a message element is, once its wrappers are taken off. */
struct seen {
    uint32_t at;   /* node of the message itself */
    bool is_live;  /* not from an archive or a store */
    int64_t ts_ms; /* of its delay, 0: none */
};

static void take_delay(const struct xmpp_dom *d, uint32_t parent, struct seen *seen)
{
    uint32_t delay = xmpp_child(d, parent, "urn:xmpp:delay", "delay");
    if (!delay)
        return;
    seen->is_live = false;
    seen->ts_ms = time_read_ms(xmpp_attr(d, delay, "stamp"));
}

/* Carbons and archive results, which only the agent's own account (an archive also: a room) may send. False: a wrapper
 * from somebody else. */
static bool unwrap(struct session *s, const struct xmpp_dom *d, struct seen *seen)
{
    struct span from = xmpp_attr(d, 0, "from");
    bool is_own = !from.n || span_eq_nocase(from, buf_span(&s->xmpp->agent));
    uint32_t received = xmpp_child(d, 0, "urn:xmpp:carbons:2", "received");
    uint32_t sent = xmpp_child(d, 0, "urn:xmpp:carbons:2", "sent");
    uint32_t archived = xmpp_child(d, 0, "urn:xmpp:mam:2", "result");
    uint32_t wrapper = received ? received : sent ? sent : archived;
    if (!wrapper) {
        take_delay(d, 0, seen);
        return true;
    }
    uint32_t forwarded = xmpp_child(d, wrapper, "urn:xmpp:forward:0", "forwarded");
    seen->at = forwarded ? xmpp_child(d, forwarded, XMPP_NS_CLIENT, "message") : 0;
    if (!seen->at || !(is_own || (archived && xmpp_rooms_has(s->xmpp->rooms, from))))
        return false;
    take_delay(d, forwarded, seen);
    take_delay(d, seen->at, seen);
    seen->is_live = seen->is_live && !archived;
    return true;
}

/* The agent's own words: from another device, or as an echo of a room. */
static bool is_self(const struct xmpp *x, const struct xmpp_message *m, struct span who)
{
    return span_eq_nocase(who, buf_span(&x->agent)) || (m->is_groupchat && xmpp_rooms_is_self(x->rooms, m->from));
}

/* Servers, rooms themselves, colleagues: nobody who waits for an answer. */
static bool is_customer(struct session *s, const struct xmpp_message *m, struct span who)
{
    if (!xmpp_is_person(m->from))
        return false;
    if (m->is_groupchat)
        return xmpp_resource(m->from).n;
    return !directory_find(s->w->snap->directory, who).is_listed;
}

static struct span lower_bare(struct worker *w, struct span jid)
{
    struct buf b = {0};
    xmpp_append_bare(&b, jid);
    struct span kept = span_of(arena_strdup(&w->arena, buf_span(&b)), b.len);
    buf_fini(&b);
    return kept;
}

static void observe(struct session *s, const struct xmpp_dom *d)
{
    struct worker *w = s->w;
    struct xmpp_message m;
    struct seen seen = {.is_live = true};
    if (!unwrap(s, d, &seen))
        return;
    xmpp_message_read(d, seen.at, &m);
    struct span who = lower_bare(w, m.from);
    if (m.is_error) {
        if (m.id.n && !seen.at)
            inspect_refused_later(s, who, who, m.id);
        return;
    }
    bool is_own = is_self(s->xmpp, &m, who);
    if (!m.has_body || (is_own && !seen.at) || (!is_own && !is_customer(s, &m, who)))
        return; /* an echo was recorded when it was sent */
    struct span conv = !is_own || m.is_groupchat ? who : lower_bare(w, m.to), sender = who;
    if (m.is_groupchat)
        sender = m.from;
    else if (xmpp_rooms_has(s->xmpp->rooms, conv)) /* a private message in a room */
        conv = sender = is_own ? m.to : m.from;
    if (!xmpp_is_person(conv))
        return;
    struct unit u = {.kind = UNIT_INCOMING, .conv = conv, .customer = conv, .sender = sender, .mid = m.id};
    u.is_live = seen.is_live;
    u.ts_ms = seen.ts_ms;
    u.has_cause = m.is_too_much;
    u.cause = CAUSE_TOO_COMPLEX;
    u.n_texts = m.n_said;
    for (size_t i = 0; i < m.n_said; i++)
        u.text[i] = m.said[i].text;
    if (is_own)
        inspect_elsewhere(s, &u);
    else
        inspect_incoming(s, &u);
}

enum xmpp_fate xmpp_take_in(struct session *s, const struct xmpp_item *item)
{
    const struct xmpp_dom *d = item->dom;
    struct span ns = xmpp_ns(d, 0);
    if (xmpp_is(d, 0, XMPP_NS_CLIENT, "message")) {
        inspect_reset(s->w);
        observe(s, d);
    } else if (xmpp_is(d, 0, XMPP_NS_CLIENT, "iq")) {
        return take_iq(s, d);
    } else if (xmpp_is(d, 0, XMPP_NS_CLIENT, "presence")) {
        xmpp_rooms_watch(&s->xmpp->rooms, d);
    } else if (xmpp_is(d, 0, NS_STREAM, "features")) {
        return take_features(s, item);
    } else if (span_is(ns, NS_SASL)) {
        take_sasl(s, d);
    } else if (span_is(ns, NS_SASL2)) {
        take_sasl2(s, d);
    } else if (span_starts(ns, span_str("urn:xmpp:sm:")) && span_is(xmpp_name(d, 0), "resumed")) {
        seat(s);
    }
    return XMPP_AS_IS;
}

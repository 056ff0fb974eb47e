/* Server to client: features that would blind the gateway are taken out, the agent's identity is learnt, stanzas are
 * counted. */
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/xmpp.h"
#include "gate/xmpp_rooms.h"
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
    return xmpp_carry_out(s, item, &cuts, ok); /* nested cuts are one; too many of them: nothing is offered */
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

/* Also the answer to a resumption that was part of the login. */
static enum xmpp_fate take_sm(struct session *s, const struct xmpp_item *item, bool *has_resumed)
{
    struct xmpp_cuts cuts = {.n = 0};
    bool ok = xmpp_sm_in(s, item, &cuts, has_resumed);
    return xmpp_carry_out(s, item, &cuts, ok);
}

static enum xmpp_fate take_sasl2(struct session *s, const struct xmpp_item *item)
{
    const struct xmpp_dom *d = item->dom;
    if (!span_is(xmpp_name(d, 0), "success"))
        return XMPP_AS_IS;
    bool has_resumed;
    enum xmpp_fate fate = take_sm(s, item, &has_resumed);
    uint32_t id = xmpp_child(d, 0, NS_SASL2, "authorization-identifier");
    if (id)
        learn(s, xmpp_text(d, id));
    if (id && (has_resumed || xmpp_resource(xmpp_text(d, id)).n))
        seat(s);
    return fate;
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

enum xmpp_fate xmpp_take_in(struct session *s, const struct xmpp_item *item)
{
    const struct xmpp_dom *d = item->dom;
    struct span ns = xmpp_ns(d, 0);
    if (item->is_stanza)
        xmpp_sm_count_in(&s->xmpp->sm);
    if (xmpp_is(d, 0, XMPP_NS_CLIENT, "message")) {
        inspect_reset(s->w);
        xmpp_observe(s, d);
    } else if (xmpp_is(d, 0, XMPP_NS_CLIENT, "iq")) {
        return take_iq(s, d);
    } else if (xmpp_is(d, 0, XMPP_NS_CLIENT, "presence")) {
        xmpp_rooms_watch(&s->xmpp->rooms, d);
    } else if (xmpp_is(d, 0, NS_STREAM, "features")) {
        return take_features(s, item);
    } else if (span_is(ns, NS_SASL)) {
        take_sasl(s, d);
    } else if (span_is(ns, NS_SASL2)) {
        return take_sasl2(s, item);
    } else if (span_starts(ns, span_str("urn:xmpp:sm:"))) {
        bool has_resumed;
        enum xmpp_fate fate = take_sm(s, item, &has_resumed);
        if (has_resumed)
            seat(s);
        return fate;
    }
    return XMPP_AS_IS;
}

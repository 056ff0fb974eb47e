/* What an agent lets others see beside messages: presence status, vCard, published items (PEP). Judged by the same
 * rules, recorded nowhere: nobody waits for it. */
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/xmpp.h"
#include "proto/xmpp_message.h"

/* Judges the texts below `at`; with edits `emitted` holds the edited stanza. */
static enum xmpp_fate judge(struct session *s, const struct xmpp_item *item, uint32_t at, struct judged *j,
                            struct xmpp_message *m)
{
    struct unit u = {.kind = UNIT_SEND};
    j->refused = false;
    xmpp_message_read(item->dom, at, m);
    if (!m->n_said && !m->is_too_much)
        return XMPP_AS_IS;
    inspect_reset(s->w);
    xmpp_fill_unit(s, m, &u);
    u.conv = u.customer = buf_span(&s->xmpp->agent);
    inspect_outgoing(s, &u, j);
    if (j->refused || !j->n_edits)
        return XMPP_AS_IS;
    if (xmpp_edit(s, item, m, j))
        return XMPP_REPLACED;
    inspect_fail(s, j, CAUSE_REWRITE_FAILED);
    return XMPP_AS_IS;
}

enum xmpp_fate xmpp_take_presence(struct session *s, const struct xmpp_item *item)
{
    struct judged *j = &s->w->judged[0];
    struct xmpp_message m;
    enum xmpp_fate fate = judge(s, item, 0, j, &m);
    if (!j->refused)
        return fate;
    struct xmpp_cuts cuts = {.n = 0};
    bool ok = true;
    for (size_t i = 0; ok && i < m.n_said; i++)
        ok = xmpp_cut_node(&cuts, item->dom, m.said[i].node);
    buf_reset(&s->w->emitted);
    ok = ok && !m.is_too_much && xmpp_splice(&cuts, item->raw, &s->w->emitted);
    xmpp_cuts_fini(&cuts);
    if (!ok) { /* cannot go on, and has no id to be answered by */
        struct xmpp_bounce b = {.id = span_of("", 0)};
        return xmpp_refuse(s, &b, false);
    }
    xmpp_notice(s, span_of("", 0), j->reason);
    return XMPP_REPLACED;
}

enum xmpp_fate xmpp_take_published(struct session *s, const struct xmpp_item *item)
{
    const struct xmpp_dom *d = item->dom;
    uint32_t at = xmpp_child(d, 0, "vcard-temp", "vCard");
    uint32_t pubsub = xmpp_child(d, 0, "http://jabber.org/protocol/pubsub", "pubsub");
    if (!at && pubsub)
        at = xmpp_child(d, pubsub, "http://jabber.org/protocol/pubsub", "publish");
    if (!at || !span_is(xmpp_attr(d, 0, "type"), "set"))
        return XMPP_AS_IS;
    struct judged *j = &s->w->judged[0];
    struct xmpp_message m;
    enum xmpp_fate fate = judge(s, item, at, j, &m);
    if (!j->refused)
        return fate;
    struct xmpp_bounce b = {.id = xmpp_attr(d, 0, "id"),
                            .to = xmpp_attr(d, 0, "to"),
                            .self = buf_span(&s->xmpp->jid),
                            .reason = j->reason,
                            .rule = j->rule,
                            .is_iq = true};
    return xmpp_refuse(s, &b, true);
}

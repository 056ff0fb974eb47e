/* What an agent lets others see beside messages: presence status, nicks in rooms, vCard, published items (PEP), rooms'
 * names, files offered. Judged by the same rules, recorded nowhere: nobody waits for it. */
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/policy.h"
#include "gate/xmpp.h"
#include "gate/xmpp_rooms.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"

#define NS_PUBSUB "http://jabber.org/protocol/pubsub"

/* Judges the texts in `m`; with edits `emitted` holds the edited stanza. */
static enum xmpp_fate judge(struct session *s, const struct xmpp_item *item, struct judged *j,
                            const struct xmpp_message *m)
{
    struct unit u = {.kind = UNIT_SEND};
    j->refused = false;
    if (!m->n_said && !m->is_too_much && !m->is_opaque)
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

static enum xmpp_fate refuse(struct session *s, const struct xmpp_dom *d, const struct judged *j, enum xmpp_stanza kind)
{
    struct xmpp_bounce b = {.id = xmpp_attr(d, 0, "id"),
                            .to = xmpp_attr(d, 0, "to"),
                            .self = buf_span(&s->xmpp->jid),
                            .reason = j->reason,
                            .rule = j->rule,
                            .kind = kind};
    return xmpp_refuse(s, &b, true);
}

/* --- presence --- */

/* The nick that the agent takes in a room; it cannot be edited, the client would not know it. */
static struct span nick_in_room(struct session *s, const struct xmpp_dom *d)
{
    struct span to = xmpp_attr(d, 0, "to"), none = span_of("", 0);
    if (xmpp_attr(d, 0, "type").n || !xmpp_resource(to).n)
        return none;
    bool joins = xmpp_child(d, 0, "http://jabber.org/protocol/muc", "x");
    return joins || xmpp_rooms_has(s->xmpp->rooms, xmpp_bare(to)) ? xmpp_resource(to) : none;
}

/* Without what was refused. False: it is too much to be told what. */
static bool cut_texts(struct session *s, const struct xmpp_item *item, const struct xmpp_message *m)
{
    struct xmpp_cuts cuts = {.n = 0};
    bool ok = !m->is_too_much;
    for (size_t i = 0; ok && i < m->n_said; i++)
        ok = xmpp_cut_node(&cuts, item->dom, m->said[i].node);
    return xmpp_carry_out(s, item, &cuts, ok) == XMPP_REPLACED;
}

enum xmpp_fate xmpp_take_presence(struct session *s, const struct xmpp_item *item)
{
    struct judged *j = &s->w->judged[0];
    struct xmpp_message m = {.n_said = 0}, nick = {.n_said = 0};
    struct span taken = nick_in_room(s, item->dom);
    if (taken.n) {
        nick.said[nick.n_said++] = (struct xmpp_said){taken, 0, XMPP_TEXT_FIXED};
        judge(s, item, j, &nick);
        if (j->refused)
            return refuse(s, item->dom, j, XMPP_STANZA_PRESENCE);
    }
    xmpp_message_read(item->dom, 0, &m);
    enum xmpp_fate fate = judge(s, item, j, &m);
    if (!j->refused)
        return fate;
    struct span reason = j->reason;
    if (!cut_texts(s, item, &m)) /* cannot go on, and may have no id to be answered by */
        return refuse(s, item->dom, j, XMPP_STANZA_PRESENCE);
    /* `emitted` holds the presence: a notice does not touch it */
    xmpp_notice(s, span_of("", 0), reason);
    return XMPP_REPLACED;
}

/* --- requests --- */

/* What of a request others read. Not the whole: forms of searches and subscriptions hold addresses and dates. */
static uint32_t find_shown(const struct xmpp_dom *d)
{
    static const struct {
        const char *ns, *name;
    } shown[] = {
        {"vcard-temp", "vCard"},
        {"http://jabber.org/protocol/muc#owner", "query"},
        {"http://jabber.org/protocol/muc#admin", "query"},
        {"http://jabber.org/protocol/commands", "command"},
        {"http://jabber.org/protocol/si", "si"},
        {"jabber:iq:register", "query"},
        {"jabber:iq:oob", "query"},
        {"urn:xmpp:jingle:1", "jingle"},
    };
    uint32_t at = 0, pubsub = xmpp_child(d, 0, NS_PUBSUB, "pubsub");
    if (pubsub)
        return xmpp_child(d, pubsub, NS_PUBSUB, "publish");
    for (size_t i = 0; !at && i < ARRAY_LEN(shown); i++)
        at = xmpp_child(d, 0, shown[i].ns, shown[i].name);
    return at;
}

/* Bytes of a file inside the stream (XEP-0047), which nobody can read here. */
static bool is_bytestream(const struct xmpp_dom *d)
{
    return xmpp_child(d, 0, "http://jabber.org/protocol/ibb", "open") ||
           xmpp_child(d, 0, "http://jabber.org/protocol/ibb", "data");
}

enum xmpp_fate xmpp_take_request(struct session *s, const struct xmpp_item *item)
{
    const struct xmpp_dom *d = item->dom;
    struct xmpp_message m = {.n_said = 0};
    struct judged *j = &s->w->judged[0];
    if (!span_is(xmpp_attr(d, 0, "type"), "set"))
        return XMPP_AS_IS;
    uint32_t at = find_shown(d);
    if (at)
        xmpp_message_read(d, at, &m);
    else if (is_bytestream(d))
        m.is_opaque = true;
    enum xmpp_fate fate = judge(s, item, j, &m);
    return j->refused ? refuse(s, d, j, XMPP_STANZA_IQ) : fate;
}

/* Messages from the server: customers' are recorded, echoes and history are told from live ones, wrappers are taken
 * off. */
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/xmpp.h"
#include "gate/xmpp_rooms.h"
#include "proto/profile_time.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"

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

void xmpp_observe(struct session *s, const struct xmpp_dom *d)
{
    struct worker *w = s->w;
    struct xmpp_message m;
    struct seen seen = {.is_live = true};
    if (!unwrap(s, d, &seen))
        return;
    xmpp_message_read(d, seen.at, &m);
    struct span who = xmpp_lower_bare(w, m.from);
    if (m.is_error) {
        if (m.id.n && !seen.at)
            inspect_refused_later(s, who, who, m.id);
        return;
    }
    bool is_own = is_self(s->xmpp, &m, who);
    if (!m.has_body || (is_own && !seen.at) || (!is_own && !is_customer(s, &m, who)))
        return; /* an echo was recorded when it was sent */
    struct span conv = !is_own || m.is_groupchat ? who : xmpp_lower_bare(w, m.to), sender = who;
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

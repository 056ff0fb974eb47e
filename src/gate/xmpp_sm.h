/* Stream management (XEP-0198) of a session. Both sides count stanzas. What the client sends is swapped one for one
 * when it is refused (xmpp_refuse.c), so that direction needs nothing. Notices are added to what the server sends: from
 * then on the client's h is lowered on its way to the server, over cuts and resumptions, and behind a restart of the
 * gateway (xmpp_ledger.h).
 *
 * So that a resumption that comes to another node is not taken for one of ours, ids of resumable sessions carry the
 * name of this node's ledger; an id with another name gives way to one that no server knows, and the client begins
 * anew. With `notices: none` in the profile nothing is added and all ids stay as they are. */
#pragma once

#include "base/buf.h"
#include "gate/xmpp_ledger.h"

struct session;
struct xmpp_cuts;
struct xmpp_item;

struct xmpp_sm {
    unsigned asked; /* <enable/> and <resume/> that the server has not answered */
    bool is_on;     /* the server has confirmed one */
    bool is_resumable;
    bool is_over; /* the client has ended its stream: nothing to resume */
    char version; /* of urn:xmpp:sm:N */
    struct xmpp_tally tally;
    uint32_t sent_in, sent_out; /* stanzas that client and server were sent, ours among them */
    /* of a session that can be resumed, under an id made here */
    struct buf id;              /* the server's; empty: not in the ledger */
    uint64_t owner;             /* of its entry in the ledger */
    int64_t resume_ms;          /* how long the server keeps it */
    struct xmpp_ledger *ledger; /* NULL: before <enabled/> or <resumed/> */
    /* of a resumption under way */
    struct buf asked_id, asked_as; /* the server's id, and how the client knows it */
    uint32_t asked_h;
};
void xmpp_sm_fini(struct xmpp_sm *sm);

/* Are refused stanzas to be swapped? From the client's wish on. */
bool xmpp_sm_is_counting(const struct xmpp_sm *sm);
/* Looks at every element of that namespace in what the client sends (the element itself, or inside a SASL2 login); what
 * must be changed is added to the cuts. False: too many of them. */
bool xmpp_sm_out(struct session *s, const struct xmpp_item *item, struct xmpp_cuts *cuts);
/* The same for what the server sends. *has_resumed: the client's session goes on. */
bool xmpp_sm_in(struct session *s, const struct xmpp_item *item, struct xmpp_cuts *cuts, bool *has_resumed);
/* The server, or the client, has sent a stanza that goes on. */
void xmpp_sm_count_in(struct xmpp_sm *sm);
void xmpp_sm_count_out(struct xmpp_sm *sm);
/* A notice is to be added now. False: it cannot be counted. */
bool xmpp_sm_add_in(struct session *s) MUST_CHECK;
/* Could a stanza of our own be sent to the server now? And: it is sent now; false: it cannot be counted. */
bool xmpp_sm_can_add_out(const struct session *s);
bool xmpp_sm_add_out(struct session *s) MUST_CHECK;
/* Should the client be asked what it has? So that little is lost or to be remembered. */
bool xmpp_sm_wants_ack(const struct xmpp_sm *sm);

/* The one verdict path: every protocol's messages, edits and corrections included, come through here. */
#pragma once

#include "base/arena.h"
#include "gate/session.h"

/* What was decided for one unit. Lives until inspect_reset. */
struct judged {
    enum action action; /* what is done: pass, warn, rewrite, hold or block */
    bool refused;       /* hold and block: nothing of it goes on */
    struct span reason; /* for the agent: why refused, or the warning; may be empty */
    struct span rule;   /* id of the strictest rule, may be empty */
    struct text_edit edit[VERDICT_EDITS_MAX];
    size_t n_edits;
    struct track_event event; /* complete but for is_delivered; held_… are hold.c's */
};

/* Forgets the texts of the last message's judgements. */
void inspect_reset(struct worker *w);
/* Judges an agent's message: identity, failure policies, rules, operator's mode. Counts; records nothing yet. */
void inspect_outgoing(struct session *s, const struct unit *u, struct judged *out);
/* The message could not be edited or recorded after all: applies the policy for `c`; true: it is refused now. */
bool inspect_fail(struct session *s, struct judged *j, enum cause c);
/* Counts the final action and appends the event to the ring: before the message is written. False: the ring is full and
 * the policy refuses the message (judged is changed to block). */
bool inspect_record(struct session *s, struct judged *j);
/* Judges and records a customer's message (cases, confirmations). */
void inspect_incoming(struct session *s, const struct unit *u);
/* Records a message that the agent sent by another way (another device, or before the gateway was there): not judged,
 * but the customer has an answer. */
void inspect_elsewhere(struct session *s, const struct unit *u);
/* Records that the backend refused or never got a message. */
void inspect_refused_later(struct session *s, struct span conv, struct span customer, struct span mid);
/* Records that the agent's session began or ended. */
void inspect_presence(struct session *s, bool is_on);

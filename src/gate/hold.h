/* Messages that a rule holds: kept in the event that records them, sent when somebody approves (docs/redis.md, "Held
 * messages"). Nothing of them stays in the gateway's memory. */
#pragma once

#include "gate/session.h"
#include "track/held.h"

struct unit;
struct xmpp_item;

/* units[i] of the payload was judged to be held (judged[i] of the worker): its bytes are put into its event and the
 * agent's notice says that it waits. When that cannot be done, policy `hold_impossible` decides and the verdict is
 * changed. Uses the scratch of the last profile_read. */
void hold_unit(struct session *s, struct span payload, const struct unit *units, size_t n, size_t i);
/* As above, an XMPP message: the whole stanza. */
void hold_stanza(struct session *s, const struct xmpp_item *item, const struct unit *u);

/* Control thread: a decision was claimed; handed to the worker of the session it came from, or of the agent's newest.
 */
void hold_take(struct gate *g, const struct held_item *item);
/* Worker: carries it out, or passes it on to the agent's newest session. */
void hold_run(struct worker *w, struct hold_task *task);

/* xmpp_out.c: a stanza that the gateway sends once more. False: refused, unreadable, or the session has ended. */
bool xmpp_send_approved(struct session *s, struct span stanza);

/* Rooms (XEP-0045) that the agent is in: its own nick tells its messages that come back from others'. */
#pragma once

#include "base/span.h"
#include "proto/xmpp_dom.h"

struct xmpp_rooms;

void xmpp_rooms_free(struct xmpp_rooms **r);
/* Looks at a presence from the server; *r is made with the first room. */
void xmpp_rooms_watch(struct xmpp_rooms **r, const struct xmpp_dom *d);
/* Is this a room that the agent is in (address without a nick)? */
bool xmpp_rooms_has(const struct xmpp_rooms *r, struct span bare);
/* Is this address the agent itself in a room? */
bool xmpp_rooms_is_self(const struct xmpp_rooms *r, struct span jid);

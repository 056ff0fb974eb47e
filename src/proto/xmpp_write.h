/* Stanzas of the gateway's own, complete with their namespace, so that they fit into any stream and WebSocket message.
 */
#pragma once

#include "base/buf.h"

/* Text or attribute value: & < > " ' escaped, characters that XML does not allow left out. */
void xmpp_escape(struct buf *out, struct span text);

/* Bytes of the predefined entity (XML 1.0 4.6) that `at` begins with, and what it is; 0: none. */
size_t xmpp_entity(struct span at, uint8_t *is);

enum xmpp_stanza { XMPP_STANZA_MESSAGE, XMPP_STANZA_GROUPCHAT, XMPP_STANZA_IQ, XMPP_STANZA_PRESENCE };

/* What a refused stanza is answered with. */
struct xmpp_bounce {
    struct span id, to; /* of the refused stanza: the answer comes from `to` */
    struct span self;   /* the agent's full address; may be empty */
    struct span reason, rule;
    enum xmpp_stanza kind; /* of the refused stanza */
    bool is_as_message;    /* messages: one of the same kind with the reason as its body, instead of an error */
};
/* An error of condition policy-violation (RFC 6120 8.3.3.12), or a message with the reason. */
void xmpp_write_bounce(struct buf *out, const struct xmpp_bounce *b);
/* A chat message from `from` (the server's domain) that only this client sees. */
void xmpp_write_notice(struct buf *out, struct span from, struct span to, struct span id, struct span text);
/* <iq type='get'> with a ping to the agent's own server, which takes the place of a refused stanza. */
void xmpp_write_ping(struct buf *out, struct span id);
/* <iq type='result'> that the server ignores: takes a place and gives no answer. */
void xmpp_write_blank(struct buf *out, struct span id);
/* A stream error and the end of the stream; `tag` is the name of the stream's start tag, empty over WebSocket. */
void xmpp_write_error(struct buf *out, const char *condition, struct span tag);

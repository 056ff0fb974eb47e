/* Addresses (RFC 7622) as far as the gateway compares them, and names from SASL exchanges. */
#pragma once

#include "base/buf.h"

/* local@domain of local@domain/resource. */
struct span xmpp_bare(struct span jid);
struct span xmpp_resource(struct span jid);
struct span xmpp_domain(struct span jid);
/* Has it a local part? Servers and components have none. */
bool xmpp_is_person(struct span jid);
/* Appends the bare address with ASCII letters in lower case, as servers compare it. */
void xmpp_append_bare(struct buf *out, struct span jid);
/* The same to where the bare address has room; how many were written. */
size_t xmpp_write_bare(uint8_t *to, struct span jid);

/* Base64 of RFC 4648: false when it is none. `=` alone is the empty text (RFC 6120 6.4.2). */
bool xmpp_base64_decode(struct span in, struct buf *out) MUST_CHECK;
/* With the alphabet for URLs and without padding. */
void xmpp_base64url(struct span in, struct buf *out);
bool xmpp_base64url_decode(struct span in, struct buf *out) MUST_CHECK;

/* Who wants to log in: from the first message (decoded) of PLAIN or SCRAM. An authorization identity counts before the
 * name. False: not to be seen there. */
bool xmpp_sasl_user(struct span mechanism, struct span first, struct buf *out) MUST_CHECK;

/* The id of the ping that takes a refused stanza's place. It carries all that the answer needs to become the refusal,
 * so that nothing must be remembered, not even over a restart; and a code (SipHash-2-4, twice, with keys of the node),
 * so that nobody else can make one. */
#pragma once

#include "proto/xmpp_write.h"

enum { XMPP_KEY_BYTES = 32, XMPP_TOKEN_TEXT_MAX = 1024 };

/* Appends "cgb-…". False: id or address are longer than XMPP_TOKEN_TEXT_MAX; the reason is cut there. */
bool xmpp_token_make(const uint8_t key[XMPP_KEY_BYTES], const struct xmpp_bounce *b, struct buf *out) MUST_CHECK;
/* Is this id one of ours, and whole? The spans of *b point into `space`. */
bool xmpp_token_read(const uint8_t key[XMPP_KEY_BYTES], struct span id, struct buf *space,
                     struct xmpp_bounce *b) MUST_CHECK;
/* The code alone: 128 bits that nobody can compute without the key. */
void xmpp_token_mac(const uint8_t key[XMPP_KEY_BYTES], struct span s, uint64_t mac[2]);

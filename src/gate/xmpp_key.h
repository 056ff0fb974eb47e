/* The node's key for the ids of swapped stanzas (proto/xmpp_token.h). */
#pragma once

#include "base/err.h"
#include "proto/xmpp_token.h"

/* Reads `xmpp.key` in the folder, or makes it (mode 0600): a swapped stanza may be answered after a restart. -1 with
 * err: neither can be done, the key is random and good until the end of this process. */
int xmpp_key_load(const char *folder, uint8_t key[XMPP_KEY_BYTES], struct err *e) MUST_CHECK;

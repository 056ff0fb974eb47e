/* Elements of the plainest kind, read without the XML parser: ten times cheaper, and nearly everything that is said on
 * a stream. It is no second opinion on XML: names without a prefix, one blank or more between attributes, the five
 * predefined entities, text without returns, few levels and attributes; an element with anything else in it is left to
 * the parser, from its first byte on, and so is one that is not complete. What is read here is to the last offset what
 * the parser would have made of it. */
#pragma once

#include "proto/xmpp_dom.h"

enum { XMPP_PLAIN_MAX = 16384 }; /* bytes of a longer one are not looked at further */

/* Bytes of the element at the front of `in`, with its tree in the empty *d; 0: leave it to the parser, *d is to be
 * emptied. `ns` is the default namespace where it stands. */
size_t xmpp_plain_read(struct span in, struct span ns, struct xmpp_dom *d);

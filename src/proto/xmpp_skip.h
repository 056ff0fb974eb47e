/* Where an element ends, for one that is handed on without being looked at: nothing is decoded and nothing is kept but
 * a few figures, however long it is. It counts tags. Comments and the like are refused as they are elsewhere; what else
 * is not well-formed is left to the reader behind. */
#pragma once

#include "base/buf.h"

enum xmpp_skipped {
    XMPP_SKIP_MORE, /* all bytes belong to the element, and more will */
    XMPP_SKIP_DONE, /* it ends behind *used */
    XMPP_SKIP_BAD,  /* a comment, a processing instruction or a document type */
};

struct xmpp_skip { /* all zero: before the element's first byte */
    uint8_t state;
    uint8_t matched; /* bytes of "[CDATA[" */
    uint64_t depth;
};

enum xmpp_skipped xmpp_skip_next(struct xmpp_skip *k, struct span in, size_t *used);

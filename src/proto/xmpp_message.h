/* What a stanza says that a person reads. Texts of every kind are inspected, those of messages inside messages too. */
#pragma once

#include "proto/xmpp_dom.h"

enum { XMPP_TEXTS_MAX = 32 };

/* Namespaces that several files look for. */
#define XMPP_NS_CLIENT       "jabber:client"
#define XMPP_NS_STANZA_ERROR "urn:ietf:params:xml:ns:xmpp-stanzas"

enum xmpp_text_kind {
    XMPP_TEXT_ELEMENT, /* the whole content of an element: can be edited */
    XMPP_TEXT_RICH,    /* of what is cut out with every edit: an XHTML-IM copy, a reference */
    XMPP_TEXT_FIXED,   /* an attribute: cannot be edited */
};

struct xmpp_said {
    struct span text;
    uint32_t node;
    enum xmpp_text_kind kind;
};

struct xmpp_message {
    struct xmpp_said said[XMPP_TEXTS_MAX]; /* in document order */
    size_t n_said;
    bool is_too_much;   /* more texts than that, or a truncated tree: it cannot be inspected in full */
    bool is_opaque;     /* an encrypted body, or bytes of a file */
    bool has_live_text; /* XEP-0301: words before they are sent */
    bool is_correction; /* XEP-0308 */
    bool is_error;      /* type='error' */
    bool is_groupchat;
    bool has_body;
    struct span to, from, id;
};

/* Reads the message (or any other stanza) at node `at`; 0: the stanza itself. The spans live as long as the tree. */
void xmpp_message_read(const struct xmpp_dom *d, uint32_t at, struct xmpp_message *out);

/* --- splicing --- */

/* Bytes [from, to) of an element's source give way to bytes [at, at + n) of a buffer. */
struct xmpp_cut {
    uint32_t from, to, at, n;
};
enum { XMPP_CUTS_MAX = 256 };
struct xmpp_cuts {
    struct xmpp_cut cut[XMPP_CUTS_MAX];
    size_t n;
    struct buf with;
};
void xmpp_cuts_fini(struct xmpp_cuts *c);
/* Takes the whole element out. False: too many cuts. */
bool xmpp_cut_node(struct xmpp_cuts *c, const struct xmpp_dom *d, uint32_t node) MUST_CHECK;
/* Bytes [from, to) of the node's decoded text give way to `with`, which is escaped. False: the range cannot be found in
 * the source (elements inside the text, half a character reference). */
bool xmpp_cut_text(struct xmpp_cuts *c, const struct xmpp_dom *d, struct span raw, uint32_t node, uint32_t from,
                   uint32_t to, struct span with) MUST_CHECK;
/* The value of an attribute (its name as it is written, without a prefix) gives way to `with`; a `with` without a
 * pointer takes the attribute out. False: it is not there, or too many cuts. */
bool xmpp_cut_attr(struct xmpp_cuts *c, const struct xmpp_dom *d, struct span raw, uint32_t node, const char *name,
                   struct span with) MUST_CHECK;
/* Appends the element with all cuts made; cuts inside a removed element are forgotten. False: cuts overlap. */
bool xmpp_splice(struct xmpp_cuts *c, struct span raw, struct buf *out) MUST_CHECK;
/* Cuts out what speaks about the text's exact wording: XHTML-IM copies, references, markup, fallback ranges, live text.
 */
bool xmpp_cut_companions(struct xmpp_cuts *c, const struct xmpp_dom *d) MUST_CHECK;

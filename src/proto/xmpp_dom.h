/* One element of an XMPP stream as a flat tree: nodes in document order, each with its decoded names, attributes and
 * text, and with the bytes of the source that it came from.
 *
 *   node[0] the element itself, node[i].end: index behind its last descendant, so that
 *   first child = i + 1, next sibling of c = node[c].end, subtree = [i, node[i].end)
 *
 *   <body xml:lang='zh'>text</body>
 *   ^raw_from           ^raw_content^raw_content_end    raw_to behind the last byte; offsets from the element's start
 */
#pragma once

#include "base/buf.h"

enum {
    XMPP_NODES_MAX = 2048,
    XMPP_ATTRS_MAX = 4096,
    XMPP_NS_MAX = 1024,             /* bytes of a namespace */
    XMPP_NS_BYTES_MAX = 256 * 1024, /* of all of them: each name has its own unless it is that of the name before */
};

struct xmpp_slice {
    uint32_t at, n;
};

struct xmpp_attr {
    struct xmpp_slice ns, name, value;
};

struct xmpp_node {
    uint32_t parent, end; /* the root is its own parent */
    struct xmpp_slice ns, name;
    uint32_t attr, n_attrs;
    uint32_t text_from, text_to; /* text of all its descendants */
    uint32_t raw_from, raw_content, raw_content_end, raw_to;
};

struct xmpp_dom {
    struct xmpp_node *node;
    struct xmpp_attr *attr;
    uint32_t n, cap, n_attrs, cap_attrs;
    struct buf text, words; /* character data; names and attribute values */
    struct xmpp_slice last_ns;
    uint32_t ns_bytes;
    bool is_truncated; /* more than the bounds: later nodes are missing, or the attributes of the only one */
};

struct xmpp_dom *xmpp_dom_new(void);
void xmpp_dom_free(struct xmpp_dom **d);
/* Empties it; large memory is given back. */
void xmpp_dom_reset(struct xmpp_dom *d);

/* Trees that streams borrow while an element is incomplete; one per thread. */
struct xmpp_pool {
    struct xmpp_dom *spare;
};
void xmpp_pool_fini(struct xmpp_pool *p);
/* An empty one; give it back or free it. */
struct xmpp_dom *xmpp_pool_take(struct xmpp_pool *p);
void xmpp_pool_give(struct xmpp_pool *p, struct xmpp_dom **d);

/* --- building (xmpp_stream.c, xmpp_plain.c) --- */

/* Names as expat gives them: "namespace\x1fname" or "name". Returns the new node's index, or UINT32_MAX when full;
 * the first is always there. */
uint32_t xmpp_dom_open(struct xmpp_dom *d, uint32_t parent, const char *name, const char **attrs);
/* The same with words that stand in `words` already; false, or UINT32_MAX: full. Attributes go to the newest node. */
uint32_t xmpp_dom_add(struct xmpp_dom *d, uint32_t parent, struct xmpp_slice ns, struct xmpp_slice name);
bool xmpp_dom_add_attr(struct xmpp_dom *d, uint32_t i, const struct xmpp_attr *a);
void xmpp_dom_close(struct xmpp_dom *d, uint32_t i);

/* --- reading --- */

static inline struct span xmpp_word(const struct xmpp_dom *d, struct xmpp_slice s)
{
    return span_of(buf_span(&d->words).p + s.at, s.n);
}

static inline struct span xmpp_name(const struct xmpp_dom *d, uint32_t i)
{
    return xmpp_word(d, d->node[i].name);
}

static inline struct span xmpp_ns(const struct xmpp_dom *d, uint32_t i)
{
    return xmpp_word(d, d->node[i].ns);
}

/* Asked many times for each element, nearly always with literals: hence inline. `ns` NULL: any namespace. */
static inline bool xmpp_is(const struct xmpp_dom *d, uint32_t i, const char *ns, const char *name)
{
    return span_is(xmpp_name(d, i), name) && (!ns || span_is(xmpp_ns(d, i), ns));
}

/* All character data below it, in order. */
struct span xmpp_text(const struct xmpp_dom *d, uint32_t i);
/* An attribute without a namespace; the empty span when absent. */
struct span xmpp_attr(const struct xmpp_dom *d, uint32_t i, const char *name);
/* First child of that name; 0: none. `ns` NULL: any namespace. */
uint32_t xmpp_child(const struct xmpp_dom *d, uint32_t i, const char *ns, const char *name);

/* A strict JSON reader (RFC 8259) that keeps the place of every value, so that a text can be replaced inside the bytes
 * that came without re-serialising anything. Refused: invalid UTF-8, BOM, NUL (also as \u0000), lone surrogates, depth
 * above JSON_DEPTH_MAX, anything behind the value but white space, and, by the flags, keys that another reader could
 * take for one another. */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum { JSON_DEPTH_MAX = 64, JSON_NODES_MAX = 20000 };

enum json_kind { JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Nodes in document order: children of i are i+1 … next-1, the sibling of i starts at `next`. A member's key is a
 * string node just before its value. */
struct json_node {
    uint8_t kind;
    uint8_t is_key;
    uint8_t has_escape; /* string: contains a backslash */
    uint32_t from, to;  /* source bytes, strings with their quotes */
    uint32_t next;
    uint32_t n; /* members or items; of a key: see json_key.h */
};

enum json_flags { JSON_KEYS_CASEFOLD = 1, JSON_DUP_LAST = 2, JSON_TRAILING_OK = 4 };

struct json_doc {
    struct span src;
    struct json_node *node; /* capacity JSON_NODES_MAX, grows on demand, reused between calls */
    uint32_t n, cap;
    unsigned flags;
    bool is_indexed; /* the root is an object whose keys have a slot each (json_key.h) */
    uint64_t has_key;
    uint16_t key_at[64];
    uint32_t *slot; /* table for finding equal keys in large objects */
    uint32_t slot_cap;
};

/* Result of json_read: which failure policy applies. INVALID: not JSON or not UTF-8. AMBIGUOUS: readers differ about
 * it: equal keys, \u0000, a lone surrogate, a BOM, bytes behind the value. TOO_COMPLEX: deeper than JSON_DEPTH_MAX or
 * more than JSON_NODES_MAX nodes. */
enum json_result { JSON_OK, JSON_INVALID, JSON_AMBIGUOUS, JSON_TOO_COMPLEX };

/* Reads `src` into doc (node array is reused; free it with json_doc_fini). src must stay while doc is used. */
enum json_result json_read(struct json_doc *doc, struct span src, unsigned flags, struct err *e);
void json_doc_fini(struct json_doc *doc);

/* The value of a member of object i (key compared after unescaping; by flags case-insensitively), or 0: node 0 is the
 * root and nobody's member. */
uint32_t json_member(const struct json_doc *doc, uint32_t i, struct span key);
/* Item k of array i, or 0. */
uint32_t json_item(const struct json_doc *doc, uint32_t i, uint32_t k);
/* The source bytes of a node. */
static inline struct span json_raw_span(const struct json_doc *doc, uint32_t i)
{
    return span_of(doc->src.p + doc->node[i].from, doc->node[i].to - doc->node[i].from);
}
/* Decodes string node i into out (capacity at least its source length); returns the length. map, when not NULL, gets
 * for every decoded byte (and the end) the offset in src of the source bytes that gave it. */
size_t json_decode(const struct json_doc *doc, uint32_t i, uint8_t *out, uint32_t *map);
/* Is node i a string that reads `text` after unescaping? (Always case-sensitive.) */
bool json_is(const struct json_doc *doc, uint32_t i, struct span text);

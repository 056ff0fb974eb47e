/* Comparing strings of a JSON document as its reader would: after unescaping and, with JSON_KEYS_CASEFOLD, without
 * regard to case as Go's encoding/json does it (ASCII, and U+017F for s, U+212A for k). */
#pragma once

#include "proto/json.h"

/* Length, first and last byte of a key without escapes: kept with its node (n), so that most keys are told apart by one
 * comparison. Never 0, which a key with escapes has. */
static inline uint32_t json_key_mark(struct span key)
{
    uint32_t n = key.n < 0x7fff ? (uint32_t)key.n : 0x7fff;
    return 1u << 31 | n << 16 | (n ? (uint32_t)key.p[0] << 8 | key.p[key.n - 1] : 0);
}

/* Where a key of the root is noted: few keys share a slot, and where two do, none is looked for in this way. */
static inline unsigned json_key_slot(uint32_t mark)
{
    return mark * 0x9e3779b1u >> 26;
}

/* The bytes between the quotes. */
static inline struct span json_inside(const struct json_doc *d, uint32_t i)
{
    return span_of(d->src.p + d->node[i].from + 1, d->node[i].to - d->node[i].from - 2);
}

/* json_member for a key whose mark is known; of the root of an indexed document without a call. */
uint32_t json_member_walk(const struct json_doc *doc, uint32_t i, struct span key, uint32_t mark);
static inline uint32_t json_member_indexed(const struct json_doc *d, struct span key, uint32_t mark)
{
    unsigned slot = json_key_slot(mark);
    if (!(d->has_key >> slot & 1))
        return 0;
    uint32_t k = d->key_at[slot];
    return d->node[k].n == mark && span_eq_short(json_inside(d, k), key) ? k + 1 : 0;
}
static inline uint32_t json_member_marked(const struct json_doc *d, uint32_t i, struct span key, uint32_t mark)
{
    return i || !d->is_indexed ? json_member_walk(d, i, key, mark) : json_member_indexed(d, key, mark);
}

/* Whether an object that was read to its end holds a key twice; in linear time, whatever the keys. */
bool json_has_equal_keys(struct json_doc *d, uint32_t obj);

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

/* Whether an object that was read to its end holds a key twice; in linear time, whatever the keys. */
bool json_has_equal_keys(struct json_doc *d, uint32_t obj);

/* Comparing strings of a JSON document as its reader would: after unescaping and, with JSON_KEYS_CASEFOLD, without
 * regard to case as Go's encoding/json does it (ASCII, and U+017F for s, U+212A for k). */
#pragma once

#include "proto/json.h"

/* Are two key nodes the same key? */
bool json_key_eq(const struct json_doc *d, uint32_t a, uint32_t b);
/* Keyed hash of a key node: equal for equal keys. */
uint64_t json_key_hash(const struct json_doc *d, uint32_t k);

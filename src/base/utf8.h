/* UTF-8 (RFC 3629): shortest form only, no surrogates, nothing above U+10FFFF. */
#pragma once

#include "base/span.h"

/* Length in bytes (1 to 4) of the code point at p[0], and the code point; 0 when the bytes are not valid UTF-8. n > 0.
 */
unsigned utf8_decode(const uint8_t *p, size_t n, uint32_t *cp);
/* Writes 1 to 4 bytes; cp is a valid scalar value. */
unsigned utf8_encode(uint32_t cp, uint8_t out[4]);
/* Bytes of the longest valid prefix; s.n when all of it is valid. */
size_t utf8_valid_prefix(struct span s);

static inline bool utf8_is_valid(struct span s)
{
    return utf8_valid_prefix(s) == s.n;
}

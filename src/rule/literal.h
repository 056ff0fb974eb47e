/* What every match of a regular expression must hold, read from its pattern: so that PCRE2 runs only where that was
 * seen. Sound: a text that holds none of the literals cannot match. */
#pragma once

#include "base/attr.h"

enum { LITERALS_MAX = 512, LITERAL_CHARS_MAX = 16 };

struct literals {
    uint32_t cp[LITERALS_MAX][LITERAL_CHARS_MAX];
    uint8_t len[LITERALS_MAX];
    unsigned n; /* 0: nothing can be proven */
};

/* Kinds of characters: every match holds one of these. */
enum { LITERAL_DIGIT = 1, LITERAL_LETTER = 2 }; /* of ASCII */

/* One of out's literals stands in every match of the pattern (UTF-8), and one of also's, from another part of it, so
 * that a common word alone (我, 价) does not call for PCRE2. also->n is 0 when out->n is.
 * Returns kinds (LITERAL_*) of which every match holds a character, for the classes of a pattern ([0-9a-z]); 0: nothing
 * is known. */
unsigned literal_extract(const char *pattern, struct literals *out, struct literals *also);

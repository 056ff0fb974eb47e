/* The generated tables (see gen/), as two stages: code point >> 6 gives a page, the low six bits an entry. One entry
 * holds all that the views need of a character, so that a message touches one cache line per page of its script.
 *
 *   entry   31 30 | 29 .. 26  | 25     | 24 .. 16        | 15 .. 0
 *           kind  | digit + 1 | spells | syllable number | payload: canonical code point, or an `enum fold_other`
 *
 * Pages 0 and 1 are ASCII: fold_entry[byte] is the entry of an ASCII byte. */
#pragma once

#include <stdint.h>

#include "text/gen/layout.h"

extern const uint16_t fold_index[FOLD_CODE_POINTS / FOLD_PAGE];
extern const uint32_t fold_entry[];
/* Expansions: a count, then that many canonical code points; addressed by payload - FOLD_OTHER_SEQ. */
extern const uint32_t fold_seq[];
/* Canonical compositions, ascending by base, then mark. */
extern const struct fold_pair fold_pair[];
extern const uint32_t fold_pair_n;
/* Syllables by number, number 0 being "". */
extern const char fold_syllable[][FOLD_SYLLABLE_LEN + 1];
extern const uint32_t fold_syllable_n;
/* Spellings: open addressing by fold_spell_slot, key 0 is empty. */
extern const uint32_t fold_spell_key[FOLD_SPELL_SLOTS];
extern const uint16_t fold_spell_syllable[FOLD_SPELL_SLOTS];

static inline uint32_t fold_lookup(uint32_t cp)
{
    return fold_entry[(uint32_t)fold_index[cp / FOLD_PAGE] * FOLD_PAGE + cp % FOLD_PAGE];
}

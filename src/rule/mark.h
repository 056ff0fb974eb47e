/* Characters that the rules treat in a special way (inside of src/rule). */
#pragma once

#include "rule/model.h"

/* Separators that mean nothing in a word: spaces, dots, dashes, brackets, punctuation; not emoji, %, +. */
bool words_is_plain_mark(uint32_t cp);
/* Fills the set's table of very common characters. */
void reading_note_common(struct ruleset *set);
/* A function word: it stands next to anything, so that it is never read as a stand-in for another character. */
static inline bool reading_is_common(const struct ruleset *set, uint32_t cp)
{
    return cp < 0x10000 && (set->common[cp / 64] >> (cp % 64) & 1);
}

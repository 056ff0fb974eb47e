/* Syllables that many speakers do not tell apart, and so type for each other (微幸 for 微信, 资付宝 for 支付宝): -n and
 * -ng in words of a `near`, and in words of three characters or more; z and zh, c and ch, s and sh where they have one
 * character more. One character of a word may be replaced so, by another, all the others being as written.
 * lists/near_ok.txt (it may be missing) holds ordinary words that would be read so (微型); a character within one of
 * them is none (inside of src/rule). */
#pragma once

#include "rule/load.h"

struct folded;

/* The syllable of that spelling, 0: there is none. */
uint32_t confuse_syllable_of(struct loader *l, const char *name);
/* Makes the terms of a word that homophones are asked for; number: of the term of its reading. */
void confuse_compile(struct loader *l, const struct pending *p, uint32_t number, struct span word);
/* The same for a letter: one character of a word of three or more, or of any word in a `near`, as the first letter of
 * its reading (最d价, j易). */
void confuse_compile_initials(struct loader *l, const struct pending *p, const uint32_t *unit, uint32_t n,
                              struct span word);
/* Reads the list of ordinary words. */
void confuse_load_ordinary(struct loader *l);
/* Whether unit `at` of the text belongs to an ordinary word. */
bool confuse_is_ordinary(const struct ruleset *set, const struct view *v, uint32_t at);

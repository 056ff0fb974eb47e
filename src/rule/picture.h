/* Emoji and signs that stand for words (➕ for 加, 🛰 for 卫星): lists/emoji.txt, for rules with `variants`. A
 * line is a word of at most 8 bytes, then the signs that are read as it; a sign may be several characters (⭐⭐⭐⭐⭐ for
 * 五星).
 */
#pragma once

#include "rule/model.h"
#include "rule/variant.h"

struct loader;

/* Reads the list; it may be missing. */
void picture_load(struct loader *l, enum direction dir);
/* Adds a swap for every listed sign in the folded line; of several that begin at one place the longest. */
void picture_find(const struct side *side, const struct folded *line, struct variant *v);

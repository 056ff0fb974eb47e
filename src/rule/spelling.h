/* The lists of spellings for `variants`: lists/split.txt (characters written as their parts, 力口 for 加) and
 * lists/lookalike.txt (characters that look like another, 徵 for 微). A line is a character, then its spellings. */
#pragma once

#include "rule/load.h"

enum { SPELLING_GAP_MAX = 2 }; /* separators between two parts of a character */

/* Makes terms of all spellings. */
void spelling_load(struct loader *l, enum direction dir);

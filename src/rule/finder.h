/* What finds the words of a side in a text (inside of src/rule): one finder for all of its rules, and a smaller one for
 * the texts that a window joins, where only rules with a window are judged. */
#pragma once

#include "rule/model.h"

/* Builds both finders and what a term wakes in a window; all terms and rules of the side must be there. */
void finder_build(struct side *s);
/* Fills the side's `look` and `wakes`. */
void finder_pack(struct side *s);
void finder_fini(struct finder *f);

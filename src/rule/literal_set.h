/* Sets of literals of which one must be seen (inside of src/rule). */
#pragma once

#include <stdbool.h>

#include "rule/literal.h"

/* to = from; only what is there is copied: a set has room for many. */
void literals_copy(struct literals *to, const struct literals *from);
/* Characters of the shortest one; 0 when the set is empty. */
unsigned literals_shortest(const struct literals *s);
/* Keeps the two best of the sets that must be seen: those that the fewest messages hold. */
void literals_keep_best(struct literals *best, struct literals *second, const struct literals *other);
/* a = a followed by b, both exact; false when that is too many or too long, and a is as it was. */
bool literals_product(struct literals *a, const struct literals *b);
/* a = a or b, where needed of shorter literals (what is cut off must be seen no more); false when one of them is empty
 * or it is too many. */
bool literals_unite(struct literals *a, const struct literals *b);

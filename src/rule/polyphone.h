/* Characters that are read otherwise within some words than alone (行 is xing, but 银行 is yin hang): words of the
 * packs that hold such a word are also found by that reading (yinhang卡, 地zhi as dizhi) (inside of src/rule). */
#pragma once

#include "rule/load.h"

/* Makes the term of the other reading of a word that homophones are asked for, if it has one; number: of the term of
 * its usual reading. */
void polyphone_compile(struct loader *l, const struct pending *p, uint32_t number, struct span word);

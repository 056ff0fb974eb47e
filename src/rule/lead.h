/* Which of the groups, literals and words of a rule lead: a rule is looked at only where one of those was found (inside
 * of src/rule). Of several that must all be there, it is the one that ordinary talk holds least often. */
#pragma once

#include "rule/model.h"

/* After all words are known: fills near.lead of the side's rules and the gates' `lead`. */
void lead_choose(struct side *s);

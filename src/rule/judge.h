/* What tests and commands may ask beyond set.h (inside of src/rule, `chatgate`). */
#pragma once

#include "rule/set.h"

/* How many joined texts of windows were judged with this scratch. */
size_t rule_scratch_joined(const struct rule_scratch *s);
/* As ruleset_judge with one rule only, whatever its scope and facts. */
void ruleset_judge_alone(const struct ruleset *s, const struct rule *only, struct rule_scratch *scratch,
                         const struct rule_input *in, struct verdict *out);

/* The examples that rules carry, run: for `chatgate test` (inside of src/rule, commands, tests). */
#pragma once

#include "base/buf.h"
#include "rule/set.h"

struct example_result {
    size_t n, n_failed, n_notes;
};

/* Runs the examples of rule `i` alone and in the full set. Failures and notes are appended to `out`, a line each. */
void example_run(const struct ruleset *s, size_t i, struct rule_scratch *scratch, struct buf *out,
                 struct example_result *sum);

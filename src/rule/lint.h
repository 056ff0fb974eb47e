/* Warnings about rules that load, but will disappoint: for `chatgate check`. */
#pragma once

#include "base/err.h"

struct ruleset;

/* Appends one line per finding: `file:line: rule: …`. Nothing found: nothing appended. */
void ruleset_lint(const struct ruleset *s, struct err_list *out);

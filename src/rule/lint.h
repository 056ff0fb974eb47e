/* Warnings about rules that load, but will disappoint: for `chatgate check`. */
#pragma once

#include "base/err.h"

struct ruleset;

/* Appends one line per finding: `file:line: rule: …`. Nothing found: nothing appended. */
void ruleset_lint(const struct ruleset *s, struct err_list *out);

/* The same for a fact of a shop ("platform=taobao"): told when rules and overrides ask for other values of it, but
 * never for this one. `where`: what the finding begins with. */
void ruleset_lint_fact(const struct ruleset *s, const char *where, const char *fact, struct err_list *out);

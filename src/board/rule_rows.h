/* The rules that gateways run, with what they did, as the Rules page shows them. */
#pragma once

#include "base/json_out.h"
#include "board/model.h"

enum { RULE_DAYS = 7 };

struct rule_rows {
    struct map by_id;
    struct rule_row *row; /* in the order of the rule sets; they point into `nodes` */
    size_t n;
};

void rule_rows_collect(struct rule_rows *a, const struct nodes *nodes);
void rule_rows_free(struct rule_rows *a);
/* Ids with commas between, as far as a question takes them. */
void rule_rows_ids(const struct rule_rows *a, struct buf *out);
/* A row {rule, 'r' | 'x', number of the day, 'what:count,…'} of the questions `rules` and `hits`; what happened later
 * than on the last day counts as of that one. */
void rule_rows_add_hits(struct rule_rows *a, const struct redis_reply *hit);
/* Pairs "RULE|wrong" or "RULE|right", number. */
void rule_rows_add_feedback(struct rule_rows *a, const struct redis_reply *pairs);
/* An array of all; without feedback what people think of them is null. */
void rule_rows_put(struct json_out *j, const struct nodes *nodes, const struct rule_rows *a, bool has_feedback);

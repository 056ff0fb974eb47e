/* Why a rule hit or did not: for `chatgate explain`. */
#pragma once

#include "rule/set.h"

/* TRACE_VARIANT: the text with its stand-ins replaced, in `by` until the callback returns; no rule. */
enum rule_trace_what { TRACE_HIT, TRACE_DROPPED, TRACE_VARIANT };

struct rule_trace {
    enum rule_trace_what what;
    const struct rule *rule;
    uint32_t from, to;    /* bytes of the text */
    struct span by;       /* the allow phrase or context word, as it stands in the text */
    const char *why;      /* "allow phrase", "context", "question", … */
    struct span piece[6]; /* hit: the words found, as they stand in the text */
    size_t n_pieces;
};

typedef void (*rule_trace_fn)(void *arg, const struct rule_trace *t);

/* From now on `fn` hears of everything that ruleset_judge finds or drops with this scratch; NULL ends it. */
void rule_scratch_trace(struct rule_scratch *s, rule_trace_fn fn, void *arg);

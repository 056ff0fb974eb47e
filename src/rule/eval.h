/* One rule on one sheet (inside of src/rule). */
#pragma once

#include "rule/sheet.h"
#include "rule/trace.h"

enum { PIECES_MAX = 1024, HIT_PIECES_MAX = NEAR_GROUPS_MAX };

/* A word, detected thing or match that belongs to a hit. */
struct piece {
    uint32_t from, to, bfrom, bto;
    uint8_t role, index; /* index: group of the rule, number of the not_near */
    uint16_t key;
    int32_t occurrence; /* -1: none */
    int32_t detection;  /* -1: none */
};

struct found {
    uint32_t from, to, bfrom, bto;
    uint32_t edit_bfrom, edit_bto; /* regex: what a rewrite edits */
    struct piece piece[HIT_PIECES_MAX];
    uint8_t n_pieces; /* 0: a match of a regular expression */
};

/* What surrounds the evaluation of all rules on one sheet. */
struct eval {
    struct sheet *sheet;
    const struct rule_who *who;
    bool ignores_conditions;           /* scope, facts and hours do not count (examples run alone) */
    uint32_t window_from;              /* joined text: byte where the current message begins; 0: no window */
    uint32_t message_from[WINDOW_MAX]; /* joined text: where each earlier message begins, oldest first */
    int64_t message_ms[WINDOW_MAX];
    unsigned n_messages;
    bool met_limit, met_cut;
    struct piece piece[PIECES_MAX]; /* of the rule at hand */
    uint32_t n_pieces;
    rule_trace_fn trace;
    void *trace_arg;
    void (*on_hit)(void *arg, const struct rule *r, const struct found *f); /* r: as eval_variant says */
    void *on_hit_arg;
};

/* Whether scope, facts and hours let the rule apply. */
bool eval_applies(const struct eval *e, const struct rule *r);
/* The rule as the shop at hand has it: itself, or its last variant that holds. */
const struct rule *eval_variant(const struct eval *e, const struct rule *r);
/* Whether the rule's own settings take the occurrence; the sheet has applied the widest of all rules. */
bool eval_takes(const struct rule *r, const struct use *u, const struct occurrence *o);
/* Calls on_hit for every hit of the rule. */
void eval_rule(struct eval *e, const struct rule *r);

/* A hit that was found without the rule's words: allow phrases and its other conditions may still clear it. */
void eval_whole(struct eval *e, const struct rule *r, const struct found *f);

/* Between the files of the evaluation. */
/* Checks the conditions of a hit and reports it. */
void eval_consider(struct eval *e, const struct rule *r, const struct found *f);
/* Whether two units of the plain view stand in the same clause or sentence. */
bool eval_in_same(struct eval *e, uint8_t same, uint32_t a, uint32_t b);
/* Whether the hit is asked in a question that the words behind it refuse (`refused`). */
bool eval_is_refused(struct eval *e, const struct rule *r, const struct found *f);
/* Whether the hit stands within quotation marks. */
bool eval_is_quoted(const struct eval *e, const struct found *f);
/* Whether the unit is the 不, 没 or 唔 of 能不能, 有没有, 可以不可以: asked, not denied. */
bool eval_is_choice(const struct view *v, uint32_t unit);
/* Finds the combinations of one `near` among the pieces. */
void eval_near(struct eval *e, const struct rule *r, const struct near *near);
/* Tells the trace that something was dropped, by a piece (may be NULL). */
void eval_tell_dropped(const struct eval *e, const struct rule *r, uint32_t bfrom, uint32_t bto, const struct piece *by,
                       const char *why);

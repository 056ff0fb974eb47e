/* One judgement at work: shared by judge.c and judge_edit.c (inside of src/rule). */
#pragma once

#include "base/buf.h"
#include "rule/eval.h"
#include "rule/window.h"

enum { RAW_EDITS_MAX = 256 };

struct raw_edit {
    struct edit e;
    uint32_t with_at; /* masks: place in the buffer of masks */
    bool is_mask;
};

struct rule_scratch {
    struct sheet sheet;
    struct eval eval;
    struct raw_edit raw[RAW_EDITS_MAX];
    size_t n_raw;
    struct buf masks, edited, joined;
    struct window_start start; /* of text 0 */
    size_t n_joined;           /* joined texts judged so far */
    uint32_t edited_at[INPUT_TEXTS_MAX + 1];
    struct rule_input again;
    struct verdict second;
    rule_trace_fn trace;
    void *trace_arg;
};

/* One look at all texts of a message. */
struct pass {
    const struct ruleset *set;
    struct rule_scratch *scratch;
    const struct rule_input *in;
    struct verdict *out;
    const struct rule *only;
    uint16_t text;
    bool in_window, is_again;
    bool has_ack, has_unread; /* this text was hit by an acknowledging rule; some text was not */
};

/* The first cause stays. */
void judge_set_cause(struct verdict *v, enum cause c);

/* judge_edit.c */
/* Notes what the rule's rewrite makes of a hit; nothing noted: there was nothing to edit. */
void judge_add_edits(struct pass *p, const struct rule *r, const struct found *f);
/* Fills the verdict's edits, disjoint and sorted; rewrites whose place another edit covers are rewrites again. */
void judge_merge_edits(struct pass *p);
/* Writes the edited texts into the scratch. */
void judge_apply_edits(struct pass *p);

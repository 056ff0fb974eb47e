/* One judgement at work: shared by judge.c, judge_hit.c, judge_edit.c and judge_window.c (inside of src/rule). */
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
    bool is_apart;            /* nothing hits over the border between the earlier texts and text 0 */
    bool has_ack, has_unread; /* this text was hit by an acknowledging rule; some text was not */
};

/* The first cause stays. */
void judge_set_cause(struct verdict *v, enum cause c);
/* Evaluates the rules that the words of the scratch's sheet woke; hits go to the verdict. */
void judge_sheet(struct pass *p);

/* judge_classify.c: asks the rules by a classifier about the sheet, where nothing else was found. */
void judge_classify(struct pass *p);

/* judge_hit.c */
/* For struct eval: `arg` is the pass. */
void judge_on_hit(void *arg, const struct rule *r, const struct found *f);
/* Drops the warnings of rules that yield (`yields_to`) to a stricter hit. */
void judge_drop_yielding(struct verdict *v);
/* Drops the hits of rules that only name a case (severity 0) where no rule opened one. */
void judge_drop_names(struct verdict *v);

/* judge_window.c */
/* Whether notes of texts are taken and trusted: the second look at a rewritten message, one rule alone and an
 * explanation do without. */
bool judge_takes_note(const struct pass *p);
/* Takes the note of text 0, which the sheet holds, and finds out from it and those of the earlier texts whether
 * anything can hit over the border. */
void judge_note_window(struct pass *p, struct span text);
/* Puts the tails of the earlier texts before the head of the first text: a hit may begin in one and end in the other.
 * Not where their notes rule that out. */
void judge_window(struct pass *p, struct span text);

/* judge_edit.c */
/* Notes what the rule's rewrite makes of a hit; nothing noted: there was nothing to edit. */
void judge_add_edits(struct pass *p, const struct rule *r, const struct found *f);
/* Fills the verdict's edits, disjoint and sorted; rewrites whose place another edit covers are rewrites again. */
void judge_merge_edits(struct pass *p);
/* Writes the edited texts into the scratch. */
void judge_apply_edits(struct pass *p);

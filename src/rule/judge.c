#include "rule/judge.h"

#include "base/xalloc.h"
#include "rule/judge_pass.h"

struct rule_scratch *rule_scratch_new(void)
{
    struct rule_scratch *s = xcalloc(1, sizeof(*s));
    sheet_init(&s->sheet);
    return s;
}

void rule_scratch_free(struct rule_scratch **s)
{
    if (!*s)
        return;
    sheet_fini(&(*s)->sheet);
    buf_fini(&(*s)->masks);
    buf_fini(&(*s)->edited);
    buf_fini(&(*s)->joined);
    free(*s);
    *s = NULL;
}

void rule_scratch_trace(struct rule_scratch *s, rule_trace_fn fn, void *arg)
{
    s->trace = fn;
    s->trace_arg = arg;
}

void judge_set_cause(struct verdict *v, enum cause c)
{
    if (!v->has_cause)
        v->has_cause = true, v->cause = c;
}

/* Not the arrays: their counts say what of them is valid, and they are some KB. */
static void reset_verdict(struct verdict *v)
{
    v->action = ACTION_PASS;
    v->has_cause = v->is_ack_only = false;
    v->cause = (enum cause)0;
    v->n_hits = v->hits_dropped = v->n_edits = v->n_commits = 0;
    v->opens_case = v->confirms = NULL;
    v->case_kind = NULL;
    v->severity = v->kind_severity = v->kind_rank = 0;
    v->note.set = 0;
}

/* ---- one text ---- */

static bool wants(const struct pass *p, const struct rule *r)
{
    return (!p->only || p->only == r) && (!p->in_window || r->window_messages > 0);
}

/* Whether a rule that was woken is to be looked at; one that some text is always looked at for is not meant here. */
static bool is_awake(const struct side *side, const struct rule_gate *g, uint64_t mask)
{
    bool is_one = (mask & (mask - 1)) == 0;
    if (mask & g->alone || rule_literals_seen(mask, g->regex_alone))
        return true;
    if (is_one && g->needs_two)
        return false; /* as most rules that were woken */
    for (unsigned i = 0; i < g->n_near; i++)
        if ((mask & side->needs[g->first_need + i]) == side->needs[g->first_need + i])
            return true;
    return false;
}

/* Rules are looked at in the order in which words of them were found: hits keep it. */
static void sort_awake(struct sheet *s, uint32_t n)
{
    uint32_t sorted = 0;
    for (uint32_t i = 0; i < s->n_occ && sorted + 1 < n; i++) {
        const struct term *t = &s->side->term[s->occ[i].term];
        for (uint32_t k = 0; k < t->n_wake; k++)
            for (uint32_t a = sorted; a < n; a++)
                if (s->awake[a] == t->wake[k].rule) {
                    s->awake[a] = s->awake[sorted];
                    s->awake[sorted++] = t->wake[k].rule;
                    break;
                }
    }
}

/* The rules that are to be looked at, but for those that always are; how many. */
static uint32_t find_awake(struct sheet *s, bool in_window)
{
    const struct side *side = s->side;
    uint32_t n = 0;
    for (size_t w = 0; w < sheet_woken_words(side->n_rules); w++)
        for (uint64_t bits = s->woken[w]; bits; bits &= bits - 1) {
            uint32_t r = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
            const struct rule_gate *gate = &side->gate[r];
            if (!gate->is_always && (!in_window || gate->has_window) && is_awake(side, gate, s->mask[r]))
                s->awake[n++] = r;
        }
    if (n > 1)
        sort_awake(s, n);
    return n;
}

void judge_sheet(struct pass *p)
{
    struct rule_scratch *s = p->scratch;
    const struct side *side = s->sheet.side;
    struct eval *e = &s->eval;
    e->sheet = &s->sheet;
    e->who = &p->in->who;
    e->ignores_conditions = p->only != NULL;
    e->trace = p->is_again ? NULL : s->trace;
    e->trace_arg = s->trace_arg;
    e->on_hit = judge_on_hit;
    e->on_hit_arg = p;
    e->met_limit = e->met_cut = false;
    if (e->trace && s->sheet.has_variants) {
        struct rule_trace t = {.what = TRACE_VARIANT, .by = span_of(s->sheet.variant.text, s->sheet.variant.n)};
        e->trace(e->trace_arg, &t);
    }
    uint32_t n_awake = find_awake(&s->sheet, p->in_window);
    for (uint32_t i = 0; i < n_awake; i++)
        if (wants(p, side->rule[s->sheet.awake[i]]))
            eval_rule(e, side->rule[s->sheet.awake[i]]);
    for (size_t i = 0; i < side->n_always; i++)
        if (wants(p, side->rule[side->always[i]]))
            eval_rule(e, side->rule[side->always[i]]);
    judge_classify(p);
    if (e->met_limit)
        judge_set_cause(p->out, CAUSE_REGEX_LIMIT);
    if (e->met_cut || s->sheet.is_cut)
        judge_set_cause(p->out, CAUSE_TOO_COMPLEX);
}

static void judge_text(struct pass *p, struct span text)
{
    if (text.n > FOLD_TEXT_MAX) {
        judge_set_cause(p->out, CAUSE_TOO_COMPLEX);
        return;
    }
    if (!p->set->side[p->in->dir].n_rules) {
        p->has_unread = true;
        return;
    }
    p->has_ack = false;
    p->scratch->eval.window_from = 0;
    p->scratch->sheet.calendar = p->in->who.calendar;
    sheet_lay(&p->scratch->sheet, p->set, p->in->dir, text, p->in->now_ms, false);
    if (p->text == 0 && judge_takes_note(p))
        judge_note_window(p, text);
    judge_sheet(p);
    p->has_unread |= !p->has_ack;
}

static void judge_all(struct pass *p)
{
    for (size_t i = 0; i < p->in->n_texts && i < INPUT_TEXTS_MAX; i++) {
        p->text = (uint16_t)i;
        if (p->in->text[i].n)
            judge_text(p, p->in->text[i]);
    }
    p->text = 0;
    if (p->in->n_texts && p->in->text[0].n)
        judge_window(p, p->in->text[0]);
}

/* ---- the second look ---- */

static void look_again(struct pass *p)
{
    struct rule_scratch *s = p->scratch;
    judge_apply_edits(p);
    s->again = *p->in;
    for (size_t t = 0; t < p->in->n_texts; t++)
        s->again.text[t] =
            span_of(s->edited.data + s->edited.start + s->edited_at[t], s->edited_at[t + 1] - s->edited_at[t]);
    reset_verdict(&s->second);
    struct pass second = {
        .set = p->set, .scratch = s, .in = &s->again, .out = &s->second, .only = p->only, .is_again = true};
    judge_all(&second);
    bool is_clean = s->second.action <= ACTION_WARN && !s->second.has_cause;
    for (size_t i = 0; i < s->second.n_hits; i++)
        is_clean &= s->second.hit[i].rule->is_shadow || s->second.hit[i].action <= ACTION_WARN;
    if (is_clean)
        return;
    judge_set_cause(p->out, CAUSE_REWRITE_FAILED);
    p->out->action = ACTION_BLOCK;
}

static void judge(const struct ruleset *set, const struct rule *only, struct rule_scratch *s,
                  const struct rule_input *in, struct verdict *out)
{
    reset_verdict(out);
    s->n_raw = 0;
    buf_reset(&s->masks);
    struct pass p = {.set = set, .scratch = s, .in = in, .out = out, .only = only};
    judge_all(&p);
    out->is_ack_only = in->dir == DIR_OUTGOING && in->n_texts > 0 && !p.has_unread;
    judge_merge_edits(&p);
    judge_drop_yielding(out);
    if (!only)
        judge_drop_names(out);
    if (out->action == ACTION_REWRITE)
        look_again(&p);
    if (out->action != ACTION_REWRITE)
        out->n_edits = 0;
}

void ruleset_judge(const struct ruleset *s, struct rule_scratch *scratch, const struct rule_input *in,
                   struct verdict *out)
{
    judge(s, NULL, scratch, in, out);
}

size_t rule_scratch_joined(const struct rule_scratch *s)
{
    return s->n_joined;
}

void ruleset_judge_alone(const struct ruleset *s, const struct rule *only, struct rule_scratch *scratch,
                         const struct rule_input *in, struct verdict *out)
{
    judge(s, only, scratch, in, out);
}

#include "rule/judge.h"

#include <fnmatch.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/judge_pass.h"

enum {
    TAIL_BYTES_MAX = 1024,      /* of an earlier text of a window */
    HEAD_BYTES_MAX = 16 * 1024, /* of the text behind them */
};

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
    v->severity = 0;
    v->note.set = 0;
}

/* ---- what a hit means ---- */

static void take_time(const struct detection *d, int64_t *due, bool *is_exact)
{
    *due = d->due_ms;
    *is_exact = d->kind == DETECT_TIME;
}

static void add_commit(struct pass *p, const struct rule *r, const struct found *f)
{
    struct verdict *v = p->out;
    struct sheet *s = &p->scratch->sheet;
    int64_t due = 0;
    bool has_time = false, is_exact = false;
    for (unsigned i = 0; i < f->n_pieces && !has_time; i++)
        if (f->piece[i].detection >= 0 && (1u << s->found.d[f->piece[i].detection].kind & DETECT_IS_TIME))
            take_time(&s->found.d[f->piece[i].detection], &due, &is_exact), has_time = true;
    if (!has_time) {
        sheet_detect(s, DETECT_IS_TIME);
        sheet_need_clauses(s);
        uint32_t last = s->plain.view[VIEW_PLAIN].n;
        for (size_t i = 0; i < s->found.n && !has_time; i++) {
            const struct detection *d = &s->found.d[i];
            bool is_time = (1u << d->kind) & DETECT_IS_TIME;
            if (is_time && s->clause[MIN_OF(d->from, last)] == s->clause[MIN_OF(f->from, last)])
                take_time(d, &due, &is_exact), has_time = true;
        }
    }
    if (!has_time && r->commit_default_ms)
        due = p->in->now_ms + r->commit_default_ms;
    for (size_t i = 0; i < v->n_commits; i++)
        if (v->commit[i].text == p->text && v->commit[i].from < f->bto && f->bfrom < v->commit[i].to)
            return; /* the same words */
    if (v->n_commits == VERDICT_COMMITS_MAX)
        return;
    struct commit *at = &v->commit[v->n_commits];
    if (is_exact && v->n_commits && !v->commit[0].is_exact) {
        memmove(v->commit + 1, v->commit, v->n_commits * sizeof(*at));
        at = v->commit;
    }
    *at = (struct commit){r, f->bfrom, f->bto, p->text, due, is_exact};
    v->n_commits++;
}

/* The most severe rule names the case; of equal ones a review, which is followed up in a way of its own, else the
 * first. */
static bool is_outdone(const struct verdict *v, const struct rule *r, int severity)
{
    static const char review[] = "review_";
    bool is_review = strncmp(r->case_kind, review, sizeof(review) - 1) == 0,
         was_review = v->opens_case && strncmp(v->case_kind, review, sizeof(review) - 1) == 0;
    return v->opens_case && (v->severity > severity || (v->severity == severity && (was_review || !is_review)));
}

static void open_case(struct pass *p, const struct rule *r)
{
    const struct eval *e = &p->scratch->eval;
    int severity = r->severity;
    for (uint32_t i = 0; i < e->n_pieces; i++)
        if (e->piece[i].role == ROLE_SEVERITY) {
            severity = MIN_OF(severity + 1, 4);
            break;
        }
    if (is_outdone(p->out, r, severity))
        return;
    p->out->opens_case = r;
    p->out->case_kind = r->case_kind;
    p->out->severity = severity;
}

static bool is_known(const struct verdict *v, const struct hit *h)
{
    for (size_t i = 0; i < v->n_hits; i++)
        if (v->hit[i].rule == h->rule && v->hit[i].text == h->text && v->hit[i].from == h->from &&
            v->hit[i].to == h->to)
            return true;
    return false;
}

/* One rule may find the same thing in several ways: of hits that lie in each other the longest is kept. */
static bool joins_another(struct verdict *v, const struct hit *h)
{
    for (size_t i = 0; i < v->n_hits; i++) {
        struct hit *o = &v->hit[i];
        if (o->rule != h->rule || o->text != h->text || o->in_window != h->in_window || o->action != h->action)
            continue;
        if (o->from <= h->from && h->to <= o->to)
            return true;
        if (h->from <= o->from && o->to <= h->to) {
            *o = *h;
            return true;
        }
    }
    return false;
}

static void add_hit(struct verdict *v, const struct hit *h)
{
    if (joins_another(v, h))
        return;
    if (v->n_hits < VERDICT_HITS_MAX) {
        v->hit[v->n_hits++] = *h;
        return;
    }
    v->hits_dropped++;
    for (size_t i = 0; i < v->n_hits; i++)
        if (v->hit[i].action < h->action) { /* what decides stays in the list */
            v->hit[i] = *h;
            return;
        }
}

static void on_hit(void *arg, const struct rule *r, const struct found *f)
{
    struct pass *p = arg;
    uint32_t joined = p->in_window ? p->scratch->eval.window_from : 0;
    struct hit h = {.rule = r, .text = p->text, .in_window = p->in_window, .action = rule_action(r)};
    h.from = f->bfrom > joined ? f->bfrom - joined : 0;
    h.to = f->bto - joined;
    if (h.action == ACTION_REWRITE && p->in_window)
        h.action = ACTION_BLOCK; /* an earlier message cannot be edited any more */
    if (is_known(p->out, &h))
        return;
    if (!r->is_shadow && h.action == ACTION_REWRITE && !p->is_again) {
        size_t before = p->scratch->n_raw;
        judge_add_edits(p, r, f);
        if (p->scratch->n_raw == before)
            h.action = ACTION_BLOCK; /* nothing to edit; judged again once all edits are known */
    }
    add_hit(p->out, &h);
    if (r->is_shadow)
        return;
    if (!(r->action == ACTION_REWRITE && h.action == ACTION_BLOCK && !p->in_window))
        p->out->action = MAX_OF(p->out->action, h.action);
    if (r->is_commit)
        add_commit(p, r, f);
    if (r->case_kind)
        open_case(p, r);
    if (r->confirms_case)
        p->out->confirms = r;
    p->has_ack |= r->is_ack;
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

static void judge_sheet(struct pass *p)
{
    struct rule_scratch *s = p->scratch;
    const struct side *side = s->sheet.side;
    struct eval *e = &s->eval;
    e->sheet = &s->sheet;
    e->who = &p->in->who;
    e->ignores_conditions = p->only != NULL;
    e->trace = p->is_again ? NULL : s->trace;
    e->trace_arg = s->trace_arg;
    e->on_hit = on_hit;
    e->on_hit_arg = p;
    e->met_limit = e->met_cut = false;
    if (e->trace && s->sheet.has_variants) {
        struct rule_trace t = {.what = TRACE_VARIANT, .by = span_of(s->sheet.variant.text, s->sheet.variant.n)};
        e->trace(e->trace_arg, &t);
    }
    for (uint32_t i = 0; i < s->sheet.n_woken; i++) {
        uint32_t number = s->sheet.woken[i];
        const struct rule_gate *gate = &side->gate[number];
        uint64_t mask = s->sheet.state[number].mask;
        if (gate->is_always || (p->in_window && !gate->has_window) || !is_awake(side, gate, mask))
            continue;
        if (wants(p, side->rule[number]))
            eval_rule(e, side->rule[number]);
    }
    for (size_t i = 0; i < side->n_always; i++)
        if (wants(p, side->rule[side->always[i]]))
            eval_rule(e, side->rule[side->always[i]]);
    if (e->met_limit)
        judge_set_cause(p->out, CAUSE_REGEX_LIMIT);
    if (e->met_cut || s->sheet.is_cut)
        judge_set_cause(p->out, CAUSE_TOO_COMPLEX);
}

/* The second look at a rewritten message, one rule alone and an explanation do without. */
static bool takes_note(const struct pass *p)
{
    return p->set->side[p->in->dir].plan && !p->only && !p->is_again && !p->scratch->trace;
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
    if (p->text == 0 && takes_note(p))
        window_take_note(&p->scratch->sheet, &p->out->note, &p->scratch->start);
    judge_sheet(p);
    p->has_unread |= !p->has_ack;
}

static struct span tail_of(struct span t)
{
    size_t cut = t.n > TAIL_BYTES_MAX ? t.n - TAIL_BYTES_MAX : 0;
    while (cut < t.n && (t.p[cut] & 0xc0) == 0x80)
        cut++;
    return span_from(t, cut);
}

static struct span head_of(struct span t)
{
    size_t n = MIN_OF(t.n, (size_t)HEAD_BYTES_MAX);
    while (n < t.n && n > 0 && (t.p[n] & 0xc0) == 0x80)
        n--;
    return span_of(t.p, n);
}

static bool is_word_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Sent apart, "V" and "mango_2021" are two words, 138 and 00138000 two groups of digits. */
static void append_text(struct buf *b, struct span t)
{
    bool is_split = b->len && t.n && is_word_byte(b->data[b->start + b->len - 1]) && is_word_byte(t.p[0]);
    if (is_split)
        buf_append_str(b, " ");
    buf_append_span(b, t);
}

/* The earlier texts that count, as numbers; how many. */
static size_t window_of(const struct side *side, const struct rule_input *in, size_t which[WINDOW_MAX])
{
    size_t n = 0;
    for (size_t i = 0; side->n_windowed && i < MIN_OF(in->n_before, (size_t)WINDOW_MAX); i++)
        if (in->now_ms - in->before_ms[i] <= side->window_ms && in->n_before - i <= side->window_messages)
            which[n++] = i;
    return n;
}

static bool may_hit_together(struct pass *p, const size_t *which, size_t n, struct span text)
{
    const struct window_note *before[WINDOW_MAX];
    for (size_t i = 0; i < n; i++) {
        before[i] = p->in->before_note[which[i]];
        if (p->in->before[which[i]].n > TAIL_BYTES_MAX)
            return true; /* its note speaks of more than is joined */
    }
    return !takes_note(p) || text.n > HEAD_BYTES_MAX ||
           window_may_hit(&p->set->side[p->in->dir], before, n, &p->scratch->start, &p->out->note);
}

/* Puts the tails of the earlier texts before the head of the first text: a hit may begin in one and end in the other.
 */
static void judge_window(struct pass *p, struct span text)
{
    const struct rule_input *in = p->in;
    struct eval *e = &p->scratch->eval;
    struct buf *b = &p->scratch->joined;
    size_t which[WINDOW_MAX], n = window_of(&p->set->side[in->dir], in, which);
    if (!n || !may_hit_together(p, which, n, text))
        return;
    buf_reset(b);
    for (e->n_messages = 0; e->n_messages < n; e->n_messages++) {
        e->message_from[e->n_messages] = b->len;
        e->message_ms[e->n_messages] = in->before_ms[which[e->n_messages]];
        append_text(b, tail_of(in->before[which[e->n_messages]]));
    }
    if (!b->len)
        return;
    append_text(b, head_of(text));
    e->window_from = b->len - head_of(text).n;
    p->in_window = true;
    p->scratch->n_joined++;
    p->scratch->sheet.calendar = in->who.calendar;
    sheet_lay(&p->scratch->sheet, p->set, in->dir, buf_span(b), in->now_ms, true);
    window_settle(&p->scratch->sheet, e->window_from, &p->out->note);
    judge_sheet(p);
    p->in_window = false;
    e->window_from = 0;
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

/* ---- warnings that a stricter hit makes needless ---- */

static bool is_named(const struct names *globs, const char *id)
{
    for (size_t i = 0; i < globs->n; i++)
        if (fnmatch(globs->name[i], id, 0) == 0)
            return true;
    return false;
}

static bool is_yielding(const struct verdict *v, const struct hit *h)
{
    if (!h->rule->yields_to.n || h->action > ACTION_WARN)
        return false;
    for (size_t i = 0; i < v->n_hits; i++)
        if (v->hit[i].action > h->action && !v->hit[i].rule->is_shadow &&
            is_named(&h->rule->yields_to, v->hit[i].rule->id))
            return true;
    return false;
}

static void drop_yielding(struct verdict *v)
{
    size_t kept = 0;
    if (v->action <= ACTION_WARN)
        return;
    for (size_t i = 0; i < v->n_hits; i++)
        if (!is_yielding(v, &v->hit[i]))
            v->hit[kept++] = v->hit[i];
    v->n_hits = kept;
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
    drop_yielding(out);
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

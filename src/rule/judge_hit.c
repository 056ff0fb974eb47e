/* What a hit means: actions, edits, promises, cases, confirmations; and which warnings a stricter hit makes needless.
 */
#include <fnmatch.h>

#include "rule/judge_pass.h"

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

/* Of equally severe rules the first of the rank, then the first found. */
static bool is_before(int severity, int rank, int was_severity, int was_rank)
{
    return severity != was_severity ? severity > was_severity : rank < was_rank;
}

/* A kind that says what is wrong names the case even where a vague rule is more severe. A word that makes a fault
 * graver (severity_up) does not make it another one. */
static void name_case(struct verdict *v, const struct rule *r)
{
    bool is_vague = r->case_rank == CASE_RANK_VAGUE, was_vague = v->kind_rank == CASE_RANK_VAGUE;
    if (v->case_kind &&
        (is_vague != was_vague ? is_vague : !is_before(r->severity, r->case_rank, v->kind_severity, v->kind_rank)))
        return;
    v->case_kind = r->case_kind;
    v->kind_severity = r->severity;
    v->kind_rank = r->case_rank;
}

static void open_case(struct pass *p, const struct rule *r)
{
    const struct eval *e = &p->scratch->eval;
    struct verdict *v = p->out;
    int severity = r->severity;
    for (uint32_t i = 0; severity && i < e->n_pieces; i++)
        if (e->piece[i].role == ROLE_SEVERITY) {
            severity = MIN_OF(severity + 1, 4);
            break;
        }
    name_case(v, r);
    if (!severity || (v->opens_case && !is_before(severity, r->case_rank, v->severity, v->opens_case->case_rank)))
        return;
    v->opens_case = r;
    v->severity = severity;
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

void judge_on_hit(void *arg, const struct rule *r, const struct found *f)
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

void judge_drop_yielding(struct verdict *v)
{
    size_t kept = 0;
    if (v->action <= ACTION_WARN)
        return;
    for (size_t i = 0; i < v->n_hits; i++)
        if (!is_yielding(v, &v->hit[i]))
            v->hit[kept++] = v->hit[i];
    v->n_hits = kept;
}

/* ---- names without a case ---- */

void judge_drop_names(struct verdict *v)
{
    size_t kept = 0;
    if (!v->case_kind || v->opens_case)
        return;
    v->case_kind = NULL;
    for (size_t i = 0; i < v->n_hits; i++)
        if (!v->hit[i].rule->case_kind || v->hit[i].rule->severity)
            v->hit[kept++] = v->hit[i];
    v->n_hits = kept;
}

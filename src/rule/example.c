#include "rule/example.h"

#include "base/civil.h"
#include "rule/judge.h"
#include "rule/when.h"

/* A Wednesday, 10:00 in Shanghai: so that times of commitments come out the same every day. */
enum { BETWEEN_MESSAGES_MS = 5000 };
static const int64_t ten_ms = 1704852000000;
enum { TEN = 10 * 60 };

/* What has to hold that the rule is in force. */
static const struct rule_when *when_of(const struct rule *r)
{
    for (size_t i = 0; r->is_off && i < r->n_variants; i++)
        if (!r->variant[i].rule->is_off)
            return &r->variant[i].when;
    return &r->when;
}

static int64_t moment(const struct rule *r, const struct example *e)
{
    int minute = e->at_minute >= 0 ? e->at_minute : when_minute(when_of(r), TEN);
    return ten_ms + (minute - TEN) * (int64_t)MINUTE_MS;
}

static void append_place(struct buf *out, const struct example *e, const struct rule *r, const char *word)
{
    buf_printf(out, "%s:%d: %s: %s \"%s\": ", e->file, e->line, r->id, word, e->text);
}

static bool is_hit_by(const struct verdict *v, const struct rule *r)
{
    for (size_t i = 0; i < v->n_hits; i++)
        if (strcmp(v->hit[i].rule->id, r->id) == 0) /* it may be a variant */
            return true;
    return false;
}

static void append_hits(struct buf *out, const struct verdict *v)
{
    buf_printf(out, "%s", action_name(v->action));
    for (size_t i = 0; i < v->n_hits; i++)
        buf_printf(out, "%s%s", i ? ", " : " by ", v->hit[i].rule->id);
    if (v->has_cause)
        buf_printf(out, " (%s)", cause_name(v->cause));
    buf_append_str(out, "\n");
}

static void edited(const struct verdict *v, struct span text, struct buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < v->n_edits; i++) {
        buf_append(out, text.p + at, v->edit[i].from - at);
        buf_append_span(out, v->edit[i].with);
        at = v->edit[i].to;
    }
    buf_append_span(out, span_from(text, at));
}

static bool check_alone(const struct rule *r, const struct example *e, const struct verdict *v, struct buf *out)
{
    bool is_hit = is_hit_by(v, r);
    if (is_hit != e->is_hit) {
        append_place(out, e, r, e->is_hit ? "hit" : "miss");
        buf_append_str(out, e->is_hit ? "is not hit by its rule\n" : "is hit by the rule\n");
        return false;
    }
    if (e->want && is_hit) {
        struct buf b = {0};
        edited(v, span_str(e->text), &b);
        bool is_fine = v->action == ACTION_REWRITE && span_is(buf_span(&b), e->want);
        if (!is_fine) {
            append_place(out, e, r, "hit");
            buf_printf(out, "becomes %s \"%s\", must become \"%s\"\n", action_name(v->action), buf_cstr(&b), e->want);
        }
        buf_fini(&b);
        return is_fine;
    }
    if (e->due_ms >= 0 && is_hit && (!v->n_commits || v->commit[0].due_ms != moment(r, e) + e->due_ms)) {
        append_place(out, e, r, "hit");
        bool is_due = v->n_commits && v->commit[0].due_ms;
        if (is_due)
            buf_printf(out, "is due %lld minutes after sending, must be %lld\n",
                       (long long)(v->commit[0].due_ms - moment(r, e)) / 60000, (long long)e->due_ms / 60000);
        else
            buf_printf(out, "has no due time (%s), must be due %lld minutes after sending\n",
                       v->n_commits   ? "no time was found"
                       : r->is_shadow ? "a rule in shadow promises nothing"
                                      : "nothing is promised",
                       (long long)e->due_ms / 60000);
        return false;
    }
    return true;
}

/* In the full set another rule may have its say as well, but the rule's own hit must not get lost; but one by a
 * classifier, which is asked when no other rule has anything to say. */
static bool check_full(const struct rule *r, const struct example *e, const struct verdict *v, struct buf *out,
                       size_t *notes)
{
    bool is_hit = is_hit_by(v, r);
    bool gives_way = r->classified.is_set && v->n_hits > 0;
    if (is_hit != e->is_hit && !v->hits_dropped && !gives_way) {
        append_place(out, e, r, e->is_hit ? "hit" : "miss");
        buf_append_str(out, e->is_hit ? "is hit alone, but not in the full set: " : "is hit in the full set: ");
        append_hits(out, v);
        return false;
    }
    if (!e->is_hit && v->action >= ACTION_REWRITE) {
        append_place(out, e, r, "note: miss");
        buf_append_str(out, "another rule acts on it: ");
        append_hits(out, v);
        ++*notes;
    }
    return true;
}

static void fill_input(const struct rule *r, const struct example *e, struct rule_input *in)
{
    int64_t now_ms = moment(r, e);
    *in = (struct rule_input){.dir = r->dir, .text = {span_str(e->text)}, .n_texts = 1, .now_ms = now_ms};
    for (size_t i = 0; i < e->before.n && i < WINDOW_MAX; i++) {
        in->before[i] = span_str(e->before.name[i]);
        in->before_ms[i] = now_ms - (int64_t)(e->before.n - i) * BETWEEN_MESSAGES_MS;
    }
    in->n_before = MIN_OF(e->before.n, (size_t)WINDOW_MAX);
    const struct names *facts = e->has_facts ? &e->facts : &when_of(r)->facts;
    in->who.facts = facts->name;
    in->who.n_facts = facts->n;
}

/* A rule that is restricted to some shops or people is run as one of them where it names one. */
static void fill_scope(const struct rule *r, struct rule_who *w)
{
    const struct names *lists[] = {&r->shops, &r->teams, &r->roles, &r->agents};
    struct span *who[] = {&w->shop, &w->team, &w->role, &w->agent};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (size_t i = 0; i < lists[k]->n && !who[k]->n; i++)
            if (lists[k]->name[i][0] != '!')
                *who[k] = span_str(lists[k]->name[i]);
}

static bool run_one(const struct ruleset *s, const struct rule *r, const struct example *e,
                    struct rule_scratch *scratch, struct buf *out, size_t *notes)
{
    struct rule_input in;
    struct verdict v;
    fill_input(r, e, &in);
    fill_scope(r, &in.who);
    /* a text of another shop's facts or hours can only be judged in the set: alone, they and scope do not count */
    if (!e->has_facts && e->at_minute < 0) {
        ruleset_judge_alone(s, r, scratch, &in, &v);
        if (!check_alone(r, e, &v, out))
            return false;
    }
    ruleset_judge(s, scratch, &in, &v);
    return check_full(r, e, &v, out, notes);
}

void example_run(const struct ruleset *s, size_t i, struct rule_scratch *scratch, struct buf *out,
                 struct example_result *sum)
{
    const struct rule *r = s->rule[i];
    for (size_t k = 0; k < r->n_examples; k++) {
        sum->n++;
        sum->n_failed += !run_one(s, r, &r->example[k], scratch, out, &sum->n_notes);
    }
}

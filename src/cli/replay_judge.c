#include "cli/replay.h"

static const enum policy default_policy[CAUSE_COUNT] = {
#define X(id, name, policy, help) [id] = policy,
    CAUSES(X)
#undef X
};

void replay_side_init(struct replay_side *s, struct ruleset *set)
{
    s->set = set;
    s->scratch = rule_scratch_new();
    s->node = node_new();
}

void replay_side_fini(struct replay_side *s)
{
    if (!s->set)
        return;
    ruleset_unref(&s->set);
    rule_scratch_free(&s->scratch);
    node_free(&s->node);
}

static void fill_who(const struct replay_message *m, const struct directory *directory, struct rule_who *who)
{
    *who = m->who;
    struct directory_agent d = {0};
    if (directory)
        d = directory_find(directory, m->agent);
    if (d.is_listed)
        *who = (struct rule_who){m->agent, d.team, d.shop, d.role, d.facts, d.n_facts, d.calendar};
}

static void fill_window(struct replay_side *s, const struct replay_message *m, struct rule_input *in)
{
    unsigned messages;
    int64_t age_ms;
    ruleset_window(s->set, &messages, &age_ms);
    if (m->dir != DIR_OUTGOING || !messages || m->is_edit || (!m->agent.n && !m->conv.n))
        return;
    node_window_get(s->node, m->agent, m->conv, m->at_ms, messages, age_ms, &s->window);
    in->n_before = s->window.n;
    for (size_t i = 0; i < s->window.n; i++) {
        in->before[i] = span_of(s->window.item[i].text, s->window.item[i].len);
        in->before_ms[i] = s->window.item[i].at_ms;
        in->before_note[i] = &s->window.item[i].note;
    }
}

static void take_rules(const struct verdict *v, struct replay_outcome *out)
{
    out->n_rules = 0;
    for (size_t i = 0; i < v->n_hits; i++) {
        bool is_other = rule_is_shadow(v->hit[i].rule);
        for (size_t k = 0; k < i && !is_other; k++)
            is_other = v->hit[k].rule == v->hit[i].rule;
        if (!is_other)
            out->rule[out->n_rules++] = span_str(rule_id(v->hit[i].rule));
    }
}

void replay_judge(struct replay_side *s, const struct replay_message *m, const struct conf *conf,
                  const struct directory *directory, struct replay_outcome *out)
{
    struct rule_input in = {.dir = m->dir, .n_texts = m->n_texts, .now_ms = m->at_ms};
    struct verdict *v = &s->verdict;
    memcpy(in.text, m->text, m->n_texts * sizeof(in.text[0]));
    fill_who(m, directory, &in.who);
    fill_window(s, m, &in);
    ruleset_judge(s->set, s->scratch, &in, v);
    take_rules(v, out);
    out->case_kind = span_str("");
    if (m->dir == DIR_INCOMING) {
        out->end = v->opens_case ? END_CASE : v->confirms ? END_CONFIRMED : END_NONE;
        if (v->opens_case)
            out->case_kind = span_str(v->case_kind);
        return;
    }
    const enum policy *policy = conf ? conf->policy : default_policy;
    out->end = v->action;
    if (v->has_cause && !m->is_observed && policy[v->cause] == POLICY_BLOCK)
        out->end = ACTION_BLOCK;
    unsigned messages;
    int64_t age_ms;
    ruleset_window(s->set, &messages, &age_ms);
    if (messages && (out->end < ACTION_HOLD || m->is_observed))
        node_window_add(s->node, m->agent, m->conv, m->at_ms, m->text[0], &v->note, messages);
}

#include "gate/inspect.h"

#include "base/clock.h"
#include "gate/capture.h"
#include "gate/excerpt.h"
#include "gate/gate.h"
#include "gate/inspect_parts.h"
#include "gate/policy.h"
#include "gate/transcript.h"

void inspect_reset(struct worker *w)
{
    arena_reset(&w->arena);
}

void inspect_fill_input(struct session *s, const struct unit *u, enum direction dir, int64_t now_ms,
                        struct rule_input *in)
{
    struct worker *w = s->w;
    struct span agent = session_agent(s);
    const struct directory_agent *who = &w->who;
    in->dir = dir;
    in->n_texts = MIN_OF(u->n_texts, (size_t)INPUT_TEXTS_MAX);
    memcpy(in->text, u->text, in->n_texts * sizeof(in->text[0]));
    in->now_ms = now_ms;
    in->who = (struct rule_who){agent, who->team, who->shop, who->role, who->facts, who->n_facts, who->calendar};
    in->n_before = 0;
    unsigned messages;
    int64_t age_ms;
    ruleset_window(w->snap->rules, &messages, &age_ms);
    if (dir != DIR_OUTGOING || !messages || u->kind == UNIT_EDIT)
        return;
    node_window_get(w->gate->node, agent, u->conv, in->now_ms, messages, age_ms, &w->window);
    in->n_before = w->window.n;
    for (size_t i = 0; i < w->window.n; i++) {
        in->before[i] = span_of(w->window.item[i].text, w->window.item[i].len);
        in->before_ms[i] = w->window.item[i].at_ms;
        in->before_note[i] = &w->window.item[i].note;
    }
}

static void refuse(struct judged *j, const char *reason)
{
    j->action = ACTION_BLOCK;
    j->refused = true;
    j->reason = span_str(reason);
    j->n_edits = 0;
    j->event.action = ACTION_BLOCK;
}

bool inspect_fail(struct session *s, struct judged *j, enum cause c)
{
    if (!policy_blocks(s->w->snap->conf, &s->w->count, c) || s->w->gate->mode != MODE_ENFORCE)
        return false;
    refuse(j, policy_reason(c));
    return true;
}

static bool identity_fails(struct session *s, struct judged *j)
{
    struct worker *w = s->w;
    struct span agent = session_agent(s);
    if (!agent.n)
        return inspect_fail(s, j, CAUSE_NO_IDENTITY);
    if (!w->snap->conf->directory || w->who.is_listed)
        return false;
    if (inspect_fail(s, j, CAUSE_UNKNOWN_AGENT))
        return true;
    if (!w->snap->conf->refuse_unknown_agents || w->gate->mode != MODE_ENFORCE)
        return false;
    refuse(j, policy_reason(CAUSE_UNKNOWN_AGENT));
    return true;
}

static void take_edits(struct worker *w, const struct verdict *v, struct judged *out)
{
    for (size_t i = 0; i < v->n_edits; i++)
        out->edit[i] =
            (struct text_edit){v->edit[i].text, v->edit[i].from, v->edit[i].to, inspect_keep(w, v->edit[i].with)};
    out->n_edits = v->n_edits;
}

static void apply_verdict(struct session *s, const struct unit *u, struct judged *out)
{
    struct worker *w = s->w;
    const struct verdict *v = &w->verdict;
    bool observe = w->gate->mode == MODE_OBSERVE;
    out->event.shadow = inspect_rule_ids(w, v, true, observe);
    if (v->n_commits) {
        out->event.commit_due_ms = v->commit[0].due_ms;
        out->event.commit_rule = span_str(rule_id(v->commit[0].rule));
    }
    out->event.is_ack_only = v->is_ack_only;
    if (!observe)
        out->event.rules = inspect_rule_ids(w, v, false, false);
    excerpt_fill(w, u, v, &out->event);
    if (observe)
        return;
    if (v->has_cause && inspect_fail(s, out, v->cause))
        return;
    /* who approved it has read it as it is */
    out->action = v->action == ACTION_HOLD && w->approved.n ? ACTION_PASS : v->action;
    out->event.action = (uint8_t)out->action;
    out->refused = out->action >= ACTION_HOLD;
    out->rule = inspect_strictest_rule(v);
    out->reason = inspect_notices(s, v, out->refused, u->conv);
    if (v->action == ACTION_REWRITE)
        take_edits(w, v, out);
    if (out->refused && !out->reason.n)
        out->reason = span_str(policy_reason(CAUSE_REWRITE_FAILED));
}

/* False: the rules are not asked. */
static bool is_for_rules(struct session *s, const struct unit *u, struct judged *out)
{
    if (s->w->gate->mode == MODE_BYPASS || identity_fails(s, out))
        return false;
    if (u->has_cause && inspect_fail(s, out, u->cause))
        return false;
    return u->kind != UNIT_OPAQUE || u->has_cause || !inspect_fail(s, out, CAUSE_OPAQUE);
}

void inspect_outgoing(struct session *s, const struct unit *u, struct judged *out)
{
    struct worker *w = s->w;
    int64_t began_us = clock_wall_us();
    out->action = ACTION_PASS;
    out->refused = false;
    out->reason = out->rule = span_str("");
    out->n_edits = 0;
    inspect_fill_event(s, u, EV_OUTGOING, began_us / 1000, &out->event);
    transcript_fill(s, u, NULL, &out->event);
    if (!is_for_rules(s, u, out)) {
        inspect_capture_unjudged(s, u, DIR_OUTGOING, out);
        return;
    }
    if (!u->n_texts)
        return;
    struct rule_input in;
    inspect_fill_input(s, u, DIR_OUTGOING, out->event.at_ms, &in);
    ruleset_judge(w->snap->rules, w->rscratch, &in, &w->verdict);
    int64_t took_us = clock_wall_us() - began_us; /* negative when that clock was set back */
    hist_add(&w->count.inspect_us, (uint64_t)MAX_OF(took_us, 0));
    apply_verdict(s, u, out);
    if (out->n_edits)
        transcript_fill(s, u, out, &out->event);
    if (capture_wants(w->gate->capture, u->conv))
        inspect_capture(s, u, &in, &w->verdict, out);
    if (!out->refused && in.n_texts) {
        unsigned messages;
        int64_t age_ms;
        ruleset_window(w->snap->rules, &messages, &age_ms);
        if (messages)
            node_window_add(w->gate->node, session_agent(s), u->conv, in.now_ms, u->text[0], &w->verdict.note,
                            messages);
    }
}

static void count_action(struct session *s, const struct judged *j)
{
    struct counters *c = &s->w->count;
    s->messages_out++;
    counter_add(&c->out_edits, j->event.is_edit);
    switch (j->action) {
    case ACTION_PASS:
        counter_add(&c->out_pass, 1);
        break;
    case ACTION_WARN:
        counter_add(&c->out_warn, 1);
        s->warned++;
        break;
    case ACTION_REWRITE:
        counter_add(&c->out_rewrite, 1);
        s->rewritten++;
        break;
    case ACTION_HOLD:
        counter_add(&c->out_hold, 1);
        s->blocked++;
        break;
    case ACTION_BLOCK:
    case ACTION_COUNT:
        counter_add(&c->out_block, 1);
        s->blocked++;
        break;
    }
}

bool inspect_record(struct session *s, struct judged *j)
{
    j->event.is_delivered = !j->refused;
    bool ok = true;
    if (inspect_append(s->w, &j->event) < 0) {
        if (j->event.held_raw.n) /* nobody could approve it */
            refuse(j, policy_reason(CAUSE_RING_FULL));
        ok = j->refused || !inspect_fail(s, j, CAUSE_RING_FULL);
    } else if (j->event.held_raw.n)
        track_expect_held(s->w->gate->track);
    count_action(s, j);
    return ok;
}

void inspect_incoming(struct session *s, const struct unit *u)
{
    struct worker *w = s->w;
    struct track_event ev;
    int64_t now_ms = clock_wall_ms();
    inspect_fill_event(s, u, EV_INCOMING, now_ms, &ev);
    ev.is_live = u->is_live;
    if (u->ts_ms && !u->is_live)
        inspect_use_own_time(s, &ev, u->ts_ms);
    if (u->n_texts && w->gate->mode != MODE_BYPASS && !u->has_cause) {
        struct rule_input in;
        inspect_fill_input(s, u, DIR_INCOMING, now_ms, &in);
        struct verdict *v = &w->verdict;
        ruleset_judge(w->snap->rules, w->rscratch, &in, v);
        ev.rules = inspect_rule_ids(w, v, false, false);
        ev.confirms = v->confirms != NULL;
        if (v->opens_case) {
            ev.case_kind = span_str(v->case_kind);
            ev.severity = (uint8_t)v->severity;
            ev.case_rule = span_str(rule_id(v->opens_case));
            ev.words = u->text[0];
            counter_add(&w->count.in_cases, 1);
        }
        if (capture_wants(w->gate->capture, u->conv))
            inspect_capture(s, u, &in, v, NULL);
    } else {
        inspect_capture_unjudged(s, u, DIR_INCOMING, NULL);
    }
    counter_add(&w->count.in_messages, 1);
    s->messages_in++;
    transcript_fill(s, u, NULL, &ev);
    inspect_append(w, &ev); /* an incoming message is delivered whatever happens */
}

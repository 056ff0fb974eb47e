#include "gate/inspect.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "gate/alias.h"
#include "gate/capture.h"
#include "gate/excerpt.h"
#include "gate/gate.h"
#include "gate/policy.h"
#include "gate/transcript.h"

static struct span keep(struct worker *w, struct span t)
{
    return t.n ? span_of(arena_strdup(&w->arena, t), t.n) : t;
}

void inspect_reset(struct worker *w)
{
    arena_reset(&w->arena);
}

static struct span pseudonym(struct worker *w, struct span id, bool is_conv)
{
    char out[PSEUDONYM_MAX];
    return keep(w, alias_of(w->gate->alias, id, is_conv, out));
}

static void use_pseudonyms(struct worker *w, struct track_event *ev)
{
    bool is_one = span_eq(ev->customer, ev->conv), is_sender = span_eq(ev->sender, ev->customer);
    struct span customer = pseudonym(w, ev->customer, is_one);
    ev->conv = is_one ? customer : pseudonym(w, ev->conv, true);
    if (ev->kind == EV_INCOMING)
        ev->sender = is_sender ? customer : pseudonym(w, ev->sender, false);
    ev->customer = customer;
}

static void set_business_time(struct track_event *ev, const struct calendar *c)
{
    ev->open_ms = c ? calendar_open_ms(c, ev->at_ms) : 0;
    ev->calendar_id = c ? calendar_id(c) : 0;
}

/* The message's own time, if it is older: it was delayed or is shown again. */
static void use_own_time(struct session *s, struct track_event *ev, int64_t ts_ms)
{
    if (ts_ms >= ev->at_ms)
        return;
    ev->at_ms = ts_ms;
    set_business_time(ev, directory_find(s->w->snap->directory, session_agent(s)).calendar);
}

static void fill_event(struct session *s, const struct unit *u, enum event_kind kind, struct track_event *ev)
{
    struct worker *w = s->w;
    struct span agent = session_agent(s);
    struct directory_agent who = directory_find(w->snap->directory, agent);
    *ev = (struct track_event){
        .kind = kind,
        .at_ms = clock_wall_ms(),
        .agent = agent,
        .team = who.team,
        .shop = who.shop,
        .conv = u->conv,
        .customer = u->customer.n ? u->customer : u->conv,
        .mid = u->mid,
        .sender = u->sender,
        .is_edit = u->kind == UNIT_EDIT,
        .is_human = true,
        .is_live = true,
        .rules_version = span_str(ruleset_version(w->snap->rules)),
        .held_id = kind == EV_OUTGOING ? w->approved : span_of("", 0),
    };
    set_business_time(ev, who.calendar);
    if (w->gate->alias && kind != EV_AGENT_ON && kind != EV_AGENT_OFF)
        use_pseudonyms(w, ev);
    uint64_t h = 0;
    for (size_t i = 0; i < u->n_texts; i++)
        h = h * 31 + hash_stable(u->text[i]);
    ev->text_hash = h;
}

/* Fills the input of the rules; the window's texts are copied into the worker's scratch. */
static void fill_input(struct session *s, const struct unit *u, enum direction dir, int64_t now_ms,
                       struct rule_input *in)
{
    struct worker *w = s->w;
    struct span agent = session_agent(s);
    struct directory_agent who = directory_find(w->snap->directory, agent);
    in->dir = dir;
    in->n_texts = MIN_OF(u->n_texts, (size_t)INPUT_TEXTS_MAX);
    memcpy(in->text, u->text, in->n_texts * sizeof(in->text[0]));
    in->now_ms = now_ms;
    in->who = (struct rule_who){agent, who.team, who.shop, who.role, who.facts, who.n_facts, who.calendar};
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
    }
}

static void add_id(struct buf *b, const char *id)
{
    size_t n = strlen(id);
    struct span have = buf_span(b);
    for (size_t i = 0; i + n <= have.n; i++) /* every id once */
        if (memcmp(have.p + i, id, n) == 0 && (i + n == have.n || have.p[i + n] == ',') &&
            (i == 0 || have.p[i - 1] == ','))
            return;
    if (b->len)
        buf_append(b, ",", 1);
    buf_append(b, id, n);
}

/* Ids of the rules that hit: enforced ones, or shadow ones (with `all`: both, for observe mode). */
static struct span rule_ids(struct worker *w, const struct verdict *v, bool shadow, bool all)
{
    buf_reset(&w->words);
    for (size_t i = 0; i < v->n_hits; i++)
        if (all || rule_is_shadow(v->hit[i].rule) == shadow)
            add_id(&w->words, rule_id(v->hit[i].rule));
    return keep(w, buf_span(&w->words));
}

/* The notices of all rules that made the message what it is, each once. A refused message: those that refuse; a
 * delivered one: those that warn, at most every ten minutes each in this conversation. */
static struct span notices(struct session *s, const struct verdict *v, bool refused, struct span conv)
{
    struct worker *w = s->w;
    const char *shown[VERDICT_HITS_MAX];
    size_t n = 0;
    buf_reset(&w->words);
    for (size_t i = 0; i < v->n_hits; i++) {
        const struct hit *h = &v->hit[i];
        bool counts = refused ? h->action >= ACTION_HOLD : h->action == ACTION_WARN;
        const char *text = rule_notice(h->rule)[0] ? rule_notice(h->rule) : rule_title(h->rule);
        if (rule_is_shadow(h->rule) || !counts || !text[0])
            continue;
        bool seen = false;
        for (size_t k = 0; k < n; k++)
            seen = seen || strcmp(shown[k], text) == 0;
        if (seen ||
            (!refused && !node_may_warn(w->gate->node, session_agent(s), conv, clock_wall_ms(), rule_id(h->rule))))
            continue;
        shown[n++] = text;
        if (w->words.len)
            buf_append_str(&w->words, " ");
        buf_append_str(&w->words, text);
    }
    return keep(w, buf_span(&w->words));
}

static struct span strictest_rule(const struct verdict *v)
{
    const struct hit *best = NULL;
    for (size_t i = 0; i < v->n_hits; i++)
        if (!rule_is_shadow(v->hit[i].rule) && (!best || v->hit[i].action > best->action))
            best = &v->hit[i];
    return best ? span_str(rule_id(best->rule)) : span_str("");
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
    if (!w->snap->conf->directory || directory_find(w->snap->directory, agent).is_listed)
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
        out->edit[i] = (struct text_edit){v->edit[i].text, v->edit[i].from, v->edit[i].to, keep(w, v->edit[i].with)};
    out->n_edits = v->n_edits;
}

static void apply_verdict(struct session *s, const struct unit *u, struct judged *out)
{
    struct worker *w = s->w;
    const struct verdict *v = &w->verdict;
    bool observe = w->gate->mode == MODE_OBSERVE;
    out->event.shadow = rule_ids(w, v, true, observe);
    if (v->n_commits) {
        out->event.commit_due_ms = v->commit[0].due_ms;
        out->event.commit_rule = span_str(rule_id(v->commit[0].rule));
    }
    out->event.is_ack_only = v->is_ack_only;
    if (!observe)
        out->event.rules = rule_ids(w, v, false, false);
    excerpt_fill(w, u, v, &out->event);
    if (observe)
        return;
    if (v->has_cause && inspect_fail(s, out, v->cause))
        return;
    /* who approved it has read it as it is */
    out->action = v->action == ACTION_HOLD && w->approved.n ? ACTION_PASS : v->action;
    out->event.action = (uint8_t)out->action;
    out->refused = out->action >= ACTION_HOLD;
    out->rule = strictest_rule(v);
    out->reason = notices(s, v, out->refused, u->conv);
    if (v->action == ACTION_REWRITE)
        take_edits(w, v, out);
    if (out->refused && !out->reason.n)
        out->reason = span_str(policy_reason(CAUSE_REWRITE_FAILED));
}

/* For `chatgate replay`, when the operator wants it. `v` NULL: decided without the rules. */
static void capture(struct session *s, const struct unit *u, const struct rule_input *in, const struct verdict *v,
                    const struct judged *j)
{
    struct worker *w = s->w;
    enum mode mode = (enum mode)w->gate->mode;
    struct capture_item item = {.at_ms = in->now_ms,
                                .dir = in->dir,
                                .agent = in->who.agent,
                                .conv = u->conv,
                                .who = in->who,
                                .text = in->text,
                                .n_texts = in->n_texts,
                                .is_edit = u->kind == UNIT_EDIT,
                                .verdict = v,
                                .action = !v || !j               ? ACTION_PASS
                                          : mode == MODE_ENFORCE ? j->action
                                                                 : v->action,
                                .mode = mode == MODE_ENFORCE ? NULL : mode_name(mode),
                                .rules_version = ruleset_version(w->snap->rules)};
    if (v && v->has_cause)
        item.has_cause = true, item.cause = v->cause;
    else if (u->has_cause)
        item.has_cause = true, item.cause = u->cause;
    else if (!v && j && j->refused)
        item.has_cause = true, item.cause = in->who.agent.n ? CAUSE_UNKNOWN_AGENT : CAUSE_NO_IDENTITY;
    bool is_queued = capture_add(w->gate->capture, w->index, &item);
    counter_add(is_queued ? &w->count.captured : &w->count.capture_dropped, 1);
}

/* One that the rules were not asked about. */
static void capture_unjudged(struct session *s, const struct unit *u, enum direction dir, const struct judged *j)
{
    if (!u->n_texts || !capture_wants(s->w->gate->capture, u->conv))
        return;
    struct rule_input in;
    fill_input(s, u, dir, clock_wall_ms(), &in);
    capture(s, u, &in, NULL, j);
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
    out->action = ACTION_PASS;
    out->refused = false;
    out->reason = out->rule = span_str("");
    out->n_edits = 0;
    fill_event(s, u, EV_OUTGOING, &out->event);
    transcript_fill(s, u, NULL, &out->event);
    if (!is_for_rules(s, u, out)) {
        capture_unjudged(s, u, DIR_OUTGOING, out);
        return;
    }
    if (!u->n_texts)
        return;
    struct rule_input in;
    int64_t began_us = clock_mono_us();
    fill_input(s, u, DIR_OUTGOING, out->event.at_ms, &in);
    ruleset_judge(w->snap->rules, w->rscratch, &in, &w->verdict);
    hist_add(&w->count.inspect_us, (uint64_t)(clock_mono_us() - began_us));
    apply_verdict(s, u, out);
    if (out->n_edits)
        transcript_fill(s, u, out, &out->event);
    if (capture_wants(w->gate->capture, u->conv))
        capture(s, u, &in, &w->verdict, out);
    if (!out->refused && in.n_texts) {
        unsigned messages;
        int64_t age_ms;
        ruleset_window(w->snap->rules, &messages, &age_ms);
        if (messages)
            node_window_add(w->gate->node, session_agent(s), u->conv, in.now_ms, u->text[0]);
    }
}

static int append(struct worker *w, const struct track_event *ev)
{
    if (!w->ring)
        return 0;
    if (ring_append(w->ring, ev) == 0)
        return 0;
    counter_add(&w->count.events_lost, 1);
    return -1;
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
    if (append(s->w, &j->event) < 0) {
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
    fill_event(s, u, EV_INCOMING, &ev);
    ev.is_live = u->is_live;
    if (u->ts_ms && !u->is_live)
        use_own_time(s, &ev, u->ts_ms);
    if (u->n_texts && w->gate->mode != MODE_BYPASS && !u->has_cause) {
        struct rule_input in;
        fill_input(s, u, DIR_INCOMING, clock_wall_ms(), &in);
        struct verdict *v = &w->verdict;
        ruleset_judge(w->snap->rules, w->rscratch, &in, v);
        ev.rules = rule_ids(w, v, false, false);
        ev.confirms = v->confirms != NULL;
        if (v->opens_case) {
            ev.case_kind = span_str(v->case_kind);
            ev.severity = (uint8_t)v->severity;
            ev.case_rule = span_str(rule_id(v->opens_case));
            ev.words = u->text[0];
            counter_add(&w->count.in_cases, 1);
        }
        if (capture_wants(w->gate->capture, u->conv))
            capture(s, u, &in, v, NULL);
    } else {
        capture_unjudged(s, u, DIR_INCOMING, NULL);
    }
    counter_add(&w->count.in_messages, 1);
    s->messages_in++;
    transcript_fill(s, u, NULL, &ev);
    append(w, &ev); /* an incoming message is delivered whatever happens */
}

void inspect_elsewhere(struct session *s, const struct unit *u)
{
    struct track_event ev;
    fill_event(s, u, EV_OUTGOING, &ev);
    ev.is_live = u->is_live;
    ev.is_delivered = true;
    if (u->ts_ms)
        use_own_time(s, &ev, u->ts_ms);
    transcript_fill(s, u, NULL, &ev);
    append(s->w, &ev);
}

void inspect_refused_later(struct session *s, struct span conv, struct span customer, struct span mid)
{
    struct unit u = {.conv = conv, .customer = customer, .mid = mid};
    struct track_event ev;
    fill_event(s, &u, EV_REFUSED, &ev);
    transcript_fill(s, &u, NULL, &ev);
    append(s->w, &ev);
}

void inspect_presence(struct session *s, bool is_on)
{
    struct unit u = {.customer = session_agent(s)};
    struct track_event ev;
    fill_event(s, &u, is_on ? EV_AGENT_ON : EV_AGENT_OFF, &ev);
    append(s->w, &ev);
}

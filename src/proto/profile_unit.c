#include "proto/profile_unit.h"

#include <stddef.h>

#include "base/clock.h"
#include "proto/profile_cond.h"
#include "proto/profile_conn.h"
#include "proto/profile_sel.h"
#include "proto/profile_time.h"

enum cause unit_cause_of(enum json_result r)
{
    return r == JSON_TOO_COMPLEX ? CAUSE_TOO_COMPLEX : r == JSON_AMBIGUOUS ? CAUSE_AMBIGUOUS_JSON : CAUSE_BAD_JSON;
}

/* A place for one more unit. Past the bound the last unit becomes "too complex". */
static struct unit *add_unit(struct profile_scratch *s, struct layer *root, uint32_t elem, struct unit units[UNITS_MAX])
{
    bool is_full = s->n_units == UNITS_MAX;
    uint32_t i = is_full ? UNITS_MAX - 1 : s->n_units++;
    struct unit_state *st = &s->state[i];
    st->rule = NULL;
    st->root = root;
    st->packet = s->packet;
    st->elem = elem;
    st->n_texts = 0;
    memset(st->cap, 0, sizeof(st->cap));
    struct unit *u = &units[i];
    memset(u, 0, offsetof(struct unit, text)); /* of the texts only n_texts say what is valid */
    memset(&u->n_texts, 0, sizeof(*u) - offsetof(struct unit, n_texts));
    u->kind = UNIT_OPAQUE;
    u->id = i;
    u->is_live = true;
    if (is_full) {
        s->is_overflow = true;
        u->has_cause = true;
        u->cause = CAUSE_TOO_COMPLEX;
    }
    return is_full ? NULL : u;
}

static void set_cause(struct unit *u, enum cause cause)
{
    if (u->has_cause)
        return;
    u->has_cause = true;
    u->cause = cause;
}

void unit_add_unreadable(struct profile_scratch *s, struct layer *root, uint32_t elem, enum cause cause,
                         struct unit units[UNITS_MAX])
{
    struct unit *u = add_unit(s, root, elem, units);
    if (u)
        set_cause(u, cause);
}

/* --- texts --- */

struct gather {
    struct profile_scratch *s;
    struct unit *u;
    struct unit_state *st;
    const struct selector *sel;
};

static void add_text(struct gather *g, struct place at)
{
    for (uint32_t i = 0; i < g->st->n_texts; i++)
        if (g->st->text[i].layer == at.layer && g->st->text[i].node == at.node)
            return;
    if (g->st->n_texts == UNIT_TEXTS_MAX) {
        set_cause(g->u, CAUSE_TOO_COMPLEX);
        return;
    }
    g->u->text[g->st->n_texts] = place_text(g->s, at);
    g->st->text[g->st->n_texts++] = at;
    g->u->n_texts = g->st->n_texts;
}

/* null says nothing. A container is fine where another selector looks into it; anything else that stands where a text
 * is expected could be read as one by the backend, and is not readable here. */
static bool on_text(void *ctx, struct place at)
{
    struct gather *g = ctx;
    switch (place_kind(at)) {
    case JSON_STRING:
        add_text(g, at);
        break;
    case JSON_NULL:
        break;
    case JSON_OBJECT:
        if (!g->sel->into_object)
            set_cause(g->u, CAUSE_OPAQUE);
        break;
    case JSON_ARRAY:
        if (!g->sel->into_array)
            set_cause(g->u, CAUSE_OPAQUE);
        break;
    default:
        set_cause(g->u, CAUSE_OPAQUE);
    }
    return true;
}

static void gather_texts(struct profile_scratch *s, struct unit *u, struct unit_state *st)
{
    struct gather g = {.s = s, .u = u, .st = st};
    for (uint32_t i = 0; i < st->rule->text.n; i++) {
        g.sel = &st->rule->text.sel[i];
        sel_walk(s, g.sel, st->root, on_text, &g);
    }
}

/* --- ids --- */

static struct span id_text(struct profile_scratch *s, struct place at)
{
    if (!at.layer || place_kind(at) > JSON_STRING || place_kind(at) == JSON_NULL)
        return span_of("", 0);
    return place_text(s, at);
}

static void gather_ids(struct profile_scratch *s, struct unit *u, struct unit_state *st)
{
    const struct profile_rule *r = st->rule;
    for (uint32_t i = 0; i < r->n_get; i++)
        st->cap[r->get[i].name] = sel_first(s, &r->get[i].from, st->root);
    if (!st->cap[CAP_CUSTOMER].layer)
        st->cap[CAP_CUSTOMER] = sel_first(s, &s->profile->customer, st->root);
    struct place conv = st->cap[CAP_CONV];
    if (conv.layer && place_kind(conv) == JSON_NUMBER)
        conn_ext(s->conn)->is_conv_number = true;
    u->conv = id_text(s, conv);
    u->mid = id_text(s, st->cap[CAP_MID]);
    u->sender = id_text(s, st->cap[CAP_SENDER]);
    u->customer = id_text(s, st->cap[CAP_CUSTOMER]);
    if (!u->customer.n)
        u->customer = u->conv;
    u->ts_ms = time_read_ms(id_text(s, st->cap[CAP_TS]));
}

static enum unit_role role_of(struct profile_scratch *s, const struct profile_rule *r, struct layer *root)
{
    static const enum unit_role order[] = {ROLE_SELF, ROLE_CUSTOMER, ROLE_AGENT};
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (r->role[order[i]].is_set && cond_all(s, &r->role[order[i]], root))
            return order[i];
    return r->role_else;
}

/* --- rules --- */

static void judge_write(struct profile_scratch *s, struct unit *u, struct unit_state *st)
{
    const struct profile_rule *r = st->rule;
    bool is_edit = r->kind == RULE_EDIT || (r->edit.is_set && cond_all(s, &r->edit, st->root));
    u->kind = is_edit ? UNIT_EDIT : UNIT_SEND;
    gather_texts(s, u, st);
    if (cond_any(s, &r->opaque, st->root))
        set_cause(u, CAUSE_OPAQUE);
    if (s->profile->has_answers)
        conn_remember(s->conn, id_text(s, st->cap[CAP_CORR]), u->mid, u->conv);
}

static void judge_incoming(struct profile_scratch *s, struct unit *u, struct unit_state *st, int64_t now_ms)
{
    const struct profile_rule *r = st->rule;
    u->kind = UNIT_INCOMING;
    gather_texts(s, u, st);
    if (cond_any(s, &r->opaque, st->root))
        set_cause(u, CAUSE_OPAQUE);
    u->role = role_of(s, r, st->root);
    bool is_old = r->max_age_ms && u->ts_ms && (now_ms ? now_ms : clock_wall_ms()) - u->ts_ms > r->max_age_ms;
    u->is_live = !is_old && cond_all(s, &r->live, st->root);
}

/* False: it answers nothing that we know. */
static bool judge_answer(struct profile_scratch *s, struct unit *u, struct unit_state *st)
{
    struct span corr = id_text(s, st->cap[CAP_CORR]);
    const struct sent *sent = corr.n || u->mid.n ? conn_find(s->conn, corr, u->mid) : NULL;
    u->kind = UNIT_NONE;
    u->is_ack = st->rule->kind == RULE_ACK;
    u->is_nack = !u->is_ack;
    if (!sent)
        return false;
    if (!u->mid.n)
        u->mid = sent->mid_len ? span_of(sent->mid, sent->mid_len) : corr;
    if (!u->conv.n) {
        u->conv = span_of(sent->conv, sent->conv_len);
        u->customer = u->customer.n ? u->customer : u->conv;
    }
    return true;
}

static void judge_by(struct profile_scratch *s, const struct profile_rule *r, struct layer *root, uint32_t elem,
                     int64_t now_ms, struct unit units[UNITS_MAX])
{
    if (r->kind == RULE_IGNORE)
        return;
    struct unit *u = add_unit(s, root, elem, units);
    if (!u)
        return;
    struct unit_state *st = &s->state[u->id];
    st->rule = u->rule = r;
    gather_ids(s, u, st);
    if (r->kind == RULE_OPAQUE)
        set_cause(u, CAUSE_OPAQUE);
    else if (r->kind == RULE_INCOMING)
        judge_incoming(s, u, st, now_ms);
    else if (r->kind == RULE_SEND || r->kind == RULE_EDIT)
        judge_write(s, u, st);
    else if (!judge_answer(s, u, st))
        s->n_units--;
    if (s->trouble != JSON_OK)
        set_cause(u, unit_cause_of(s->trouble));
}

void unit_judge(struct profile_scratch *s, enum profile_dir dir, struct layer *root, uint32_t elem, int64_t now_ms,
                struct unit units[UNITS_MAX])
{
    const struct profile *p = s->profile;
    enum json_result worst = JSON_OK;
    bool is_answer_packet = s->packet.type == 3;
    s->trouble = JSON_OK;
    conn_learn(s, dir, root);
    for (uint32_t i = 0; i < p->n_rules; i++) {
        const struct profile_rule *r = &p->rule[i];
        if (r->dir != dir || (is_answer_packet && r->kind != RULE_ACK && r->kind != RULE_NACK))
            continue;
        s->trouble = JSON_OK; /* only what the matching rule looks at may spoil its unit */
        if (cond_all(s, &r->when, root)) {
            judge_by(s, r, root, elem, now_ms, units);
            return;
        }
        worst = s->trouble > worst ? s->trouble : worst;
    }
    if (dir == C2S && worst != JSON_OK)
        unit_add_unreadable(s, root, elem, unit_cause_of(worst), units);
    else if (dir == C2S && p->unknown_by_policy)
        unit_add_unreadable(s, root, elem, CAUSE_UNKNOWN_UNIT, units);
}

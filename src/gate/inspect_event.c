/* What is recorded of a message: who, where, when, under which names; and the events that no rule is asked about. */
#include "base/clock.h"
#include "base/hash.h"
#include "gate/alias.h"
#include "gate/gate.h"
#include "gate/inspect_parts.h"
#include "gate/transcript.h"

struct span inspect_keep(struct worker *w, struct span t)
{
    return t.n ? span_of(arena_strdup(&w->arena, t), t.n) : t;
}

static struct span pseudonym(struct worker *w, struct span id, bool is_conv)
{
    char out[PSEUDONYM_MAX];
    return inspect_keep(w, alias_of(w->gate->alias, id, is_conv, out));
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

void inspect_use_own_time(struct session *s, struct track_event *ev, int64_t ts_ms)
{
    if (ts_ms >= ev->at_ms)
        return;
    ev->at_ms = ts_ms;
    set_business_time(ev, s->w->who.calendar);
}

void inspect_fill_event(struct session *s, const struct unit *u, enum event_kind kind, int64_t now_ms,
                        struct track_event *ev)
{
    struct worker *w = s->w;
    struct span agent = session_agent(s);
    const struct directory_agent *who = &w->who;
    w->who = directory_find(w->snap->directory, agent);
    *ev = (struct track_event){
        .kind = kind,
        .at_ms = now_ms,
        .passed_ms = now_ms,
        .agent = agent,
        .team = who->team,
        .shop = who->shop,
        .conv = u->conv,
        .customer = u->customer.n ? u->customer : u->conv,
        .mid = u->mid,
        .sender = u->sender,
        .is_edit = u->kind == UNIT_EDIT,
        .is_human = measure_is_reply(&w->snap->conf->tracking.measure, who->role),
        .is_live = true,
        .rules_version = span_str(ruleset_version(w->snap->rules)),
        .held_id = kind == EV_OUTGOING ? w->approved : span_of("", 0),
    };
    set_business_time(ev, who->calendar);
    if (w->gate->alias && kind != EV_AGENT_ON && kind != EV_AGENT_OFF)
        use_pseudonyms(w, ev);
    uint64_t h = 0;
    for (size_t i = 0; w->ring && i < u->n_texts; i++)
        h = h * 31 + hash_stable(u->text[i]);
    ev->text_hash = h;
}

int inspect_append(struct worker *w, const struct track_event *ev)
{
    if (!w->ring)
        return 0;
    if (ring_append(w->ring, ev) == 0)
        return 0;
    counter_add(&w->count.events_lost, 1);
    return -1;
}

void inspect_elsewhere(struct session *s, const struct unit *u)
{
    struct track_event ev;
    inspect_fill_event(s, u, EV_OUTGOING, clock_wall_ms(), &ev);
    ev.is_live = u->is_live;
    ev.is_delivered = true;
    if (u->ts_ms)
        inspect_use_own_time(s, &ev, u->ts_ms);
    transcript_fill(s, u, NULL, &ev);
    inspect_append(s->w, &ev);
}

void inspect_refused_later(struct session *s, struct span conv, struct span customer, struct span mid)
{
    struct unit u = {.conv = conv, .customer = customer, .mid = mid};
    struct track_event ev;
    inspect_fill_event(s, &u, EV_REFUSED, clock_wall_ms(), &ev);
    transcript_fill(s, &u, NULL, &ev);
    inspect_append(s->w, &ev);
}

void inspect_presence(struct session *s, bool is_on)
{
    struct unit u = {.customer = session_agent(s)};
    struct track_event ev;
    inspect_fill_event(s, &u, is_on ? EV_AGENT_ON : EV_AGENT_OFF, clock_wall_ms(), &ev);
    inspect_append(s->w, &ev);
}

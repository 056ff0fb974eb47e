#include "board/model_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"

static char *dup_span(struct span s)
{
    return xmemdup0(s.p, s.n);
}

static bool set_text(char **at, struct span s)
{
    if (*at && span_is(s, *at))
        return false;
    free(*at);
    *at = dup_span(s);
    return true;
}

/* --- who waits --- */

static void add_left(struct model *m, const struct waiting *w)
{
    if (m->n_left == m->cap_left) {
        m->cap_left = m->cap_left ? 2 * m->cap_left : 64;
        m->left = xrealloc(m->left, m->cap_left * sizeof(*m->left));
    }
    m->left[m->n_left++] = (struct left){xstrdup(w->key), xstrdup(w->team), xstrdup(w->shop)};
}

static void free_waiting(struct waiting *w)
{
    free(w->key);
    free(w->conv);
    free(w->cust);
    free(w->agent);
    free(w->team);
    free(w->shop);
    free(w);
}

/* Rows: {conversation, customer, since, agent, team, shop, messages} */
static void take_one(struct model *m, unsigned shard, const struct redis_reply *row)
{
    struct span conv = row_text(row, 0), team = row_text(row, 4), shop = row_text(row, 5);
    char *key = xasprintf("%u:%.*s", shard, (int)conv.n, (const char *)conv.p);
    struct waiting *w = map_get(&m->waiting, span_str(key));
    bool is_new = !w;
    if (is_new) {
        w = xcalloc(1, sizeof(*w));
        w->key = xstrdup(key);
        w->conv = dup_span(conv);
        w->shard = shard;
        map_put(&m->waiting, span_str(key), w);
    } else if (!span_is(team, w->team) || !span_is(shop, w->shop)) {
        add_left(m, w); /* those who saw it before may not see it any more */
    }
    free(key);
    bool is_other = is_new || w->since_ms != row_int(row, 2) || w->n != row_int(row, 6);
    w->lost = row_int(row, 7);
    w->since_ms = row_int(row, 2);
    w->n = row_int(row, 6);
    is_other |= set_text(&w->cust, row_text(row, 1));
    is_other |= set_text(&w->agent, row_text(row, 3));
    is_other |= set_text(&w->team, team);
    is_other |= set_text(&w->shop, shop);
    w->seen_tick = m->tick;
    if (is_other)
        w->changed_tick = m->tick;
}

static void drop_unseen(struct model *m, unsigned shard)
{
    struct waiting **gone = xcalloc(m->waiting.len + 1, sizeof(struct waiting *));
    size_t n = 0, pos = 0;
    struct span key;
    void *value;
    while (map_next(&m->waiting, &pos, &key, &value)) {
        struct waiting *w = value;
        if (w->shard == shard && w->seen_tick != m->tick)
            gone[n++] = w;
    }
    for (size_t i = 0; i < n; i++) {
        add_left(m, gone[i]);
        map_del(&m->waiting, span_str(gone[i]->key));
        free_waiting(gone[i]);
    }
    free(gone);
}

void model_take_waiting(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply)
{
    (void)unused;
    for (size_t i = 1; i < reply->n; i++)
        take_one(m, shard, redis_item(reply, i));
    m->is_cut |= reply->n > WAITING_MOST;
    drop_unseen(m, shard);
}

/* --- agents --- */

struct agent *model_agent_get(struct model *m, struct span id)
{
    struct agent *a = map_get(&m->agents, id);
    if (a || !id.n || m->agents.len >= AGENTS_MAX)
        return a;
    a = xcalloc(1, sizeof(*a));
    a->id = dup_span(id);
    a->team = xstrdup("");
    a->shop = xstrdup("");
    a->node = xstrdup("");
    map_put(&m->agents, id, a);
    return a;
}

/* Rows: {agent, last on, last off, node, team, shop} */
void model_take_sessions(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply)
{
    (void)shard, (void)unused;
    for (size_t i = 1; i < reply->n; i++) {
        const struct redis_reply *row = redis_item(reply, i);
        struct agent *a = model_agent_get(m, row_text(row, 0));
        if (!a)
            continue;
        if (row_int(row, 1) >= a->on_ms) {
            a->on_ms = row_int(row, 1);
            set_text(&a->node, row_text(row, 3));
            set_text(&a->team, row_text(row, 4));
            if (set_text(&a->shop, row_text(row, 5)))
                model_zone_changed(m, a);
        }
        a->off_ms = MAX_OF(a->off_ms, row_int(row, 2));
    }
}

static void add_open(struct model *m, const struct redis_reply *reply, int sign)
{
    for (size_t i = 1; reply && i < reply->n; i++) {
        const struct redis_reply *row = redis_item(reply, i);
        struct agent *a = model_agent_get(m, row_text(row, 0));
        if (a)
            a->open += sign * row_int(row, 1);
    }
}

void model_take_open(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply)
{
    (void)unused;
    add_open(m, m->shard[shard].open, -1);
    redis_reply_free(m->shard[shard].open);
    m->shard[shard].open = redis_reply_copy(reply);
    add_open(m, reply, 1);
}

/* The zone of days, how replies are measured, shops with days of their own: of the shard that learned it last. */
static void take_counting(struct model *m, const struct redis_reply *row)
{
    char name[sizeof(m->zone.name)];
    if (row_int(row, 6) <= m->measure_at_ms)
        return;
    m->measure_at_ms = row_int(row, 6);
    if (!measure_read(row_text(row, 5), &m->measure))
        m->measure = (struct measure){0};
    if (day_zone_read_name(row_text(row, 4), name))
        day_zone_set(&m->zone, name);
    model_zones_take(m, row_text(row, 7));
}

/* Row: {open cases, the oldest of them, messages that wait for approval, events for webhooks, zone, tracking, since,
 * zones of shops} */
void model_take_sizes(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply)
{
    (void)unused;
    const struct redis_reply *row = redis_item(reply, 1);
    m->shard[shard].cases_open = row_int(row, 0);
    m->shard[shard].oldest_case_ms = row_int(row, 1);
    m->shard[shard].held = row_int(row, 2);
    m->shard[shard].hooks_waiting = row_int(row, 3);
    take_counting(m, row);
}

/* --- what follows from the above --- */

static uint64_t hash_shown(const struct agent *a)
{
    char *text = xasprintf("%s\n%s\n%s\n%lld %lld %lld %u %lld", a->team, a->shop, a->node, (long long)a->on_ms,
                           (long long)a->off_ms, (long long)a->open, a->n_waiting, (long long)a->longest_ms);
    uint64_t h = hash_stable(span_str(text));
    free(text);
    return h;
}

void model_count_waiting(struct model *m)
{
    struct span key;
    void *value;
    for (size_t pos = 0; map_next(&m->agents, &pos, &key, &value);) {
        struct agent *a = value;
        a->n_waiting = 0;
        a->n_lost = 0;
        a->longest_ms = 0;
    }
    for (size_t pos = 0; map_next(&m->waiting, &pos, &key, &value);) {
        const struct waiting *w = value;
        struct agent *a = map_get(&m->agents, span_str(w->agent));
        if (!a)
            continue;
        a->n_waiting++;
        a->n_lost += w->lost;
        if (!a->longest_ms || w->since_ms < a->longest_ms)
            a->longest_ms = w->since_ms;
    }
    for (size_t pos = 0; map_next(&m->agents, &pos, &key, &value);) {
        struct agent *a = value;
        uint64_t h = hash_shown(a);
        if (h != a->shown_hash) {
            a->shown_hash = h;
            a->changed_tick = m->tick;
        }
    }
}

void model_forget_all(struct model *m)
{
    struct span key;
    void *value;
    for (size_t pos = 0; map_next(&m->waiting, &pos, &key, &value);)
        free_waiting(value);
    for (size_t pos = 0; map_next(&m->agents, &pos, &key, &value);) {
        struct agent *a = value;
        free(a->id);
        free(a->team);
        free(a->shop);
        free(a->node);
        free(a->bucket);
        free(a->business);
        free(a);
    }
    map_fini(&m->waiting);
    map_fini(&m->agents);
}

#include "board/metrics_board.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "board/board.h"
#include "board/view.h"

enum { TEAMS_MAX = 100, WITHIN_30S = 1, WITHIN_180S = 3 };

static void gauge(struct buf *out, const char *name, const char *help, double v)
{
    metrics_family(out, name, "gauge", help);
    metrics_value(out, name, NULL, 0, v);
}

static void counter(struct buf *out, const char *name, const char *help, double v)
{
    metrics_family(out, name, "counter", help);
    metrics_value(out, name, NULL, 0, v);
}

/* --- the board's own work --- */

static void put_own(const struct board *b, struct buf *out)
{
    const struct model *m = b->model;
    struct metrics_label version = {"version", span_str(CHATGATE_VERSION)};
    metrics_family(out, "board_info", "gauge", "Version as a label");
    metrics_value(out, "board_info", &version, 1, 1);
    uint64_t connects = redis_connects(b->redis);
    gauge(out, "board_redis_connected", "1 when the link to Redis is up", redis_is_up(b->redis));
    counter(out, "board_redis_reconnects_total", "Connections made to Redis after the first",
            connects ? (double)(connects - 1) : 0);
    counter(out, "board_reads_total", "Readings of Redis for pages and figures", (double)m->tick);
    counter(out, "board_read_errors_total", "Readings that were not complete", (double)m->failed_ticks);
    counter(out, "board_redis_calls_total", "Script calls for these readings", (double)m->calls);
    gauge(out, "board_pages", "Pages with live updates", b->live.n);
    gauge(out, "board_logins", "Logins in force", (double)b->logins.by_token.len);
    counter(out, "board_login_failures_total", "Logins with a wrong name or password", (double)b->count.login_failures);
    counter(out, "board_login_locked_total", "Logins refused because the name is locked",
            (double)b->count.login_locked);
    metrics_family(out, "board_requests_total", "counter", "Answered requests, by class of the HTTP status");
    for (unsigned i = 0; i < ARRAY_LEN(b->count.requests); i++) {
        char class[4] = {(char)('1' + i), 'x', 'x', 0};
        struct metrics_label code = {"code", span_str(class)};
        metrics_value(out, "board_requests_total", &code, 1, (double)b->count.requests[i]);
    }
}

/* --- the service, by team --- */

struct team {
    unsigned waiting[3], online; /* green, amber, red */
    int64_t longest_ms, open;
    struct figures day;
};

/* Teams beyond TEAMS_MAX are one, named "~". */
static struct team *team_of(struct map *teams, const char *name)
{
    struct span key = span_str(name);
    key.n = MIN_OF(key.n, METRICS_LABEL_MAX);
    struct team *t = map_get(teams, key);
    if (!t && teams->len >= TEAMS_MAX) {
        key = span_str("~");
        t = map_get(teams, key);
    }
    if (!t)
        map_put(teams, key, t = xcalloc(1, sizeof(*t)));
    return t;
}

static void collect(const struct board *b, struct map *teams)
{
    const struct model *m = b->model;
    struct span key;
    void *value;
    for (size_t pos = 0; map_next(&m->agents, &pos, &key, &value);) {
        const struct agent *a = value;
        struct team *t = team_of(teams, a->team);
        t->online += agent_is_online(a);
        t->open += a->open;
        figures_add(&t->day, &a->day);
    }
    for (size_t pos = 0; map_next(&m->waiting, &pos, &key, &value);) {
        const struct waiting *w = value;
        struct team *t = team_of(teams, w->team);
        int64_t age = m->redis_now_ms - w->since_ms;
        t->waiting[age >= b->set->red_ms ? 2 : age >= b->set->amber_ms ? 1 : 0]++;
        t->longest_ms = MAX_OF(t->longest_ms, age);
    }
}

/* One family over all teams; `second` is the other label's name, or NULL. */
struct family {
    const char *name, *help, *second, *value;
    double (*of)(const struct team *t);
};

static double waiting_green(const struct team *t)
{
    return t->waiting[0];
}
static double waiting_amber(const struct team *t)
{
    return t->waiting[1];
}
static double waiting_red(const struct team *t)
{
    return t->waiting[2];
}
static double longest(const struct team *t)
{
    return (double)t->longest_ms / 1000.0;
}
static double online(const struct team *t)
{
    return t->online;
}
static double open_conversations(const struct team *t)
{
    return (double)t->open;
}
static double replies(const struct team *t)
{
    return (double)(t->day.first.n + t->day.next.n);
}
static double within_30(const struct team *t)
{
    return (double)(t->day.first.within[WITHIN_30S] + t->day.next.within[WITHIN_30S]);
}
static double within_180(const struct team *t)
{
    return (double)(t->day.first.within[WITHIN_180S] + t->day.next.within[WITHIN_180S]);
}
static double reply_seconds(const struct team *t)
{
    return (double)(t->day.first.sum_ms + t->day.next.sum_ms) / 1000.0;
}
#define COUNT_OF(name, kind)                                                                                           \
    static double name(const struct team *t)                                                                           \
    {                                                                                                                  \
        return (double)t->day.count[kind];                                                                             \
    }
COUNT_OF(passed, COUNT_PASS)
COUNT_OF(warned, COUNT_WARN)
COUNT_OF(rewritten, COUNT_REWRITE)
COUNT_OF(held, COUNT_HOLD)
COUNT_OF(blocked, COUNT_BLOCK)
COUNT_OF(kept, COUNT_KEPT)
COUNT_OF(broken, COUNT_BROKEN)
COUNT_OF(extended, COUNT_EXTENDED)

static const struct family families[] = {
    {"board_customers_waiting", "Customers without an answer now, by traffic light", "light", "green", waiting_green},
    {"board_customers_waiting", NULL, "light", "amber", waiting_amber},
    {"board_customers_waiting", NULL, "light", "red", waiting_red},
    {"board_longest_wait_seconds", "The longest of these waits", NULL, NULL, longest},
    {"board_agents_online", "Agents with a session", NULL, NULL, online},
    {"board_conversations_open", "Conversations with a message lately", NULL, NULL, open_conversations},
    {"board_replies_today", "Rounds that a reply ended since midnight", NULL, NULL, replies},
    {"board_reply_seconds_today", "Sum of the times of these rounds", NULL, NULL, reply_seconds},
    {"board_replies_within_today", "Those of them that ended within so many seconds", "seconds", "30", within_30},
    {"board_replies_within_today", NULL, "seconds", "180", within_180},
    {"board_messages_today", "Agents' messages since midnight, by verdict", "verdict", "pass", passed},
    {"board_messages_today", NULL, "verdict", "warn", warned},
    {"board_messages_today", NULL, "verdict", "rewrite", rewritten},
    {"board_messages_today", NULL, "verdict", "hold", held},
    {"board_messages_today", NULL, "verdict", "block", blocked},
    {"board_promises_today", "Promises that ended since midnight", "end", "kept", kept},
    {"board_promises_today", NULL, "end", "broken", broken},
    {"board_promises_today", NULL, "end", "extended", extended},
};

static void put_teams(const struct board *b, struct buf *out)
{
    struct map teams = {0};
    struct span key;
    void *value;
    collect(b, &teams);
    for (size_t f = 0; f < ARRAY_LEN(families); f++) {
        const struct family *fam = &families[f];
        if (fam->help)
            metrics_family(out, fam->name, "gauge", fam->help);
        for (size_t pos = 0; map_next(&teams, &pos, &key, &value);) {
            struct metrics_label l[2] = {{"team", key}, {fam->second, span_str(fam->value ? fam->value : "")}};
            metrics_value(out, fam->name, l, fam->second ? 2 : 1, fam->of(value));
        }
    }
    for (size_t pos = 0; map_next(&teams, &pos, &key, &value);)
        free(value);
    map_fini(&teams);
}

/* --- cases and gateways --- */

static void put_cases(const struct model *m, struct buf *out)
{
    int64_t open = 0, oldest = 0, held = 0;
    for (unsigned s = 0; s < m->n_shards; s++) {
        open += m->shard[s].cases_open;
        held += m->shard[s].held;
        if (m->shard[s].oldest_case_ms && (!oldest || m->shard[s].oldest_case_ms < oldest))
            oldest = m->shard[s].oldest_case_ms;
    }
    gauge(out, "board_cases_open", "Unfinished cases", (double)open);
    gauge(out, "board_case_oldest_seconds", "Age of the oldest of them",
          oldest ? (double)(m->redis_now_ms - oldest) / 1000.0 : 0);
    gauge(out, "board_messages_held", "Messages that wait for approval now", (double)held);
}

static double node_up(const struct nodes *n, const struct node_seen *s)
{
    return !node_is_lost(n, s);
}
static double node_age(const struct nodes *n, const struct node_seen *s)
{
    return (double)(n->now_ms - s->at_ms) / 1000.0;
}
static double node_enforces(const struct nodes *n, const struct node_seen *s)
{
    (void)n;
    return span_is(node_text(s, "mode"), "enforce");
}
static double node_reload_failed(const struct nodes *n, const struct node_seen *s)
{
    (void)n;
    return node_int(s, "rules.last_failed_ms") > node_int(s, "rules.last_reload_ms");
}

static void put_nodes(const struct nodes *n, struct buf *out)
{
    static const struct {
        const char *name, *help;
        double (*of)(const struct nodes *n, const struct node_seen *s);
    } family[] = {{"board_gateway_up", "1 while the gateway's heart-beat arrives", node_up},
                  {"board_gateway_beat_age_seconds", "Since its last heart-beat", node_age},
                  {"board_gateway_enforces", "1 while its mode is enforce", node_enforces},
                  {"board_gateway_reload_failed", "1 when its last reload failed", node_reload_failed}};
    for (size_t f = 0; f < ARRAY_LEN(family); f++) {
        metrics_family(out, family[f].name, "gauge", family[f].help);
        for (size_t i = 0; i < n->n; i++) {
            struct metrics_label l = {"node", span_str(n->list[i].id)};
            metrics_value(out, family[f].name, &l, 1, family[f].of(n, &n->list[i]));
        }
    }
    size_t versions = 0;
    for (size_t i = 0; i < RULE_LISTS_MAX; i++)
        versions += n->rules[i].version != NULL;
    gauge(out, "board_rule_versions", "Different rule sets that gateways run now", (double)versions);
}

void board_metrics(void *board, struct buf *out)
{
    struct board *b = board;
    const struct model *m = b->model;
    model_want(b->model);
    put_own(b, out);
    gauge(out, "board_data_age_seconds", "Since the last complete reading of Redis; 0: none yet",
          m->complete_ms ? (double)MAX_OF(clock_wall_ms() - m->complete_ms, 0) / 1000.0 : 0);
    put_teams(b, out);
    put_cases(m, out);
    put_nodes(&m->nodes, out);
}

#include <inttypes.h>
#include <stdlib.h>

#include "base/civil.h"
#include "base/xalloc.h"
#include "cli/agents.h"
#include "cli/table.h"
#include "track/day_zone.h"
#include "track/shop_zones.h"

enum { ZONES_APART = 2 }; /* days that two zones may be apart */

/* What a row is called where each day or hour has one. */
static const char *number_name(const struct agents *all, int64_t number, char out[TRACKED_TIME_MAX])
{
    if (!all->days)
        return tracked_time(number * HOUR_MS, out);
    struct civil c = civil_of_day(number);
    snprintf(out, TRACKED_TIME_MAX, "%04d-%02u-%02u", (int)c.year, c.month, c.day);
    return out;
}

static struct agent *agent_of(struct agents *all, struct span name, int64_t number)
{
    char key[24], text[TRACKED_TIME_MAX];
    if (!name.n || (all->only && !span_is(name, all->only)))
        return NULL;
    snprintf(key, sizeof(key), "%" PRId64, number);
    struct agent *a = map_get(&all->by_name, all->is_each ? span_str(key) : name);
    if (a)
        return a;
    a = xcalloc(1, sizeof(*a));
    a->number = all->is_each ? number : 0;
    a->name = all->is_each ? xstrdup(number_name(all, number, text)) : xmemdup0(name.p, name.n);
    map_put(&all->by_name, all->is_each ? span_str(key) : name, a);
    return a;
}

/* "name:count,name:count…": takes the first pair off; false at the end. */
static bool next_pair(struct span *rest, struct span *name, uint64_t *count)
{
    const uint8_t *comma = rest->n ? memchr(rest->p, ',', rest->n) : NULL;
    struct span pair = comma ? span_of(rest->p, (size_t)(comma - rest->p)) : *rest;
    const uint8_t *colon = pair.n ? memchr(pair.p, ':', pair.n) : NULL;
    *rest = span_from(*rest, pair.n + 1);
    if (!colon)
        return false;
    *name = span_of(pair.p, (size_t)(colon - pair.p));
    return span_u64(span_from(pair, name->n + 1), count);
}

/* {name, kind, n, sum, within…, buckets} */
static void add_replies(struct replies *r, const struct redis_reply *row)
{
    struct span rest = tracked_text(row, 4 + AGENTS_LIMITS), name;
    uint64_t index, count;
    r->hist.sum += (uint64_t)tracked_int(row, 3);
    for (size_t i = 0; i < AGENTS_LIMITS; i++)
        r->within[i] += tracked_int(row, 4 + i);
    while (next_pair(&rest, &name, &count)) {
        if (!span_u64(name, &index) || index >= HIST_BUCKETS)
            continue;
        r->hist.bucket[index] += count;
        r->hist.count += count;
        r->hist.max = MAX_OF(r->hist.max, hist_upper((unsigned)index));
    }
}

static void add_counts(struct agent *a, struct span rest)
{
    struct span name;
    uint64_t count;
    const struct {
        const char *what;
        int64_t *into;
    } fields[] = {
        {"in", &a->in},
        {"pass", &a->passed},
        {"block", &a->blocked},
        {"hold", &a->held},
        {"warn", &a->warned},
        {"rewrite", &a->rewritten},
        {"refused", &a->refused},
        {"promise_kept", &a->kept},
        {"promise_broken", &a->broken},
        {"unanswered", &a->unanswered},
    };
    while (next_pair(&rest, &name, &count))
        for (size_t i = 0; i < ARRAY_LEN(fields); i++)
            if (span_is(name, fields[i].what))
                *fields[i].into += (int64_t)count;
}

/* ---- whose day it is: that of the shop ---- */

struct today {
    char *name;
    int64_t on_ms, day;
};

static int64_t today_of_shop(const struct agents *all, struct span shop)
{
    struct span zone = shop_zones_find(buf_span(&all->zones), shop);
    return day_zone_day(zone.n ? zone : buf_span(&all->zone), all->now_ms);
}

/* An agent's is that of the shop of the last session; a team's, if it works for several, the latest. */
static void on_session(void *ctx, const struct redis_reply *row)
{
    struct agents *all = ctx;
    struct span name = tracked_text(row, all->scope == 'a' ? 0 : 4);
    int64_t on_ms = tracked_int(row, 1), day = today_of_shop(all, tracked_text(row, 5));
    struct today *t = map_get(&all->today, name);
    if (!t) {
        t = xcalloc(1, sizeof(*t));
        t->name = xmemdup0(name.p, name.n);
        t->on_ms = INT64_MIN;
        t->day = INT64_MIN;
        map_put(&all->today, span_str(t->name), t);
    }
    if (all->scope == 't')
        t->day = MAX_OF(t->day, day);
    else if (on_ms > t->on_ms)
        t->day = day;
    t->on_ms = MAX_OF(t->on_ms, on_ms);
}

static bool is_of_days(const struct agents *all, struct span name, int64_t day)
{
    const struct today *t = map_get(&all->today, name);
    int64_t today = t ? t->day : today_of_shop(all, all->scope == 's' ? name : span_of("", 0));
    return day <= today && day > today - all->days;
}

static void on_figures(void *ctx, const struct redis_reply *row)
{
    struct agents *all = ctx;
    int64_t number = tracked_int(row, row->n - 1);
    if (all->days && !is_of_days(all, tracked_text(row, 0), number))
        return;
    struct agent *a = agent_of(all, tracked_text(row, 0), number);
    struct span kind = tracked_text(row, 1);
    if (!a || kind.n != 1)
        return;
    switch (kind.p[0]) {
    case 'v':
        add_counts(a, tracked_text(row, 2));
        break;
    case 'f':
        add_replies(&a->first, row);
        break;
    case 'n':
        add_replies(&a->next, row);
        break;
    case 'F':
        add_replies(&a->first_open, row);
        break;
    case 'N':
        add_replies(&a->next_open, row);
        break;
    case 'm':
        add_replies(&a->measured, row);
        break;
    default:
        break;
    }
}

/* {conversation, customer, since, agent, team, shop, messages, units past the horizon} */
static void on_waiting(void *ctx, const struct redis_reply *row)
{
    struct agents *all = ctx;
    struct agent *a = agent_of(all, tracked_text(row, all->scope == 'a' ? 3 : all->scope == 't' ? 4 : 5), 0);
    int64_t since = tracked_int(row, 2);
    if (!a)
        return;
    a->waiting++;
    a->unanswered += row->n > 7 ? tracked_int(row, 7) : 0;
    if (!a->waits_since_ms || since < a->waits_since_ms)
        a->waits_since_ms = since;
}

static int by_number_and_name(const void *pa, const void *pb)
{
    const struct agent *a = *(struct agent *const *)pa, *b = *(struct agent *const *)pb;
    return a->number != b->number ? (a->number > b->number) - (a->number < b->number) : strcmp(a->name, b->name);
}

struct agent **agents_sorted(const struct agents *all, size_t *n)
{
    struct agent **list = xcalloc(all->by_name.len + 1, sizeof(struct agent *));
    size_t pos = 0;
    struct span key;
    void *value;
    for (*n = 0; map_next(&all->by_name, &pos, &key, &value);)
        list[(*n)++] = value;
    qsort(list, *n, sizeof(*list), by_number_and_name);
    return list;
}

/* {zone, tracking, since when, zones of shops}: what the gateways told Redis last, which this configuration need not
 * say. */
static void on_counting(void *ctx, const struct redis_reply *row)
{
    struct agents *all = ctx;
    if (tracked_int(row, 2) <= all->measure_at_ms)
        return;
    all->measure_at_ms = tracked_int(row, 2);
    if (!measure_read(tracked_text(row, 1), &all->measure))
        all->measure = (struct measure){0};
    buf_reset(&all->zone);
    buf_append_span(&all->zone, tracked_text(row, 0));
    buf_reset(&all->zones);
    buf_append_span(&all->zones, tracked_text(row, 3));
}

static int ask_days(struct tracked *t, struct agents *all, const char *scope, const char *only)
{
    char first[24], last[24];
    int64_t today = day_zone_day(buf_span(&all->zone), all->now_ms);
    snprintf(first, sizeof(first), "%" PRId64, today - ZONES_APART - all->days + 1);
    snprintf(last, sizeof(last), "%" PRId64, today + ZONES_APART);
    int rc = all->scope == 's' ? 0 : tracked_ask(t, on_session, all, "sessions", NULL);
    return rc ? rc : tracked_ask(t, on_figures, all, "days", first, last, scope, only, NULL);
}

int agents_ask(struct tracked *t, struct agents *all, const struct wanted *w, int64_t hours)
{
    char from[24], to[24], scope[2] = {w->scope, '\0'};
    const char *only = all->only ? all->only : "";
    snprintf(from, sizeof(from), "%" PRId64, all->now_ms - hours * (int64_t)HOUR_MS);
    snprintf(to, sizeof(to), "%" PRId64, all->now_ms);
    all->days = w->days;
    all->is_each = w->is_each;
    int rc = tracked_ask(t, on_counting, all, "counting", NULL);
    if (rc == 0)
        rc = w->days ? ask_days(t, all, scope, only)
                     : tracked_ask(t, on_figures, all, "figures", from, to, scope, only, w->is_each ? "1" : NULL, NULL);
    return rc || w->is_each ? rc : tracked_ask(t, on_waiting, all, "waiting", "10000", NULL);
}

void agents_fini(struct agents *all, struct agent **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i]->name);
        free(list[i]);
    }
    free(list);
    map_fini(&all->by_name);
    size_t pos = 0;
    struct span name;
    for (void *v; map_next(&all->today, &pos, &name, &v);) {
        free(((struct today *)v)->name);
        free(v);
    }
    map_fini(&all->today);
    buf_fini(&all->zone);
    buf_fini(&all->zones);
}

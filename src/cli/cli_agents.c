/* chatgate agents: how fast each agent answers, what was refused, who waits; with a name: that agent's last rounds. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_tracked.h"

enum { HOUR_MS = 3600000, WITHIN_30_S = 1, WITHIN_3_MIN = 3, LIMITS = 5, ROUNDS = 10, ROUND_END = 3 };

struct replies {
    struct hist hist;
    int64_t within[LIMITS];
};

struct agent {
    char *name;
    struct replies first, next;
    int64_t blocked, rewritten, warned, waiting;
};

struct agents {
    struct map by_name;
    const char *only;
};

static struct agent *agent_of(struct agents *all, struct span name)
{
    struct agent *a = map_get(&all->by_name, name);
    if (a || !name.n || (all->only && !span_is(name, all->only)))
        return a;
    a = xcalloc(1, sizeof(*a));
    a->name = xmemdup0(name.p, name.n);
    map_put(&all->by_name, name, a);
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
    struct span rest = tracked_text(row, 4 + LIMITS), name;
    uint64_t index, count;
    r->hist.sum += (uint64_t)tracked_int(row, 3);
    for (size_t i = 0; i < LIMITS; i++)
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
    while (next_pair(&rest, &name, &count)) {
        a->blocked += span_is(name, "block") || span_is(name, "hold") ? (int64_t)count : 0;
        a->rewritten += span_is(name, "rewrite") ? (int64_t)count : 0;
        a->warned += span_is(name, "warn") ? (int64_t)count : 0;
    }
}

static void on_figures(void *ctx, const struct redis_reply *row)
{
    struct agent *a = agent_of(ctx, tracked_text(row, 0));
    struct span kind = tracked_text(row, 1);
    if (!a)
        return;
    if (span_is(kind, "v"))
        add_counts(a, tracked_text(row, 2));
    else if (span_is(kind, "f") || span_is(kind, "n"))
        add_replies(span_is(kind, "f") ? &a->first : &a->next, row);
}

static void on_waiting(void *ctx, const struct redis_reply *row)
{
    struct agent *a = agent_of(ctx, tracked_text(row, 3));
    if (a)
        a->waiting++;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct agent *const *)a)->name, (*(struct agent *const *)b)->name);
}

/* All agents sorted by name; the caller frees the list. */
static struct agent **sorted(const struct agents *all, size_t *n)
{
    struct agent **list = xcalloc(all->by_name.len + 1, sizeof(struct agent *));
    size_t pos = 0;
    struct span key;
    void *value;
    for (*n = 0; map_next(&all->by_name, &pos, &key, &value);)
        list[(*n)++] = value;
    qsort(list, *n, sizeof(*list), by_name);
    return list;
}

static void json_replies(struct json_out *j, const char *key, const struct replies *r)
{
    json_key(j, key);
    json_obj(j);
    json_key(j, "count"), json_int(j, (int64_t)r->hist.count);
    if (r->hist.count) { /* undefined is absent, never 0 */
        json_key(j, "mean_ms"), json_int(j, (int64_t)(r->hist.sum / r->hist.count));
        json_key(j, "p50_ms"), json_int(j, (int64_t)hist_quantile(&r->hist, 0.5));
        json_key(j, "p90_ms"), json_int(j, (int64_t)hist_quantile(&r->hist, 0.9));
    }
    json_key(j, "within_30s"), json_int(j, r->within[WITHIN_30_S]);
    json_key(j, "within_3min"), json_int(j, r->within[WITHIN_3_MIN]);
    json_obj_end(j);
}

static void print_json(struct agent **list, size_t n)
{
    struct buf out = {0};
    struct json_out j = {.buf = &out};
    json_arr(&j);
    for (size_t i = 0; i < n; i++) {
        json_obj(&j);
        json_key(&j, "agent"), json_str(&j, list[i]->name);
        json_replies(&j, "first", &list[i]->first);
        json_replies(&j, "next", &list[i]->next);
        json_key(&j, "blocked"), json_int(&j, list[i]->blocked);
        json_key(&j, "rewritten"), json_int(&j, list[i]->rewritten);
        json_key(&j, "warned"), json_int(&j, list[i]->warned);
        json_key(&j, "waiting"), json_int(&j, list[i]->waiting);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    printf("%s\n", buf_cstr(&out));
    buf_fini(&out);
}

static void add_reply_cells(struct table *t, const struct replies *r)
{
    char text[TRACKED_SPAN_MAX];
    table_addf(t, "%" PRIu64, r->hist.count);
    if (!r->hist.count) {
        table_add(t, span_str("-")), table_add(t, span_str("-")), table_add(t, span_str("-"));
        return;
    }
    table_add(t, span_str(tracked_duration((int64_t)hist_quantile(&r->hist, 0.5), text)));
    table_add(t, span_str(tracked_duration((int64_t)hist_quantile(&r->hist, 0.9), text)));
    table_addf(t, "%.0f %%", 100.0 * (double)r->within[WITHIN_30_S] / (double)r->hist.count);
}

static void print_table(struct agent **list, size_t n)
{
    static const char *const head[] = {"agent", "first replies", "p50",     "p90",       "in 30 s", "next replies",
                                       "p50",   "p90",           "in 30 s", "rewritten", "blocked", "waiting"};
    struct table *t = table_new(ARRAY_LEN(head));
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = 0; i < n; i++) {
        table_add(t, span_str(list[i]->name));
        add_reply_cells(t, &list[i]->first);
        add_reply_cells(t, &list[i]->next);
        table_addf(t, "%" PRId64, list[i]->rewritten);
        table_addf(t, "%" PRId64, list[i]->blocked);
        table_addf(t, "%" PRId64, list[i]->waiting);
    }
    table_print(&t);
}

/* {conversation, customer, start, end, agent, team, shop, first, messages} */
static void show_round(struct table *t, const struct redis_reply *row)
{
    char text[TRACKED_TIME_MAX];
    table_add(t, tracked_text(row, 0));
    table_add(t, span_str(tracked_time(tracked_int(row, 2), text)));
    table_add(t, span_str(tracked_int(row, 7) ? "first" : "next"));
    table_add(t, span_str(tracked_duration(tracked_int(row, 3) - tracked_int(row, 2), text)));
}

static int print_rounds(struct tracked *t, const char *agent)
{
    static const char *const head[] = {"conversation", "customer wrote", "reply", "after"};
    struct table *table = table_new(ARRAY_LEN(head));
    char most[24];
    snprintf(most, sizeof(most), "%d", ROUNDS);
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(table, span_str(head[i]));
    struct tracked_rows rows = {0};
    int rc = tracked_ask(t, tracked_keep, &rows, "rounds", agent, most, NULL);
    tracked_sort(&rows, ROUND_END, -1);
    for (size_t i = 0; i < rows.n && i < ROUNDS; i++)
        show_round(table, rows.row[i]);
    tracked_rows_fini(&rows);
    table_print(&table);
    return rc;
}

static void agents_fini(struct agents *all, struct agent **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i]->name);
        free(list[i]);
    }
    free(list);
    map_fini(&all->by_name);
}

int cli_agents(int argc, char **argv)
{
    struct tracked_args args;
    char from[24], to[24];
    size_t n;
    if (tracked_read_args(argc, argv, "WORD --hours", &args) != 0)
        return cli_usage("agents");
    struct tracked *t = tracked_open(&args);
    if (!t)
        return CLI_FAILED;
    struct agents all = {.only = args.word};
    int64_t now_ms = clock_wall_ms();
    snprintf(from, sizeof(from), "%" PRId64, now_ms - args.hours * HOUR_MS);
    snprintf(to, sizeof(to), "%" PRId64, now_ms);
    int rc = tracked_ask(t, on_figures, &all, "figures", from, to, "a", args.word ? args.word : "", NULL);
    if (rc == 0)
        rc = tracked_ask(t, on_waiting, &all, "waiting", "10000", NULL);
    struct agent **list = sorted(&all, &n);
    if (rc == 0 && args.want_json)
        print_json(list, n);
    else if (rc == 0)
        print_table(list, n);
    if (rc == 0 && args.word && !args.want_json)
        putchar('\n'), rc = print_rounds(t, args.word);
    agents_fini(&all, list, n);
    tracked_close(&t);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}

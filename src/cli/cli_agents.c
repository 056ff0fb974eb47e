/* chatgate agents: how fast each agent, team or shop answers, what was refused, who waits; with a name the last rounds.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_tracked.h"
#include "conf/preset.h"

enum { WITHIN_30_S = 1, LIMITS = 5, ROUNDS = 10, ROUNDS_MOST = 200 };
enum { ROUND_END = 3, DAYS_MOST = 112, ARGS_MOST = 16 };

struct replies {
    struct hist hist;
    int64_t within[LIMITS];
};

/* Or a team, or a shop. */
struct agent {
    char *name;
    struct replies first, next, first_open, next_open; /* _open: in business hours */
    int64_t in, passed, blocked, held, rewritten, warned, refused, kept, broken, waiting;
    int64_t waits_since_ms; /* 0: nobody waits */
};

struct agents {
    struct map by_name;
    const char *only;
    int64_t now_ms;
    char scope; /* a agent, t team, s shop */
    const struct preset *preset;
};

struct wanted {
    char scope;
    int64_t days; /* 0: hours */
    bool is_business, want_rounds;
    const struct preset *preset;
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
    const struct {
        const char *what;
        int64_t *into;
    } fields[] = {
        {"in", &a->in},           {"pass", &a->passed},       {"block", &a->blocked},
        {"hold", &a->held},       {"warn", &a->warned},       {"rewrite", &a->rewritten},
        {"refused", &a->refused}, {"promise_kept", &a->kept}, {"promise_broken", &a->broken},
    };
    while (next_pair(&rest, &name, &count))
        for (size_t i = 0; i < ARRAY_LEN(fields); i++)
            if (span_is(name, fields[i].what))
                *fields[i].into += (int64_t)count;
}

static void on_figures(void *ctx, const struct redis_reply *row)
{
    struct agent *a = agent_of(ctx, tracked_text(row, 0));
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
    default:
        break;
    }
}

/* {conversation, customer, since, agent, team, shop, messages} */
static void on_waiting(void *ctx, const struct redis_reply *row)
{
    struct agents *all = ctx;
    struct agent *a = agent_of(all, tracked_text(row, all->scope == 'a' ? 3 : all->scope == 't' ? 4 : 5));
    int64_t since = tracked_int(row, 2);
    if (!a)
        return;
    a->waiting++;
    if (!a->waits_since_ms || since < a->waits_since_ms)
        a->waits_since_ms = since;
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
    static const char *const within[LIMITS] = {"within_3s", "within_30s", "within_60s", "within_3min", "within_5min"};
    json_key(j, key);
    json_obj(j);
    json_key(j, "count"), json_int(j, (int64_t)r->hist.count);
    if (r->hist.count) { /* undefined is absent, never 0 */
        json_key(j, "mean_ms"), json_int(j, (int64_t)(r->hist.sum / r->hist.count));
        json_key(j, "p50_ms"), json_int(j, (int64_t)hist_quantile(&r->hist, 0.5));
        json_key(j, "p90_ms"), json_int(j, (int64_t)hist_quantile(&r->hist, 0.9));
        json_key(j, "p99_ms"), json_int(j, (int64_t)hist_quantile(&r->hist, 0.99));
    }
    for (size_t i = 0; i < LIMITS; i++)
        json_key(j, within[i]), json_int(j, r->within[i]);
    json_obj_end(j);
}

static const char *scope_name(char scope)
{
    return scope == 't' ? "team" : scope == 's' ? "shop" : "agent";
}

static void json_preset(struct json_out *j, const struct preset *p, const struct agent *a);

static void json_agent(struct json_out *j, const struct agents *all, const struct agent *a)
{
    const struct {
        const char *key;
        int64_t n;
    } counts[] = {
        {"incoming", a->in},
        {"passed", a->passed},
        {"warned", a->warned},
        {"rewritten", a->rewritten},
        {"blocked", a->blocked + a->held},
        {"held", a->held},
        {"refused", a->refused},
        {"promises_kept", a->kept},
        {"promises_broken", a->broken},
        {"waiting", a->waiting},
    };
    json_obj(j);
    json_key(j, scope_name(all->scope)), json_str(j, a->name);
    json_replies(j, "first", &a->first);
    json_replies(j, "next", &a->next);
    json_replies(j, "first_business", &a->first_open);
    json_replies(j, "next_business", &a->next_open);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        json_key(j, counts[i].key), json_int(j, counts[i].n);
    if (all->preset)
        json_preset(j, all->preset, a);
    if (a->waits_since_ms)
        json_key(j, "longest_wait_ms"), json_int(j, MAX_OF(all->now_ms - a->waits_since_ms, 0));
    json_obj_end(j);
}

static void print_json(const struct agents *all, struct agent **list, size_t n)
{
    struct buf out = {0};
    struct json_out j = {.buf = &out};
    json_arr(&j);
    for (size_t i = 0; i < n; i++)
        json_agent(&j, all, list[i]);
    json_arr_end(&j);
    printf("%s\n", buf_cstr(&out));
    buf_fini(&out);
}

static void add_reply_cells(struct table *t, const struct replies *r)
{
    char text[TRACKED_SPAN_MAX];
    static const double quantiles[] = {0.5, 0.9, 0.99};
    table_addf(t, "%" PRIu64, r->hist.count);
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
        table_add(
            t, span_str(r->hist.count ? tracked_duration((int64_t)hist_quantile(&r->hist, quantiles[i]), text) : "-"));
    if (r->hist.count)
        table_addf(t, "%.0f %%", 100.0 * (double)r->within[WITHIN_30_S] / (double)r->hist.count);
    else
        table_add(t, span_str("-"));
}

static void print_table(const struct agents *all, struct agent **list, size_t n, bool is_business)
{
    char text[TRACKED_SPAN_MAX];
    const char *const head[] = {scope_name(all->scope),
                                "first replies",
                                "p50",
                                "p90",
                                "p99",
                                "in 30 s",
                                "next replies",
                                "p50",
                                "p90",
                                "p99",
                                "in 30 s",
                                "warned",
                                "rewritten",
                                "blocked",
                                "waiting",
                                "longest"};
    struct table *t = table_new(ARRAY_LEN(head));
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = 0; i < n; i++) {
        const struct agent *a = list[i];
        table_add(t, span_str(a->name));
        add_reply_cells(t, is_business ? &a->first_open : &a->first);
        add_reply_cells(t, is_business ? &a->next_open : &a->next);
        table_addf(t, "%" PRId64, a->warned);
        table_addf(t, "%" PRId64, a->rewritten);
        table_addf(t, "%" PRId64, a->blocked + a->held);
        table_addf(t, "%" PRId64, a->waiting);
        table_add(
            t, span_str(a->waits_since_ms ? tracked_duration(MAX_OF(all->now_ms - a->waits_since_ms, 0), text) : "-"));
    }
    table_print(&t);
}

/* What a marketplace or desk looks at, from the figures that are kept. */
struct platform_figure {
    int64_t count, within;
    uint64_t sum_ms;
};

static struct platform_figure platform_figure(const struct preset *p, const struct agent *a)
{
    const struct replies *parts[] = {p->is_clipped ? &a->first_open : &a->first,
                                     p->is_clipped ? &a->next_open : &a->next};
    struct platform_figure f = {0};
    for (size_t i = 0; i < (p->is_first_only ? 1 : ARRAY_LEN(parts)); i++) {
        f.count += (int64_t)parts[i]->hist.count;
        f.sum_ms += parts[i]->hist.sum;
        f.within += p->limit >= 0 ? parts[i]->within[p->limit] : 0;
    }
    return f;
}

static void print_preset(const struct agents *all, struct agent **list, size_t n, const struct preset *p)
{
    char text[TRACKED_SPAN_MAX];
    const char *const head[] = {scope_name(all->scope), "counted", "within", "rate", "mean", "waiting"};
    struct table *t = table_new(ARRAY_LEN(head));
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = 0; i < n; i++) {
        struct platform_figure f = platform_figure(p, list[i]);
        table_add(t, span_str(list[i]->name));
        table_addf(t, "%" PRId64, f.count);
        if (f.count && p->limit >= 0) {
            table_addf(t, "%" PRId64, f.within);
            table_addf(t, "%.1f %%", 100.0 * (double)f.within / (double)f.count);
        } else {
            table_add(t, span_str("-"));
            table_add(t, span_str("-"));
        }
        table_add(t, span_str(f.count ? tracked_duration((int64_t)(f.sum_ms / (uint64_t)f.count), text) : "-"));
        table_addf(t, "%" PRId64, list[i]->waiting);
    }
    printf("%s: %s, %s\n", p->name, p->measures, p->window);
    table_print(&t);
}

static void json_preset(struct json_out *j, const struct preset *p, const struct agent *a)
{
    struct platform_figure f = platform_figure(p, a);
    json_key(j, "preset");
    json_obj(j);
    json_key(j, "name"), json_str(j, p->name);
    json_key(j, "measures"), json_str(j, p->measures);
    json_key(j, "window"), json_str(j, p->window);
    json_key(j, "count"), json_int(j, f.count);
    if (p->limit >= 0)
        json_key(j, "within"), json_int(j, f.within);
    if (f.count)
        json_key(j, "mean_ms"), json_int(j, (int64_t)(f.sum_ms / (uint64_t)f.count));
    json_obj_end(j);
}

/* {conversation, customer, start, end, agent, team, shop, first, messages, business ms or -1} */
static void show_round(struct table *t, const struct redis_reply *row)
{
    char text[TRACKED_TIME_MAX];
    int64_t business = row->n > 9 ? tracked_int(row, 9) : -1;
    table_add(t, tracked_text(row, 0));
    table_add(t, span_str(tracked_time(tracked_int(row, 2), text)));
    table_add(t, span_str(tracked_int(row, 7) ? "first" : "next"));
    table_add(t, span_str(tracked_duration(tracked_int(row, 3) - tracked_int(row, 2), text)));
    table_add(t, span_str(business >= 0 ? tracked_duration(business, text) : "-"));
    table_addf(t, "%" PRId64, tracked_int(row, 8));
}

static void json_round(struct json_out *j, const struct redis_reply *row)
{
    static const char *const texts[] = {"conversation", "customer", NULL, NULL, "agent", "team", "shop"};
    int64_t start = tracked_int(row, 2), end = tracked_int(row, 3), business = row->n > 9 ? tracked_int(row, 9) : -1;
    json_obj(j);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i])
            json_key(j, texts[i]), json_span(j, tracked_text(row, i));
    json_key(j, "start_ms"), json_int(j, start);
    json_key(j, "end_ms"), json_int(j, end);
    json_key(j, "reply_ms"), json_int(j, end - start);
    if (business >= 0)
        json_key(j, "business_ms"), json_int(j, business);
    json_key(j, "first"), json_bool(j, tracked_int(row, 7) != 0);
    json_key(j, "messages"), json_int(j, tracked_int(row, 8));
    json_obj_end(j);
}

static void print_rounds_of(const struct tracked_rows *rows, size_t most, bool want_json)
{
    static const char *const head[] = {"conversation", "customer wrote", "reply", "after", "in hours", "messages"};
    if (want_json) {
        struct buf out = {0};
        struct json_out j = {.buf = &out};
        json_arr(&j);
        for (size_t i = 0; i < rows->n && i < most; i++)
            json_round(&j, rows->row[i]);
        json_arr_end(&j);
        printf("%s\n", buf_cstr(&out));
        buf_fini(&out);
        return;
    }
    struct table *table = table_new(ARRAY_LEN(head));
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(table, span_str(head[i]));
    for (size_t i = 0; i < rows->n && i < most; i++)
        show_round(table, rows->row[i]);
    table_print(&table);
}

static int print_rounds(struct tracked *t, const char *agent, size_t n, bool want_json)
{
    char most[24];
    struct tracked_rows rows = {0};
    snprintf(most, sizeof(most), "%zu", n);
    int rc = tracked_ask(t, tracked_keep, &rows, "rounds", agent, most, NULL);
    tracked_sort(&rows, ROUND_END, -1);
    if (rc == 0)
        print_rounds_of(&rows, n, want_json);
    tracked_rows_fini(&rows);
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

/* Takes off what only this command knows; -1: what stands there cannot be. */
static int read_wanted(int argc, char **argv, struct wanted *w, char **rest, int *n_rest)
{
    *w = (struct wanted){.scope = 'a'};
    *n_rest = 0;
    for (int i = 0; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        uint64_t days;
        if (i == 1 && strcmp(argv[i], "show") == 0) {
            continue;
        } else if (strcmp(argv[i], "--rounds") == 0) {
            w->want_rounds = true;
        } else if (strcmp(argv[i], "--business") == 0) {
            w->is_business = true;
        } else if (strcmp(argv[i], "--by") == 0 &&
                   (strcmp(value, "agent") == 0 || strcmp(value, "team") == 0 || strcmp(value, "shop") == 0)) {
            w->scope = value[0];
            i++;
        } else if (strcmp(argv[i], "--preset") == 0 && preset_find(value)) {
            w->preset = preset_find(value);
            i++;
        } else if (strcmp(argv[i], "--days") == 0 && span_u64(span_str(value), &days) && days >= 1 &&
                   days <= DAYS_MOST) {
            w->days = (int64_t)days;
            i++;
        } else if (*n_rest < ARGS_MOST) {
            rest[(*n_rest)++] = argv[i];
        } else {
            return -1;
        }
    }
    return 0;
}

static int ask_figures(struct tracked *t, struct agents *all, const struct wanted *w, int64_t hours)
{
    char from[24], to[24], scope[2] = {w->scope, '\0'};
    int64_t begin = w->days ? (all->now_ms / DAY_MS - w->days + 1) * DAY_MS : all->now_ms - hours * (int64_t)HOUR_MS;
    snprintf(from, sizeof(from), "%" PRId64, begin);
    snprintf(to, sizeof(to), "%" PRId64, all->now_ms);
    int rc = tracked_ask(t, on_figures, all, w->days ? "days" : "figures", from, to, scope, all->only ? all->only : "",
                         NULL);
    return rc ? rc : tracked_ask(t, on_waiting, all, "waiting", "10000", NULL);
}

int cli_agents(int argc, char **argv)
{
    struct tracked_args args;
    struct wanted w;
    char *rest[ARGS_MOST];
    int n_rest;
    size_t n;
    if (read_wanted(argc, argv, &w, rest, &n_rest) != 0 ||
        tracked_read_args(n_rest, rest, "WORD --hours", &args) != 0 ||
        (w.want_rounds && (!args.word || w.scope != 'a')))
        return cli_usage("agents");
    struct tracked *t = tracked_open(&args);
    if (!t)
        return CLI_FAILED;
    struct agents all = {.only = args.word, .now_ms = clock_wall_ms(), .scope = w.scope, .preset = w.preset};
    int rc = 0;
    if (!w.want_rounds || !args.want_json)
        rc = ask_figures(t, &all, &w, args.hours);
    struct agent **list = sorted(&all, &n);
    if (rc == 0 && args.want_json && !w.want_rounds)
        print_json(&all, list, n);
    else if (rc == 0 && w.preset && !args.want_json)
        print_preset(&all, list, n, w.preset);
    else if (rc == 0 && !args.want_json)
        print_table(&all, list, n, w.is_business);
    if (rc == 0 && args.word && w.scope == 'a' && (!args.want_json || w.want_rounds)) {
        if (!args.want_json)
            putchar('\n');
        rc = print_rounds(t, args.word, w.want_rounds ? ROUNDS_MOST : ROUNDS, args.want_json);
    }
    agents_fini(&all, list, n);
    tracked_close(&t);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}

#include <inttypes.h>

#include "cli/agents.h"
#include "cli/table.h"

enum { WITHIN_30_S = 1 };

static void json_replies(struct json_out *j, const char *key, const struct replies *r)
{
    static const char *const within[AGENTS_LIMITS] = {"within_3s", "within_30s", "within_60s", "within_3min",
                                                      "within_5min"};
    json_key(j, key);
    json_obj(j);
    json_key(j, "count"), json_int(j, (int64_t)r->hist.count);
    if (r->hist.count) { /* undefined is absent, never 0 */
        json_key(j, "mean_ms"), json_int(j, (int64_t)(r->hist.sum / r->hist.count));
        json_key(j, "p50_ms"), json_int(j, (int64_t)hist_quantile(&r->hist, 0.5));
        json_key(j, "p90_ms"), json_int(j, (int64_t)hist_quantile(&r->hist, 0.9));
        json_key(j, "p99_ms"), json_int(j, (int64_t)hist_quantile(&r->hist, 0.99));
    }
    for (size_t i = 0; i < AGENTS_LIMITS; i++)
        json_key(j, within[i]), json_int(j, r->within[i]);
    json_obj_end(j);
}

static const char *scope_name(const struct agents *all)
{
    if (all->is_each)
        return all->days ? "day" : "hour";
    return all->scope == 't' ? "team" : all->scope == 's' ? "shop" : "agent";
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

static void json_measured(struct json_out *j, const struct measure *m, const struct agent *a)
{
    char words[MEASURE_TEXT_MAX];
    int limit = measure_limit(m);
    json_key(j, "measured");
    json_obj(j);
    json_key(j, "name"), json_str(j, m->name);
    json_key(j, "measures"), json_str(j, measure_words(m, words));
    json_key(j, "unit"), json_str(j, measure_unit_name(m->unit));
    json_key(j, "counted"), json_int(j, (int64_t)a->measured.hist.count + a->unanswered);
    json_key(j, "unanswered"), json_int(j, a->unanswered);
    if (limit >= 0)
        json_key(j, "in_time"), json_int(j, a->measured.within[limit]);
    json_replies(j, "answered", &a->measured);
    json_obj_end(j);
}

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
    json_key(j, scope_name(all)), json_str(j, a->name);
    if (all->is_each && !all->days)
        json_key(j, "start_ms"), json_int(j, a->number * HOUR_MS);
    json_replies(j, "first", &a->first);
    json_replies(j, "next", &a->next);
    json_replies(j, "first_business", &a->first_open);
    json_replies(j, "next_business", &a->next_open);
    for (size_t i = 0; i < ARRAY_LEN(counts) - all->is_each; i++) /* of an earlier hour nobody knows who waited */
        json_key(j, counts[i].key), json_int(j, counts[i].n);
    if (all->measure.name[0])
        json_measured(j, &all->measure, a);
    if (all->preset)
        json_preset(j, all->preset, a);
    if (a->waits_since_ms)
        json_key(j, "longest_wait_ms"), json_int(j, MAX_OF(all->now_ms - a->waits_since_ms, 0));
    json_obj_end(j);
}

void agents_print_json(const struct agents *all, struct agent **list, size_t n)
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

static void add_waiting(struct table *t, const struct agents *all, const struct agent *a)
{
    if (all->is_each)
        table_add(t, span_str("-"));
    else
        table_addf(t, "%" PRId64, a->waiting);
}

void agents_print_table(const struct agents *all, struct agent **list, size_t n, bool is_business)
{
    char text[TRACKED_SPAN_MAX];
    const char *const head[] = {scope_name(all), "first replies", "p50",     "p90",    "p99",     "in 30 s",
                                "next replies",  "p50",           "p90",     "p99",    "in 30 s", "warned",
                                "rewritten",     "blocked",       "waiting", "longest"};
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
        add_waiting(t, all, a);
        table_add(
            t, span_str(a->waits_since_ms ? tracked_duration(MAX_OF(all->now_ms - a->waits_since_ms, 0), text) : "-"));
    }
    table_print(&t);
}

void agents_print_preset(const struct agents *all, struct agent **list, size_t n)
{
    const struct preset *p = all->preset;
    char text[TRACKED_SPAN_MAX];
    const char *const head[] = {scope_name(all), "counted", "within", "rate", "mean", "waiting"};
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
        add_waiting(t, all, list[i]);
    }
    printf("%s: %s, %s\n", p->name, p->measures, p->window);
    table_print(&t);
}

static void add_share(struct table *t, int64_t part, int64_t whole)
{
    if (whole)
        table_addf(t, "%.1f %%", 100.0 * (double)part / (double)whole);
    else
        table_add(t, span_str("-"));
}

static void add_time(struct table *t, bool is_known, uint64_t ms)
{
    char text[TRACKED_SPAN_MAX];
    table_add(t, span_str(is_known ? tracked_duration((int64_t)ms, text) : "-"));
}

static void add_measured(struct table *t, const struct agent *a, int limit)
{
    const struct hist *h = &a->measured.hist;
    int64_t counted = (int64_t)h->count + a->unanswered;
    table_add(t, span_str(a->name));
    table_addf(t, "%" PRId64, counted);
    table_addf(t, "%" PRId64, a->unanswered);
    add_share(t, (int64_t)h->count, counted);
    add_share(t, limit >= 0 ? a->measured.within[limit] : 0, limit >= 0 ? counted : 0);
    add_time(t, h->count > 0, h->count ? h->sum / h->count : 0);
    add_time(t, h->count > 0, hist_quantile(h, 0.5));
    add_time(t, h->count > 0, hist_quantile(h, 0.9));
}

void agents_print_measured(const struct agents *all, struct agent **list, size_t n)
{
    char words[MEASURE_TEXT_MAX];
    const char *const head[] = {scope_name(all), "counted", "unanswered", "answered", "in time", "mean", "p50", "p90"};
    if (!all->measure.name[0])
        return;
    struct table *t = table_new(ARRAY_LEN(head));
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = 0; i < n; i++)
        add_measured(t, list[i], measure_limit(&all->measure));
    printf("\n%s: %s\n", all->measure.name, measure_words(&all->measure, words));
    table_print(&t);
}

#include "board/view.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "board/put.h"

enum { WITHIN_30S = 1, WITHIN_180S = 3 };

static bool sees(const struct user *u, const char *team, const char *shop)
{
    return user_sees(u, span_str(team), span_str(shop));
}

bool agent_is_online(const struct agent *a)
{
    return a->on_ms > a->off_ms;
}

/* --- waiting --- */

static void put_waiting(struct json_out *j, const struct waiting *w)
{
    json_obj(j);
    put_str(j, "key", w->key);
    put_str(j, "conversation", w->conv);
    put_str(j, "customer", w->cust);
    put_str(j, "agent", w->agent);
    put_str(j, "team", w->team);
    put_str(j, "shop", w->shop);
    put_int(j, "since_ms", w->since_ms);
    put_int(j, "messages", w->n);
    json_obj_end(j);
}

void view_changes(struct json_out *j, const struct model *m, const struct user *u, bool is_full)
{
    struct span key;
    void *value;
    json_key(j, "full");
    json_bool(j, is_full);
    json_key(j, "del");
    json_arr(j);
    for (size_t i = 0; i < m->n_left && !is_full; i++)
        if (sees(u, m->left[i].team, m->left[i].shop))
            json_str(j, m->left[i].key);
    json_arr_end(j);
    json_key(j, "set");
    json_arr(j);
    for (size_t pos = 0; map_next(&m->waiting, &pos, &key, &value);) {
        const struct waiting *w = value;
        if ((is_full || w->changed_tick == m->tick) && sees(u, w->team, w->shop))
            put_waiting(j, w);
    }
    json_arr_end(j);
    json_key(j, "agents");
    json_arr(j);
    for (size_t pos = 0; map_next(&m->agents, &pos, &key, &value);) {
        const struct agent *a = value;
        if ((is_full || a->changed_tick == m->tick) && sees(u, a->team, a->shop))
            view_agent(j, a);
    }
    json_arr_end(j);
}

/* --- agents --- */

int64_t view_quantile(const uint32_t *bucket, double q)
{
    int64_t n = 0, below = 0;
    for (unsigned i = 0; bucket && i < HIST_BUCKETS; i++)
        n += bucket[i];
    if (!n)
        return -1;
    int64_t rank = (int64_t)hist_rank((uint64_t)n, q);
    unsigned i = 0;
    while (i < HIST_BUCKETS - 1 && (below += bucket[i]) < rank)
        i++;
    return (int64_t)hist_upper(i); /* as `chatgate agents` has it */
}

static void put_replies(struct json_out *j, const struct replies *r)
{
    put_int(j, "replies", r->n);
    put_int_or_null(j, "mean_ms", r->n ? r->sum_ms / r->n : 0, r->n > 0);
    put_ratio(j, "within_30s", r->within[WITHIN_30S], r->n);
    put_ratio(j, "within_180s", r->within[WITHIN_180S], r->n);
}

static struct replies sum_of(const struct replies *a, const struct replies *b)
{
    struct figures sum = {.first = *a}, more = {.first = *b};
    figures_add(&sum, &more);
    return sum.first;
}

static struct replies both(const struct figures *f)
{
    return sum_of(&f->first, &f->next);
}

static void put_counts(struct json_out *j, const struct figures *f)
{
    put_int(j, "incoming", f->count[COUNT_IN]);
    put_int(j, "passed", f->count[COUNT_PASS]);
    put_int(j, "warned", f->count[COUNT_WARN]);
    put_int(j, "rewritten", f->count[COUNT_REWRITE]);
    put_int(j, "held", f->count[COUNT_HOLD]);
    put_int(j, "blocked", f->count[COUNT_BLOCK]);
    put_int(j, "refused", f->count[COUNT_REFUSED]);
    put_int(j, "promises_kept", f->count[COUNT_KEPT]);
    put_int(j, "promises_broken", f->count[COUNT_BROKEN]);
    put_int(j, "promises_extended", f->count[COUNT_EXTENDED]);
}

static void put_first_and_next(struct json_out *j, const struct figures *f)
{
    json_key(j, "first");
    json_obj(j);
    put_replies(j, &f->first);
    json_obj_end(j);
    json_key(j, "next");
    json_obj(j);
    put_replies(j, &f->next);
    json_obj_end(j);
}

static void put_quantiles(struct json_out *j, const uint32_t *bucket)
{
    static const struct {
        const char *key;
        double q;
    } shown[] = {{"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}};
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        int64_t ms = view_quantile(bucket, shown[i].q);
        put_int_or_null(j, shown[i].key, ms, ms >= 0);
    }
}

static void put_day(struct json_out *j, const struct agent *a)
{
    struct replies all = both(&a->day), business = sum_of(&a->day.first_business, &a->day.next_business);
    put_replies(j, &all);
    put_quantiles(j, a->bucket);
    put_first_and_next(j, &a->day);
    json_key(j, "business");
    json_obj(j);
    put_replies(j, &business);
    put_quantiles(j, a->business);
    put_int_or_null(j, "first_mean_ms",
                    a->day.first_business.n ? a->day.first_business.sum_ms / a->day.first_business.n : 0,
                    a->day.first_business.n > 0);
    json_obj_end(j);
    put_counts(j, &a->day);
}

void view_agent_members(struct json_out *j, const struct agent *a, enum view_length length)
{
    put_str(j, "agent", a->id);
    put_str(j, "team", a->team);
    put_str(j, "shop", a->shop);
    put_str(j, "node", a->node);
    put_bool(j, "online", agent_is_online(a));
    put_int_or_null(j, "since_ms", agent_is_online(a) ? a->on_ms : a->off_ms, a->on_ms || a->off_ms);
    put_int_or_null(j, "open", a->open, a->open >= 0);
    put_int_or_null(j, "waiting", a->n_waiting, a->open >= 0);
    put_time(j, "longest_since_ms", a->longest_ms);
    if (length == VIEW_LONG)
        put_day(j, a);
}

void view_group_members(struct json_out *j, const struct agent *g)
{
    put_str(j, "name", g->id);
    put_int_or_null(j, "online", g->on_ms, g->open >= 0);
    put_int_or_null(j, "open", g->open, g->open >= 0);
    put_int_or_null(j, "waiting", g->n_waiting, g->open >= 0);
    put_time(j, "longest_since_ms", g->longest_ms);
    put_day(j, g);
}

int64_t view_in_time(const struct model *m, const struct agent *a)
{
    int limit = measure_limit(&m->measure);
    return limit >= 0 ? a->day.measured.within[limit] : -1;
}

void view_measured(struct json_out *j, const struct model *m, const struct agent *a)
{
    const struct replies *r = &a->day.measured;
    int64_t unanswered = a->day.count[COUNT_UNANSWERED] + a->n_lost, counted = r->n + unanswered;
    json_key(j, "measured");
    if (!m->measure.name[0]) {
        json_null(j);
        return;
    }
    json_obj(j);
    put_int(j, "counted", counted);
    put_int(j, "unanswered", unanswered);
    put_ratio(j, "answered", r->n, counted);
    put_ratio(j, "in_time", view_in_time(m, a), view_in_time(m, a) >= 0 ? counted : 0);
    put_int_or_null(j, "mean_ms", r->n ? r->sum_ms / r->n : 0, r->n > 0);
    json_obj_end(j);
}

/* --- how the times are distributed --- */

static const int64_t bounds_s[] = {3, 10, 30, 60, 120, 180, 300, 600, 1800};

static void put_bins(struct json_out *j, const char *key, const uint32_t *bucket)
{
    int64_t bin[ARRAY_LEN(bounds_s) + 1] = {0};
    for (unsigned i = 0; bucket && i < HIST_BUCKETS; i++) {
        unsigned at = 0;
        while (at < ARRAY_LEN(bounds_s) && i > hist_index((uint64_t)bounds_s[at] * 1000))
            at++;
        bin[at] += bucket[i];
    }
    json_key(j, key);
    json_arr(j);
    for (size_t i = 0; i < ARRAY_LEN(bin); i++)
        json_int(j, bin[i]);
    json_arr_end(j);
}

void view_distribution(struct json_out *j, const struct agent *a)
{
    json_key(j, "distribution");
    json_obj(j);
    json_key(j, "bounds_s");
    json_arr(j);
    for (size_t i = 0; i < ARRAY_LEN(bounds_s); i++)
        json_int(j, bounds_s[i]);
    json_arr_end(j);
    put_bins(j, "plain", a->bucket);
    put_bins(j, "business", a->business);
    json_obj_end(j);
}

void view_agent(struct json_out *j, const struct agent *a)
{
    json_obj(j);
    view_agent_members(j, a, VIEW_SHORT);
    json_obj_end(j);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct agent *const *)a)->id, (*(const struct agent *const *)b)->id);
}

const struct agent **view_agents(const struct model *m, const struct user *u, size_t *n)
{
    struct span key;
    void *value;
    const struct agent **list = xcalloc(m->agents.len + 1, sizeof(const struct agent *));
    *n = 0;
    for (size_t pos = 0; map_next(&m->agents, &pos, &key, &value);) {
        const struct agent *a = value;
        if (sees(u, a->team, a->shop))
            list[(*n)++] = a;
    }
    qsort(list, *n, sizeof(const struct agent *), by_name);
    return list;
}

/* --- today --- */

static bool is_hour_read(const struct model *m, unsigned hour)
{
    for (unsigned s = 0; s < m->n_shards; s++)
        if (!m->shard[s].hour[model_hour_slot(m, hour)])
            return false;
    return m->n_shards > 0;
}

static void put_hour(struct json_out *j, const struct model *m, unsigned hour, const struct figures *f)
{
    bool is_read = is_hour_read(m, hour);
    struct replies all = both(f);
    json_obj(j);
    put_int(j, "start_ms", m->day_start_ms + (int64_t)hour * 3600000);
    put_int_or_null(j, "replies", all.n, is_read);
    put_ratio(j, "within_30s", all.within[WITHIN_30S], all.n);
    put_ratio(j, "within_180s", all.within[WITHIN_180S], all.n);
    put_int_or_null(j, "blocked", f->count[COUNT_BLOCK], is_read);
    put_int_or_null(j, "rewritten", f->count[COUNT_REWRITE], is_read);
    put_int_or_null(j, "warned", f->count[COUNT_WARN], is_read);
    json_obj_end(j);
}

void view_today(struct json_out *j, const struct model *m, const struct user *u)
{
    struct figures hour[DAY_HOURS_MAX] = {0}, day = {0};
    struct span key;
    void *value;
    unsigned n = model_hours_today(m);
    for (size_t pos = 0; map_next(&m->agents, &pos, &key, &value);) {
        const struct agent *a = value;
        if (!sees(u, a->team, a->shop))
            continue;
        figures_add(&day, &a->day);
        for (unsigned h = 0; h < n; h++)
            figures_add(&hour[h], &a->hour[model_hour_slot(m, h)]);
    }
    struct replies all = both(&day);
    json_obj(j);
    put_int(j, "start_ms", m->day_start_ms);
    json_key(j, "complete");
    json_bool(j, m->is_swept);
    put_replies(j, &all);
    put_first_and_next(j, &day);
    put_counts(j, &day);
    json_key(j, "hours");
    json_arr(j);
    for (unsigned h = 0; h < n; h++)
        put_hour(j, m, h, &hour[h]);
    json_arr_end(j);
    json_obj_end(j);
}

void view_hours(struct json_out *j, const struct model *m, const struct agent *a)
{
    json_key(j, "hours");
    json_arr(j);
    for (unsigned h = 0; h < model_hours_today(m); h++)
        put_hour(j, m, h, &a->hour[model_hour_slot(m, h)]);
    json_arr_end(j);
}

#include "board/agent_days.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/civil.h"
#include "base/xalloc.h"
#include "board/view.h"

enum { CHUNK = 50 }; /* agents a question: some milliseconds of Redis each */

const char *agent_day_name(const struct model *m, int64_t start_ms, char out[16])
{
    return agent_day_name_in(m, 0, start_ms, out);
}

const char *agent_day_name_in(const struct model *m, unsigned zone, int64_t start_ms, char out[16])
{
    struct civil c = civil_of_day(model_zone_date(m, zone, start_ms));
    snprintf(out, 16, "%04d-%02u-%02u", (int)c.year, c.month, c.day);
    return out;
}

bool agent_days_query(const struct request *r, struct agent_days *d)
{
    const struct model *m = r->board->model;
    const char *day = web_query(r, "day"), *by = web_query(r, "by");
    char name[16];
    d->by = strcmp(by, "team") == 0 ? BY_TEAM : strcmp(by, "shop") == 0 ? BY_SHOP : BY_AGENT;
    if (*by && d->by == BY_AGENT && strcmp(by, "agent") != 0) {
        web_error(r->http, 400, "query", "by must be agent, team or shop");
        return false;
    }
    for (d->days_ago = 0; d->days_ago < AGENT_DAYS; d->days_ago++) {
        d->start_ms = model_day_start(m, d->days_ago);
        if (!*day || strcmp(agent_day_name(m, d->start_ms, name), day) == 0)
            return true;
    }
    web_error(r->http, 400, "query", "day must be a date, YYYY-MM-DD, of the last 8 days");
    return false;
}

/* --- rows --- */

static uint32_t *copy_buckets(const uint32_t *b)
{
    if (!b)
        return NULL;
    uint32_t *copy = xcalloc(HIST_BUCKETS, sizeof(*copy));
    memcpy(copy, b, HIST_BUCKETS * sizeof(*copy));
    return copy;
}

static void add_buckets(uint32_t **to, const uint32_t *from)
{
    if (!*to)
        *to = copy_buckets(from);
    else
        for (unsigned i = 0; from && i < HIST_BUCKETS; i++)
            (*to)[i] += from[i];
}

static struct agent row_of(const struct agent *a, bool is_today)
{
    struct agent row = {.id = xstrdup(a->id),
                        .team = xstrdup(a->team),
                        .shop = xstrdup(a->shop),
                        .node = xstrdup(a->node),
                        .zone = a->zone};
    row.open = -1; /* that was not kept */
    if (!is_today)
        return row;
    row.on_ms = a->on_ms;
    row.off_ms = a->off_ms;
    row.open = a->open;
    row.n_waiting = a->n_waiting;
    row.n_lost = a->n_lost;
    row.longest_ms = a->longest_ms;
    row.day = a->day;
    row.bucket = copy_buckets(a->bucket);
    row.business = copy_buckets(a->business);
    return row;
}

static void free_row(struct agent *a)
{
    free(a->id);
    free(a->team);
    free(a->shop);
    free(a->node);
    free(a->bucket);
    free(a->business);
}

void agent_days_free(struct agent_days *d)
{
    for (size_t i = 0; i < d->n; i++)
        free_row(&d->row[i]);
    free(d->row);
    free(d);
}

static void give_up(struct agent_days *d)
{
    job_no_redis(d->job);
    agent_days_free(d);
}

/* --- groups --- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct agent *)a)->id, ((const struct agent *)b)->id);
}

/* Agents count for the team and shop that they belong to now. */
static void group(struct agent_days *d)
{
    struct agent *groups = xcalloc(d->n + 1, sizeof(*groups));
    struct map by_name = {0};
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct agent *a = &d->row[i], *g;
        const char *name = d->by == BY_TEAM ? a->team : a->shop;
        g = map_get(&by_name, span_str(name));
        if (!g) {
            g = &groups[n++];
            *g = (struct agent){.id = xstrdup(name), .team = xstrdup(""), .shop = xstrdup(""), .node = xstrdup("")};
            map_put(&by_name, span_str(name), g);
        }
        g->on_ms += agent_is_online(a);
        g->open = a->open < 0 ? -1 : g->open + a->open;
        g->n_waiting += a->n_waiting;
        g->n_lost += a->n_lost;
        if (a->longest_ms && (!g->longest_ms || a->longest_ms < g->longest_ms))
            g->longest_ms = a->longest_ms;
        figures_add(&g->day, &a->day);
        add_buckets(&g->bucket, a->bucket);
        add_buckets(&g->business, a->business);
        free_row(a);
    }
    free(d->row);
    map_fini(&by_name);
    qsort(groups, n, sizeof(*groups), by_id);
    d->row = groups;
    d->n = n;
}

static void finish(struct agent_days *d)
{
    if (d->by != BY_AGENT)
        group(d);
    d->fn(d);
}

/* --- an earlier day --- */

static void ask_next(struct agent_days *d);

/* Behind the last one of those who are asked for at once: they have the same day. */
static size_t end_of_part(const struct agent_days *d)
{
    size_t to = d->next;
    while (to < d->n && to < d->next + CHUNK && d->row[to].zone == d->row[d->next].zone)
        to++;
    return to;
}

static void on_part(void *ctx, const struct gather *g)
{
    struct agent_days *d = ctx;
    if (g->error) {
        give_up(d);
        return;
    }
    size_t from = d->next, to = end_of_part(d);
    struct map rows = {0};
    for (size_t i = from; i < to; i++)
        map_put(&rows, span_str(d->row[i].id), &d->row[i]);
    for (unsigned s = 0; s < g->n; s++) {
        for (size_t i = 1; i < g->reply[s]->n; i++) {
            struct agent *a = map_get(&rows, row_text(redis_item(g->reply[s], i), 0));
            if (a)
                model_add_day(a, redis_item(g->reply[s], i));
        }
    }
    map_fini(&rows);
    d->next = to;
    ask_next(d);
}

static void ask_next(struct agent_days *d)
{
    struct model *m = d->job->board->model;
    struct buf names = {0};
    char hours[64];
    if (d->next >= d->n) {
        finish(d);
        return;
    }
    unsigned zone = d->row[d->next].zone;
    snprintf(hours, sizeof(hours), "%lld,%lld", (long long)(model_zone_start(m, zone, d->days_ago) / HOUR_MS),
             (long long)(model_zone_end(m, zone, d->days_ago) / HOUR_MS));
    for (size_t i = d->next; i < end_of_part(d); i++)
        buf_printf(&names, "%s\n", d->row[i].id);
    if (!model_ask(m, on_part, d, MODEL_EXTRA, "day", hours, buf_cstr(&names)))
        give_up(d);
    buf_fini(&names);
}

void agent_days_ask(struct agent_days *d)
{
    const struct model *m = d->job->board->model;
    const struct user *u = board_user(d->job->board, span_str(d->job->name));
    size_t n = 0;
    const struct agent **list = u ? view_agents(m, u, &n) : NULL;
    d->row = xcalloc(n + 1, sizeof(*d->row));
    for (size_t i = 0; i < n; i++)
        if (!*d->only || strcmp(list[i]->id, d->only) == 0)
            d->row[d->n++] = row_of(list[i], d->days_ago == 0);
    free(list);
    d->is_complete = d->days_ago > 0 || m->is_swept;
    if (d->days_ago == 0)
        finish(d);
    else
        ask_next(d);
}

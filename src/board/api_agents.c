#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/agent_days.h"
#include "board/put.h"
#include "board/view.h"

static void begin(struct request *r, void (*fn)(struct agent_days *d), const char *only)
{
    struct agent_days *d = xcalloc(1, sizeof(*d));
    model_want(r->board->model);
    if (!agent_days_query(r, d)) {
        free(d);
        return;
    }
    d->job = job_new(r);
    d->fn = fn;
    snprintf(d->only, sizeof(d->only), "%s", only);
    agent_days_ask(d);
}

/* How the deployment measures, or null. */
static void put_measure(struct json_out *j, const struct measure *m)
{
    char words[MEASURE_TEXT_MAX];
    json_key(j, "measure");
    if (!m->name[0]) {
        json_null(j);
        return;
    }
    json_obj(j);
    put_str(j, "name", m->name);
    put_str(j, "measures", measure_words(m, words));
    put_str(j, "unit", measure_unit_name(m->unit));
    put_time(j, "within_ms", m->within_ms);
    put_int_or_null(j, "session_gap_ms", m->session_gap_ms, m->unit == UNIT_OF_SESSION);
    put_str(j, "counts", measure_by_name(m->by));
    put_int_or_null(j, "from_ms", m->from_ms, m->from_ms >= 0);
    put_int_or_null(j, "to_ms", m->to_ms, m->from_ms >= 0);
    put_int_or_null(j, "horizon_ms", m->horizon_ms == MEASURE_DAY ? 0 : m->horizon_ms, m->horizon_ms != 0);
    json_obj_end(j);
}

/* The day of that zone. */
static void put_head(struct json_out *j, const struct agent_days *d, unsigned zone)
{
    static const char *const by[] = {"agent", "team", "shop"};
    const struct model *m = d->job->board->model;
    int64_t start_ms = zone ? model_zone_start(m, zone, d->days_ago) : d->start_ms;
    char name[16];
    put_str(j, "day", agent_day_name_in(m, zone, start_ms, name));
    put_int(j, "start_ms", start_ms);
    put_bool(j, "today", d->days_ago == 0);
    put_bool(j, "complete", d->is_complete);
    put_str(j, "by", by[d->by]);
    put_measure(j, &d->job->board->model->measure);
}

/* The date where the agent works. */
static const char *day_of(const struct agent_days *d, const struct agent *a, char out[16])
{
    const struct model *m = d->job->board->model;
    return agent_day_name_in(m, a->zone, model_zone_start(m, a->zone, d->days_ago), out);
}

static void on_table(struct agent_days *d)
{
    struct buf out = {0};
    struct json_out j = {&out, false};
    char day[16];
    json_obj(&j);
    put_head(&j, d, 0);
    json_key(&j, d->by == BY_AGENT ? "agents" : "groups");
    json_arr(&j);
    for (size_t i = 0; i < d->n; i++) {
        json_obj(&j);
        if (d->by == BY_AGENT)
            put_str(&j, "day", day_of(d, &d->row[i], day)), view_agent_members(&j, &d->row[i], VIEW_LONG);
        else
            view_group_members(&j, &d->row[i]);
        view_measured(&j, d->job->board->model, &d->row[i]);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    web_json(d->job->http, 200, &out);
    job_free(d->job);
    agent_days_free(d);
}

void api_agents(struct request *r)
{
    begin(r, on_table, "");
}

/* --- CSV: RFC 4180 --- */

/* A text that a spreadsheet could take for a formula gets an apostrophe. */
static void put_cell(struct buf *out, const char *text)
{
    buf_append_str(out, "\"");
    if (strchr("=+-@\t\r", text[0]) && text[0])
        buf_append_str(out, "'");
    for (; *text; text++)
        buf_append_str(out, *text == '"' ? "\"\"" : (char[]){*text, '\0'});
    buf_append_str(out, "\",");
}

static void put_share(struct buf *out, int64_t part, int64_t whole)
{
    if (whole > 0)
        buf_printf(out, "%.4f", (double)part / (double)whole);
    buf_append_str(out, ",");
}

static void put_ms(struct buf *out, int64_t ms)
{
    if (ms >= 0)
        buf_printf(out, "%lld", (long long)ms);
    buf_append_str(out, ",");
}

static void put_number(struct buf *out, int64_t v, const char *end)
{
    buf_printf(out, "%lld%s", (long long)v, end);
}

static void put_replies(struct buf *out, const struct replies *first, const struct replies *next,
                        const uint32_t *bucket)
{
    int64_t n = first->n + next->n;
    put_number(out, n, ",");
    put_share(out, first->within[1] + next->within[1], n);
    put_share(out, first->within[3] + next->within[3], n);
    put_ms(out, view_quantile(bucket, 0.5));
    put_ms(out, view_quantile(bucket, 0.9));
    put_ms(out, view_quantile(bucket, 0.99));
    put_ms(out, first->n ? first->sum_ms / first->n : -1);
}

static void put_measured(struct buf *out, const struct model *m, const struct agent *a)
{
    const struct replies *r = &a->day.measured;
    int64_t unanswered = a->day.count[COUNT_UNANSWERED] + a->n_lost, counted = r->n + unanswered;
    if (!m->measure.name[0]) {
        buf_append_str(out, ",,,,");
        return;
    }
    put_number(out, counted, ",");
    put_number(out, unanswered, ",");
    put_share(out, r->n, counted);
    put_share(out, view_in_time(m, a), view_in_time(m, a) >= 0 ? counted : 0);
    if (r->n)
        buf_printf(out, "%lld", (long long)(r->sum_ms / r->n));
}

static void put_row(struct buf *out, const struct agent_days *d, const struct agent *a)
{
    const struct figures *f = &a->day;
    char name[16];
    put_cell(out, a->id);
    if (d->by == BY_AGENT) {
        put_cell(out, a->team);
        put_cell(out, a->shop);
    }
    if (d->days_ago)
        buf_append_str(out, ",,,");
    else if (d->by == BY_AGENT)
        buf_printf(out, "%s,%lld,%u,", agent_is_online(a) ? "true" : "false", (long long)a->open, a->n_waiting);
    else
        buf_printf(out, "%lld,%lld,%u,", (long long)a->on_ms, (long long)a->open, a->n_waiting);
    put_replies(out, &f->first, &f->next, a->bucket);
    put_replies(out, &f->first_business, &f->next_business, a->business);
    put_number(out, f->count[COUNT_BLOCK], ",");
    put_number(out, f->count[COUNT_REWRITE], ",");
    put_number(out, f->count[COUNT_WARN], ",");
    put_number(out, f->count[COUNT_KEPT], ",");
    put_number(out, f->count[COUNT_BROKEN], ",");
    put_measured(out, d->job->board->model, a);
    if (d->by == BY_AGENT)
        buf_printf(out, ",%s", day_of(d, a, name));
    buf_append_str(out, "\r\n");
}

static void on_csv(struct agent_days *d)
{
    static const char *const heads[] = {"agent,team,shop", "team", "shop"};
    static const char figures[] = "replies,within_30s,within_180s,p50_ms,p90_ms,p99_ms,first_mean_ms";
    struct buf out = {0};
    char day[16], name[64];
    buf_printf(&out, "%s,online,open,waiting,%s", heads[d->by], figures);
    for (const char *at = figures; *at; at += strcspn(at, ","), at += *at == ',')
        buf_printf(&out, ",business_%.*s", (int)strcspn(at, ","), at);
    buf_append_str(&out, ",blocked,rewritten,warned,promises_kept,promises_broken,measured_counted,"
                         "measured_unanswered,measured_answered,measured_in_time,measured_mean_ms");
    buf_append_str(&out, d->by == BY_AGENT ? ",day\r\n" : "\r\n");
    for (size_t i = 0; i < d->n; i++)
        put_row(&out, d, &d->row[i]);
    struct evbuffer *body = evbuffer_new();
    evbuffer_add(body, buf_span(&out).p, out.len);
    snprintf(name, sizeof(name), "attachment; filename=\"agents-%s.csv\"",
             agent_day_name(d->job->board->model, d->start_ms, day));
    web_header(d->job->http, "Content-Type", "text/csv; charset=utf-8");
    web_header(d->job->http, "Content-Disposition", name);
    evhttp_send_reply(d->job->http, 200, NULL, body);
    evbuffer_free(body);
    buf_fini(&out);
    job_free(d->job);
    agent_days_free(d);
}

void api_agents_csv(struct request *r)
{
    begin(r, on_csv, "");
}

/* --- one agent, with the rounds behind the figures --- */

enum { ROUNDS_MOST = 500, ROUNDS_SHOWN = 300 };
/* A row of the question `rounds`. */
enum {
    ROUND_CONV,
    ROUND_CUSTOMER,
    ROUND_START,
    ROUND_END,
    ROUND_AGENT,
    ROUND_TEAM,
    ROUND_SHOP,
    ROUND_FIRST,
    ROUND_MESSAGES,
    ROUND_BUSINESS, /* ms in business hours, -1: unknown; gateways of before do not write it */
    ROUND_MEASURED  /* what its units came to, where they are measured */
};

static int newest_first(const void *pa, const void *pb)
{
    const struct redis_reply *a = *(const struct redis_reply *const *)pa, *b = *(const struct redis_reply *const *)pb;
    int64_t diff = row_int(b, ROUND_END) - row_int(a, ROUND_END);
    return (diff > 0) - (diff < 0);
}

static void put_str_or_null(struct json_out *j, const char *key, struct span v)
{
    json_key(j, key);
    if (v.n)
        json_span(j, v);
    else
        json_null(j);
}

static void put_round(struct json_out *j, const struct redis_reply *row)
{
    bool has_business = row->n > ROUND_BUSINESS && row_int(row, ROUND_BUSINESS) >= 0;
    json_obj(j);
    put_span(j, "conversation", row_text(row, ROUND_CONV));
    put_span(j, "customer", row_text(row, ROUND_CUSTOMER));
    put_span(j, "team", row_text(row, ROUND_TEAM));
    put_span(j, "shop", row_text(row, ROUND_SHOP));
    put_int(j, "start_ms", row_int(row, ROUND_START));
    put_int(j, "end_ms", row_int(row, ROUND_END));
    put_int(j, "messages", row_int(row, ROUND_MESSAGES));
    put_bool(j, "first", row_int(row, ROUND_FIRST) == 1);
    put_str_or_null(j, "measured", row->n > ROUND_MEASURED ? row_text(row, ROUND_MEASURED) : span_of("", 0));
    put_int_or_null(j, "business_ms", has_business ? row_int(row, ROUND_BUSINESS) : 0, has_business);
    json_obj_end(j);
}

static void put_rounds(struct json_out *j, const struct gather *g, const struct user *u, int64_t from_ms, int64_t to_ms)
{
    size_t n = 0, all = 0;
    for (unsigned s = 0; s < g->n; s++)
        all += g->reply[s]->n;
    const struct redis_reply **row = xcalloc(all + 1, sizeof(const struct redis_reply *));
    for (unsigned s = 0; s < g->n; s++) {
        for (size_t i = 1; i < g->reply[s]->n; i++) {
            const struct redis_reply *one = redis_item(g->reply[s], i);
            int64_t end = row_int(one, ROUND_END);
            if (end >= from_ms && end < to_ms && user_sees(u, row_text(one, ROUND_TEAM), row_text(one, ROUND_SHOP)))
                row[n++] = one;
        }
    }
    qsort(row, n, sizeof(const struct redis_reply *), newest_first);
    json_key(j, "rounds");
    json_arr(j);
    for (size_t i = 0; i < MIN_OF(n, ROUNDS_SHOWN); i++)
        put_round(j, row[i]);
    json_arr_end(j);
    free(row);
}

static void no_agent(struct agent_days *d)
{
    web_error(d->job->http, 404, "agent", "no such agent");
    job_free(d->job);
    agent_days_free(d);
}

static void on_rounds(void *ctx, const struct gather *g)
{
    struct agent_days *d = ctx;
    struct job *job = d->job;
    const struct model *m = job->board->model;
    const struct user *u = board_user(job->board, span_str(job->name));
    const struct agent *now = map_get(&m->agents, span_str(d->only));
    if (g->error) {
        job_no_redis(job);
        agent_days_free(d);
        return;
    }
    if (!u || !now) {
        no_agent(d);
        return;
    }
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    unsigned zone = d->row[0].zone;
    put_head(&j, d, zone);
    view_agent_members(&j, &d->row[0], VIEW_LONG);
    view_measured(&j, m, &d->row[0]);
    view_distribution(&j, &d->row[0]);
    if (d->days_ago == 0)
        view_hours(&j, m, now);
    put_rounds(&j, g, u, model_zone_start(m, zone, d->days_ago), model_zone_end(m, zone, d->days_ago));
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    job_free(job);
    agent_days_free(d);
}

static void on_agent(struct agent_days *d)
{
    char most[16];
    snprintf(most, sizeof(most), "%d", ROUNDS_MOST);
    if (!d->n || d->by != BY_AGENT) {
        no_agent(d);
    } else if (!model_ask(d->job->board->model, on_rounds, d, MODEL_READ, "rounds", d->only, most)) {
        job_no_redis(d->job);
        agent_days_free(d);
    }
}

void api_agent(struct request *r)
{
    begin(r, on_agent, r->id);
}

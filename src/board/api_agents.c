#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/job.h"
#include "board/view.h"

void api_agents(struct request *r)
{
    const struct model *m = r->board->model;
    struct buf out = {0};
    struct json_out j = {&out, false};
    size_t n;
    model_want(r->board->model);
    const struct agent **list = view_agents(m, r->user, &n);
    json_obj(&j);
    json_key(&j, "start_ms");
    json_int(&j, m->day_start_ms);
    json_key(&j, "complete");
    json_bool(&j, m->is_swept);
    json_key(&j, "agents");
    json_arr(&j);
    for (size_t i = 0; i < n; i++)
        view_agent(&j, list[i], true);
    json_arr_end(&j);
    json_obj_end(&j);
    free(list);
    web_json(r->http, 200, &out);
}

/* RFC 4180; a text that a spreadsheet could take for a formula gets an apostrophe. */
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

static void put_quantile(struct buf *out, const struct agent *a, double q)
{
    int64_t ms = view_quantile(a, q);
    if (ms >= 0)
        buf_printf(out, "%lld", (long long)ms);
    buf_append_str(out, ",");
}

static void put_row(struct buf *out, const struct agent *a)
{
    const struct figures *f = &a->day;
    int64_t n = f->first.n + f->next.n;
    put_cell(out, a->id);
    put_cell(out, a->team);
    put_cell(out, a->shop);
    buf_printf(out, "%s,%lld,%u,%lld,", agent_is_online(a) ? "true" : "false", (long long)a->open, a->n_waiting,
               (long long)n);
    put_share(out, f->first.within[1] + f->next.within[1], n);
    put_share(out, f->first.within[3] + f->next.within[3], n);
    put_quantile(out, a, 0.5);
    put_quantile(out, a, 0.9);
    put_quantile(out, a, 0.99);
    if (f->first.n)
        buf_printf(out, "%lld", (long long)(f->first.sum_ms / f->first.n));
    buf_printf(out, ",%lld,%lld,%lld,%lld,%lld\r\n", (long long)f->count[COUNT_BLOCK],
               (long long)f->count[COUNT_REWRITE], (long long)f->count[COUNT_WARN], (long long)f->count[COUNT_KEPT],
               (long long)f->count[COUNT_BROKEN]);
}

void api_agents_csv(struct request *r)
{
    struct buf out = {0};
    size_t n;
    model_want(r->board->model);
    const struct agent **list = view_agents(r->board->model, r->user, &n);
    buf_append_str(
        &out, "agent,team,shop,online,open,waiting,replies,within_30s,within_180s,p50_ms,p90_ms,p99_ms,first_mean_ms,"
              "blocked,rewritten,warned,promises_kept,promises_broken\r\n");
    for (size_t i = 0; i < n; i++)
        put_row(&out, list[i]);
    free(list);
    struct evbuffer *body = evbuffer_new();
    evbuffer_add(body, buf_span(&out).p, out.len);
    web_header(r->http, "Content-Type", "text/csv; charset=utf-8");
    web_header(r->http, "Content-Disposition", "attachment; filename=\"agents.csv\"");
    evhttp_send_reply(r->http, 200, NULL, body);
    evbuffer_free(body);
    buf_fini(&out);
}

/* --- one agent, with the rounds behind the figures --- */

enum { ROUNDS_MOST = 200 };
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
    ROUND_MESSAGES
};

static int newest_first(const void *pa, const void *pb)
{
    const struct redis_reply *a = *(const struct redis_reply *const *)pa, *b = *(const struct redis_reply *const *)pb;
    int64_t diff = row_int(b, ROUND_END) - row_int(a, ROUND_END);
    return (diff > 0) - (diff < 0);
}

static void put_round(struct json_out *j, const struct redis_reply *row)
{
    static const struct {
        const char *key;
        unsigned at;
    } texts[] = {{"conversation", ROUND_CONV},
                 {"customer", ROUND_CUSTOMER},
                 {"team", ROUND_TEAM},
                 {"shop", ROUND_SHOP}},
      numbers[] = {{"start_ms", ROUND_START}, {"end_ms", ROUND_END}, {"messages", ROUND_MESSAGES}};
    json_obj(j);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_key(j, texts[i].key);
        json_span(j, row_text(row, texts[i].at));
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_key(j, numbers[i].key);
        json_int(j, row_int(row, numbers[i].at));
    }
    json_key(j, "first");
    json_bool(j, row_int(row, ROUND_FIRST) == 1);
    json_obj_end(j);
}

static void put_rounds(struct json_out *j, const struct gather *g, const struct user *u)
{
    size_t n = 0, all = 0;
    for (unsigned s = 0; s < g->n; s++)
        all += g->reply[s]->n;
    const struct redis_reply **row = xcalloc(all + 1, sizeof(const struct redis_reply *));
    for (unsigned s = 0; s < g->n; s++) {
        for (size_t i = 1; i < g->reply[s]->n; i++) {
            const struct redis_reply *one = redis_item(g->reply[s], i);
            if (user_sees(u, row_text(one, ROUND_TEAM), row_text(one, ROUND_SHOP)))
                row[n++] = one;
        }
    }
    qsort(row, n, sizeof(const struct redis_reply *), newest_first);
    json_key(j, "rounds");
    json_arr(j);
    for (size_t i = 0; i < MIN_OF(n, ROUNDS_MOST); i++)
        put_round(j, row[i]);
    json_arr_end(j);
    free(row);
}

static const struct agent *visible_agent(const struct model *m, const struct user *u, const char *id)
{
    const struct agent *a = map_get(&m->agents, span_str(id));
    return a && user_sees(u, span_str(a->team), span_str(a->shop)) ? a : NULL;
}

static void on_rounds(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    if (g->error) {
        job_no_redis(job);
        return;
    }
    const struct user *u = job_user(job);
    if (!u)
        return;
    const struct model *m = job->board->model;
    const struct agent *a = visible_agent(m, u, job->id);
    if (!a) {
        web_error(job->http, 404, "agent", "no such agent");
        job_free(job);
        return;
    }
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    view_agent_members(&j, a, true);
    view_hours(&j, m, a);
    put_rounds(&j, g, u);
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    job_free(job);
}

void api_agent(struct request *r)
{
    struct job *j = job_new(r);
    char most[16];
    snprintf(most, sizeof(most), "%d", ROUNDS_MOST);
    model_want(r->board->model);
    if (!visible_agent(r->board->model, r->user, j->id)) {
        web_error(r->http, 404, "agent", "no such agent");
        job_free(j);
    } else if (!model_ask(r->board->model, on_rounds, j, MODEL_READ, "rounds", j->id, most)) {
        job_no_redis(j);
    }
}

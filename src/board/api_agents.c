#include <event2/buffer.h>
#include <stdlib.h>

#include "board/view.h"
#include "board/web.h"

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
        view_agent(&j, m, list[i], true);
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
    buf_printf(out, "%lld,%lld,%lld,%lld,%lld\r\n", (long long)f->count[COUNT_BLOCK],
               (long long)f->count[COUNT_REWRITE], (long long)f->count[COUNT_WARN], (long long)f->count[COUNT_KEPT],
               (long long)f->count[COUNT_BROKEN]);
}

void api_agents_csv(struct request *r)
{
    struct buf out = {0};
    size_t n;
    model_want(r->board->model);
    const struct agent **list = view_agents(r->board->model, r->user, &n);
    buf_append_str(&out, "agent,team,shop,online,open,waiting,replies,within_30s,within_180s,p50_ms,p90_ms,p99_ms,"
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

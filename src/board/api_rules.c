/* The rules in force: what gateways run, how often each rule hit on the last days, and what people think of it. Who
 * sees all teams gets the figures of rules; others those of their agents, added up. */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/job.h"
#include "board/put.h"
#include "board/rule_rows.h"
#include "board/view.h"

enum { AGENTS_AT_ONCE = 500 };

/* --- the answer --- */

static void put_day_starts(struct json_out *j, const struct model *m)
{
    json_key(j, "days");
    json_arr(j);
    for (unsigned d = 0; d < RULE_DAYS; d++)
        json_int(j, model_day_start(m, RULE_DAYS - 1 - d));
    json_arr_end(j);
}

/* Frees the rows and the job. */
static void answer(struct job *job, struct rule_rows *a, bool is_whole)
{
    const struct model *m = job->board->model;
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    put_int(&j, "now_ms", m->nodes.now_ms);
    put_day_starts(&j, m);
    put_bool(&j, "whole", is_whole);
    json_key(&j, "nodes");
    json_arr(&j);
    for (size_t i = 0; i < m->nodes.n; i++)
        node_put(&j, &m->nodes, &m->nodes.list[i], false);
    json_arr_end(&j);
    json_key(&j, "rules");
    rule_rows_put(&j, &m->nodes, a, is_whole);
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    rule_rows_free(a);
    job_free(job);
}

static void add_all(struct rule_rows *a, const struct redis_reply *shard)
{
    for (size_t i = 1; i < shard->n; i++)
        rule_rows_add_hits(a, redis_item(shard, i));
}

/* --- all teams --- */

static void on_rules(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    struct rule_rows a = {0};
    if (g->error) {
        job_no_redis(job);
        return;
    }
    rule_rows_collect(&a, &job->board->model->nodes);
    for (unsigned s = 0; s < g->n; s++)
        add_all(&a, g->reply[s]);
    rule_rows_add_feedback(&a, job->extra);
    answer(job, &a, true);
}

static void on_feedback(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    struct model *m = job->board->model;
    struct rule_rows a = {0};
    struct buf borders = {0}, ids = {0};
    if (redis_is_error(reply)) {
        job_no_redis(job);
        return;
    }
    job->extra = redis_reply_copy(reply);
    rule_rows_collect(&a, &m->nodes);
    for (unsigned d = 0; d < RULE_DAYS; d++)
        buf_printf(&borders, "%lld,", (long long)(model_day_start(m, RULE_DAYS - 1 - d) / HOUR_MS));
    buf_printf(&borders, "%lld", (long long)(m->redis_now_ms / 3600000 + 1));
    rule_rows_ids(&a, &ids);
    if (!model_ask(m, on_rules, job, MODEL_EXTRA, "rules", buf_cstr(&borders), buf_cstr(&ids)))
        job_no_redis(job);
    buf_fini(&borders);
    buf_fini(&ids);
    rule_rows_free(&a);
}

/* --- some teams: the hits of agents whom the user sees --- */

struct hits {
    struct job *job;
    char **name; /* of agents */
    size_t n, next;
    struct redis_reply **reply; /* of shards, one part behind the other: rules may be others when the last one comes */
    size_t n_replies;
};

static void free_hits(struct hits *h)
{
    for (size_t i = 0; i < h->n; i++)
        free(h->name[i]);
    for (size_t i = 0; i < h->n_replies; i++)
        redis_reply_free(h->reply[i]);
    free(h->name);
    free(h->reply);
    free(h);
}

static void finish(struct hits *h)
{
    struct rule_rows a = {0};
    rule_rows_collect(&a, &h->job->board->model->nodes);
    for (size_t i = 0; i < h->n_replies; i++)
        add_all(&a, h->reply[i]);
    answer(h->job, &a, false);
    free_hits(h);
}

static void give_up(struct hits *h)
{
    job_no_redis(h->job);
    free_hits(h);
}

static void ask_next(struct hits *h);

static void on_part(void *ctx, const struct gather *g)
{
    struct hits *h = ctx;
    if (g->error) {
        give_up(h);
        return;
    }
    h->reply = xrealloc(h->reply, (h->n_replies + g->n) * sizeof(struct redis_reply *));
    for (unsigned s = 0; s < g->n; s++)
        h->reply[h->n_replies++] = redis_reply_copy(g->reply[s]);
    h->next += AGENTS_AT_ONCE;
    ask_next(h);
}

static void ask_next(struct hits *h)
{
    struct model *m = h->job->board->model;
    struct buf names = {0};
    char days[64];
    if (h->next >= h->n) {
        finish(h);
        return;
    }
    long long last = model_zone_date(m, 0, m->redis_now_ms);
    snprintf(days, sizeof(days), "%lld,%lld", last - RULE_DAYS + 1, last + 1);
    for (size_t i = h->next; i < MIN_OF(h->next + AGENTS_AT_ONCE, h->n); i++)
        buf_printf(&names, "%s\n", h->name[i]);
    if (!model_ask(m, on_part, h, MODEL_EXTRA, "hits", days, buf_cstr(&names)))
        give_up(h);
    buf_fini(&names);
}

static void ask_hits(struct job *job, const struct user *u)
{
    struct hits *h = xcalloc(1, sizeof(*h));
    const struct agent **list = view_agents(job->board->model, u, &h->n);
    h->job = job;
    h->name = xcalloc(h->n + 1, sizeof(char *));
    for (size_t i = 0; i < h->n; i++)
        h->name[i] = xstrdup(list[i]->id);
    free(list);
    ask_next(h);
}

void api_rules(struct request *r)
{
    struct job *j = job_new(r);
    struct model *m = r->board->model;
    model_want(m);
    bool sees_all = r->user->teams.is_all && r->user->shops.is_all;
    if (!m->nodes.now_ms || !m->redis_now_ms || (!sees_all && !m->complete_ms))
        job_no_redis(j);
    else if (sees_all)
        redis_command_str(r->board->redis, on_feedback, j, "HGETALL", FEEDBACK_RULES_KEY, NULL);
    else
        ask_hits(j, r->user);
}

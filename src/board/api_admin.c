#include <stdlib.h>

#include "base/xalloc.h"
#include "board/job.h"
#include "board/view.h"

/* --- health --- */

static void put_nodes(struct json_out *j, const struct model *m)
{
    json_key(j, "nodes");
    json_arr(j);
    for (size_t i = 0; i < m->nodes.n; i++)
        node_put(j, &m->nodes, &m->nodes.list[i], true);
    json_arr_end(j);
}

static void put_totals(struct json_out *j, const struct gather *g)
{
    static const char *const names[] = {"events", "lost", "late", "dup", "bad", "forgotten"};
    int64_t sum[ARRAY_LEN(names)] = {0};
    for (unsigned s = 0; s < g->n; s++)
        for (size_t i = 1; i < g->reply[s]->n; i++)
            for (size_t k = 0; k < ARRAY_LEN(names); k++)
                if (span_is(row_text(redis_item(g->reply[s], i), 0), names[k]))
                    sum[k] += row_int(redis_item(g->reply[s], i), 1);
    json_key(j, "totals");
    json_obj(j);
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        json_key(j, names[k]);
        json_int(j, sum[k]);
    }
    json_obj_end(j);
}

static void on_info(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    if (g->error) {
        job_no_redis(job);
        return;
    }
    const struct board *b = job->board;
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, "now_ms");
    json_int(&j, row_int(g->reply[0], 0));
    json_key(&j, "shards");
    json_int(&j, g->n);
    json_key(&j, "redis_connects");
    json_int(&j, (int64_t)redis_connects(b->redis));
    json_key(&j, "redis_last_error");
    json_str(&j, redis_last_error(b->redis));
    json_key(&j, "pages");
    json_int(&j, b->live.n);
    json_key(&j, "logins");
    json_int(&j, (int64_t)b->logins.by_token.len);
    put_totals(&j, g);
    put_nodes(&j, b->model);
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    job_free(job);
}

void api_health(struct request *r)
{
    struct job *j = job_new(r);
    model_want(r->board->model);
    if (!model_ask(r->board->model, on_info, j, MODEL_READ, "info", NULL, NULL))
        job_no_redis(j);
}

/* --- the audit trail --- */

static void put_audit(struct json_out *j, const struct redis_reply *entry)
{
    const struct redis_reply *f = redis_item(entry, 1);
    json_obj(j);
    for (size_t i = 0; f->kind == REDIS_ARRAY && i + 1 < f->n; i += 2) {
        struct span name = row_text(f, i), value = row_text(f, i + 1);
        uint64_t at = 0;
        char key[32];
        if (name.n >= sizeof(key))
            continue;
        memcpy(key, name.p, name.n);
        key[name.n] = '\0';
        bool is_at = strcmp(key, "at") == 0 && span_u64(value, &at);
        json_key(j, is_at ? "at_ms" : key);
        if (is_at)
            json_int(j, (int64_t)at);
        else
            json_span(j, value);
    }
    json_obj_end(j);
}

static void on_audit(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    if (redis_is_error(reply) || reply->kind != REDIS_ARRAY) {
        job_no_redis(job);
        return;
    }
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, "entries");
    json_arr(&j);
    for (size_t i = 0; i < reply->n; i++)
        put_audit(&j, redis_item(reply, i));
    json_arr_end(&j);
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    job_free(job);
}

void api_audit(struct request *r)
{
    redis_command_str(r->board->redis, on_audit, job_new(r), "XREVRANGE", "cg:audit", "+", "-", "COUNT", "300", NULL);
}

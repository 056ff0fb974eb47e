#include <stdlib.h>

#include "base/xalloc.h"
#include "board/job.h"
#include "board/put.h"
#include "board/view.h"

enum { GAPS_MOST = 100 };

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

static void put_hooks(struct json_out *j, const struct model *m, const struct redis_reply *rows)
{
    static const char *const texts[] = {"target", "kind", "host"};
    static const char *const counts[] = {"sent", "failed", "gave_up"};
    int64_t waiting = 0;
    for (unsigned s = 0; s < m->n_shards; s++)
        waiting += m->shard[s].hooks_waiting;
    put_int(j, "hooks_waiting", waiting);
    json_key(j, "hooks");
    json_arr(j);
    for (size_t i = 1; rows && rows->kind == REDIS_ARRAY && i < rows->n; i++) {
        const struct redis_reply *row = redis_item(rows, i);
        json_obj(j);
        for (size_t k = 0; k < ARRAY_LEN(texts); k++)
            put_span(j, texts[k], row_text(row, k));
        for (size_t k = 0; k < ARRAY_LEN(counts); k++)
            put_int(j, counts[k], row_int(row, 3 + k));
        put_time(j, "ok_ms", row_int(row, 6));
        put_time(j, "failed_ms", row_int(row, 7));
        put_span(j, "error", row_text(row, 8));
        put_int(j, "in_a_row", row_int(row, 9));
        put_time(j, "closed_until_ms", MAX_OF(row_int(row, 10), row_int(row, 11)));
        put_time(j, "seen_ms", row_int(row, 12));
        json_obj_end(j);
    }
    json_arr_end(j);
}

static int newest_gap(const void *pa, const void *pb)
{
    const struct redis_reply *a = *(const struct redis_reply *const *)pa, *b = *(const struct redis_reply *const *)pb;
    int64_t diff = row_int(b, 0) - row_int(a, 0);
    return (diff > 0) - (diff < 0);
}

static void put_gaps(struct json_out *j, const struct gather *g)
{
    size_t n = 0, all = 0;
    for (unsigned s = 0; s < g->n; s++)
        all += g->reply[s]->n;
    const struct redis_reply **row = xcalloc(all + 1, sizeof(const struct redis_reply *));
    for (unsigned s = 0; s < g->n; s++)
        for (size_t i = 1; i < g->reply[s]->n; i++)
            row[n++] = redis_item(g->reply[s], i);
    qsort(row, n, sizeof(const struct redis_reply *), newest_gap);
    json_key(j, "gaps");
    json_arr(j);
    for (size_t i = 0; i < MIN_OF(n, GAPS_MOST); i++) {
        json_obj(j);
        put_int(j, "at_ms", row_int(row[i], 0));
        put_span(j, "node", row_text(row[i], 1));
        put_int(j, "events", row_int(row[i], 2));
        json_obj_end(j);
    }
    json_arr_end(j);
    free(row);
}

struct health {
    struct job *job;
    struct buf out;
    struct json_out j;
};

static void end_health(struct health *h, bool is_fine)
{
    if (is_fine) {
        json_obj_end(&h->j);
        web_json(h->job->http, 200, &h->out);
        job_free(h->job);
    } else {
        job_no_redis(h->job);
    }
    buf_fini(&h->out);
    free(h);
}

static void on_hooks(void *ctx, const struct redis_reply *reply)
{
    struct health *h = ctx;
    bool is_fine = !redis_is_error(reply);
    if (is_fine)
        put_hooks(&h->j, h->job->board->model, reply);
    end_health(h, is_fine);
}

static void on_gaps(void *ctx, const struct gather *g)
{
    struct health *h = ctx;
    struct span key = span_str("cg:hooks");
    if (g->error) {
        end_health(h, false);
        return;
    }
    put_gaps(&h->j, g);
    redis_eval(h->job->board->redis, on_hooks, h, h->job->board->model->hooks, 1, &key, 0, NULL);
}

static void on_info(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    const struct board *b = job->board;
    struct health *h = xcalloc(1, sizeof(*h));
    h->job = job;
    h->j = (struct json_out){&h->out, false};
    if (g->error) {
        end_health(h, false);
        return;
    }
    json_obj(&h->j);
    put_int(&h->j, "now_ms", row_int(g->reply[0], 0));
    put_int(&h->j, "shards", g->n);
    put_str(&h->j, "redis", redis_where(b->redis));
    put_bool(&h->j, "redis_whole", redis_is_whole(b->redis));
    put_int(&h->j, "redis_connects", (int64_t)redis_connects(b->redis));
    put_str(&h->j, "redis_last_error", redis_last_error(b->redis));
    put_int(&h->j, "pages", b->live.n);
    put_int(&h->j, "logins", (int64_t)b->logins.by_token.len);
    put_totals(&h->j, g);
    put_nodes(&h->j, b->model);
    if (!model_ask(b->model, on_gaps, h, MODEL_EXTRA, "gaps", NULL, NULL))
        end_health(h, false);
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
    if (!redis_is_array(reply)) {
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

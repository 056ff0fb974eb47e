/* What happened, from the shards' streams: reminders, and messages that the rules did something about. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/job.h"
#include "board/put.h"

enum { LIST_MOST = 300 };

/* A row is {stream id, field, value…}. */
static struct span field_of(const struct redis_reply *row, const char *name)
{
    for (size_t i = 1; i + 1 < row->n; i += 2)
        if (span_is(row_text(row, i), name))
            return row_text(row, i + 1);
    return (struct span){(const uint8_t *)"", 0};
}

static int64_t number_of(const struct redis_reply *row, const char *name)
{
    uint64_t v = 0;
    return span_u64(field_of(row, name), &v) ? (int64_t)v : 0;
}

static int newest_first(const void *pa, const void *pb)
{
    const struct redis_reply *a = *(const struct redis_reply *const *)pa, *b = *(const struct redis_reply *const *)pb;
    int64_t diff = number_of(b, "at") - number_of(a, "at");
    return (diff > 0) - (diff < 0);
}

static void put_reminder(struct json_out *j, const struct redis_reply *row)
{
    static const char *const texts[][2] = {{"what", "what"},         {"kind", "kind"},      {"to", "to"},
                                           {"agent", "agent"},       {"team", "team"},      {"shop", "shop"},
                                           {"conversation", "conv"}, {"customer", "cust"},  {"ref", "ref"},
                                           {"node", "node"},         {"channel", "channel"}};
    static const char *const numbers[][2] = {{"at_ms", "at"}, {"since_ms", "since"}, {"step", "step"}};
    json_obj(j);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_key(j, numbers[i][0]);
        json_int(j, number_of(row, numbers[i][1]));
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_key(j, texts[i][0]);
        json_span(j, field_of(row, texts[i][1]));
    }
    json_obj_end(j);
}

/* The entries that the user sees, newest first, as the list `key` of an object. */
static void answer_list(struct job *job, const struct gather *g, const char *key,
                        void (*put)(struct json_out *j, const struct redis_reply *row))
{
    size_t n = 0, all = 0;
    if (g->error) {
        job_no_redis(job);
        return;
    }
    const struct user *u = job_user(job);
    if (!u)
        return;
    for (unsigned s = 0; s < g->n; s++)
        all += g->reply[s]->n;
    const struct redis_reply **row = xcalloc(all + 1, sizeof(const struct redis_reply *));
    for (unsigned s = 0; s < g->n; s++) {
        for (size_t i = 1; i < g->reply[s]->n; i++) {
            const struct redis_reply *one = redis_item(g->reply[s], i);
            if (user_sees(u, field_of(one, "team"), field_of(one, "shop")))
                row[n++] = one;
        }
    }
    qsort(row, n, sizeof(const struct redis_reply *), newest_first);
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, key);
    json_arr(&j);
    for (size_t i = 0; i < MIN_OF(n, LIST_MOST); i++)
        put(&j, row[i]);
    json_arr_end(&j);
    json_obj_end(&j);
    free(row);
    web_json(job->http, 200, &out);
    job_free(job);
}

static void on_reminders(void *ctx, const struct gather *g)
{
    answer_list(ctx, g, "reminders", put_reminder);
}

void api_reminders(struct request *r)
{
    struct job *j = job_new(r);
    model_want(r->board->model);
    if (!model_ask(r->board->model, on_reminders, j, MODEL_READ, "reminders", "300", NULL))
        job_no_redis(j);
}

/* --- violations --- */

static void put_violation(struct json_out *j, const struct redis_reply *row)
{
    static const char *const actions[] = {"pass", "warn", "rewrite", "hold", "block"};
    static const char *const texts[][2] = {{"agent", "agent"},       {"team", "team"},     {"shop", "shop"},
                                           {"conversation", "conv"}, {"customer", "cust"}, {"node", "node"},
                                           {"rules_version", "rv"}};
    int64_t action = number_of(row, "act");
    json_obj(j);
    json_key(j, "at_ms");
    json_int(j, number_of(row, "at"));
    json_key(j, "action");
    json_str(j, actions[action >= 0 && action < (int64_t)ARRAY_LEN(actions) ? action : 0]);
    put_list(j, "rules", field_of(row, "rules"));
    put_list(j, "shadow", field_of(row, "shadow"));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_key(j, texts[i][0]);
        json_span(j, field_of(row, texts[i][1]));
    }
    json_obj_end(j);
}

static void on_violations(void *ctx, const struct gather *g)
{
    answer_list(ctx, g, "violations", put_violation);
}

void api_violations(struct request *r)
{
    struct job *j = job_new(r);
    model_want(r->board->model);
    if (!model_ask(r->board->model, on_violations, j, MODEL_EXTRA, "violations", "300", NULL))
        job_no_redis(j);
}

/* Reminders, from the shards' streams. */
#include <stdlib.h>

#include "board/entry.h"
#include "board/job.h"
#include "board/put.h"

enum { LIST_MOST = 300 };

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
        json_int(j, entry_int(row, numbers[i][1]));
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_key(j, texts[i][0]);
        json_span(j, entry_field(row, texts[i][1]));
    }
    json_obj_end(j);
}

static void on_reminders(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    size_t n;
    const struct user *u = g->error ? NULL : job_user(job);
    if (g->error)
        job_no_redis(job);
    if (!u)
        return;
    const struct redis_reply **row = entries_of(g, u, &n);
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, "reminders");
    json_arr(&j);
    for (size_t i = 0; i < MIN_OF(n, LIST_MOST); i++)
        put_reminder(&j, row[i]);
    json_arr_end(&j);
    json_obj_end(&j);
    free(row);
    web_json(job->http, 200, &out);
    job_free(job);
}

void api_reminders(struct request *r)
{
    struct job *j = job_new(r);
    model_want(r->board->model);
    if (!model_ask(r->board->model, on_reminders, j, MODEL_READ, "reminders", "300", NULL))
        job_no_redis(j);
}

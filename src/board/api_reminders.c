/* Reminders: what will be reminded of, and what was, from the shards' streams. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/entry.h"
#include "board/job.h"
#include "board/put.h"
#include "board/rows.h"

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

/* --- what is to come --- */

/* A row of the script `remind_list`. */
enum {
    ITEM_NAME,
    ITEM_KIND,
    ITEM_NEXT,
    ITEM_SINCE,
    ITEM_AGENT,
    ITEM_TEAM,
    ITEM_SHOP,
    ITEM_CONV,
    ITEM_CUSTOMER,
    ITEM_REF,
    ITEM_STEPS,
    ITEM_SNOOZED,
    ITEM_AT_CASE,
    ITEM_FIELDS
};

static bool is_item_visible(const void *user, const struct redis_reply *row)
{
    return row->kind == REDIS_ARRAY && row->n >= ITEM_FIELDS &&
           user_sees(user, row_text(row, ITEM_TEAM), row_text(row, ITEM_SHOP));
}

static int soonest_first(const void *pa, const void *pb)
{
    const struct redis_reply *a = *(const struct redis_reply *const *)pa, *b = *(const struct redis_reply *const *)pb;
    int64_t diff = MAX_OF(row_int(a, ITEM_NEXT), row_int(a, ITEM_SNOOZED)) -
                   MAX_OF(row_int(b, ITEM_NEXT), row_int(b, ITEM_SNOOZED));
    return (diff > 0) - (diff < 0);
}

static void put_item(struct json_out *j, const struct redis_reply *row)
{
    json_obj(j);
    put_span(j, "id", row_text(row, ITEM_NAME));
    put_span(j, "kind", row_text(row, ITEM_KIND));
    put_int(j, "next_ms", MAX_OF(row_int(row, ITEM_NEXT), row_int(row, ITEM_SNOOZED)));
    put_int(j, "since_ms", row_int(row, ITEM_SINCE));
    put_int(j, "steps", row_int(row, ITEM_STEPS));
    put_time(j, "snoozed_ms", row_int(row, ITEM_SNOOZED));
    put_bool(j, "at_case", row_text(row, ITEM_AT_CASE).n > 0);
    put_span(j, "agent", row_text(row, ITEM_AGENT));
    put_span(j, "team", row_text(row, ITEM_TEAM));
    put_span(j, "shop", row_text(row, ITEM_SHOP));
    put_span(j, "conversation", row_text(row, ITEM_CONV));
    put_span(j, "customer", row_text(row, ITEM_CUSTOMER));
    put_span(j, "ref", row_text(row, ITEM_REF));
    json_obj_end(j);
}

static void put_coming(struct json_out *j, const struct gather *g, const struct user *u)
{
    size_t n;
    const struct redis_reply **row = rows_of(g, is_item_visible, u, soonest_first, &n);
    put_int(j, "now_ms", row_int(g->reply[0], 0));
    put_int(j, "total", (int64_t)n);
    json_key(j, "coming");
    json_arr(j);
    for (size_t i = 0; i < MIN_OF(n, LIST_MOST); i++)
        put_item(j, row[i]);
    json_arr_end(j);
    free(row);
}

/* --- both --- */

struct answer {
    struct job *job;
    struct buf out; /* begun with what is to come */
    struct json_out j;
};

static void on_raised(void *ctx, const struct gather *g)
{
    struct answer *a = ctx;
    struct job *job = a->job;
    const struct user *u = g->error ? NULL : job_user(job);
    size_t n;
    if (g->error)
        job_no_redis(job);
    if (u) {
        const struct redis_reply **row = entries_of(g, u, &n);
        json_key(&a->j, "reminders");
        json_arr(&a->j);
        for (size_t i = 0; i < MIN_OF(n, LIST_MOST); i++)
            put_reminder(&a->j, row[i]);
        json_arr_end(&a->j);
        json_obj_end(&a->j);
        free(row);
        web_json(job->http, 200, &a->out);
        job_free(job);
    }
    buf_fini(&a->out);
    free(a);
}

static void on_coming(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    const struct user *u = g->error ? NULL : job_user(job);
    if (g->error)
        job_no_redis(job);
    if (!u)
        return;
    struct answer *a = xcalloc(1, sizeof(*a));
    a->job = job;
    a->j = (struct json_out){&a->out, false};
    json_obj(&a->j);
    put_coming(&a->j, g, u);
    if (model_ask(job->board->model, on_raised, a, MODEL_READ, "reminders", "300", NULL))
        return;
    job_no_redis(job);
    buf_fini(&a->out);
    free(a);
}

void api_reminders(struct request *r)
{
    struct job *j = job_new(r);
    model_want(r->board->model);
    if (!model_ask(r->board->model, on_coming, j, MODEL_REMIND, "list", "300", NULL))
        job_no_redis(j);
}

/* --- put off --- */

static void no_item(struct job *j)
{
    web_error(j->http, 404, "reminder", "no such reminder");
    job_free(j);
}

static void on_snoozed(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    struct span word = row_text(reply, 0);
    model_ask_forget(job->board->model);
    if (!redis_is_array(reply)) {
        job_audit(job, "reminder_snooze", "unknown");
        job_no_redis(job);
    } else if (span_is(word, "OK")) {
        struct buf out = {0};
        struct json_out j = {&out, false};
        job_audit(job, "reminder_snooze", "ok");
        json_obj(&j);
        put_span(&j, "id", row_text(reply, 1));
        put_time(&j, "snoozed_ms", row_int(reply, 2));
        json_obj_end(&j);
        web_json(job->http, 200, &out);
        job_free(job);
    } else if (span_is(word, "BAD")) {
        web_error(job->http, 400, "until", "must be a time in ms within the next 30 days, + and ms from now, or 0");
        job_free(job);
    } else {
        no_item(job);
    }
}

static void on_one(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    const struct user *u = job_reader(j, reply);
    if (!u)
        return;
    if (!is_item_visible(u, redis_item(reply, 1)) || !user_may(u, SCOPE_SNOOZE)) {
        no_item(j);
        return;
    }
    struct span args[] = {span_str(j->id), span_str(j->value), span_str(j->name), span_str(j->why)};
    job_eval(j, j->board->model->remind_snooze, on_snoozed, ARRAY_LEN(args), args);
}

void api_reminder_snooze(struct request *r)
{
    struct job *j = job_new(r);
    model_want(r->board->model);
    if (!web_text(r, "until", j->value, sizeof(j->value))) {
        web_error(r->http, 400, "until", "must be a time in ms within the next 30 days, + and ms from now, or 0");
        job_free(j);
    } else if (!web_text(r, "why", j->why, sizeof(j->why)) || !span_trim(span_str(j->why)).n) {
        web_error(r->http, 400, "why", "a reason of 1 to 400 bytes is needed");
        job_free(j);
    } else if (!r->board->model->n_shards) {
        job_no_redis(j);
    } else if (!job_shard(j)) {
        no_item(j);
    } else {
        struct span args[] = {span_str("one"), span_str(j->id)};
        job_eval(j, r->board->model->remind_list, on_one, ARRAY_LEN(args), args);
    }
}

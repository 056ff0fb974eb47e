/* Messages that wait for approval: the queue, and the decision. */
#include <stdlib.h>

#include "board/job.h"
#include "board/put.h"
#include "board/rows.h"

/* A row of the script `held_read`. */
enum {
    HELD_ID,
    HELD_STATE,
    HELD_AT,
    HELD_EXPIRES,
    HELD_AGENT,
    HELD_TEAM,
    HELD_SHOP,
    HELD_CONV,
    HELD_CUSTOMER,
    HELD_MID,
    HELD_EDIT,
    HELD_RULES,
    HELD_TEXT,
    HELD_WHO,
    HELD_WHY,
    HELD_DECIDED,
    HELD_ENDED,
    HELD_NODE,
    HELD_FIELDS
};
enum { LIST_MOST = 300 };

static bool is_visible(const void *user, const struct redis_reply *row)
{
    return row->kind == REDIS_ARRAY && row->n >= HELD_FIELDS &&
           user_sees(user, row_text(row, HELD_TEAM), row_text(row, HELD_SHOP));
}

static void put_held(struct json_out *j, const struct redis_reply *row)
{
    json_obj(j);
    put_span(j, "id", row_text(row, HELD_ID));
    put_span(j, "state", row_text(row, HELD_STATE));
    put_int(j, "at_ms", row_int(row, HELD_AT));
    put_int(j, "expires_ms", row_int(row, HELD_EXPIRES));
    put_span(j, "agent", row_text(row, HELD_AGENT));
    put_span(j, "team", row_text(row, HELD_TEAM));
    put_span(j, "shop", row_text(row, HELD_SHOP));
    put_span(j, "conversation", row_text(row, HELD_CONV));
    put_span(j, "customer", row_text(row, HELD_CUSTOMER));
    put_bool(j, "edit", row_text(row, HELD_EDIT).n > 0);
    put_list(j, "rules", row_text(row, HELD_RULES));
    put_span(j, "text", row_text(row, HELD_TEXT));
    put_span(j, "who", row_text(row, HELD_WHO));
    put_span(j, "why", row_text(row, HELD_WHY));
    put_time(j, "decided_ms", row_int(row, HELD_DECIDED));
    put_time(j, "ended_ms", row_int(row, HELD_ENDED));
    put_span(j, "node", row_text(row, HELD_NODE));
    json_obj_end(j);
}

/* --- the queue --- */

/* Those that wait first, by the time left; behind them the newest. */
static int by_urgency(const void *pa, const void *pb)
{
    const struct redis_reply *a = *(const struct redis_reply *const *)pa, *b = *(const struct redis_reply *const *)pb;
    bool a_waits = span_is(row_text(a, HELD_STATE), "waiting"), b_waits = span_is(row_text(b, HELD_STATE), "waiting");
    if (a_waits != b_waits)
        return b_waits - a_waits;
    int64_t diff = a_waits ? row_int(a, HELD_EXPIRES) - row_int(b, HELD_EXPIRES)
                           : row_int(b, HELD_DECIDED) - row_int(a, HELD_DECIDED);
    if (!diff)
        diff = row_int(b, HELD_AT) - row_int(a, HELD_AT);
    return (diff > 0) - (diff < 0);
}

static void on_list(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    size_t n;
    if (g->error) {
        job_no_redis(job);
        return;
    }
    const struct user *u = job_user(job);
    if (!u)
        return;
    const struct redis_reply **row = rows_of(g, is_visible, u, by_urgency, &n);
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    put_int(&j, "now_ms", row_int(g->reply[0], 0));
    json_key(&j, "held");
    json_arr(&j);
    for (size_t i = 0; i < MIN_OF(n, LIST_MOST); i++)
        put_held(&j, row[i]);
    json_arr_end(&j);
    json_obj_end(&j);
    free(row);
    web_json(job->http, 200, &out);
    job_free(job);
}

void api_held(struct request *r)
{
    const char *which = web_query(r, "which");
    if (*which && strcmp(which, "waiting") != 0 && strcmp(which, "open") != 0 && strcmp(which, "all") != 0) {
        web_error(r->http, 400, "query", "which must be waiting, open or all");
        return;
    }
    struct job *j = job_new(r);
    model_want(r->board->model);
    if (!model_ask(r->board->model, on_list, j, MODEL_HELD, "list", *which ? which : "all", "300"))
        job_no_redis(j);
}

/* --- the decision --- */

static void no_message(struct job *j)
{
    web_error(j->http, 404, "held", "no such message");
    job_free(j);
}

static const char *action_of(const struct job *j)
{
    return strcmp(j->to, "approve") == 0 ? "held_approve" : "held_refuse";
}

static void on_decided(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    struct span word = row_text(reply, 0);
    model_ask_forget(job->board->model);
    if (!redis_is_array(reply)) {
        job_audit(job, action_of(job), "unknown"); /* lost on the way: it may or may not have happened */
        job_no_redis(job);
        return;
    }
    if (span_is(word, "NONE")) {
        job_audit(job, action_of(job), "none");
        no_message(job);
        return;
    }
    bool is_done = span_is(word, "OK");
    job_audit(job, action_of(job), is_done ? "ok" : "refused");
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    if (is_done) {
        put_span(&j, "id", row_text(reply, 1));
        put_span(&j, "state", row_text(reply, 2));
    } else {
        put_str(&j, "error", "ended");
        put_str(&j, "message", "this message does not wait any more");
        put_span(&j, "state", row_text(reply, 1));
        put_span(&j, "who", row_text(reply, 2));
        put_time(&j, "at_ms", row_int(reply, 3));
    }
    json_obj_end(&j);
    web_json(job->http, is_done ? 200 : 409, &out);
    job_free(job);
}

static void on_one(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    const struct user *u = job_reader(j, reply);
    if (!u)
        return;
    if (!is_visible(u, redis_item(reply, 1))) {
        job_audit(j, action_of(j), "not_visible");
        no_message(j);
    } else if (!user_may(u, SCOPE_HELD_DECIDE)) {
        web_error(j->http, 403, "role", "your role does not allow this");
        job_free(j);
    } else {
        struct span args[] = {span_str(j->to), span_str(j->id), span_str(j->name), span_str(j->why)};
        job_eval(j, j->board->model->held_decide, on_decided, ARRAY_LEN(args), args);
    }
}

void api_held_decide(struct request *r)
{
    struct job *j = job_new(r);
    bool is_approval = web_text(r, "decision", j->to, sizeof(j->to)) && strcmp(j->to, "approve") == 0;
    bool has_why = web_text(r, "why", j->why, sizeof(j->why)) && span_trim(span_str(j->why)).n;
    model_want(r->board->model);
    if (!is_approval && strcmp(j->to, "refuse") != 0) {
        web_error(r->http, 400, "decision", "must be approve or refuse");
        job_free(j);
    } else if (!is_approval && !has_why) {
        web_error(r->http, 400, "why", "a reason of 1 to 400 bytes is needed: the agent is told");
        job_free(j);
    } else if (!r->board->model->n_shards) {
        job_no_redis(j);
    } else if (!job_shard(j)) {
        no_message(j);
    } else {
        struct span args[] = {span_str("one"), span_str(j->id)};
        job_eval(j, r->board->model->held_read, on_one, ARRAY_LEN(args), args);
    }
}

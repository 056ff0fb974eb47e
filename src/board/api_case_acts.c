/* What people do to cases: move them, and the rest (assign, log a call, snooze …). */
#include <stdio.h>

#include "board/case_row.h"

static const char *const moves[] = {"acknowledged", "waiting", "solved", "closed", "reopened"};
static const char *const acts[] = {"assign", "call", "news", "snooze", "order", "severity", "note"};

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], word) == 0)
            return true;
    return false;
}

static void audit(struct job *j, const char *result)
{
    char what[2 * STATE_MAX];
    snprintf(what, sizeof(what), "case_%s", *j->to ? j->to : j->what);
    job_audit(j, what, result);
}

/* --- Redis's answer --- */

static void begin_error(struct json_out *j, const char *word, const char *text)
{
    json_obj(j);
    put_str(j, "error", word);
    put_str(j, "message", text);
}

static void answer_illegal(struct job *job, const struct redis_reply *reply)
{
    struct buf out = {0};
    struct json_out j = {&out, false};
    begin_error(&j, "illegal_move", "a case in this state cannot go there");
    put_span(&j, "state", row_text(reply, 1));
    json_key(&j, "legal");
    json_arr(&j);
    for (size_t i = 2; i < reply->n; i++)
        json_span(&j, row_text(reply, i));
    json_arr_end(&j);
    json_obj_end(&j);
    web_json(job->http, 409, &out);
}

static void answer_refused(struct job *job, const struct redis_reply *reply)
{
    struct span word = row_text(reply, 0);
    struct buf out = {0};
    struct json_out j = {&out, false};
    if (span_is(word, "ILLEGAL")) {
        answer_illegal(job, reply);
        return;
    }
    if (span_is(word, "OTHER")) {
        begin_error(&j, "other_case", "another case of this customer is open");
        put_span(&j, "id", row_text(reply, 1));
    } else if (span_is(word, "LIMIT")) {
        begin_error(&j, "call_limit", "two calls a day are the limit; `force` logs one that was made all the same");
        put_time(&j, "next_ms", row_int(reply, 1));
    } else if (span_is(word, "CHAT_FIRST")) {
        begin_error(&j, "chat_first", "a review is followed up by chat first; `force` logs a call that was made");
    } else {
        begin_error(&j, "value", "the value does not fit");
        put_span(&j, "allowed", row_text(reply, 1));
    }
    json_obj_end(&j);
    web_json(job->http, span_is(word, "BAD") ? 400 : 409, &out);
}

static void on_done(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    struct span word = row_text(reply, 0);
    model_ask_forget(job->board->model);
    if (!redis_is_array(reply)) {
        audit(job, "unknown"); /* lost on the way: it may or may not have happened */
        job_no_redis(job);
        return;
    }
    if (span_is(word, "NONE")) {
        audit(job, "none");
        case_none(job);
        return;
    }
    if (!span_is(word, "OK")) {
        audit(job, "refused");
        answer_refused(job, reply);
    } else {
        struct buf out = {0};
        struct json_out j = {&out, false};
        audit(job, "ok");
        json_obj(&j);
        put_span(&j, "id", row_text(reply, 1));
        put_span(&j, "state", row_text(reply, 2));
        json_obj_end(&j);
        web_json(job->http, 200, &out);
    }
    job_free(job);
}

/* --- the question --- */

static void on_case(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    const struct user *u = job_reader(j, reply);
    if (!u)
        return;
    const struct model *m = j->board->model;
    if (!case_is_visible(u, redis_item(reply, 1))) {
        audit(j, "not_visible");
        case_none(j);
    } else if (!user_may(u, SCOPE_CASES_ACT)) {
        web_error(j->http, 403, "role", "your role does not allow this");
        job_free(j);
    } else if (*j->to) {
        struct span args[] = {span_str("move"), span_str(j->id), span_str(j->to), span_str(j->name), span_str(j->why)};
        job_eval(j, m->move, on_done, ARRAY_LEN(args), args);
    } else {
        struct span args[] = {span_str(j->what), span_str(j->id),    span_str(j->name),
                              span_str(j->why),  span_str(j->value), span_str(j->is_forced ? "force" : "")};
        job_eval(j, m->act, on_done, ARRAY_LEN(args), args);
    }
}

static bool has_reason(const struct request *r, struct job *j)
{
    if (web_text(r, "why", j->why, sizeof(j->why)) && span_trim(span_str(j->why)).n)
        return true;
    web_error(r->http, 400, "why", "a reason of 1 to 400 bytes is needed");
    return false;
}

void api_case_move(struct request *r)
{
    struct job *j = job_new(r);
    if (!web_text(r, "to", j->to, sizeof(j->to)) || !is_one_of(j->to, moves, ARRAY_LEN(moves)))
        web_error(r->http, 400, "to", "must be acknowledged, waiting, solved, closed or reopened");
    else if (has_reason(r, j))
        return case_ask(r, j, on_case);
    job_free(j);
}

void api_case_act(struct request *r)
{
    struct job *j = job_new(r);
    uint32_t force = json_member(r->body, 0, span_str("force")), value = json_member(r->body, 0, span_str("value"));
    j->is_forced = force && r->body->node[force].kind == JSON_TRUE;
    if (!web_text(r, "what", j->what, sizeof(j->what)) || !is_one_of(j->what, acts, ARRAY_LEN(acts)))
        web_error(r->http, 400, "what", "must be assign, call, news, snooze, order, severity or note");
    else if (value && !web_text(r, "value", j->value, sizeof(j->value)))
        web_error(r->http, 400, "value", "must be a text of at most 200 bytes");
    else if (has_reason(r, j))
        return case_ask(r, j, on_case);
    job_free(j);
}

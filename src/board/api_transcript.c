/* What was said around a case, where the gateways keep it (docs/evidence.md): read by role, and audited. */
#include <stdio.h>

#include "board/case_row.h"

enum { ENTRIES_MOST = 200 };
/* An entry as the script `said_read` answers it. */
enum {
    SAID_NO,
    SAID_AT,
    SAID_KIND,
    SAID_AGENT,
    SAID_SENDER,
    SAID_ACT,
    SAID_DLV,
    SAID_EDIT,
    SAID_MID,
    SAID_RULES,
    SAID_TEXT,
    SAID_CUT
};

static void put_entry(struct json_out *j, const struct redis_reply *e)
{
    json_obj(j);
    put_int(j, "number", row_int(e, SAID_NO));
    put_int(j, "at_ms", row_int(e, SAID_AT));
    put_span(j, "kind", row_text(e, SAID_KIND));
    put_span(j, "agent", row_text(e, SAID_AGENT));
    put_span(j, "sender", row_text(e, SAID_SENDER));
    put_span(j, "action", row_text(e, SAID_ACT));
    put_bool(j, "delivered", row_text(e, SAID_DLV).n > 0);
    put_bool(j, "edit", row_text(e, SAID_EDIT).n > 0);
    put_list(j, "rules", row_text(e, SAID_RULES));
    put_span(j, "text", row_text(e, SAID_TEXT));
    put_bool(j, "cut", row_text(e, SAID_CUT).n > 0);
    json_obj_end(j);
}

static void on_entries(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    if (!redis_is_array(reply)) {
        job_no_redis(job);
        return;
    }
    job_audit(job, "case_transcript", reply->n > 1 ? "ok" : "none");
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    put_int(&j, "total", row_int(redis_item(reply, 1), 1));
    json_key(&j, "entries");
    json_arr(&j);
    for (size_t i = 2; i < reply->n; i++)
        put_entry(&j, redis_item(reply, i));
    json_arr_end(&j);
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    job_free(job);
}

static void ask_entries(struct job *j, int64_t after, redis_fn fn, unsigned most)
{
    char from[24], count[16];
    snprintf(from, sizeof(from), "%lld", (long long)after);
    snprintf(count, sizeof(count), "%u", most);
    struct span args[] = {span_str("entries"), span_str(j->value), span_str(from), span_str(count)};
    job_eval(j, j->board->model->said, fn, ARRAY_LEN(args), args);
}

/* The head says how many there are; the newest are shown. */
static void on_head(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    if (!redis_is_array(reply))
        job_no_redis(j);
    else
        ask_entries(j, MAX_OF(row_int(redis_item(reply, 1), 1) - ENTRIES_MOST, 0), on_entries, ENTRIES_MOST);
}

static void on_case(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    const struct user *u = job_reader(j, reply);
    const struct redis_reply *row = redis_item(reply, 1);
    if (!u)
        return;
    if (!case_is_visible(u, row)) {
        job_audit(j, "case_transcript", "not_visible");
        case_none(j);
        return;
    }
    struct span conv = row_text(row, CASE_CONV);
    snprintf(j->value, sizeof(j->value), "%.*s", (int)conv.n, (const char *)conv.p);
    ask_entries(j, 0, on_head, 1);
}

void api_case_transcript(struct request *r)
{
    case_ask(r, job_new(r), on_case);
}

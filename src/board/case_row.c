#include "board/case_row.h"

void case_put_members(struct json_out *j, const struct redis_reply *row)
{
    put_span(j, "id", row_text(row, CASE_ID));
    put_span(j, "state", row_text(row, CASE_STATE));
    put_int(j, "severity", row_int(row, CASE_SEVERITY));
    put_list(j, "kinds", row_text(row, CASE_KINDS));
    put_span(j, "customer", row_text(row, CASE_CUSTOMER));
    put_span(j, "conversation", row_text(row, CASE_CONV));
    put_span(j, "agent", row_text(row, CASE_AGENT));
    put_span(j, "team", row_text(row, CASE_TEAM));
    put_span(j, "shop", row_text(row, CASE_SHOP));
    put_time(j, "opened_ms", row_int(row, CASE_OPENED));
    put_time(j, "updated_ms", row_int(row, CASE_UPDATED));
    put_time(j, "done_ms", row_int(row, CASE_DONE));
    put_time(j, "news_ms", row_int(row, CASE_NEWS));
    put_int(j, "complaints", row_int(row, CASE_COMPLAINTS));
    put_list(j, "orders", row_text(row, CASE_ORDERS));
    put_span(j, "rule", row_text(row, CASE_RULE));
    put_span(j, "words", row_text(row, CASE_WORDS));
    put_span(j, "assigned", row_text(row, CASE_ASSIGNED));
    put_time(j, "snoozed_ms", row_int(row, CASE_SNOOZED));
    put_int(j, "calls", row_int(row, CASE_CALLS));
    put_time(j, "last_call_ms", row_int(row, CASE_LAST_CALL));
}

bool case_is_visible(const struct user *u, const struct redis_reply *row)
{
    return row->kind == REDIS_ARRAY && row->n > CASE_NEWS &&
           user_sees(u, row_text(row, CASE_TEAM), row_text(row, CASE_SHOP));
}

void case_none(struct job *j)
{
    web_error(j->http, 404, "case", "no such case");
    job_free(j);
}

void case_ask(struct request *r, struct job *j, redis_fn fn)
{
    struct model *m = r->board->model;
    struct span args[] = {span_str("case"), span_str(j->id)};
    model_want(m);
    if (!m->n_shards)
        job_no_redis(j);
    else if (!job_shard(j))
        case_none(j);
    else
        job_eval(j, m->read, fn, 2, args);
}

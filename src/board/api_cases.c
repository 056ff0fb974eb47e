#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/case_row.h"
#include "board/put.h"
#include "board/rows.h"

enum { LIST_MOST = 500, READ_MOST = 2000 };

/* --- the list --- */

static bool contains(struct span hay, const char *needle)
{
    return memmem(hay.p, hay.n, needle, strlen(needle)) != NULL;
}

static bool fits_filters(const struct job *j, const struct redis_reply *row)
{
    static const uint8_t searched[] = {CASE_ID,    CASE_CUSTOMER, CASE_AGENT,   CASE_ORDERS,
                                       CASE_WORDS, CASE_KINDS,    CASE_ASSIGNED};
    if (row_int(row, CASE_SEVERITY) < j->severity || (*j->team && !span_is(row_text(row, CASE_TEAM), j->team)) ||
        (*j->shop && !span_is(row_text(row, CASE_SHOP), j->shop)) ||
        (*j->agent && !span_is(row_text(row, CASE_AGENT), j->agent)))
        return false;
    for (size_t i = 0; *j->q && i < ARRAY_LEN(searched); i++)
        if (contains(row_text(row, searched[i]), j->q))
            return true;
    return !*j->q;
}

struct sieve {
    const struct user *user;
    const struct job *job;
};

static bool is_wanted(const void *ctx, const struct redis_reply *row)
{
    const struct sieve *s = ctx;
    return case_is_visible(s->user, row) && fits_filters(s->job, row);
}

/* Unfinished first, then by severity, then the oldest. */
static int by_urgency(const void *pa, const void *pb)
{
    const struct redis_reply *a = *(const struct redis_reply *const *)pa, *b = *(const struct redis_reply *const *)pb;
    bool a_done = row_int(a, CASE_DONE) > 0, b_done = row_int(b, CASE_DONE) > 0;
    int64_t severity = row_int(b, CASE_SEVERITY) - row_int(a, CASE_SEVERITY);
    int64_t age = row_int(a, CASE_OPENED) - row_int(b, CASE_OPENED);
    if (a_done != b_done)
        return a_done - b_done;
    return severity ? (severity > 0) - (severity < 0) : (age > 0) - (age < 0);
}

static void on_cases(void *ctx, const struct gather *g)
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
    const struct redis_reply **row = rows_of(g, is_wanted, &(struct sieve){u, job}, by_urgency, &n);
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, "now_ms");
    json_int(&j, row_int(g->reply[0], 0));
    json_key(&j, "total");
    json_int(&j, (int64_t)n);
    json_key(&j, "cases");
    json_arr(&j);
    for (size_t i = 0; i < MIN_OF(n, LIST_MOST); i++) {
        json_obj(&j);
        case_put_members(&j, row[i]);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    free(row);
    web_json(job->http, 200, &out);
    job_free(job);
}

void api_cases(struct request *r)
{
    const char *which = web_query(r, "which"), *severity = web_query(r, "severity");
    uint64_t least = 0;
    char most[16];
    if ((*which && strcmp(which, "open") != 0 && strcmp(which, "all") != 0) ||
        (*severity && (!span_u64(span_str(severity), &least) || least > 100))) {
        web_error(r->http, 400, "query", "which must be open or all, severity a number from 0 to 100");
        return;
    }
    struct job *j = job_new(r);
    j->severity = (int64_t)least;
    snprintf(j->team, sizeof(j->team), "%s", web_query(r, "team"));
    snprintf(j->shop, sizeof(j->shop), "%s", web_query(r, "shop"));
    snprintf(j->agent, sizeof(j->agent), "%s", web_query(r, "agent"));
    snprintf(j->q, sizeof(j->q), "%s", web_query(r, "q"));
    snprintf(most, sizeof(most), "%d", READ_MOST);
    model_want(r->board->model);
    if (!model_ask(r->board->model, on_cases, j, MODEL_READ, "cases", *which ? which : "open", most))
        job_no_redis(j);
}

/* --- one case --- */

static void put_history(struct json_out *j, const struct redis_reply *reply)
{
    json_key(j, "history");
    json_arr(j);
    for (size_t i = 2; i < reply->n; i++) {
        const struct redis_reply *h = redis_item(reply, i);
        json_obj(j);
        put_time(j, "at_ms", row_int(h, 1));
        put_span(j, "from", row_text(h, 2));
        put_span(j, "to", row_text(h, 3));
        put_span(j, "who", row_text(h, 4));
        put_span(j, "why", row_text(h, 5));
        put_span(j, "what", row_text(h, 6));
        put_span(j, "value", row_text(h, 7));
        json_obj_end(j);
    }
    json_arr_end(j);
}

static void on_case(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    const struct user *u = job_reader(job, reply);
    if (!u)
        return;
    if (!case_is_visible(u, redis_item(reply, 1))) {
        case_none(job);
        return;
    }
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, "now_ms");
    json_int(&j, row_int(reply, 0));
    case_put_members(&j, redis_item(reply, 1));
    put_history(&j, reply);
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    job_free(job);
}

void api_case(struct request *r)
{
    case_ask(r, job_new(r), on_case);
}

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/job.h"
#include "track/schema.h"

/* Positions in a row of the script `read`, questions `cases` and `case`. */
enum {
    CASE_ID,
    CASE_STATE,
    CASE_SEVERITY,
    CASE_KINDS,
    CASE_CUSTOMER,
    CASE_AGENT,
    CASE_TEAM,
    CASE_SHOP,
    CASE_OPENED,
    CASE_UPDATED,
    CASE_COMPLAINTS,
    CASE_ORDERS,
    CASE_CONV,
    CASE_RULE,
    CASE_WORDS,
    CASE_DONE,
    CASE_NEWS,
    CASE_FIELDS
};
enum { LIST_MOST = 500, READ_MOST = 2000 };

static const char *const moves[] = {"acknowledged", "waiting", "solved", "closed", "reopened"};

/* --- one case as JSON --- */

static void put_span(struct json_out *j, const char *key, struct span v)
{
    json_key(j, key);
    json_span(j, v);
}

static void put_time(struct json_out *j, const char *key, int64_t ms)
{
    json_key(j, key);
    if (ms > 0)
        json_int(j, ms);
    else
        json_null(j);
}

static void put_list(struct json_out *j, const char *key, struct span text)
{
    json_key(j, key);
    json_arr(j);
    while (text.n) {
        const uint8_t *comma = memchr(text.p, ',', text.n);
        struct span part = comma ? span_of(text.p, (size_t)(comma - text.p)) : text;
        json_span(j, part);
        text = span_from(text, comma ? part.n + 1 : text.n);
    }
    json_arr_end(j);
}

static void put_case_members(struct json_out *j, const struct redis_reply *row)
{
    put_span(j, "id", row_text(row, CASE_ID));
    put_span(j, "state", row_text(row, CASE_STATE));
    json_key(j, "severity");
    json_int(j, row_int(row, CASE_SEVERITY));
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
    json_key(j, "complaints");
    json_int(j, row_int(row, CASE_COMPLAINTS));
    put_list(j, "orders", row_text(row, CASE_ORDERS));
    put_span(j, "rule", row_text(row, CASE_RULE));
    put_span(j, "words", row_text(row, CASE_WORDS));
}

static bool sees_case(const struct user *u, const struct redis_reply *row)
{
    return row->kind == REDIS_ARRAY && row->n >= CASE_FIELDS &&
           user_sees(u, row_text(row, CASE_TEAM), row_text(row, CASE_SHOP));
}

/* --- the list --- */

static bool contains(struct span hay, const char *needle)
{
    return memmem(hay.p, hay.n, needle, strlen(needle)) != NULL;
}

static bool fits_filters(const struct job *j, const struct redis_reply *row)
{
    static const uint8_t searched[] = {CASE_ID, CASE_CUSTOMER, CASE_AGENT, CASE_ORDERS, CASE_WORDS, CASE_KINDS};
    if (row_int(row, CASE_SEVERITY) < j->severity || (*j->team && !span_is(row_text(row, CASE_TEAM), j->team)) ||
        (*j->shop && !span_is(row_text(row, CASE_SHOP), j->shop)) ||
        (*j->agent && !span_is(row_text(row, CASE_AGENT), j->agent)))
        return false;
    for (size_t i = 0; *j->q && i < ARRAY_LEN(searched); i++)
        if (contains(row_text(row, searched[i]), j->q))
            return true;
    return !*j->q;
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
            if (sees_case(u, one) && fits_filters(job, one))
                row[n++] = one;
        }
    }
    qsort(row, n, sizeof(const struct redis_reply *), by_urgency);
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
        put_case_members(&j, row[i]);
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

/* The shard in "shard-number"; false when it is no case's id. */
static bool shard_of(const struct model *m, const char *id, unsigned *shard)
{
    uint64_t s, n;
    const char *dash = strchr(id, '-');
    if (!dash || !span_u64(span_of(id, (size_t)(dash - id)), &s) || !span_u64(span_str(dash + 1), &n) ||
        s >= (uint64_t)m->n_shards)
        return false;
    *shard = (unsigned)s;
    return true;
}

static void ask_one(struct job *j, const struct redis_script *s, redis_fn fn, size_t n, const struct span *args)
{
    struct schema_keys keys;
    schema_apply_keys(j->shard, &keys);
    redis_eval(j->board->redis, fn, j, s, SCHEMA_KEY_COUNT, keys.span, n, args);
}

static void no_case(struct job *j)
{
    web_error(j->http, 404, "case", "no such case");
    job_free(j);
}

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
        json_obj_end(j);
    }
    json_arr_end(j);
}

static void on_case(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    if (redis_is_error(reply) || reply->kind != REDIS_ARRAY) {
        job_no_redis(job);
        return;
    }
    const struct user *u = job_user(job);
    if (!u)
        return;
    if (!sees_case(u, redis_item(reply, 1))) {
        no_case(job);
        return;
    }
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, "now_ms");
    json_int(&j, row_int(reply, 0));
    put_case_members(&j, redis_item(reply, 1));
    put_history(&j, reply);
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    job_free(job);
}

/* Reads the case first: it says whether the user may see it. */
static void ask_case(struct request *r, struct job *j, redis_fn fn)
{
    struct model *m = r->board->model;
    struct span args[] = {span_str("case"), span_str(j->id)};
    model_want(m);
    if (!m->n_shards)
        job_no_redis(j);
    else if (!shard_of(m, j->id, &j->shard))
        no_case(j);
    else
        ask_one(j, m->read, fn, 2, args);
}

void api_case(struct request *r)
{
    ask_case(r, job_new(r), on_case);
}

/* --- a move --- */

static void audit_move(struct job *j, const char *role, const char *result)
{
    char what[32];
    snprintf(what, sizeof(what), "case_%s", j->to);
    board_audit(j->board, &(struct audit){.who = j->name,
                                          .role = role,
                                          .from = j->from,
                                          .action = what,
                                          .result = result,
                                          .target = span_str(j->id),
                                          .why = span_str(j->why)});
}

static void answer_refused(struct job *job, const struct redis_reply *reply)
{
    struct buf out = {0};
    struct json_out j = {&out, false};
    bool is_other = span_is(row_text(reply, 0), "OTHER");
    json_obj(&j);
    json_key(&j, "error");
    json_str(&j, is_other ? "other_case" : "illegal_move");
    json_key(&j, "message");
    json_str(&j, is_other ? "another case of this customer is open" : "a case in this state cannot go there");
    put_span(&j, is_other ? "id" : "state", row_text(reply, 1));
    json_key(&j, "legal");
    json_arr(&j);
    for (size_t i = 2; i < reply->n && !is_other; i++)
        json_span(&j, row_text(reply, i));
    json_arr_end(&j);
    json_obj_end(&j);
    web_json(job->http, 409, &out);
}

static void on_moved(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    const struct user *u = users_find(job->board->users, span_str(job->name));
    const char *role = role_name(u ? u->role : ROLE_NOBODY);
    struct span word = row_text(reply, 0);
    model_ask_forget(job->board->model);
    if (redis_is_error(reply) || reply->kind != REDIS_ARRAY) {
        audit_move(job, role, "unknown"); /* lost on the way: it may or may not have happened */
        job_no_redis(job);
        return;
    }
    if (span_is(word, "NONE")) {
        audit_move(job, role, "none");
        no_case(job);
        return;
    }
    if (!span_is(word, "OK")) {
        audit_move(job, role, "refused");
        answer_refused(job, reply);
    } else {
        struct buf out = {0};
        struct json_out j = {&out, false};
        audit_move(job, role, "ok");
        json_obj(&j);
        put_span(&j, "id", row_text(reply, 1));
        put_span(&j, "state", row_text(reply, 2));
        json_obj_end(&j);
        web_json(job->http, 200, &out);
    }
    job_free(job);
}

static void on_case_to_move(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    if (redis_is_error(reply) || reply->kind != REDIS_ARRAY) {
        job_no_redis(j);
        return;
    }
    const struct user *u = job_user(j);
    if (!u)
        return;
    if (!sees_case(u, redis_item(reply, 1))) {
        audit_move(j, role_name(u->role), "not_visible");
        no_case(j);
    } else if (u->role < ROLE_SUPERVISOR) {
        web_error(j->http, 403, "role", "your role does not allow this");
        job_free(j);
    } else {
        struct span args[] = {span_str("move"), span_str(j->id), span_str(j->to), span_str(j->name), span_str(j->why)};
        ask_one(j, j->board->model->move, on_moved, ARRAY_LEN(args), args);
    }
}

static bool is_move(const char *to)
{
    for (size_t i = 0; i < ARRAY_LEN(moves); i++)
        if (strcmp(moves[i], to) == 0)
            return true;
    return false;
}

void api_case_move(struct request *r)
{
    struct job *j = job_new(r);
    if (!web_text(r, "to", j->to, sizeof(j->to)) || !is_move(j->to)) {
        web_error(r->http, 400, "to", "must be acknowledged, waiting, solved, closed or reopened");
        job_free(j);
    } else if (!web_text(r, "why", j->why, sizeof(j->why)) || !span_trim(span_str(j->why)).n) {
        web_error(r->http, 400, "why", "a reason of 1 to 400 bytes is needed");
        job_free(j);
    } else {
        ask_case(r, j, on_case_to_move);
    }
}

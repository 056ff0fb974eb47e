/* Messages that the rules did something about: the feed, what people think of it, and the unmasked text. */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/entry.h"
#include "board/job.h"
#include "board/put.h"

enum { LIST_MOST = 300 };

static const char *const actions[] = {"pass", "warn", "rewrite", "hold", "block"};

/* --- ids: "SHARD-STREAM ID" --- */

static unsigned shard_of_entry(const struct redis_reply *row)
{
    struct span id = entry_field(row, "id"); /* RING:SHARD:NUMBER, where the ring's id has no colon */
    uint64_t shard = 0;
    const uint8_t *colon = memchr(id.p, ':', id.n);
    size_t from = colon ? (size_t)(colon - id.p) + 1 : 0;
    const uint8_t *end = memchr(id.p + from, ':', id.n - from);
    return end && span_u64(span_of(id.p + from, (size_t)(end - id.p) - from), &shard) ? (unsigned)shard : 0;
}

static void make_id(const struct redis_reply *row, char out[WEB_ID_MAX])
{
    struct span at = row_text(row, 0);
    snprintf(out, WEB_ID_MAX, "%u-%.*s", shard_of_entry(row), (int)at.n, (const char *)at.p);
}

/* The stream's id in the job's id, and the job's shard; NULL: it is none. */
static const char *take_id(struct job *j)
{
    uint64_t shard, ms, seq;
    struct span id = span_str(j->id);
    const char *dash = strchr(j->id, '-'), *second = dash ? strchr(dash + 1, '-') : NULL;
    if (!second || !span_u64(span_of(id.p, (size_t)(dash - j->id)), &shard) ||
        !span_u64(span_of(dash + 1, (size_t)(second - dash) - 1), &ms) || !span_u64(span_str(second + 1), &seq) ||
        shard >= (uint64_t)j->board->model->n_shards)
        return NULL;
    j->shard = (unsigned)shard;
    return dash + 1;
}

/* --- the feed --- */

static int action_rank(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (span_is(name, actions[i]))
            return (int)i;
    return -1;
}

/* The strictest action that the rules on trial would have taken, by the list of the entry's own rule set. */
static void put_would(struct json_out *j, const struct model *m, const struct redis_reply *row)
{
    const struct rule_list *l = nodes_rules(&m->nodes, entry_field(row, "rv"));
    struct span left = entry_field(row, "shadow");
    int most = -1;
    while (left.n && l) {
        const uint8_t *comma = memchr(left.p, ',', left.n);
        struct span id = comma ? span_of(left.p, (size_t)(comma - left.p)) : left;
        most = MAX_OF(most, action_rank(rule_list_text(l, id, "action")));
        left = span_from(left, comma ? id.n + 1 : left.n);
    }
    json_key(j, "would");
    if (most >= 0)
        json_str(j, actions[most]);
    else
        json_null(j);
}

/* "verdict\tat\twho\trole\trules\twhy" */
static void put_feedback(struct json_out *j, struct span text)
{
    struct span part[6] = {{0}};
    size_t n = 0;
    while (n < ARRAY_LEN(part) && text.n) {
        const uint8_t *tab = n < 5 ? memchr(text.p, '\t', text.n) : NULL;
        part[n] = tab ? span_of(text.p, (size_t)(tab - text.p)) : text;
        text = span_from(text, tab ? part[n].n + 1 : text.n);
        n++;
    }
    json_key(j, "feedback");
    if (n < 5) {
        json_null(j);
        return;
    }
    uint64_t at = 0;
    json_obj(j);
    put_span(j, "verdict", part[0]);
    put_int(j, "at_ms", span_u64(part[1], &at) ? (int64_t)at : 0);
    put_span(j, "who", part[2]);
    put_list(j, "rules", part[4]);
    put_span(j, "why", n > 5 ? part[5] : span_str(""));
    json_obj_end(j);
}

static void put_violation(struct json_out *j, const struct model *m, const struct redis_reply *row,
                          struct span feedback)
{
    static const char *const texts[][2] = {{"agent", "agent"},       {"team", "team"},     {"shop", "shop"},
                                           {"conversation", "conv"}, {"customer", "cust"}, {"node", "node"},
                                           {"rules_version", "rv"},  {"text", "txm"}};
    int64_t action = entry_int(row, "act");
    char id[WEB_ID_MAX];
    make_id(row, id);
    json_obj(j);
    put_str(j, "id", id);
    put_int(j, "at_ms", entry_int(row, "at"));
    put_str(j, "action", actions[action >= 0 && action < (int64_t)ARRAY_LEN(actions) ? action : 0]);
    put_list(j, "rules", entry_field(row, "rules"));
    put_list(j, "shadow", entry_field(row, "shadow"));
    put_would(j, m, row);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        put_span(j, texts[i][0], entry_field(row, texts[i][1]));
    put_bool(j, "has_full", entry_field(row, "txf").n > 0);
    put_feedback(j, feedback);
    json_obj_end(j);
}

struct feed {
    struct job *job;
    size_t n;
    struct redis_reply **row;
};

static void free_feed(struct feed *f)
{
    for (size_t i = 0; i < f->n; i++)
        redis_reply_free(f->row[i]);
    free(f->row);
    free(f);
}

static void on_feedback(void *ctx, const struct redis_reply *reply)
{
    struct feed *f = ctx;
    struct job *job = f->job;
    if (!redis_is_array(reply)) {
        job_no_redis(job);
    } else {
        struct buf out = {0};
        struct json_out j = {&out, false};
        json_obj(&j);
        json_key(&j, "violations");
        json_arr(&j);
        for (size_t i = 0; i < f->n; i++)
            put_violation(&j, job->board->model, f->row[i], row_text(reply, i));
        json_arr_end(&j);
        json_obj_end(&j);
        web_json(job->http, 200, &out);
        job_free(job);
    }
    free_feed(f);
}

static void ask_feedback(struct feed *f)
{
    char(*id)[WEB_ID_MAX] = xcalloc(f->n, sizeof(*id));
    struct span *argv = xcalloc(f->n + 2, sizeof(*argv));
    argv[0] = span_str("HMGET");
    argv[1] = span_str(FEEDBACK_GIVEN_KEY);
    for (size_t i = 0; i < f->n; i++) {
        make_id(f->row[i], id[i]);
        argv[2 + i] = span_str(id[i]);
    }
    redis_command(f->job->board->redis, on_feedback, f, f->n + 2, argv);
    free(argv);
    free(id);
}

static void on_violations(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    size_t n;
    const struct user *u = g->error ? NULL : job_user(job);
    if (g->error)
        job_no_redis(job);
    if (!u)
        return;
    const struct redis_reply **row = entries_of(g, u, &n);
    struct feed *f = xcalloc(1, sizeof(*f));
    *f = (struct feed){.job = job, .n = MIN_OF(n, LIST_MOST)};
    f->row = xcalloc(f->n + 1, sizeof(*f->row));
    for (size_t i = 0; i < f->n; i++)
        f->row[i] = redis_reply_copy(row[i]);
    free(row);
    if (f->n) {
        ask_feedback(f);
        return;
    }
    struct buf out = {0};
    buf_append_str(&out, "{\"violations\":[]}");
    web_json(job->http, 200, &out);
    job_free(job);
    free_feed(f);
}

void api_violations(struct request *r)
{
    struct job *j = job_new(r);
    snprintf(j->agent, sizeof(j->agent), "%s", web_query(r, "agent"));
    model_want(r->board->model);
    if (!model_ask(r->board->model, on_violations, j, MODEL_EXTRA, "violations", "300", j->agent))
        job_no_redis(j);
}

/* --- one of them --- */

static void no_violation(struct job *j)
{
    web_error(j->http, 404, "violation", "no such message, or it is too old");
    job_free(j);
}

/* fn gets {now, entry} when there is one. */
static void ask_one(struct job *j, redis_fn fn)
{
    struct model *m = j->board->model;
    const char *at = NULL;
    model_want(m);
    if (!m->n_shards) {
        job_no_redis(j);
    } else if (!(at = take_id(j))) {
        no_violation(j);
    } else {
        struct span args[] = {span_str("violation"), span_str(at)};
        job_eval(j, m->extra, fn, ARRAY_LEN(args), args);
    }
}

/* The entry when there is one that the user may see; else it was answered, and NULL. */
static const struct redis_reply *visible_entry(struct job *j, const struct redis_reply *reply, enum scope scope)
{
    const struct user *u = job_reader(j, reply);
    const struct redis_reply *row = redis_item(reply, 1);
    if (!u)
        return NULL;
    if (row->kind == REDIS_ARRAY && entry_is_visible(u, row) && user_may(u, scope))
        return row;
    no_violation(j);
    return NULL;
}

static void on_full(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    const struct redis_reply *row = visible_entry(job, reply, SCOPE_UNMASK);
    if (!row)
        return;
    struct span text = entry_field(row, "txf");
    job_audit(job, "violation_unmask", text.n ? "ok" : "none");
    if (!text.n) {
        web_error(job->http, 404, "not_kept",
                  "the text is not kept unmasked; `violations.text` of the gateways decides");
    } else {
        struct buf out = {0};
        struct json_out j = {&out, false};
        json_obj(&j);
        put_str(&j, "id", job->id);
        put_span(&j, "text", text);
        json_obj_end(&j);
        web_json(job->http, 200, &out);
    }
    job_free(job);
}

void api_violation_text(struct request *r)
{
    struct job *j = job_new(r);
    if (!web_text(r, "why", j->why, sizeof(j->why)) || !span_trim(span_str(j->why)).n) {
        web_error(r->http, 400, "why", "a reason of 1 to 400 bytes is needed");
        job_free(j);
    } else {
        ask_one(j, on_full);
    }
}

/* --- was it right? --- */

static void on_given(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    char action[2 * STATE_MAX];
    snprintf(action, sizeof(action), "violation_%s", job->to);
    if (!redis_is_array(reply)) {
        job_audit(job, action, "unknown");
        job_no_redis(job);
        return;
    }
    bool is_done = span_is(row_text(reply, 0), "OK");
    job_audit(job, action, is_done ? "ok" : "refused");
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    if (is_done) {
        put_str(&j, "id", job->id);
        put_str(&j, "verdict", job->to);
    } else {
        put_str(&j, "error", "judged");
        put_str(&j, "message", "a supervisor has judged this one");
        put_span(&j, "verdict", row_text(reply, 1));
        put_span(&j, "who", row_text(reply, 2));
    }
    json_obj_end(&j);
    web_json(job->http, is_done ? 200 : 409, &out);
    job_free(job);
}

/* Does the list (with commas) hold that rule? */
static bool names_rule(struct span list, const char *rule)
{
    while (list.n) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        struct span id = comma ? span_of(list.p, (size_t)(comma - list.p)) : list;
        if (span_is(id, rule))
            return true;
        list = span_from(list, comma ? id.n + 1 : list.n);
    }
    return false;
}

static void on_judged_entry(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    const struct redis_reply *row = visible_entry(j, reply, SCOPE_FEEDBACK);
    if (!row)
        return;
    struct span rules = entry_field(row, "rules"), shadow = entry_field(row, "shadow");
    if (*j->value && !names_rule(rules, j->value) && !names_rule(shadow, j->value)) {
        web_error(j->http, 400, "rule", "this rule did not hit the message");
        job_free(j);
        return;
    }
    const struct user *u = board_user(j->board, span_str(j->name));
    bool is_agent = u && !u->is_token && u->role == ROLE_AGENT;
    struct span keys[] = {span_str(FEEDBACK_GIVEN_KEY), span_str("cg:{feedback}:at"), span_str(FEEDBACK_RULES_KEY)};
    struct span args[] = {span_str(j->id),
                          span_str(j->to),
                          *j->value ? span_str(j->value)
                          : rules.n ? rules
                                    : shadow,
                          span_str(j->name),
                          span_str(is_agent ? "agent" : "supervisor"),
                          span_str(j->why)};
    redis_eval(j->board->redis, on_given, j, j->board->model->feedback, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
}

void api_violation_feedback(struct request *r)
{
    struct job *j = job_new(r);
    bool has_verdict = web_text(r, "verdict", j->to, sizeof(j->to));
    uint32_t rule = json_member(r->body, 0, span_str("rule")), why = json_member(r->body, 0, span_str("why"));
    if (!has_verdict || (strcmp(j->to, "wrong") != 0 && strcmp(j->to, "right") != 0 && strcmp(j->to, "none") != 0)) {
        web_error(r->http, 400, "verdict", "must be wrong, right or none");
        job_free(j);
    } else if ((rule && !web_text(r, "rule", j->value, sizeof(j->value))) ||
               (why && !web_text(r, "why", j->why, sizeof(j->why)))) {
        web_error(r->http, 400, "rule", "rule and why must be texts of at most 200 and 400 bytes");
        job_free(j);
    } else {
        ask_one(j, on_judged_entry);
    }
}

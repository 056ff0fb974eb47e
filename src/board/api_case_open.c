/* A case that a person opens: somebody complained by telephone, or no rule knew the words. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "board/case_row.h"
#include "board/rows.h"
#include "track/event.h"
#include "track/pseudonym.h"
#include "track/schema.h"

enum { KIND_MAX = 32, READ_MOST = 2000, REOPEN_DAYS = 7 };

struct opening {
    struct job *job;
    char customer[EVENT_FIELD_MAX + 1], conv[EVENT_FIELD_MAX + 1], agent[EVENT_FIELD_MAX + 1];
    char team[EVENT_FIELD_MAX + 1], shop[EVENT_FIELD_MAX + 1];
    char kind[KIND_MAX], severity[2], words[EVENT_WORDS_MAX + 1];
};

static void finish(struct opening *o)
{
    job_free(o->job);
    free(o);
}

static void refuse(struct opening *o, int code, const char *word, const char *text)
{
    web_error(o->job->http, code, word, text);
    finish(o);
}

static void no_redis(struct opening *o)
{
    job_no_redis(o->job);
    free(o);
}

/* --- Redis's answers --- */

static void on_opened(void *ctx, const struct redis_reply *reply)
{
    struct opening *o = ctx;
    struct job *job = o->job;
    struct span id = row_text(reply, 1);
    model_ask_forget(job->board->model);
    if (!redis_is_array(reply) || !span_is(row_text(reply, 0), "OK")) {
        job_audit(job, "case_opened", "unknown");
        no_redis(o);
        return;
    }
    if (id.n < sizeof(job->id))
        snprintf(job->id, sizeof(job->id), "%.*s", (int)id.n, (const char *)id.p);
    job_audit(job, "case_opened", "ok");
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    put_span(&j, "id", id);
    put_span(&j, "state", row_text(reply, 2));
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    finish(o);
}

static void open_case(struct opening *o)
{
    struct job *j = o->job;
    struct schema_keys keys;
    struct span args[] = {span_str("open"),      span_str(o->customer), span_str(o->conv), span_str(o->kind),
                          span_str(o->severity), span_str(o->words),    span_str(j->name), span_str(j->why),
                          span_str(o->agent),    span_str(o->team),     span_str(o->shop)};
    schema_apply_keys(j->shard, &keys);
    redis_eval(j->board->redis, on_opened, o, j->board->model->move, SCHEMA_KEY_COUNT, keys.span, ARRAY_LEN(args),
               args);
}

/* Would this complaint join a case that the user may not see? */
static bool joins_anothers(const struct opening *o, const struct user *u, const struct redis_reply *reply)
{
    int64_t since = row_int(reply, 0) - (int64_t)REOPEN_DAYS * 86400000;
    for (size_t i = 1; i < reply->n; i++) {
        const struct redis_reply *row = redis_item(reply, i);
        int64_t done = row_int(row, CASE_DONE);
        if (span_is(row_text(row, CASE_CUSTOMER), o->customer) && (!done || done > since) && !case_is_visible(u, row))
            return true;
    }
    return false;
}

static void on_others(void *ctx, const struct redis_reply *reply)
{
    struct opening *o = ctx;
    if (!redis_is_array(reply)) {
        no_redis(o);
        return;
    }
    const struct user *u = board_user(o->job->board, span_str(o->job->name));
    if (!u)
        refuse(o, 401, "login", "log in first");
    else if (!user_may(u, SCOPE_CASES_ACT) || !user_sees(u, span_str(o->team), span_str(o->shop)))
        refuse(o, 403, "role", "your role does not allow this");
    else if (joins_anothers(o, u, reply))
        refuse(o, 409, "other_case", "another team has a case of this customer");
    else
        open_case(o);
}

/* --- the question --- */

/* Missing is empty; false: too long, or no text. */
static bool read_optional(const struct request *r, const char *key, char *out, size_t cap)
{
    out[0] = '\0';
    return !json_member(r->body, 0, span_str(key)) || web_text(r, key, out, cap);
}

static bool read_severity(const struct request *r, char out[2])
{
    uint32_t at = json_member(r->body, 0, span_str("severity"));
    uint64_t n = 1;
    if (at && (r->body->node[at].kind != JSON_NUMBER || !span_u64(json_raw_span(r->body, at), &n) || n < 1 || n > 4))
        return false;
    out[0] = (char)('0' + n);
    out[1] = '\0';
    return true;
}

static const char *read_members(struct request *r, struct opening *o, const char **why)
{
    struct job *j = o->job;
    *why = "a text of 1 to 200 bytes is needed";
    if (!web_text(r, "customer", o->customer, sizeof(o->customer)) || !span_trim(span_str(o->customer)).n)
        return "customer";
    *why = "must be small letters and _, at most 31";
    if (!web_text(r, "kind", o->kind, sizeof(o->kind)) || !*o->kind ||
        strspn(o->kind, "abcdefghijklmnopqrstuvwxyz_") != strlen(o->kind))
        return "kind";
    *why = "must be a number from 1 to 4";
    if (!read_severity(r, o->severity))
        return "severity";
    *why = "must be a text of at most 600 bytes";
    if (!read_optional(r, "words", o->words, sizeof(o->words)))
        return "words";
    *why = "must be a text of at most 200 bytes";
    if (!read_optional(r, "conversation", o->conv, sizeof(o->conv)))
        return "conversation";
    if (!read_optional(r, "agent", o->agent, sizeof(o->agent)))
        return "agent";
    *why = "a reason of 1 to 400 bytes is needed";
    if (!web_text(r, "why", j->why, sizeof(j->why)) || !span_trim(span_str(j->why)).n)
        return "why";
    return NULL;
}

/* The agent says to which team and shop the case belongs, and with that who sees it. */
static bool take_agent(struct opening *o)
{
    const struct agent *a = map_get(&o->job->board->model->agents, span_str(o->agent));
    if (*o->agent && !a)
        return false;
    snprintf(o->team, sizeof(o->team), "%s", a ? a->team : "");
    snprintf(o->shop, sizeof(o->shop), "%s", a ? a->shop : "");
    return true;
}

static bool is_pseudonym(const char *id)
{
    return strlen(id) == PSEUDONYM_MAX - 1 && strncmp(id, "p-", 2) == 0 && strspn(id + 2, "0123456789abcdef") == 32;
}

/* Under the names that the gateways give, when they were told the key. */
static int hide_names(struct opening *o, struct err *e)
{
    const char *path = o->job->board->set->privacy_key;
    struct buf key = {0};
    char name[PSEUDONYM_MAX];
    if (!path)
        return 0;
    if (pseudonym_load_key(path, &key, e) < 0)
        return -1;
    if (!is_pseudonym(o->customer))
        snprintf(o->customer, sizeof(o->customer), "%s", pseudonym_make(buf_span(&key), span_str(o->customer), name));
    if (*o->conv && !is_pseudonym(o->conv))
        snprintf(o->conv, sizeof(o->conv), "%s", pseudonym_make(buf_span(&key), span_str(o->conv), name));
    buf_fini(&key);
    return 0;
}

void api_case_open(struct request *r)
{
    struct opening *o = xcalloc(1, sizeof(*o));
    struct model *m = r->board->model;
    const char *why = "", *wrong;
    struct err e;
    o->job = job_new(r);
    if ((wrong = read_members(r, o, &why))) {
        refuse(o, 400, wrong, why);
    } else if (!take_agent(o)) {
        refuse(o, 400, "agent",
               "no gateway has seen this agent; leave it out, or give the name as the Agents page has it");
    } else if (!user_sees(r->user, span_str(o->team), span_str(o->shop))) {
        refuse(o, 403, "agent", "name an agent of a team and shop that you see");
    } else if (hide_names(o, &e) < 0) {
        log_event(LOG_ERROR, "privacy_key", "why=\"%s\"", e.text);
        refuse(o, 503, "privacy_key", "the key of the pseudonyms cannot be read");
    } else if (model_want(m), !m->n_shards) {
        no_redis(o);
    } else {
        char most[16];
        snprintf(most, sizeof(most), "%d", READ_MOST);
        struct span args[] = {span_str("cases"), span_str("all"), span_str(most)};
        struct schema_keys keys;
        o->job->shard = event_shard(span_str(o->customer), (unsigned)m->n_shards);
        schema_apply_keys(o->job->shard, &keys);
        redis_eval(r->board->redis, on_others, o, m->read, SCHEMA_KEY_COUNT, keys.span, ARRAY_LEN(args), args);
    }
}

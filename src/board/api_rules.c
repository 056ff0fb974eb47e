/* The rules in force: what gateways run, how often each rule hit on the last days, and what people think of it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "board/job.h"
#include "board/put.h"

enum { DAYS = 7, RULES_MAX = 1500, IDS_BYTES_MAX = 100000 };

struct rule_row {
    const struct rule_list *list;
    uint32_t node;
    struct span id;
    int64_t today[COUNT_KINDS], trial_today, day[DAYS], trial[DAYS], wrong, right;
};

struct rules_answer {
    struct map by_id;
    struct rule_row *row;
    size_t n;
};

/* --- the rules that gateways run --- */

static void collect(struct rules_answer *a, const struct nodes *nodes)
{
    a->row = xcalloc(RULES_MAX, sizeof(*a->row));
    for (size_t v = 0; v < RULE_LISTS_MAX; v++) {
        const struct rule_list *l = &nodes->rules[v];
        uint32_t n = l->text ? l->doc.node[0].n : 0;
        for (uint32_t k = 0, at = 1; k < n && a->n < RULES_MAX; k++, at = l->doc.node[at].next) {
            struct span id = rule_list_member(l, at, "id");
            if (!id.n || map_get(&a->by_id, id))
                continue;
            a->row[a->n] = (struct rule_row){.list = l, .node = at, .id = id};
            map_put(&a->by_id, id, &a->row[a->n++]);
        }
    }
}

static void free_answer(struct rules_answer *a)
{
    map_fini(&a->by_id);
    free(a->row);
}

/* --- hits --- */

static void add_hits(struct rules_answer *a, const struct redis_reply *hit)
{
    struct rule_row *r = map_get(&a->by_id, row_text(hit, 0));
    int64_t day = row_int(hit, 2), counts[COUNT_KINDS] = {0};
    if (!r || day < 0 || day >= DAYS)
        return;
    bool is_trial = span_is(row_text(hit, 1), "x");
    model_read_counts(row_text(hit, 3), counts);
    for (size_t k = 0; k < COUNT_KINDS; k++) {
        (is_trial ? r->trial : r->day)[day] += counts[k];
        if (day == DAYS - 1 && !is_trial)
            r->today[k] += counts[k];
    }
}

/* "RULE|wrong" or "RULE|right" */
static void add_feedback(struct rules_answer *a, const struct redis_reply *pairs)
{
    for (size_t i = 0; pairs->kind == REDIS_ARRAY && i + 1 < pairs->n; i += 2) {
        struct span name = row_text(pairs, i);
        const uint8_t *bar = memchr(name.p, '|', name.n);
        struct rule_row *r = bar ? map_get(&a->by_id, span_of(name.p, (size_t)(bar - name.p))) : NULL;
        if (!r)
            continue;
        bool is_wrong = span_is(span_from(name, (size_t)(bar - name.p) + 1), "wrong");
        *(is_wrong ? &r->wrong : &r->right) += row_int(pairs, i + 1);
    }
}

/* --- the answer --- */

static void put_days(struct json_out *j, const char *key, const int64_t days[DAYS])
{
    json_key(j, key);
    json_arr(j);
    for (unsigned d = 0; d < DAYS; d++)
        json_int(j, days[d]);
    json_arr_end(j);
}

static void put_hits(struct json_out *j, const struct rule_row *r)
{
    static const struct {
        const char *key;
        enum count count;
    } kinds[] = {{"pass", COUNT_PASS},
                 {"warn", COUNT_WARN},
                 {"rewrite", COUNT_REWRITE},
                 {"hold", COUNT_HOLD},
                 {"block", COUNT_BLOCK}};
    json_key(j, "today");
    json_obj(j);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        put_int(j, kinds[i].key, r->today[kinds[i].count]);
    json_obj_end(j);
    put_days(j, "days", r->day);
    put_days(j, "trial_days", r->trial);
    put_int(j, "wrong", r->wrong);
    put_int(j, "right", r->right);
    put_ratio(j, "precision", r->right, r->right + r->wrong);
}

static void put_rule(struct json_out *j, const struct nodes *nodes, const struct rule_row *r, bool has_hits)
{
    static const char *const members[] = {"id", "title", "norm", "cite", "action", "direction", "shadow"};
    json_obj(j);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        uint32_t at = json_member(&r->list->doc, r->node, span_str(members[i]));
        json_key(j, members[i]);
        if (at)
            json_raw(j, json_raw_span(&r->list->doc, at));
        else
            json_null(j);
    }
    json_key(j, "versions");
    json_arr(j);
    for (size_t v = 0; v < RULE_LISTS_MAX; v++)
        if (nodes->rules[v].text && rule_list_find(&nodes->rules[v], r->id))
            json_str(j, nodes->rules[v].version);
    json_arr_end(j);
    json_key(j, "hits");
    if (has_hits) {
        json_obj(j);
        put_hits(j, r);
        json_obj_end(j);
    } else {
        json_null(j);
    }
    json_obj_end(j);
}

static void put_day_starts(struct json_out *j, const struct model *m)
{
    json_key(j, "days");
    json_arr(j);
    for (unsigned d = 0; d < DAYS; d++)
        json_int(j, model_day_start(m, DAYS - 1 - d));
    json_arr_end(j);
}

static void answer(struct job *job, struct rules_answer *a, bool has_hits)
{
    const struct model *m = job->board->model;
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    put_int(&j, "now_ms", m->nodes.now_ms);
    put_day_starts(&j, m);
    put_bool(&j, "whole", has_hits);
    json_key(&j, "nodes");
    json_arr(&j);
    for (size_t i = 0; i < m->nodes.n; i++)
        node_put(&j, &m->nodes, &m->nodes.list[i], false);
    json_arr_end(&j);
    json_key(&j, "rules");
    json_arr(&j);
    for (size_t i = 0; i < a->n; i++)
        put_rule(&j, &m->nodes, &a->row[i], has_hits);
    json_arr_end(&j);
    json_obj_end(&j);
    web_json(job->http, 200, &out);
    job_free(job);
}

static void on_hits(void *ctx, const struct gather *g)
{
    struct job *job = ctx;
    struct rules_answer a = {0};
    if (g->error) {
        job_no_redis(job);
        return;
    }
    collect(&a, &job->board->model->nodes);
    for (unsigned s = 0; s < g->n; s++)
        for (size_t i = 1; i < g->reply[s]->n; i++)
            add_hits(&a, redis_item(g->reply[s], i));
    if (job->extra)
        add_feedback(&a, job->extra);
    answer(job, &a, true);
    free_answer(&a);
}

static void on_feedback(void *ctx, const struct redis_reply *reply)
{
    struct job *job = ctx;
    struct model *m = job->board->model;
    struct rules_answer a = {0};
    struct buf borders = {0}, ids = {0};
    if (redis_is_error(reply)) {
        job_no_redis(job);
        return;
    }
    job->extra = redis_reply_copy(reply);
    collect(&a, &m->nodes);
    for (unsigned d = 0; d < DAYS; d++)
        buf_printf(&borders, "%lld,", (long long)(model_day_start(m, DAYS - 1 - d) / 3600000));
    buf_printf(&borders, "%lld", (long long)(m->redis_now_ms / 3600000 + 1));
    for (size_t i = 0; i < a.n && ids.len < IDS_BYTES_MAX; i++) {
        buf_append_str(&ids, i ? "," : "");
        buf_append_span(&ids, a.row[i].id);
    }
    if (!model_ask(m, on_hits, job, MODEL_EXTRA, "rules", buf_cstr(&borders), a.n ? buf_cstr(&ids) : "-"))
        job_no_redis(job);
    buf_fini(&borders);
    buf_fini(&ids);
    free_answer(&a);
}

void api_rules(struct request *r)
{
    struct job *j = job_new(r);
    struct model *m = r->board->model;
    model_want(m);
    if (!m->nodes.now_ms || !m->redis_now_ms) {
        job_no_redis(j);
    } else if (r->user->teams.is_all && r->user->shops.is_all) {
        redis_command_str(r->board->redis, on_feedback, j, "HGETALL", FEEDBACK_RULES_KEY, NULL);
    } else { /* hits are counted over all teams, which are not this user's to see */
        struct rules_answer a = {0};
        collect(&a, &m->nodes);
        answer(j, &a, false);
        free_answer(&a);
    }
}

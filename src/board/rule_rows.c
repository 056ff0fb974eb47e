#include "board/rule_rows.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "board/put.h"

enum { RULES_MAX = 1500, IDS_BYTES_MAX = 100000 };

struct rule_row {
    const struct rule_list *list;
    uint32_t node;
    struct span id;
    int64_t today[COUNT_KINDS], day[RULE_DAYS], trial[RULE_DAYS], wrong, right;
};

/* --- the rules that gateways run --- */

void rule_rows_collect(struct rule_rows *a, const struct nodes *nodes)
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

void rule_rows_free(struct rule_rows *a)
{
    map_fini(&a->by_id);
    free(a->row);
}

void rule_rows_ids(const struct rule_rows *a, struct buf *out)
{
    for (size_t i = 0; i < a->n && out->len < IDS_BYTES_MAX; i++) {
        buf_append_str(out, i ? "," : "");
        buf_append_span(out, a->row[i].id);
    }
    if (!a->n)
        buf_append_str(out, "-");
}

/* --- hits --- */

void rule_rows_add_hits(struct rule_rows *a, const struct redis_reply *hit)
{
    struct rule_row *r = map_get(&a->by_id, row_text(hit, 0));
    int64_t day = row_int(hit, 2), counts[COUNT_KINDS] = {0};
    if (!r || day < 0)
        return;
    day = MIN_OF(day, RULE_DAYS - 1); /* where it is tomorrow already */
    bool is_trial = span_is(row_text(hit, 1), "x");
    model_read_counts(row_text(hit, 3), counts);
    for (size_t k = 0; k < COUNT_KINDS; k++) {
        (is_trial ? r->trial : r->day)[day] += counts[k];
        if (day == RULE_DAYS - 1 && !is_trial)
            r->today[k] += counts[k];
    }
}

void rule_rows_add_feedback(struct rule_rows *a, const struct redis_reply *pairs)
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

static void put_days(struct json_out *j, const char *key, const int64_t days[RULE_DAYS])
{
    json_key(j, key);
    json_arr(j);
    for (unsigned d = 0; d < RULE_DAYS; d++)
        json_int(j, days[d]);
    json_arr_end(j);
}

static void put_hits(struct json_out *j, const struct rule_row *r, bool has_feedback)
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
    put_int_or_null(j, "wrong", r->wrong, has_feedback);
    put_int_or_null(j, "right", r->right, has_feedback);
    put_ratio(j, "precision", r->right, r->right + r->wrong);
}

static void put_rule(struct json_out *j, const struct nodes *nodes, const struct rule_row *r, bool has_feedback)
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
    json_obj(j);
    put_hits(j, r, has_feedback);
    json_obj_end(j);
    json_obj_end(j);
}

void rule_rows_put(struct json_out *j, const struct nodes *nodes, const struct rule_rows *a, bool has_feedback)
{
    json_arr(j);
    for (size_t i = 0; i < a->n; i++)
        put_rule(j, nodes, &a->row[i], has_feedback);
    json_arr_end(j);
}

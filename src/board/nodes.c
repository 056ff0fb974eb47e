#include "board/nodes.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "board/put.h"
#include "track/beat.h"
#include "track/script.h"

enum { VERSION_MAX = 32, STATE_BYTES_MAX = 1 << 20 };

void nodes_init(struct nodes *n, struct redis *r)
{
    *n = (struct nodes){.redis = r, .script = redis_script_add(r, script_text("nodes"))};
}

static void forget_list(struct rule_list *l)
{
    free(l->version);
    free(l->text);
    json_doc_fini(&l->doc);
    *l = (struct rule_list){0};
}

static void forget_nodes(struct nodes *n)
{
    for (size_t i = 0; i < n->n; i++) {
        free(n->list[i].id);
        free(n->list[i].text);
        json_doc_fini(&n->list[i].doc);
    }
    n->n = 0;
}

void nodes_fini(struct nodes *n)
{
    forget_nodes(n);
    for (size_t i = 0; i < RULE_LISTS_MAX; i++)
        forget_list(&n->rules[i]);
}

/* --- one heart-beat --- */

bool node_is_lost(const struct nodes *n, const struct node_seen *s)
{
    return n->now_ms - s->at_ms > NODE_LOST_MS;
}

uint32_t node_member(const struct node_seen *s, const char *path)
{
    uint32_t at = 0;
    for (;;) {
        size_t len = strcspn(path, ".");
        at = s->doc.node[at].kind == JSON_OBJECT ? json_member(&s->doc, at, span_of(path, len)) : 0;
        if (!at || !path[len])
            return at;
        path += len + 1;
    }
}

static struct span text_of(const struct json_doc *doc, uint32_t at)
{
    if (!at || doc->node[at].kind != JSON_STRING)
        return span_str("");
    struct span quoted = json_raw_span(doc, at);
    return span_of(quoted.p + 1, quoted.n - 2);
}

struct span node_text(const struct node_seen *s, const char *path)
{
    return text_of(&s->doc, node_member(s, path));
}

int64_t node_int(const struct node_seen *s, const char *path)
{
    uint32_t at = node_member(s, path);
    if (!at || s->doc.node[at].kind != JSON_NUMBER)
        return 0;
    struct span text = json_raw_span(&s->doc, at);
    bool is_negative = text.n && text.p[0] == '-';
    uint64_t v = 0;
    if (!span_u64(span_from(text, is_negative), &v) || v > INT64_MAX)
        return 0;
    return is_negative ? -(int64_t)v : (int64_t)v;
}

bool node_bool(const struct node_seen *s, const char *path)
{
    uint32_t at = node_member(s, path);
    return at && s->doc.node[at].kind == JSON_TRUE;
}

static void put_member(struct json_out *j, const struct node_seen *s, const char *key)
{
    uint32_t at = node_member(s, key);
    json_key(j, key);
    if (at)
        json_raw(j, json_raw_span(&s->doc, at));
    else
        json_null(j);
}

void node_put(struct json_out *j, const struct nodes *n, const struct node_seen *s, bool is_long)
{
    static const char *const members[] = {"version",  "started_ms", "mode", "mode_until_ms",
                                          "draining", "rules",      "packs"};
    static const char *const more[] = {"ready", "why", "sessions", "agents", "journal"};
    json_obj(j);
    put_str(j, "node", s->id);
    put_int(j, "seen_ms", s->at_ms);
    put_bool(j, "lost", node_is_lost(n, s));
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        put_member(j, s, members[i]);
    for (size_t i = 0; is_long && i < ARRAY_LEN(more); i++)
        put_member(j, s, more[i]);
    json_obj_end(j);
}

/* --- lists of rules --- */

struct span rule_list_member(const struct rule_list *l, uint32_t at, const char *key)
{
    return l->doc.node[at].kind == JSON_OBJECT ? text_of(&l->doc, json_member(&l->doc, at, span_str(key)))
                                               : span_str("");
}

uint32_t rule_list_find(const struct rule_list *l, struct span id)
{
    for (uint32_t k = 0, at = 1; k < l->doc.node[0].n; k++, at = l->doc.node[at].next)
        if (span_eq(rule_list_member(l, at, "id"), id))
            return at;
    return 0;
}

struct span rule_list_text(const struct rule_list *l, struct span id, const char *key)
{
    uint32_t at = rule_list_find(l, id);
    return at ? rule_list_member(l, at, key) : span_str("");
}

const struct rule_list *nodes_rules(const struct nodes *n, struct span version)
{
    for (size_t i = 0; i < RULE_LISTS_MAX; i++)
        if (n->rules[i].version && span_is(version, n->rules[i].version))
            return n->rules[i].text ? &n->rules[i] : NULL;
    return NULL;
}

struct list_question {
    struct nodes *nodes;
    char version[VERSION_MAX];
};

static void on_list(void *ctx, const struct redis_reply *reply)
{
    struct list_question *q = ctx;
    struct err e;
    for (size_t i = 0; i < RULE_LISTS_MAX; i++) {
        struct rule_list *l = &q->nodes->rules[i];
        if (!l->version || strcmp(l->version, q->version) != 0 || l->text)
            continue;
        l->is_asked = false;
        if (reply->kind != REDIS_TEXT || reply->text.n > STATE_BYTES_MAX)
            break; /* asked again with the next reading */
        l->text = xmemdup0(reply->text.p, reply->text.n);
        if (json_read(&l->doc, span_of(l->text, reply->text.n), 0, &e) != JSON_OK || l->doc.node[0].kind != JSON_ARRAY)
            forget_list(l);
        break;
    }
    free(q);
}

static void ask_list(struct nodes *n, struct rule_list *l)
{
    struct list_question *q = xcalloc(1, sizeof(*q));
    char *key = xasprintf(BEAT_RULES_PREFIX "%s", l->version);
    q->nodes = n;
    snprintf(q->version, sizeof(q->version), "%s", l->version);
    l->is_asked = true;
    redis_command_str(n->redis, on_list, q, "GET", key, NULL);
    free(key);
}

static bool is_run(const struct nodes *n, const char *version)
{
    for (size_t i = 0; i < n->n; i++)
        if (!node_is_lost(n, &n->list[i]) && span_is(node_text(&n->list[i], "rules.version"), version))
            return true;
    return false;
}

static struct rule_list *list_of(struct nodes *n, struct span version)
{
    struct rule_list *empty = NULL;
    for (size_t i = 0; i < RULE_LISTS_MAX; i++) {
        struct rule_list *l = &n->rules[i];
        if (l->version && span_is(version, l->version))
            return l;
        if (!l->version && !empty)
            empty = l;
    }
    if (empty)
        empty->version = xmemdup0(version.p, version.n);
    return empty;
}

static void ask_lists(struct nodes *n)
{
    for (size_t i = 0; i < RULE_LISTS_MAX; i++)
        if (n->rules[i].version && !n->rules[i].is_asked && !is_run(n, n->rules[i].version))
            forget_list(&n->rules[i]);
    for (size_t i = 0; i < n->n; i++) {
        struct span version = node_text(&n->list[i], "rules.version");
        if (node_is_lost(n, &n->list[i]) || !version.n || version.n >= VERSION_MAX)
            continue;
        struct rule_list *l = list_of(n, version);
        if (l && !l->text && !l->is_asked)
            ask_list(n, l);
    }
}

/* --- the reading --- */

static void take_node(struct nodes *n, const struct redis_reply *row)
{
    struct node_seen *s = &n->list[n->n];
    struct err e;
    const struct redis_reply *id = redis_item(row, 0), *state = redis_item(row, 2);
    int64_t at = 0;
    if (id->kind != REDIS_TEXT || state->kind != REDIS_TEXT || state->text.n > STATE_BYTES_MAX ||
        !redis_get_int(redis_item(row, 1), &at))
        return;
    *s = (struct node_seen){
        .id = xmemdup0(id->text.p, id->text.n), .text = xmemdup0(state->text.p, state->text.n), .at_ms = at};
    n->n++;
    if (json_read(&s->doc, span_of(s->text, state->text.n), 0, &e) != JSON_OK || s->doc.node[0].kind != JSON_OBJECT) {
        json_doc_fini(&s->doc);
        s->doc = (struct json_doc){0};
        json_read(&s->doc, span_str("{}"), 0, &e); /* a node of which nothing is known but that it is there */
    }
}

static void on_nodes(void *ctx, const struct redis_reply *reply)
{
    struct nodes *n = ctx;
    n->is_asked = false;
    if (reply->kind != REDIS_ARRAY || !reply->n || !redis_get_int(redis_item(reply, 0), &n->now_ms))
        return;
    forget_nodes(n);
    for (size_t i = 1; i < reply->n && n->n < NODES_MAX; i++)
        take_node(n, redis_item(reply, i));
    ask_lists(n);
}

void nodes_ask(struct nodes *n)
{
    struct span keys[] = {span_str(BEAT_AT_KEY), span_str(BEAT_STATE_KEY)};
    if (n->is_asked)
        return;
    n->is_asked = true;
    redis_eval(n->redis, on_nodes, n, n->script, ARRAY_LEN(keys), keys, 0, NULL);
}

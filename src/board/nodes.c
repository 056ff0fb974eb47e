#include "board/nodes.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
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

struct span node_text(const struct node_seen *s, const char *path)
{
    uint32_t at = node_member(s, path);
    if (!at || s->doc.node[at].kind != JSON_STRING)
        return span_str("");
    struct span quoted = json_raw_span(&s->doc, at);
    return span_of(quoted.p + 1, quoted.n - 2);
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

/* --- lists of rules --- */

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

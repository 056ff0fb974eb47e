/* What the gateways' heart-beats say: which nodes there are, what they run, and the lists of their rules. */
#pragma once

#include "base/json_out.h"
#include "proto/json.h"
#include "track/redis.h"

enum { NODES_MAX = 200, RULE_LISTS_MAX = 4, NODE_LOST_MS = 20000 };

/* One heart-beat; `doc` is its JSON object. */
struct node_seen {
    char *id, *text;
    int64_t at_ms; /* Redis time */
    struct json_doc doc;
};

/* The rules of one version, as a node told them: an array of objects. */
struct rule_list {
    char *version, *text;
    struct json_doc doc;
    bool is_asked;
};

struct nodes {
    struct redis *redis;
    struct redis_script *script;
    struct node_seen list[NODES_MAX]; /* the newest first */
    size_t n;
    struct rule_list rules[RULE_LISTS_MAX]; /* of the versions that nodes run now */
    int64_t now_ms;                         /* Redis time of the reading; 0: none yet */
    bool is_asked;
};

void nodes_init(struct nodes *n, struct redis *r);
/* Asks Redis, unless a question is under way. */
void nodes_ask(struct nodes *n);
/* After redis_free. */
void nodes_fini(struct nodes *n);

bool node_is_lost(const struct nodes *n, const struct node_seen *s);
/* A member of the heart-beat by its path ("rules.version"): node 0 when it is missing. */
uint32_t node_member(const struct node_seen *s, const char *path);
/* A text member, not unescaped (names and versions have no escapes); empty when it is missing. */
struct span node_text(const struct node_seen *s, const char *path);
int64_t node_int(const struct node_seen *s, const char *path);
bool node_bool(const struct node_seen *s, const char *path);
/* The node's members as an object: what it runs; with is_long what a Health page shows as well. */
void node_put(struct json_out *j, const struct nodes *n, const struct node_seen *s, bool is_long);
/* A rule's object in a list by its id, or 0. */
uint32_t rule_list_find(const struct rule_list *l, struct span id);
/* A text member of such an object, not unescaped; empty when it is missing. */
struct span rule_list_member(const struct rule_list *l, uint32_t at, const char *key);
/* The same by the rule's id. */
struct span rule_list_text(const struct rule_list *l, struct span id, const char *key);
/* The rules of that version, or NULL: not read yet. */
const struct rule_list *nodes_rules(const struct nodes *n, struct span version);

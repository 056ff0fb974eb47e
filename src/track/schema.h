/* The keys of one shard in Redis, as docs/redis.md describes them. Every script gets the same list in the same order,
 * so all keys that it may touch are named before it starts (a slot on the move then answers before, not in the middle
 * of a script). They share the hash tag {shard}. */
#pragma once

#include "base/span.h"

enum { SCHEMA_VERSION = 4, SCHEMA_NAME_MAX = 32, SCHEMA_HOUR_SLOTS = 8, SCHEMA_DAY_SLOTS = 4 };

/* X(id, name): the key is cg:{shard}:name. The order is that of lib.lua. */
#define SCHEMA_KEYS(X)                                                                                                 \
    X(KEY_APPLIED, "applied")     /* hash: ring id to last sequence number */                                          \
    X(KEY_RINGS, "rings")         /* zset: ring id by last use */                                                      \
    X(KEY_INFO, "info")           /* hash: schema version, counters */                                                 \
    X(KEY_STREAM, "stream")       /* stream of what happened */                                                        \
    X(KEY_CONV, "conv")           /* hash: conversation to packed state */                                             \
    X(KEY_CONV_AT, "conv_at")     /* zset: conversation by last event */                                               \
    X(KEY_WAITING, "waiting")     /* zset: conversation by waiting since */                                            \
    X(KEY_DUE, "due")             /* zset: open commitment by due time */                                              \
    X(KEY_CUST, "cust")           /* hash: customer to packed log of complaints */                                     \
    X(KEY_CUST_AT, "cust_at")     /* zset: customer by last entry of that log */                                       \
    X(KEY_CASE, "case")           /* hash: case id to packed case */                                                   \
    X(KEY_CASE_OPEN, "case_open") /* zset: case id by opening time */                                                  \
    X(KEY_CASE_DONE, "case_done") /* zset: case id by time of solving or closing */                                    \
    X(KEY_REMIND, "remind")       /* hash: item to packed steps and lease */                                           \
    X(KEY_REMIND_AT, "remind_at") /* zset: item by when to look at it next */                                          \
    X(KEY_AGENTS, "agents")       /* hash: agent to packed last session times */                                       \
    X(KEY_ROUNDS, "rounds")       /* zset: packed recent round by its end */                                           \
    X(KEY_HOURS0, "hours:0")      /* hashes: figures by hour, one per day, day number modulo 8 */                      \
    X(KEY_HOURS1, "hours:1")                                                                                           \
    X(KEY_HOURS2, "hours:2")                                                                                           \
    X(KEY_HOURS3, "hours:3")                                                                                           \
    X(KEY_HOURS4, "hours:4")                                                                                           \
    X(KEY_HOURS5, "hours:5")                                                                                           \
    X(KEY_HOURS6, "hours:6")                                                                                           \
    X(KEY_HOURS7, "hours:7")                                                                                           \
    X(KEY_DAYS0, "days:0") /* hashes: figures by day, one per 28 days, that number modulo 4 */                         \
    X(KEY_DAYS1, "days:1")                                                                                             \
    X(KEY_DAYS2, "days:2")                                                                                             \
    X(KEY_DAYS3, "days:3")                                                                                             \
    X(KEY_HELD, "held")               /* hash: id to packed held message; #agent: how many of theirs wait */           \
    X(KEY_HELD_AT, "held_at")         /* zset: held message without an end, by when something is due */                \
    X(KEY_HELD_DONE, "held_done")     /* zset: held message by when it ended */                                        \
    X(KEY_HELD_TELL, "held_tell")     /* zset: ended ones whose agent does not know it yet */                          \
    X(KEY_SAID, "said")               /* hash: pieces of transcripts */                                                \
    X(KEY_SAID_AT, "said_at")         /* zset: piece by when it is forgotten */                                        \
    X(KEY_SAID_NEW, "said_new")       /* zset: conversation with entries that no seal covers, since when */            \
    X(KEY_SEALS, "seals")             /* stream: signed heads of transcripts */                                        \
    X(KEY_HOOK, "hook")               /* hash: event for webhooks, packed, with the targets that lack it */            \
    X(KEY_HOOK_AT, "hook_at")         /* zset: delivery by when to look at it next */                                  \
    X(KEY_HOOK_URGENT, "hook_urgent") /* the same of urgent events */                                                  \
    X(KEY_WIN, "win")                 /* hash: chunks of conversations' recent events */                               \
    X(KEY_FIGLOG, "figlog")           /* list: what was counted and is not in the figures yet */

enum schema_key {
#define X(id, name) id,
    SCHEMA_KEYS(X)
#undef X
        SCHEMA_KEY_COUNT
};

/* The KEYS of every script for one shard: `span` points into `text`, so the object must stay where it is. */
struct schema_keys {
    struct span span[SCHEMA_KEY_COUNT];
    char text[SCHEMA_KEY_COUNT][SCHEMA_NAME_MAX];
};
/* Fills it in; pass SCHEMA_KEY_COUNT keys. KEYS[1] is cg:{shard}:applied. The list does not depend on the events. */
void schema_apply_keys(unsigned shard, struct schema_keys *out);

/* Deployment-wide hash with `version` (SCHEMA_VERSION) and `shards`. */
#define SCHEMA_META_KEY "cg:meta"
/* Deployment-wide hash: webhook target to its packed state. */
#define SCHEMA_HOOKS_KEY "cg:hooks"

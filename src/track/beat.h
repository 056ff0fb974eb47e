/* A node's heart-beat in Redis: what it runs, for the dashboard (docs/redis.md, "Nodes"). Every five seconds while the
 * link is up; nothing depends on it. */
#pragma once

#include "base/json_out.h"
#include "net/loop.h"
#include "track/redis.h"

#define BEAT_AT_KEY       "cg:{nodes}:at"
#define BEAT_STATE_KEY    "cg:{nodes}:state"
#define BEAT_RULES_PREFIX "cg:{nodes}:rules:"

/* Writes the node's state as one JSON object. */
typedef void (*beat_state_fn)(void *ctx, struct json_out *j);
/* Returns the version of the rules in force, valid until the next call; unless j is NULL, writes them as one JSON
 * array. */
typedef const char *(*beat_rules_fn)(void *ctx, struct json_out *j);

struct beat;

struct beat_options {
    struct loop *loop;
    struct redis *redis;
    const char *node_id; /* copied */
    beat_state_fn state;
    beat_rules_fn rules;
    void *ctx;
};

struct beat *beat_start(const struct beat_options *o);
/* At once, in the next loop turn: something changed. */
void beat_now(struct beat *b);
/* Free the link first. */
void beat_stop(struct beat **b);

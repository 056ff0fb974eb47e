/* Messages that wait for a person's decision (docs/redis.md, "Held messages"): asks every shard which of them are to be
 * sent or to be told about, and claims those whose agent has a session on this node. Control thread, but for
 * held_expect. */
#pragma once

#include <stdatomic.h>

#include "conf/conf.h"
#include "net/loop.h"
#include "track/redis.h"

struct held;

/* Something claimed; the spans are valid during the call. */
struct held_item {
    bool is_send;      /* send it; else tell the agent what became of it */
    struct span id;    /* SHARD-NUMBER */
    const char *fence; /* for held_done */
    struct span state, agent, conv;
    struct span route, via, raw, text; /* as in struct track_event */
    struct span who, why;              /* of the decision */
};

#define HELD_OUTCOMES(X)                                                                                               \
    X(HELD_SENT, "sent")       /* handed to the backend */                                                             \
    X(HELD_BLOCKED, "blocked") /* the rules now in force, or what is in the way */                                     \
    X(HELD_BACK, "back")       /* nothing was sent, it may be tried again */                                           \
    X(HELD_TOLD, "told")       /* the agent was shown it */                                                            \
    X(HELD_UNTOLD, "untold")   /* could not be shown here and now */

enum held_outcome {
#define X(id, name) id,
    HELD_OUTCOMES(X)
#undef X
        HELD_OUTCOME_COUNT
};

/* The receiver calls held_done for it, once, then or later. */
typedef void (*held_fn)(void *ctx, const struct held_item *item);

struct held_options {
    struct loop *loop;
    struct redis *redis;
    const struct conf *conf; /* read during the call */
    const char *node_id;
    unsigned n_shards;
    held_fn claimed;
    bool (*has_agent)(void *ctx, struct span agent);
    void *ctx;
};

struct held *held_start(const struct held_options *o);
void held_reconfigure(struct held *h, const struct conf *conf);
/* Any thread: this node held a message, so decisions are looked for often. */
void held_expect(struct held *h);
void held_done(struct held *h, struct span id, const char *fence, enum held_outcome outcome, struct span why);

struct held_state {
    uint64_t open;                      /* without an end, in all shards, as last seen */
    uint64_t count[HELD_OUTCOME_COUNT]; /* by this node */
};
void held_get_state(const struct held *h, struct held_state *out);
/* Free the link first. */
void held_stop(struct held **h);

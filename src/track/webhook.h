/* Webhooks: events that the scripts left in Redis (lua/hook.lua) are posted to the receivers of the configuration, at
 * least once, by whichever gateway takes a delivery first (docs/redis.md, "Webhooks"). Control thread only; nothing
 * here blocks. */
#pragma once

#include "base/hist.h"
#include "track/redis.h"

struct webhook;

struct webhook_options {
    struct loop *loop;
    struct redis *redis;     /* must be freed before the webhooks: it ends what is in flight */
    const struct conf *conf; /* read at start; webhook_reconfigure for a reload */
    const char *node_id;     /* copied */
    unsigned n_shards;
};

/* Call before the first loop turn (it registers its scripts with the link). */
struct webhook *webhook_start(const struct webhook_options *o);
void webhook_reconfigure(struct webhook *w, const struct conf *conf);
/* Drops what is under way; another gateway takes it up. NULL is fine. */
void webhook_stop(struct webhook **w);

struct webhook_counts {
    uint64_t sent, failed, gave_up;
    uint64_t held; /* claims put back because of the rate limit, a broken circuit, or a receiver that asked to wait */
};

/* Strings are valid until the next call of any function here. */
struct webhook_state {
    const char *name, *kind, *host, *closed_why, *last_error; /* "" when there is none */
    bool is_usable;
    int64_t closed_ms; /* how long it takes nothing yet */
    unsigned in_flight;
    struct webhook_counts count;
    const struct hist *latency_ms; /* of answers that took the delivery */
};

size_t webhook_count(const struct webhook *w);
void webhook_get_state(const struct webhook *w, size_t at, struct webhook_state *out);
/* Deliveries of all targets that wait, as the last round over all shards saw it. */
uint64_t webhook_waiting(const struct webhook *w);

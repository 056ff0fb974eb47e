/* Inside of webhooks: shared by webhook.c (rounds, start and stop) and webhook_job.c (one delivery). */
#pragma once

#include "base/log.h"
#include "track/webhook_post.h"
#include "track/webhook_target.h"

enum {
    WEBHOOK_POLL_MS = 500,
    WEBHOOK_NUMBER_LEN = 24,
    WEBHOOK_TARGETS_MAX = 16,
};

struct webhook_job;

struct webhook {
    struct webhook_options o;
    char *node_id;
    struct webhook_set *set;
    struct redis_script *s_due, *s_expand, *s_claim, *s_done, *s_gate;
    struct timer *timer;
    unsigned n_polling;  /* shards whose answer is awaited */
    bool is_poll_wanted; /* sooner than the clock says */
    struct due *due;
    size_t n_due, cap_due;
    uint64_t waiting, waiting_now;
    struct webhook_job *jobs;
    unsigned n_jobs;
    struct log_limit limit;
};

/* A script on one shard. */
void webhook_run(struct webhook *w, const struct redis_script *s, unsigned shard, redis_fn fn, void *ctx, size_t n,
                 const struct span *args);
/* Logs an error reply; a link that is down is told elsewhere. */
void webhook_complain(struct webhook *w, const char *where, const struct redis_reply *reply);
/* The next round comes now: an event got its targets, or a slot came free. */
void webhook_poll_soon(struct webhook *w);

struct webhook_delivery {
    unsigned shard;
    struct span id; /* copied */
    bool is_urgent;
};
/* Claims n deliveries to one target (at most webhook_most_events), sends what it got in one message when the gate of
 * all gateways lets it through, and says what came of it. */
void webhook_job_start(struct webhook *w, struct webhook_target *t, size_t n, const struct webhook_delivery *d);
/* Drops it; the lease ends by itself. */
void webhook_job_end(struct webhook_job *j);

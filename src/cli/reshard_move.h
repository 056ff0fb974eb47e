/* Between the files of `chatgate redis reshard`: the phases (redis_reshard.c) and what they move (reshard_move.c). */
#pragma once

#include "cli/cli_tracked.h"
#include "track/redis.h"

struct reshard {
    struct tracked *t;
    struct redis_sync *redis;
    unsigned from, to;
    bool is_switching; /* the copy is complete */
    char lock[33];
    uint64_t conv, cust, cases, rounds, agents, held; /* pieces */
};

/* NULL and err, also for an error reply. */
const struct redis_reply *reshard_expect(const struct redis_reply *r, const char *what, struct err *e);
/* Runs a script on one shard of the old number; kind and cursor are its arguments. */
const struct redis_reply *reshard_run_on(struct reshard *rs, unsigned shard, const char *script, const char *kind,
                                         const char *cursor, struct err *e);
/* Renews the lock. -1: it was lost. */
int reshard_keep_lock(struct reshard *rs, struct err *e) MUST_CHECK;
/* Copies the state of all shards to keys of the new number, beside the old ones. */
int reshard_copy(struct reshard *rs, struct err *e) MUST_CHECK;
/* Lets a shard's new state take the old one's place. */
int reshard_switch(struct reshard *rs, unsigned shard, struct err *e) MUST_CHECK;

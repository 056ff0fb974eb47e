/* Signs what is new in the transcripts, conversation by conversation, into the stream `seals` of each shard: so that
 * what is altered or cut off there later shows (docs/evidence.md). Control thread. One gateway seals a shard at a time.
 */
#pragma once

#include "conf/conf.h"
#include "net/loop.h"
#include "track/redis.h"

struct sealer;

struct sealer_options {
    struct loop *loop;
    struct redis *redis;
    const struct conf *conf; /* read during the call */
    const char *node_id;
    unsigned n_shards;
};

/* NULL: no key is configured (err empty), or it cannot be used (err tells). */
struct sealer *sealer_start(const struct sealer_options *o, struct err *e);
struct sealer_state {
    uint64_t seals, failed;
};
void sealer_get_state(const struct sealer *s, struct sealer_state *out);
/* Free the link first. */
void sealer_stop(struct sealer **s);

/* Forgets what `privacy.keep_…` says, every minute, shard by shard. Control thread. */
#pragma once

#include "conf/conf.h"
#include "net/loop.h"
#include "track/redis.h"

struct retain;

struct retain_options {
    struct loop *loop;
    struct redis *redis;
    const struct conf *conf; /* read during the call */
    unsigned n_shards;
};
struct retain *retain_start(const struct retain_options *o);
void retain_reconfigure(struct retain *r, const struct conf *conf);
/* Free the link first. */
void retain_stop(struct retain **r);

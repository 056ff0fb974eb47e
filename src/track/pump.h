/* From the rings of this node to Redis: on the control thread, over one link, exactly once (design.md, "Rings, pump,
 * Redis"). Records of one ring and shard are a lane: sent in order, up to 256 in one call of the script `apply`, one
 * call in flight; lanes are independent, so that trouble pauses one shard of one ring and no other. */
#pragma once

#include "track/redis.h"
#include "track/ring.h"

struct pump;

enum { PUMP_BATCH = 256 };

struct pump_options {
    struct loop *loop;
    struct redis *redis;
    /* EVALSHA with the keys of schema_apply_keys and ARGV: schema, ring id, offset_ms, node id, frames (pump_pack.h),
     * the zone of days (day_zone.h) and how replies are measured (conf/measure.h) as texts, parts of an hour and shops
     * with days of their own (shop_zones.h; empty when this shard was told before), conversations (pump_pack.h). It
     * applies only the number after the last, skips those up to it, stops at a larger one, and answers {last, applied,
     * skipped, status} with status OK, GAP, or VERSION (pauses the lane). Must outlive the pump. */
    const char *script;
    const char *node_id;
    unsigned n_shards; /* wanted; what cg:meta says decides */
    unsigned wait_replicas;
    int64_t timeout_ms;
};

/* Strings but the script are copied. Works on its own from then on. */
struct pump *pump_new(const struct pump_options *o);
/* Free the link first: that ends what is in flight. Orphans are closed, workers' rings are the caller's. */
void pump_free(struct pump **p);

/* A ring of this process. */
void pump_add_ring(struct pump *p, struct ring *r);
/* A ring left behind: the pump owns it, deletes its file when all is confirmed and kept long enough, and closes it. */
void pump_add_orphan(struct pump *p, struct ring *r);
void pump_set_wait_replicas(struct pump *p, unsigned n);
/* How figures are counted from now on: zone of days, the text of a measure, and the shops with days of their own (all
 * copied; d NULL: none). At the start UTC, and nothing measured. */
struct directory;
void pump_set_counting(struct pump *p, const char *zone, const char *measure, const struct directory *d);
/* Has the present master every event? Without one: had the last one? */
bool pump_is_drained(const struct pump *p);

struct pump_state {
    bool is_ready; /* connected, and the shard count agrees */
    char trouble[200];
    uint64_t applied, dup, scripts, lost_full, lost_gap, gaps, renamed, released_early;
    uint64_t unsent_bytes, ring_bytes, oldest_unsent_ms;
    unsigned paused, rings, orphans; /* paused: lanes */
    int64_t clock_offset_ms;
};
void pump_get_state(const struct pump *p, struct pump_state *out);

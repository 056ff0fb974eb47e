/* The parts of `chatgate redis check`. Each adds what it finds; what cannot be asked is a finding, too. */
#pragma once

#include "cli/cli_tracked.h"
#include "cli/redis_report.h"

struct redis_check {
    struct tracked *t;
    const struct conf *conf;
    struct redis_sync *redis;
    unsigned n_shards; /* of cg:meta; 0: nothing is tracked yet */
    struct report report;
};

/* redis_check_server.c: versions, settings, replicas, rights, clocks of the masters; the Sentinels. */
void check_servers(struct redis_check *c);
/* redis_check_state.c: cg:meta, what other numbers of shards left behind, contradictions inside each shard. */
void check_meta(struct redis_check *c);
void check_shards(struct redis_check *c);
/* redis_check_nodes.c: gateways that count in another way than this configuration. */
void check_nodes(struct redis_check *c);
/* redis_check_ring.c: the rings of this node against what Redis has of them. */
void check_rings(struct redis_check *c);

/* Rings of this node, and how many of them live processes hold; used before a reshard, too. */
struct ring_tally {
    unsigned n, held;
    uint64_t unsent_bytes;
};
/* -1: the folder cannot be read (in e). */
int tally_rings(const char *dir, struct ring_tally *out, struct err *e) MUST_CHECK;

enum { NODE_FRESH_MS = 20000 };
/* Gateways and dashboards that live: fresh heart-beats, and connections named chatgated or chatgate-board. What they
 * are goes to `names`. -1: the question was refused (in e). */
int count_writers(struct redis_sync *s, char names[200], struct err *e) MUST_CHECK;

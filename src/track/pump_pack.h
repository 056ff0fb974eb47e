/* Records of one shard as the script `apply` takes them: frames one behind the other, each 6 bytes number, 2 bytes
 * length, the encoded event (numbers big-endian); the conversations whose state it will want, each once; and what the
 * plain messages count as. What is told here is read with one command or not counted one by one; the script finds the
 * rest as it meets it. */
#pragma once

#include "base/buf.h"

enum { PACK_MAX = 256, PACK_SLOTS = 1024 };

/* How many plain messages an agent's customers (in) and the agent (pass) wrote in one hour. */
struct pack_tally {
    struct span who; /* into the records */
    int64_t hour;    /* in steps: hours, or quarters */
    uint16_t in, pass;
};

struct pack {
    struct buf frames;
    size_t n, n_convs, n_tallies;
    struct span conv[PACK_MAX]; /* into the records */
    uint16_t records[PACK_MAX]; /* by conversation */
    struct pack_tally tally[PACK_MAX];
    uint16_t slot[PACK_SLOTS], tally_slot[PACK_SLOTS]; /* hash to index + 1 */
    unsigned parts;
    struct buf figures;
};

/* Keeps the memory. parts: into how many parts days cut an hour, 1 or 4. */
void pack_reset(struct pack *p, unsigned parts);
void pack_fini(struct pack *p);
/* At most PACK_MAX times, with numbers that follow one another. The record is copied, its time moved to Redis's clock
 * (event_shift); it must stay until the pack was sent. What is longer than any event goes as an empty record. */
void pack_add(struct pack *p, int64_t number, struct span record, int64_t offset_ms);
/* The conversations, at most PACK_MAX, those with several records first; returns how many these are. */
size_t pack_convs(const struct pack *p, struct span out[PACK_MAX]);
/* An entry for the log of figures (src/track/lua/figures.lua), empty when there is nothing to count. Holds until the
 * next call. */
struct span pack_figures(struct pack *p);

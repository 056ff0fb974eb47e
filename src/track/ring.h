/* The journal of a worker: a memory-mapped, preallocated file with checksummed records. One writer (the worker), one
 * reader (the pump, another thread of the same process). It is the only path to Redis. A ring survives kill -9; it is
 * locked (flock) by its owner, and unlocked ones found at start are drained and deleted.
 *
 *   file:  | fixed head | counters | next sequence numbers | identity 0 | identity 1 | …… records ……                  |
 *   space: positions only grow; a record lies at position modulo capacity and never wraps
 *                       tail ≤          confirmed ≤            head
 *            (overwritable) | kept, Redis has it | not yet confirmed | (free)
 *
 * Numbers are in the machine's byte order: the file does not leave its host. */
#pragma once

#include "base/err.h"
#include "track/event.h"

struct ring;

enum { RING_SHARDS_MAX = 1024, RING_ID_LEN = 32, RING_SIZE_MIN = 64 * 1024 };

/* Creates or reopens DIR/worker-INDEX.ring (mode 0600), posix_fallocates and locks it. When another process holds that
 * file, worker-INDEX+1.ring … are tried; one with another size, shard count or a damaged head is set aside in the
 * same folder (to be found as an orphan, or as `.bad` for a person). */
struct ring *ring_open(const char *dir, unsigned index, size_t size_bytes, unsigned n_shards, int64_t keep_ms,
                       struct err *e);
/* Opens a ring that another run left behind. NULL with an empty err text: it has an owner, or is gone. */
struct ring *ring_adopt(const char *path, int64_t keep_ms, struct err *e);
/* Writer: appends one event; the shard and its sequence number are drawn here. Memory only, no system call. -1: full of
 * unsent records (the caller's policy decides; the loss is counted and becomes a gap event before the next record). */
int ring_append(struct ring *r, const struct track_event *ev) MUST_CHECK;
/* Bytes holding records that Redis has not confirmed, and the file's capacity. Any thread. */
size_t ring_unsent_bytes(const struct ring *r);
size_t ring_capacity_bytes(const struct ring *r);
/* Events that ring_append refused since the file was made. Any thread. */
uint64_t ring_lost(const struct ring *r);
/* Gap events that tell of them. Any thread. */
uint64_t ring_gaps(const struct ring *r);
/* Flushes nothing (the mapping is the file), unlocks and unmaps; deletes the file when it is empty and `may_delete`. */
void ring_close(struct ring **r, bool may_delete);

const char *ring_path(const struct ring *r);
unsigned ring_shards(const struct ring *r);
int64_t ring_keep_ms(const struct ring *r);
/* Bytes that were found damaged or torn when the file was opened. */
uint64_t ring_damaged_bytes(const struct ring *r);
/* Appends the gap event that a full ring still owes; for the adopter of a ring, which has no writer. */
void ring_settle(struct ring *r);

/* Reader. */
struct ring_record {
    uint64_t seq; /* hole-free per shard, from 1; a hole means a lost record */
    int64_t at_ms;
    unsigned shard;
    struct span payload; /* in the mapping, valid until the record is released */
};
/* The record at *pos or, behind fillers, after it; sets *pos to where it lies and *next to what follows. False: no
 * further record. Start at ring_tail. */
bool ring_read(const struct ring *r, uint64_t *pos, struct ring_record *out, uint64_t *next);
uint64_t ring_tail(const struct ring *r);
uint64_t ring_head(const struct ring *r);
uint64_t ring_confirmed(const struct ring *r);
/* All before pos is confirmed by Redis. May go back (Redis forgot), not before the tail. */
void ring_set_confirmed(struct ring *r, uint64_t pos);
/* All before pos may be overwritten; pos is at most ring_confirmed. */
void ring_release(struct ring *r, uint64_t pos);
/* The newest sequence number drawn for a shard (0: none yet). */
uint64_t ring_newest_seq(const struct ring *r, unsigned shard);
/* Under which name Redis counts this ring's records: the number told to Redis is seq - ring_base. */
const char *ring_id(const struct ring *r);
uint64_t ring_base(const struct ring *r, unsigned shard);
/* Takes a new id and new bases (one per shard), which survive kill -9 together. */
void ring_rename(struct ring *r, const uint64_t *base);

/* What a ring's file says about itself, without locking or changing it; for `chatgate redis`. */
struct ring_glance {
    char id[RING_ID_LEN + 1];
    unsigned n_shards;
    bool is_held; /* by a process that lives */
    uint64_t unsent_bytes, lost, owed;
    int64_t newest[RING_SHARDS_MAX]; /* per shard, as Redis counts: the number drawn last, 0 none */
};
/* -1 and err: it cannot be read, or is no ring. */
int ring_glance(const char *path, struct ring_glance *out, struct err *e) MUST_CHECK;

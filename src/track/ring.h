/* The journal of a worker: a memory-mapped, preallocated file with checksummed records. One writer (the worker), one
 * reader (the pump, another thread of the same process). It is the only path to Redis. See docs/redis.md for the
 * format. A ring survives kill -9; it is locked (flock) by its owner, and unlocked ones found at start are drained and
 * deleted. */
#pragma once

#include "base/err.h"
#include "track/event.h"

struct ring;

/* Creates or reopens DIR/worker-INDEX.ring, posix_fallocates and locks it. */
struct ring *ring_open(const char *dir, unsigned index, size_t size_bytes, unsigned n_shards, int64_t keep_ms,
                       struct err *e);
/* Writer: appends one event; the shard and its sequence number are drawn here. Memory only, no system call. -1: full of
 * unsent records (the caller's policy decides; the loss is counted and becomes a gap event by the pump). */
int ring_append(struct ring *r, const struct event *ev) MUST_CHECK;
/* Bytes holding records that Redis has not confirmed, and the file's capacity. Any thread. */
size_t ring_unsent_bytes(const struct ring *r);
size_t ring_capacity_bytes(const struct ring *r);
/* Flushes nothing (the mapping is the file), unlocks and unmaps; deletes the file when it is empty and `may_delete`. */
void ring_close(struct ring **r, bool may_delete);

/* A pump, its rings and a real redis-server, which is killed, stopped, flushed and made to refuse; for the tests of
 * track/pump*.c. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rand.h"
#include "track/pump.h"
#include "track/schema.h"
#include "track_redis_server.h"

enum { SHARDS = 4, RINGS = 2, RING_BYTES = 4 << 20, PATIENCE_MS = 60000, TOLD_MOST = 10 };

struct fixture {
    struct server server;
    struct loop *loop;
    struct redis *redis;
    struct pump *pump;
    struct ring *ring[RINGS];
    struct timer *step;
    uint64_t appended, want; /* events so far; to append */
    unsigned per_step;       /* below so many in a turn */
    int64_t give_up_ms, keep_ms, timeout_ms;
    size_t ring_bytes;
    unsigned wait_replicas, n_shards;
    bool (*is_done)(struct fixture *f);
    bool was_done;
    void (*trouble)(struct fixture *f);
    uint64_t trouble_at;
};

/* With a server, a pump and empty rings. */
struct fixture *fixture_new(void);
void fixture_free(struct fixture **f);
/* One event, for the ring whose turn it is. */
void append_one(struct fixture *f);
bool is_drained(struct fixture *f);
/* Runs the loop, which appends what is wanted, until then. */
void run_until(struct fixture *f, bool (*is_done)(struct fixture *));
void start_pump(struct fixture *f);
void open_rings(struct fixture *f);
void stop_pump(struct fixture *f);
struct pump_state state_of(struct fixture *f);

/* What Redis has. */
struct account {
    uint8_t *seen; /* per event number */
    uint64_t total, gap_events, gap_count;
};

/* `seen` is the caller's to free; numbers are less than `max`. */
struct account read_account(struct fixture *f, uint64_t max);
void expect_each_once(struct fixture *f);
bool has_reconnected(struct fixture *f);

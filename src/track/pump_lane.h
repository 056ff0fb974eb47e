/* Inside of the pump: one ring's records of one shard (pump_records.c) on their way (pump_lane.c), and what pump.c and
 * pump_meet.c share. */
#pragma once

#include "conf/measure.h"
#include "track/day_zone.h"
#include "track/pump.h"
#include "track/pump_pack.h"
#include "track/schema.h"
#include "track/shop_zones.h"

#define LANE_STATES(X)                                                                                                 \
    X(LANE_UNKNOWN, "unknown") /* what Redis has applied is to be asked */                                             \
    X(LANE_ASKED, "asked")     /* … and the answer awaited */                                                        \
    X(LANE_READY, "ready")     /* for records */                                                                       \
    X(LANE_SENT, "sent")       /* for the answer to a batch */                                                         \
    X(LANE_PAUSED, "paused")   /* for resume_ms, after trouble; then it asks again */

enum lane_state {
#define X(id, name) id,
    LANE_STATES(X)
#undef X
        LANE_STATE_COUNT
};

struct pump_ring;

/* positions of the records that the ring still holds:
 *   first            first + done              first + n
 *   | Redis has them  | to be sent, or in flight |          Numbers are told to Redis as seq - base of the ring. */
struct lane {
    struct pump *pump;
    struct pump_ring *ring;
    unsigned shard, slot; /* slot: of its keys in a Cluster */
    enum lane_state state;
    bool is_stale; /* waiting for an answer from a master that may no longer be the one */
    uint64_t *pos; /* circular, cap is a power of two */
    size_t cap, first, done, n;
    int64_t applied;       /* number that Redis told last */
    uint64_t known;        /* every record up to this seq is in pos, was there, or is lost */
    uint64_t first_count;  /* after a renaming: how many records the filler with number 1 stands for */
    uint64_t sent_fillers; /* in the batch in flight */
    bool has_conflict;     /* what Redis has cannot be: the ring needs another identity */
    int64_t resume_ms, backoff_ms;
    int64_t sent_slot;   /* when the last batch went */
    uint64_t told_zones; /* version of pump.shops that this shard has; 0: not known */
};

struct pump_ring {
    struct ring *ring;
    bool is_orphan, is_unfit_told, want_rename;
    uint64_t scan; /* position up to which records are in the lanes */
    uint64_t confirmed_at_open;
    /* confirmed positions that wait to be old enough */
    struct {
        uint64_t pos;
        int64_t at_ms;
    } mark[16];
    size_t n_marks;
    uint64_t wait_pos, waited; /* asked for by the WAIT in flight; replicas have it */
    struct lane *lane;         /* one per shard */
    struct pump_ring *next;
};

struct pump {
    struct pump_options o;
    char *node_id;
    struct day_zone zone;
    struct shop_zones shops;
    char measure[MEASURE_TEXT_MAX];
    char schema[12];
    struct redis_script *script;
    struct pack pack; /* of the batch that is being sent */
    struct timer *tick;
    struct pump_ring *rings;
    unsigned meta_shards; /* 0: not known */
    bool is_meta_asked, is_meta_fresh, is_refused_told;
    int64_t meta_retry_ms;
    uint64_t info_connects;     /* when the servers were asked for their settings */
    uint64_t n_news, wait_news; /* on_up calls; at the time of the WAITs under way */
    unsigned n_waits;           /* answers awaited */
    bool is_wait_short;
    int64_t wait_retry_ms;
    struct pump_state total; /* counters only */
    char trouble[200];
    struct log_limit pause_limit, gap_limit, early_limit, wait_limit;
};

/* pump_meet.c: questions to the server that the link leads to. */
void pump_ask_meta(struct pump *p);
void pump_ask_info(struct pump *p);

void lane_init(struct lane *l, struct pump *p, struct pump_ring *pr, unsigned shard);
/* The record was found in the ring. `is_done`: an earlier run saw it confirmed. */
void lane_push(struct lane *l, const struct ring_record *rec, uint64_t pos, bool is_done);
/* Records before pos will be overwritten. */
void lane_trim(struct lane *l, uint64_t pos);
/* Asks Redis what is applied, or sends the next batch, if it is time for either. */
void lane_turn(struct lane *l, int64_t now_ms);
/* Are there records or holes to send? */
bool lane_has_work(const struct lane *l);
/* The i-th record at hand. */
struct ring_record lane_record(const struct lane *l, size_t i);
/* What Redis calls it; negative for records from before the ring's present identity. */
int64_t lane_number(const struct lane *l, uint64_t seq);
int64_t lane_number_at(const struct lane *l, size_t i);
/* The last one that was drawn for this shard. */
uint64_t lane_newest(const struct lane *l);
static inline bool lane_is_waiting(const struct lane *l)
{
    return l->state == LANE_ASKED || l->state == LANE_SENT;
}
/* A link came up, or another master serves something: what is applied is to be asked again. */
void lane_forget(struct lane *l);
/* Is it known what Redis has, or that it cannot be? */
static inline bool lane_is_settled(const struct lane *l)
{
    return l->state == LANE_READY || (l->state == LANE_UNKNOWN && l->has_conflict);
}
/* The number that a new identity starts after (see ring_rename), and the lane made ready for it. */
uint64_t lane_rebase(struct lane *l);
static inline uint64_t lane_pos(const struct lane *l, size_t i)
{
    return l->pos[(l->first + i) & (l->cap - 1)];
}

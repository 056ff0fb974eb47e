#include "track/ring.h"

#include "base/clock.h"
#include "base/rand.h"
#include "track/crc.h"
#include "track/ring_layout.h"

uint32_t record_crc(const struct ring *r, const struct record *rec)
{
    size_t n = rec->kind == RECORD_FILLER ? RECORD_HEAD : record_size(rec->len);
    return crc_update(r->crc_seed, span_of((const uint8_t *)rec + sizeof(rec->crc), n - sizeof(rec->crc)));
}

void record_write_filler(struct ring *r, uint64_t pos, size_t n)
{
    struct record *rec = record_at(r, pos);
    *rec = (struct record){.len = (uint32_t)(n - RECORD_HEAD), .pos = pos, .kind = RECORD_FILLER};
    rec->crc = record_crc(r, rec);
}

/* Position where a record of n bytes can be written; head moves on to it, past the end of the space if need be. False:
 * no room. */
static bool find_room(struct ring *r, size_t n, uint64_t *at)
{
    uint64_t left = r->capacity - r->head % r->capacity;
    uint64_t skip = left < n ? left : 0;
    uint64_t end = r->head + skip + n;
    if (end - r->tail_seen > r->capacity) {
        r->tail_seen = atomic_load_explicit(&r->count->tail, memory_order_acquire);
        if (end - r->tail_seen > r->capacity)
            return false;
    }
    if (skip >= RECORD_HEAD)
        record_write_filler(r, r->head, skip);
    *at = r->head + skip;
    return true;
}

/* The record counts from the moment when head moves past it: kill -9 before leaves nothing of it. The next sequence
 * number follows, so that who sees it finds the record as well; recovery takes the higher of it and of what the records
 * say. */
static int put_record(struct ring *r, unsigned shard, int64_t at_ms, struct span payload)
{
    size_t n = record_size(payload.n);
    uint64_t pos;
    if (!find_room(r, n, &pos))
        return -1;
    struct record *rec = record_at(r, pos);
    uint64_t seq = atomic_load_explicit(&r->next_seq[shard], memory_order_relaxed);
    *rec = (struct record){.len = (uint32_t)payload.n,
                           .pos = pos,
                           .seq = seq,
                           .at_ms = at_ms,
                           .shard = (uint16_t)shard,
                           .kind = RECORD_EVENT};
    memset((uint8_t *)rec + n - RING_ALIGN, 0, RING_ALIGN);
    memcpy(rec->payload, payload.p, payload.n);
    rec->crc = record_crc(r, rec);
    r->head = pos + n;
    atomic_store_explicit(&r->count->head, r->head, memory_order_release);
    atomic_store_explicit(&r->next_seq[shard], seq + 1, memory_order_release);
    return 0;
}

static int put_event(struct ring *r, const struct track_event *ev)
{
    uint8_t payload[EVENT_ENCODED_MAX];
    size_t n = event_encode(ev, payload);
    int64_t at_ms = ev->passed_ms ? ev->passed_ms : clock_wall_ms();
    return put_record(r, event_shard(ev->customer, r->n_shards), at_ms, span_of(payload, n));
}

static int put_gap(struct ring *r)
{
    struct track_event gap = {
        .kind = EV_GAP, .at_ms = clock_wall_ms(), .count = atomic_load_explicit(&r->count->owed, memory_order_relaxed)};
    if (put_event(r, &gap) < 0)
        return -1;
    atomic_store_explicit(&r->count->owed, 0, memory_order_relaxed);
    uint64_t gaps = atomic_load_explicit(&r->count->gaps, memory_order_relaxed);
    atomic_store_explicit(&r->count->gaps, gaps + 1, memory_order_relaxed);
    return 0;
}

static int count_lost(struct ring *r)
{
    uint64_t lost = atomic_load_explicit(&r->count->lost, memory_order_relaxed);
    uint64_t owed = atomic_load_explicit(&r->count->owed, memory_order_relaxed);
    atomic_store_explicit(&r->count->lost, lost + 1, memory_order_relaxed);
    atomic_store_explicit(&r->count->owed, owed + 1, memory_order_relaxed);
    return -1;
}

int ring_append(struct ring *r, const struct track_event *ev)
{
    /* Room for a gap event and the largest usual record, else a ring at its limit would fill up with gap events. */
    uint64_t at;
    if (atomic_load_explicit(&r->count->owed, memory_order_relaxed) &&
        (!find_room(r, 2 * record_size(EVENT_USUAL_MAX), &at) || put_gap(r) < 0))
        return count_lost(r);
    return put_event(r, ev) < 0 ? count_lost(r) : 0;
}

void ring_settle(struct ring *r)
{
    if (atomic_load_explicit(&r->count->owed, memory_order_relaxed) && put_gap(r) < 0)
        return; /* still full: the caller comes again */
}

uint64_t ring_tail(const struct ring *r)
{
    return atomic_load_explicit(&r->count->tail, memory_order_relaxed);
}

uint64_t ring_head(const struct ring *r)
{
    return atomic_load_explicit(&r->count->head, memory_order_acquire);
}

uint64_t ring_confirmed(const struct ring *r)
{
    return atomic_load_explicit(&r->count->confirmed, memory_order_relaxed);
}

/* Two counters of two threads: the difference is a figure of the recent past, never negative. */
size_t ring_unsent_bytes(const struct ring *r)
{
    uint64_t confirmed = ring_confirmed(r), head = ring_head(r);
    return head > confirmed ? head - confirmed : 0;
}

size_t ring_capacity_bytes(const struct ring *r)
{
    return r->capacity;
}

uint64_t ring_lost(const struct ring *r)
{
    return atomic_load_explicit(&r->count->lost, memory_order_relaxed);
}

uint64_t ring_gaps(const struct ring *r)
{
    return atomic_load_explicit(&r->count->gaps, memory_order_relaxed);
}

void ring_set_confirmed(struct ring *r, uint64_t pos)
{
    atomic_store_explicit(&r->count->confirmed, pos, memory_order_relaxed);
}

/* Release: what the reader read from the records happened before the writer writes over them. */
void ring_release(struct ring *r, uint64_t pos)
{
    atomic_store_explicit(&r->count->tail, pos, memory_order_release);
}

bool ring_read(const struct ring *r, uint64_t *pos, struct ring_record *out, uint64_t *next)
{
    uint64_t at = *pos, head = ring_head(r);
    while (at < head) {
        uint64_t left = r->capacity - at % r->capacity;
        if (left < RECORD_HEAD) {
            at += left;
            continue;
        }
        const struct record *rec = record_at(r, at);
        uint64_t end = at + record_size(rec->len);
        if (rec->kind == RECORD_EVENT) {
            *out = (struct ring_record){rec->seq, rec->at_ms, rec->shard, span_of(rec->payload, rec->len)};
            *pos = at;
            *next = end;
            return true;
        }
        at = end;
    }
    *pos = *next = at;
    return false;
}

uint64_t ring_newest_seq(const struct ring *r, unsigned shard)
{
    return atomic_load_explicit(&r->next_seq[shard], memory_order_acquire) - 1;
}

unsigned ring_shards(const struct ring *r)
{
    return r->n_shards;
}

int64_t ring_keep_ms(const struct ring *r)
{
    return r->keep_ms;
}

const char *ring_path(const struct ring *r)
{
    return r->path;
}

uint64_t ring_damaged_bytes(const struct ring *r)
{
    return r->damaged_bytes;
}

const char *ring_id(const struct ring *r)
{
    return r->id;
}

uint64_t ring_base(const struct ring *r, unsigned shard)
{
    return r->identity[atomic_load(&r->count->active)]->base[shard];
}

/* The new identity is written whole beside the old one, then one store makes it hold. */
void ring_rename(struct ring *r, const uint64_t *base)
{
    uint32_t other = !atomic_load(&r->count->active);
    rand_hex32(r->id);
    memcpy(r->identity[other]->id, r->id, RING_ID_LEN);
    r->identity[other]->inode = r->inode;
    memcpy(r->identity[other]->base, base, r->n_shards * sizeof(*base));
    atomic_store(&r->count->active, other);
}

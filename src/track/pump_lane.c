#include "track/pump_lane.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"

enum {
    SLOT_MS = 100,
    FULL_RECORDS = 64,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    FILL_MAX = 65536,
    NUMBER_LEN = 24
};
/* Above it no further batch is sent until answers came. */
#define IN_FLIGHT_BYTES ((size_t)4 << 20)
/* A call takes no further record behind so many; most are filled by the number of their records. */
#define BATCH_BYTES ((size_t)1 << 20)

static const char *state_name(enum lane_state s)
{
    static const char *const names[] = {
#define X(id, name) name,
        LANE_STATES(X)
#undef X
    };
    return names[s];
}

static void set_state(struct lane *l, enum lane_state to)
{
    static const uint8_t legal[LANE_STATE_COUNT] = {
        [LANE_UNKNOWN] = 1 << LANE_ASKED | 1 << LANE_UNKNOWN,
        [LANE_ASKED] = 1 << LANE_READY | 1 << LANE_PAUSED | 1 << LANE_UNKNOWN,
        [LANE_READY] = 1 << LANE_SENT | 1 << LANE_UNKNOWN,
        [LANE_SENT] = 1 << LANE_READY | 1 << LANE_PAUSED | 1 << LANE_UNKNOWN,
        [LANE_PAUSED] = 1 << LANE_UNKNOWN,
    };
    if (!(legal[l->state] & 1 << to))
        abort();
    if (log_wants(LOG_DEBUG))
        log_event(LOG_DEBUG, "lane_state", "ring=%s shard=%u from=%s to=%s", ring_id(l->ring->ring), l->shard,
                  state_name(l->state), state_name(to));
    if (to == LANE_UNKNOWN)
        l->told_zones = 0;
    l->state = to;
}

/* ---- trouble ---- */

static void pause_lane(struct lane *l, const char *why)
{
    struct pump *p = l->pump;
    l->backoff_ms = MIN_OF(MAX_OF(2 * l->backoff_ms, BACKOFF_MIN_MS), BACKOFF_MAX_MS);
    l->resume_ms = clock_mono_ms() + l->backoff_ms / 2 + (int64_t)(rand_u64() % (uint64_t)(l->backoff_ms / 2 + 1));
    snprintf(p->trouble, sizeof(p->trouble), "shard %u: %s", l->shard, why);
    log_event_limited(&p->pause_limit, LOG_WARN, "pump_paused", "shard=%u ring=%s for_ms=%" PRId64 " why=\"%s\"",
                      l->shard, ring_id(l->ring->ring), l->backoff_ms, why);
    l->is_stale = false;
    set_state(l, LANE_PAUSED);
}

/* Without a link nothing is known but that the next link has to ask. */
static void on_error(struct lane *l, const struct redis_reply *reply)
{
    char why[160];
    if (redis_has_code(reply, "LINK") || redis_has_code(reply, "TIMEOUT")) {
        l->is_stale = false;
        set_state(l, LANE_UNKNOWN);
    } else {
        pause_lane(l, redis_text(reply, why));
    }
}

void lane_forget(struct lane *l)
{
    if (lane_is_waiting(l)) /* those end by their callbacks */
        l->is_stale = true;
    else
        set_state(l, LANE_UNKNOWN);
}

/* The answer came from a master that may no longer be the one. */
static bool drop_stale(struct lane *l)
{
    bool was_stale = l->is_stale;
    l->is_stale = false;
    if (was_stale)
        set_state(l, LANE_UNKNOWN);
    return was_stale;
}

void lane_init(struct lane *l, struct pump *p, struct pump_ring *pr, unsigned shard)
{
    struct schema_keys keys;
    schema_apply_keys(shard, &keys);
    *l = (struct lane){.pump = p, .ring = pr, .shard = shard, .slot = redis_slot(keys.span[KEY_APPLIED])};
}

/* ---- what Redis has ---- */

static void want_rename(struct lane *l, int64_t applied, const char *why)
{
    log_event(LOG_ERROR, "ring_number_conflict",
              "ring=%s file=%s shard=%u applied=%" PRId64 " newest=%" PRId64 " why=\"%s\" then=\"new ring id\"",
              ring_id(l->ring->ring), ring_path(l->ring->ring), l->shard, applied, lane_number(l, lane_newest(l)), why);
    l->ring->want_rename = l->has_conflict = true;
}

/* First number that can still be sent: of a record, or the one after all. */
static int64_t first_number(const struct lane *l)
{
    return l->n ? lane_number_at(l, 0) : lane_number(l, l->known) + 1;
}

/* Redis has all up to `applied`: moves the boundary there, backwards as well. */
static void seek(struct lane *l, int64_t applied)
{
    l->applied = applied;
    while (l->done < l->n && lane_number_at(l, l->done) <= applied)
        l->done++;
    while (l->done && lane_number_at(l, l->done - 1) > applied)
        l->done--;
    if (applied > 0)
        l->first_count = 0;
}

/* False: the number cannot be, the ring takes a new identity. */
static bool accept_applied(struct lane *l, int64_t applied)
{
    if (applied > lane_number(l, lane_newest(l))) {
        want_rename(l, applied, "Redis has applied more than this ring holds: restored, or the ring was copied");
        return false;
    }
    int64_t hole = first_number(l) - (applied + 1);
    if (hole > FILL_MAX) {
        want_rename(l, applied, "Redis forgot more than this ring still holds");
        seek(l, applied);
        l->first_count = (uint64_t)hole;
        return false;
    }
    seek(l, applied);
    return true;
}

static void on_applied(void *ctx, const struct redis_reply *reply)
{
    struct lane *l = ctx;
    int64_t applied = 0;
    if (redis_is_error(reply)) {
        on_error(l, reply);
    } else if (drop_stale(l)) {
        return;
    } else if (reply->kind != REDIS_NIL && (!redis_get_int(reply, &applied) || applied < 0)) {
        pause_lane(l, "the last applied number is no number");
    } else {
        bool is_fit = accept_applied(l, applied);
        set_state(l, is_fit ? LANE_READY : LANE_UNKNOWN);
    }
}

static void ask_applied(struct lane *l)
{
    struct schema_keys keys;
    schema_apply_keys(l->shard, &keys);
    set_state(l, LANE_ASKED);
    redis_command_str(l->pump->o.redis, on_applied, l, "HGET", keys.text[KEY_APPLIED], ring_id(l->ring->ring), NULL);
}

uint64_t lane_rebase(struct lane *l)
{
    uint64_t next = l->done < l->n ? lane_record(l, l->done).seq : l->known + 1;
    uint64_t base = next - 1 - (l->first_count > 0);
    l->applied = 0;
    l->has_conflict = false;
    lane_forget(l);
    return base;
}

/* ---- batches ---- */

struct batch {
    size_t n, bytes;
    int64_t number[PUMP_BATCH];
    struct span record[PUMP_BATCH];
    uint8_t filler[64];
    size_t filler_n;
    uint64_t n_fillers;
};

static void make_filler(const struct lane *l, int64_t number, uint8_t *out, size_t *n)
{
    uint8_t buf[EVENT_ENCODED_MAX];
    struct track_event gap = {.kind = EV_GAP, .at_ms = clock_wall_ms(), .count = 1};
    if (number == 1 && l->first_count)
        gap.count = l->first_count;
    *n = event_encode(&gap, buf);
    memcpy(out, buf, *n);
}

/* A number without a record, which something destroyed, is filled by a gap event: the numbers stay hole-free. */
static void fill_batch(const struct lane *l, struct batch *b)
{
    int64_t number = l->applied + 1, known = lane_number(l, l->known);
    *b = (struct batch){0};
    for (size_t i = l->done; b->n < PUMP_BATCH && b->bytes < BATCH_BYTES; number++) {
        struct ring_record rec = {0};
        bool has_record = i < l->n;
        if (has_record)
            rec = lane_record(l, i);
        if (!has_record && number > known)
            break;
        b->number[b->n] = number;
        if (has_record && lane_number(l, rec.seq) < number) { /* Redis has it */
            i++;
            number--;
            continue;
        }
        if (has_record && lane_number(l, rec.seq) == number) {
            b->bytes += rec.payload.n;
            b->record[b->n++] = rec.payload;
            i++;
            continue;
        }
        if (!b->filler_n)
            make_filler(l, number, b->filler, &b->filler_n);
        b->record[b->n++] = span_of(b->filler, b->filler_n);
        b->n_fillers++;
        if (l->first_count && number == 1)
            break; /* the next filler has another count */
    }
}

static void count_gap(struct lane *l)
{
    if (!l->sent_fillers)
        return;
    l->pump->total.gaps++;
    l->pump->total.lost_gap += l->sent_fillers;
    log_event_limited(&l->pump->gap_limit, LOG_ERROR, "ring_gap", "ring=%s shard=%u lost=%" PRIu64,
                      ring_id(l->ring->ring), l->shard, l->sent_fillers);
    l->sent_fillers = 0;
}

static void on_batch(void *ctx, const struct redis_reply *reply)
{
    struct lane *l = ctx;
    struct pump *p = l->pump;
    int64_t last, applied, dup;
    if (redis_is_error(reply)) {
        on_error(l, reply);
        return;
    }
    const struct redis_reply *status = redis_item(reply, 3);
    if (span_is(status->text, "VERSION")) {
        pause_lane(l, "Redis holds this shard in a schema that this program does not know (VERSION)");
        return;
    }
    bool is_ok = span_is(status->text, "OK"), is_gap = span_is(status->text, "GAP");
    if (!redis_get_int(redis_item(reply, 0), &last) || !redis_get_int(redis_item(reply, 1), &applied) ||
        !redis_get_int(redis_item(reply, 2), &dup) || last < 0 || applied < 0 || dup < 0 || !(is_ok || is_gap)) {
        pause_lane(l, "the script's answer is not {last, applied, skipped, OK or GAP}");
        return;
    }
    p->total.applied += (uint64_t)applied;
    p->total.dup += (uint64_t)dup;
    count_gap(l);
    if (drop_stale(l))
        return;
    int64_t before = l->applied;
    if (!accept_applied(l, last)) {
        set_state(l, LANE_UNKNOWN);
    } else if (is_gap || last <= before) { /* Redis went back; asked again after a while */
        pause_lane(l, is_gap ? "Redis answered GAP" : "Redis applied nothing");
    } else {
        l->backoff_ms = 0;
        set_state(l, LANE_READY);
        if (l->n - l->done >= PUMP_BATCH / 2)
            lane_turn(l, clock_mono_ms());
    }
}

static void send_batch(struct lane *l)
{
    struct pump *p = l->pump;
    struct batch b;
    struct schema_keys keys;
    struct span arg[11 + PACK_MAX];
    char offset[NUMBER_LEN], busy[NUMBER_LEN];
    int64_t now_ms = clock_wall_ms();
    int64_t offset_ms = redis_clock_offset_ms(p->o.redis, l->slot);
    fill_batch(l, &b);
    schema_apply_keys(l->shard, &keys);
    snprintf(offset, sizeof(offset), "%" PRId64, offset_ms);
    const char *zone = day_zone_text(&p->zone, now_ms);
    struct span shops = shop_zones_text(&p->shops, zone, now_ms);
    unsigned parts = shop_zones_parts(&p->shops);
    pack_reset(&p->pack, parts);
    for (size_t i = 0; i < b.n; i++)
        pack_add(&p->pack, b.number[i], b.record[i], offset_ms);
    size_t n = 0;
    arg[n++] = span_str(p->schema);
    arg[n++] = span_str(ring_id(l->ring->ring));
    arg[n++] = span_str(offset);
    arg[n++] = span_str(p->node_id);
    arg[n++] = buf_span(&p->pack.frames);
    arg[n++] = span_str(zone);
    arg[n++] = span_str(p->measure);
    arg[n++] = span_str(parts == 4 ? "4" : "1");
    arg[n++] = l->told_zones == p->shops.version ? span_of("", 0) : shops;
    l->told_zones = p->shops.version;
    arg[n++] = pack_figures(&p->pack);
    snprintf(busy, sizeof(busy), "%zu", pack_convs(&p->pack, arg + n + 1));
    arg[n++] = span_str(busy);
    n += p->pack.n_convs;
    p->total.scripts++;
    l->sent_fillers = l->first_count && b.n_fillers ? l->first_count : b.n_fillers;
    set_state(l, LANE_SENT);
    redis_eval(p->o.redis, on_batch, l, p->script, SCHEMA_KEY_COUNT, keys.span, n, arg);
}

/* A call costs Redis as much as some ten records: a record that comes after a silence goes at once, those behind it
 * when they are many, or with the next slot of time. Lanes have their slots at different times. */
static int64_t slot_of(const struct lane *l, int64_t now_ms)
{
    return (now_ms + (int64_t)l->shard * SLOT_MS / ring_shards(l->ring->ring)) / SLOT_MS;
}

static bool is_due(const struct lane *l, int64_t now_ms)
{
    return l->n - l->done >= FULL_RECORDS || slot_of(l, now_ms) != l->sent_slot;
}

void lane_turn(struct lane *l, int64_t now_ms)
{
    if (l->state == LANE_PAUSED && now_ms >= l->resume_ms)
        set_state(l, LANE_UNKNOWN);
    if (!redis_can_send(l->pump->o.redis, l->slot, IN_FLIGHT_BYTES))
        return;
    if (l->state == LANE_UNKNOWN && !l->has_conflict)
        ask_applied(l);
    else if (l->state == LANE_READY && lane_has_work(l) && !l->ring->want_rename && is_due(l, now_ms)) {
        l->sent_slot = slot_of(l, now_ms);
        send_batch(l);
    }
}

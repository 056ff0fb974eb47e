#include "track/event_plain.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    WHAT_LIVE = 1, /* a customer's message */
    WHAT_REPLAYED, /* … of an earlier time, which stays */
    WHAT_REPLY,    /* an agent's that was delivered and counts as a human reply */
    WHAT_OTHER,    /* another one of an agent */
    AT_WHAT = 1,
    AT_MARKS = 2,
    AT_HASH = 3,
    AT_BYTES = 5, /* of the record */
    AT_CONV = 7,  /* its length; the record stands behind it */
    CODE_OUT = 1,
    CODE_IN = 3,
    CODE_ACK = 8,
    TIME_BYTES = 6,
    TO_KEY = 23 /* in the record: time, code, due, business time, calendar */
};

#define TIME_MAX ((int64_t)1 << 47)

bool event_is_plain(const struct track_event *ev)
{
    bool is_message = ev->kind == EV_INCOMING || ev->kind == EV_OUTGOING;
    bool is_bare = !ev->is_edit && !ev->case_kind.n && !ev->confirms && !ev->held_raw.n && !ev->held_id.n &&
                   !ev->said_keep_ms && !ev->text_masked.n && !ev->text_full.n;
    bool has_times = ev->at_ms >= 0 && ev->at_ms < TIME_MAX && ev->commit_due_ms >= 0 && ev->commit_due_ms < TIME_MAX &&
                     ev->open_ms >= 0 && ev->open_ms < TIME_MAX;
    return is_message && is_bare && has_times && ev->conv.n;
}

uint32_t event_key_hash(struct span key, uint32_t before)
{
    uint32_t h = before;
    for (size_t i = 0; i < key.n; i++)
        h = h * 31 + key.p[i];
    return h & 0xffff;
}

/* ---- writing ---- */

static inline uint8_t *put_be(uint8_t *at, uint64_t v, unsigned bytes)
{
    uint64_t be = event_be64(v << (64 - 8 * bytes));
    memcpy(at, &be, bytes);
    return at + bytes;
}

static uint8_t *put_bytes(uint8_t *at, const void *p, size_t n)
{
    if (n)
        memcpy(at, p, n);
    return at + n;
}

static uint8_t *put_text(uint8_t *at, struct span s)
{
    *at = (uint8_t)s.n;
    return put_bytes(at + 1, s.p, s.n);
}

static uint8_t *put_id(uint8_t *at, struct span s)
{
    uint8_t cut[EVENT_FIELD_MAX];
    return put_text(at, event_bounded_id(s, cut));
}

/* As cmsgpack packs it in Lua: conversations of both origins are compared. */
static uint8_t *put_packed(uint8_t *at, struct span s)
{
    uint8_t cut[EVENT_FIELD_MAX];
    s = event_bounded_id(s, cut);
    if (s.n < 32) {
        *at++ = (uint8_t)(0xa0 | s.n);
    } else {
        *at++ = 0xd9;
        *at++ = (uint8_t)s.n;
    }
    return put_bytes(at, s.p, s.n);
}

/* By what copies of a message are known. */
static uint8_t *put_key(uint8_t *at, const struct track_event *ev, struct span hex)
{
    uint8_t cut[EVENT_FIELD_MAX], *from = at + 1;
    bool is_in = ev->kind == EV_INCOMING;
    char when[32];
    uint8_t *end = put_bytes(from, is_in ? "i:" : "o:", 2);
    if (ev->mid.n) {
        struct span mid = event_bounded_id(ev->mid, cut);
        end = put_bytes(end, mid.p, mid.n);
    } else {
        struct span who = event_bounded_id(is_in ? ev->sender : ev->agent, cut);
        int n = snprintf(when, sizeof(when), "\t%" PRId64 "\t", ev->at_ms);
        end = put_bytes(end, "\t", 1);
        end = put_bytes(end, who.p, who.n);
        end = put_bytes(end, when, (size_t)n);
        end = put_bytes(end, hex.p, hex.n);
    }
    *at = (uint8_t)(end - from);
    return end;
}

static uint8_t *put_record(uint8_t *at, const struct track_event *ev, struct span hex, uint32_t *hash)
{
    bool is_in = ev->kind == EV_INCOMING;
    uint8_t cut[EVENT_FIELD_MAX];
    at = put_be(at, (uint64_t)ev->at_ms, TIME_BYTES);
    *at++ = is_in ? CODE_IN : (uint8_t)(CODE_OUT | (ev->is_ack_only ? CODE_ACK : 0));
    at = put_be(at, is_in ? 0 : (uint64_t)ev->commit_due_ms, TIME_BYTES);
    at = put_be(at, ev->calendar_id ? (uint64_t)ev->open_ms : 0, TIME_BYTES);
    at = put_be(at, ev->calendar_id, 4);
    uint8_t *key = at;
    at = put_key(at, ev, hex);
    *hash = event_key_hash(span_of(key + 1, *key), EVENT_KEY_HASH);
    uint8_t *who = at;
    at = put_packed(put_packed(put_packed(at + 2, ev->agent), ev->team), ev->shop);
    put_be(who, (uint64_t)(at - who - 2), 2);
    at = put_text(at, is_in ? span_of("", 0) : hex);
    return put_text(at, is_in || !ev->commit_due_ms ? span_of("", 0) : event_bounded_id(ev->commit_rule, cut));
}

static uint8_t what_of(const struct track_event *ev)
{
    if (ev->kind == EV_INCOMING)
        return ev->is_live ? WHAT_LIVE : WHAT_REPLAYED;
    return ev->is_delivered && ev->is_human ? WHAT_REPLY : WHAT_OTHER;
}

size_t event_encode_plain(const struct track_event *ev, uint8_t out[EVENT_ENCODED_MAX])
{
    _Static_assert(3 + EVENT_FIELD_MAX + 22 + 16 < 256, "a key's length is one byte");
    bool is_in = ev->kind == EV_INCOMING;
    uint8_t hex[16];
    uint32_t hash;
    event_write_hex(ev->text_hash, hex);
    struct span rules = event_bounded_list(ev->rules), shadow = event_bounded_list(ev->shadow);
    out[0] = EVENT_PLAIN;
    out[AT_WHAT] = what_of(ev);
    out[2] = ev->action || rules.n || shadow.n;
    uint8_t *record = put_id(out + AT_CONV, ev->conv);
    uint8_t *at = put_record(record, ev, span_of(hex, ev->text_hash ? sizeof(hex) : 0), &hash);
    put_be(put_be(out + AT_HASH, hash, 2), (uint64_t)(at - record), 2);
    if (is_in)
        *at++ = ev->is_live;
    else
        *at++ = (uint8_t)(ev->is_delivered | ev->is_human << 1 | ev->is_ack_only << 2);
    *at++ = ev->action;
    at = put_id(put_id(at, ev->customer), is_in ? ev->sender : span_of("", 0));
    at = put_id(at, ev->rules_version);
    return (size_t)(put_text(put_text(at, rules), shadow) - out);
}

/* ---- what the pump does ---- */

struct span event_plain_conv(struct span e)
{
    bool is_whole = e.n > AT_CONV && e.p[0] == EVENT_PLAIN && e.n >= AT_CONV + 1 + (size_t)e.p[AT_CONV] + TIME_BYTES;
    return is_whole ? span_of(e.p + AT_CONV + 1, e.p[AT_CONV]) : span_of("", 0);
}

static uint64_t get_be(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

bool event_plain_count(struct span e, struct event_plain_count *out)
{
    struct span conv = event_plain_conv(e);
    if (!conv.n || e.p[AT_MARKS] || e.p[AT_WHAT] < WHAT_LIVE || e.p[AT_WHAT] > WHAT_OTHER)
        return false;
    size_t begin = AT_CONV + 1 + conv.n, end = begin + (size_t)get_be(e.p + AT_BYTES, 2), key = begin + TO_KEY;
    if (end > e.n || key >= end || key + 1 + e.p[key] + 2 > end)
        return false;
    size_t who = key + 1 + e.p[key] + 2, who_n = (size_t)get_be(e.p + who - 2, 2);
    if (!who_n || who + who_n > end)
        return false;
    *out = (struct event_plain_count){.at_ms = (int64_t)get_be(e.p + begin, TIME_BYTES),
                                      .who = span_of(e.p + who, who_n),
                                      .is_in = e.p[AT_WHAT] <= WHAT_REPLAYED};
    return true;
}

void event_shift(uint8_t *encoded, size_t n, int64_t ms)
{
    struct span conv = event_plain_conv(span_of(encoded, n));
    if (!conv.n || encoded[AT_WHAT] == WHAT_REPLAYED)
        return;
    uint8_t *time = encoded + AT_CONV + 1 + conv.n;
    int64_t moved = MIN_OF(MAX_OF((int64_t)get_be(time, TIME_BYTES) + ms, 0), TIME_MAX - 1);
    put_be(time, (uint64_t)moved, TIME_BYTES);
}

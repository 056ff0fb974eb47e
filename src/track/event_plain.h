/* The plain form of an event: a message that has no more to say than most. It holds the record of the conversation's
 * window (docs/redis.md) as it will be stored, so that the script copies it and reads no more than it needs. */
#pragma once

#include "track/event.h"

/* First byte of the plain form; the first byte of a map is 0xde, that of what version 1 and 2 made 0xa2 or 0xa3. */
enum { EVENT_PLAIN = 1 };

bool event_is_plain(const struct track_event *ev);
/* Needs event_is_plain. The layout stands with event_encode. */
size_t event_encode_plain(const struct track_event *ev, uint8_t out[EVENT_ENCODED_MAX]);

/* What the pump does with any encoded event before it sends it. */

/* Moves the time of a message that was seen now (not of a replayed one) by ms, never below 0. Other forms, and bytes
 * that are no event, stay as they are. */
void event_shift(uint8_t *encoded, size_t n, int64_t ms);
/* The conversation whose state the script will want, empty for another form. Points into `encoded`. */
struct span event_plain_conv(struct span encoded);

/* A message that counts as nothing but itself: no action, no rule, no shadow rule. */
struct event_plain_count {
    int64_t at_ms;
    struct span who; /* agent, team, shop as MessagePack; points into `encoded` */
    bool is_in;      /* a customer's */
};
/* False for all other events, and for bytes that are no event. */
bool event_plain_count(struct span encoded, struct event_plain_count *out);

/* What both forms use (event.c). */

/* A longer one cut to EVENT_FIELD_MAX bytes, which end in its hash. `cut` is what is returned. */
struct span event_cut_id(struct span s, uint8_t cut[EVENT_FIELD_MAX]);
static inline struct span event_bounded_id(struct span s, uint8_t cut[EVENT_FIELD_MAX])
{
    return s.n <= EVENT_FIELD_MAX ? s : event_cut_id(s, cut);
}
struct span event_bounded_list(struct span s);
void event_write_hex(uint64_t v, uint8_t out[16]);
/* The value whose bytes in memory are those of v, the highest first. */
static inline uint64_t event_be64(uint64_t v)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

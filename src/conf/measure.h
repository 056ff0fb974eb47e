/* How the deployment measures its replies (`tracking:`, docs/metrics.md): what is one unit, who ends it, which units
 * count, and when one counts as never answered. Gateways hand the definition to Redis as a text, where readers find it.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "conf/preset.h"

struct measure {
    char name[16]; /* of the preset, or "custom"; empty: nothing is measured beside the plain rounds */
    enum measure_unit unit;
    enum measure_stopper stopper;
    enum measure_by by;
    int64_t from_ms, to_ms; /* window, since local midnight; from -1: the shop's calendar */
    int64_t horizon_ms;     /* MEASURE_DAY: midnight; 0: none */
    int64_t within_ms;      /* 0: the mean counts */
    int64_t session_gap_ms; /* so much silence ends a session */
};

enum { MEASURE_DAY = -1, MEASURE_TEXT_MAX = 128, MEASURE_COUNTING_MAX = MEASURE_TEXT_MAX + 64 };

/* Words of the enums, and back; -1: no such word. */
const char *measure_unit_name(enum measure_unit u);
const char *measure_stopper_name(enum measure_stopper s);
const char *measure_by_name(enum measure_by b);

struct conf_tracking;
/* From the keys given, over those of the preset; -1 and err, with *key the key that is wrong. */
int measure_make(const struct conf_tracking *t, struct measure *out, const char **key, struct err *e) MUST_CHECK;
/* "NAME UNIT STOPPER BY FROM_MS TO_MS HORIZON_MS WITHIN_MS"; empty when nothing is measured. Behind the unit session
 * stands
 * "/GAP_MS" when that is not MEASURE_SESSION_MS. */
const char *measure_text(const struct measure *m, char out[MEASURE_TEXT_MAX]);
/* The zone of days and that text: equal on gateways that count in the same way. */
const char *measure_counting(const struct conf_tracking *t, char out[MEASURE_COUNTING_MAX]);
/* The reverse of measure_text; false when it is no such text (of a newer version), or empty. */
bool measure_read(struct span text, struct measure *out) MUST_CHECK;
/* In words, for people: "rounds begun 08:00-23:00, answered within 180 s, by midnight". */
const char *measure_words(const struct measure *m, char out[MEASURE_TEXT_MAX]);
/* Index of within_ms among 3, 30, 60, 180, 300 s; -1: none. */
int measure_limit(const struct measure *m);
/* Does a message of an agent with this role end a round? Roles `bot` and `assistant` are programs. */
bool measure_is_reply(const struct measure *m, struct span role);

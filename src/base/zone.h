/* Time zones from the system's database (TZif, RFC 8536), each an object of its own: the C library has only one zone
 * per process. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct zone;

/* By name: one of the database ("Asia/Shanghai"), "UTC", or a fixed distance "+08:00". Knows every change of the clock
 * up to the year 2100, by the rule at the end of the file where the file itself ends earlier. -1 and err: no such name,
 * or a file that is not as the RFC says. */
int zone_new(const char *name, struct zone **out, struct err *e) MUST_CHECK;
void zone_free(struct zone **z);
/* Local time is UTC plus this. */
int64_t zone_offset_ms(const struct zone *z, int64_t utc_ms);
/* When the distance changes next, after utc_ms; INT64_MAX: never. */
int64_t zone_next_change_ms(const struct zone *z, int64_t utc_ms);
/* The first moment with that local time; a local time that the clock leaps over is the moment of the leap. */
int64_t zone_utc_ms(const struct zone *z, int64_t local_ms);

/* Local milliseconds since 1970-01-01, and the hours that promised times are read by (inside of src/rule; civil dates
 * are those of base/civil.h). */
#pragma once

#include "base/civil.h"

enum {
    ZONE_MS = 8 * HOUR_MS, /* Asia/Shanghai has no summer time */
    OPEN_HOUR = 9,
    CLOSE_HOUR = 21,
};

static inline int64_t calendar_day_of(int64_t local_ms)
{
    return civil_floor(local_ms, DAY_MS);
}

/* Local milliseconds of an hour of a day. */
static inline int64_t calendar_at(int64_t day, int hour, int minute)
{
    return day * DAY_MS + hour * (int64_t)HOUR_MS + minute * (int64_t)MINUTE_MS;
}

/* The first day of the month so many months later. */
static inline int64_t calendar_month_start(struct civil c, unsigned later)
{
    unsigned m = c.month - 1 + later;
    return civil_day(c.year + m / 12, m % 12 + 1, 1);
}

/* Civil days and hours of one zone, counted from 1970-01-01; no leap seconds (inside of src/rule). */
#pragma once

#include <stdint.h>

enum {
    ZONE_MS = 8 * 3600 * 1000, /* Asia/Shanghai has no summer time */
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    DAY_MS = 24 * HOUR_MS,
    OPEN_HOUR = 9,
    CLOSE_HOUR = 21,
};

struct civil {
    int64_t year;
    unsigned month, day;
};

int64_t calendar_day_of(int64_t local_ms);
/* Local milliseconds of an hour of a day. */
int64_t calendar_at(int64_t day, int hour, int minute);
/* 0 Monday … 6 Sunday. */
int calendar_weekday(int64_t day);
int64_t calendar_day(int64_t year, unsigned month, unsigned day);
struct civil calendar_civil(int64_t day);
/* The first day of the month so many months later. */
int64_t calendar_month_start(struct civil c, unsigned later);

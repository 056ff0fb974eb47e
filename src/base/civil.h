/* Civil dates as days since 1970-01-01 (proleptic Gregorian; days before it are negative). */
#pragma once

#include "base/span.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

struct civil {
    int64_t year;
    unsigned month, day; /* from 1 */
};

int64_t civil_day(int64_t year, unsigned month, unsigned day);
struct civil civil_of_day(int64_t day);
/* 0 Monday … 6 Sunday. */
unsigned civil_weekday(int64_t day);
/* Reads YYYY-MM-DD, years 1970 to 9999; false when it is no such date (2027-02-29 is none). */
bool civil_read_day(struct span text, int64_t *day) MUST_CHECK;

/* Division that rounds down, for times before 1970. */
static inline int64_t civil_floor(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

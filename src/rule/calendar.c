#include "rule/calendar.h"

int64_t calendar_day_of(int64_t ms)
{
    return ms / DAY_MS;
}

int64_t calendar_at(int64_t day, int hour, int minute)
{
    return day * DAY_MS + hour * (int64_t)HOUR_MS + minute * (int64_t)MINUTE_MS;
}

/* 0 Monday … 6 Sunday; 1970-01-01 was a Thursday. */
int calendar_weekday(int64_t day)
{
    return (int)((day + 3) % 7);
}

/* Days since 1970-01-01 of a civil date (Hinnant's algorithm, public domain). */
int64_t calendar_day(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400), doy = (153 * (m + (m > 2 ? (unsigned)-3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

struct civil calendar_civil(int64_t z)
{
    z += 719468;
    int64_t era = z / 146097;
    unsigned doe = (unsigned)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
             doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct civil c = {yoe + era * 400, mp < 10 ? mp + 3 : mp - 9, doy - (153 * mp + 2) / 5 + 1};
    c.year += c.month <= 2;
    return c;
}

int64_t calendar_month_start(struct civil c, unsigned later)
{
    unsigned m = c.month - 1 + later;
    return calendar_day(c.year + m / 12, m % 12 + 1, 1);
}

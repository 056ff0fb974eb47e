#include "base/civil.h"

/* Howard Hinnant's days_from_civil and civil_from_days: years begin in March, so that the leap day ends one. */
int64_t civil_day(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = civil_floor(y, 400);
    unsigned yoe = (unsigned)(y - era * 400), doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

struct civil civil_of_day(int64_t z)
{
    z += 719468;
    int64_t era = civil_floor(z, 146097);
    unsigned doe = (unsigned)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
             doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct civil c = {yoe + era * 400, mp < 10 ? mp + 3 : mp - 9, doy - (153 * mp + 2) / 5 + 1};
    c.year += c.month <= 2;
    return c;
}

unsigned civil_weekday(int64_t day)
{
    return (unsigned)(day + 3 - 7 * civil_floor(day + 3, 7)); /* 1970-01-01 was a Thursday */
}

bool civil_read_day(struct span text, int64_t *day)
{
    uint64_t y, m, d;
    if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' || !span_u64(span_of(text.p, 4), &y) ||
        !span_u64(span_of(text.p + 5, 2), &m) || !span_u64(span_of(text.p + 8, 2), &d))
        return false;
    if (y < 1970 || m < 1 || m > 12 || d < 1 || d > 31)
        return false;
    *day = civil_day((int64_t)y, (unsigned)m, (unsigned)d);
    struct civil back = civil_of_day(*day);
    return back.month == m && back.day == d;
}

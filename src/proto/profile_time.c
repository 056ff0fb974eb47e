#include "proto/profile_time.h"

/* n digits at p as a number, -1 when they are none. */
static int digits(const uint8_t *p, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t m = month <= 2 ? month + 9 : month - 3; /* from March, so that leap days come last */
    return 365 * y + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* "Z", "+08:00" or "-0330" to minutes; false when it is none. */
static bool read_offset(struct span s, int *minutes)
{
    *minutes = 0;
    if (s.n == 1 && (s.p[0] | 0x20) == 'z')
        return true;
    if ((s.n != 5 && s.n != 6) || (s.p[0] != '+' && s.p[0] != '-') || (s.n == 6 && s.p[3] != ':'))
        return false;
    int h = digits(s.p + 1, 2), m = digits(s.p + s.n - 2, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59)
        return false;
    *minutes = (h * 60 + m) * (s.p[0] == '-' ? -1 : 1);
    return true;
}

static int64_t read_rfc3339(struct span s)
{
    if (s.n < 20 || s.p[4] != '-' || s.p[7] != '-' || (s.p[10] | 0x20) != ('T' | 0x20) || s.p[13] != ':' ||
        s.p[16] != ':')
        return 0;
    int year = digits(s.p, 4), month = digits(s.p + 5, 2), day = digits(s.p + 8, 2);
    int hour = digits(s.p + 11, 2), minute = digits(s.p + 14, 2), second = digits(s.p + 17, 2), offset;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60)
        return 0;
    int64_t ms = 0, scale = 100;
    size_t i = 19;
    if (s.p[i] == '.')
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, scale /= 10)
            ms += (s.p[i] - '0') * scale;
    if (!read_offset(span_from(s, i), &offset))
        return 0;
    int64_t total = days_of(year, month, day) * 86400 + hour * 3600 + (minute - offset) * 60 + second;
    return total * 1000 + ms;
}

int64_t time_read_ms(struct span s)
{
    uint64_t v;
    size_t whole = 0;
    while (whole < s.n && s.p[whole] >= '0' && s.p[whole] <= '9')
        whole++;
    if (whole < s.n && s.p[whole] != '.')
        return read_rfc3339(s);
    if (!span_u64(span_of(s.p, whole), &v))
        return 0;
    if (v < 100000000000u) { /* seconds until the year 5138 */
        int64_t ms = (int64_t)v * 1000, scale = 100;
        for (size_t i = whole + 1; i < s.n && scale; i++, scale /= 10)
            ms += s.p[i] >= '0' && s.p[i] <= '9' ? (s.p[i] - '0') * scale : 0;
        return ms;
    }
    while (v >= 100000000000000u) /* micro- or nanoseconds */
        v /= 1000;
    return (int64_t)v;
}

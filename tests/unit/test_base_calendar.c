/* The calendar against a plain reference that looks at every minute by itself, with local times from the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/calendar.h"
#include "base/zone.h"

static const char *const zones[] = {
    "Asia/Shanghai",       "Asia/Taipei",    "Europe/Berlin",     "America/New_York", "UTC",
    "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Casablanca"};

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static void use_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

/* Day number and minute of the day of a moment, by the C library. */
static void local_of(int64_t ms, int64_t *day, unsigned *minute)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    assert_non_null(localtime_r(&t, &tm));
    *day = civil_day(tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday);
    *minute = (unsigned)(tm.tm_hour * 60 + tm.tm_min);
}

static const struct calendar_hours *hours_on(const struct calendar_plan *p, int64_t day)
{
    const struct calendar_hours *h = &p->week[(day + 3) % 7];
    for (size_t i = 0; i < p->n_days; i++)
        if (p->day[i].day == day)
            h = &p->day[i].hours;
    return h;
}

static bool in_spans(const struct calendar_hours *h, unsigned minute)
{
    for (size_t i = 0; i < h->n; i++)
        if (minute >= h->span[i].from && minute < h->span[i].to)
            return true;
    return false;
}

static bool naive_is_open(const struct calendar_plan *p, int64_t ms)
{
    int64_t day;
    unsigned minute;
    local_of(ms, &day, &minute);
    return in_spans(hours_on(p, day), minute) || in_spans(hours_on(p, day - 1), minute + 1440);
}

static struct calendar_hours random_hours(void)
{
    struct calendar_hours h = {.n = pick(4)};
    for (size_t i = 0; i < h.n; i++) {
        unsigned from = pick(4) ? pick(96) * 15 : pick(1440), length = 1 + (pick(3) ? pick(600) : pick(1440));
        h.span[i] = (struct calendar_span){(uint16_t)from, (uint16_t)(from + length)};
    }
    return h;
}

static void check_minutes(const struct calendar_plan *plan, const struct calendar *c, int64_t from, unsigned minutes)
{
    int64_t sum = calendar_open_ms(c, from), last_open = -1;
    static bool open[40000];
    assert_true(minutes < 40000);
    for (unsigned i = 0; i < minutes; i++) {
        int64_t at = from + i * (int64_t)MINUTE_MS;
        open[i] = naive_is_open(plan, at);
        assert_int_equal(calendar_is_open(c, at), open[i]);
        assert_int_equal(calendar_is_open(c, at + MINUTE_MS - 1), open[i]);
        assert_int_equal(calendar_open_ms(c, at), sum);
        assert_int_equal(calendar_open_ms(c, at + 777), sum + (open[i] ? 777 : 0));
        if (open[i] && last_open >= 0) /* so much open time after the first open minute is here */
            assert_int_equal(calendar_after_open(c, last_open, sum + 1 - calendar_open_ms(c, last_open)), at + 1);
        if (open[i] && last_open < 0)
            last_open = at;
        sum += open[i] ? MINUTE_MS : 0;
    }
    int64_t next_open = -1, next_close = -1;
    for (unsigned i = minutes; i-- > 0;) {
        int64_t at = from + i * (int64_t)MINUTE_MS;
        if (open[i])
            next_open = at;
        if (open[i] && i + 1 < minutes && !open[i + 1])
            next_close = at + MINUTE_MS;
        if (next_open >= 0)
            assert_int_equal(calendar_next_open(c, at), next_open);
        if (next_close >= 0)
            assert_int_equal(calendar_next_close(c, at + (open[i] ? 1 : 0)), next_close);
    }
}

static void agrees_with_every_minute(void **state)
{
    (void)state;
    for (seed = 1; seed <= 45;) {
        uint64_t own = seed;
        const char *zone = zones[own % ARRAY_LEN(zones)];
        struct calendar_day days[6];
        struct calendar_plan plan = {.zone = zone, .day = days, .n_days = pick(7)};
        seed = own * 7919;
        /* around a change of the clock in spring or autumn 2026, or anywhere */
        int64_t around = civil_day(2026, own % 3 == 0 ? 3 : own % 3 == 1 ? 10 : 1 + pick(12), 1) + pick(28);
        for (unsigned i = 0; i < 7; i++)
            plan.week[i] = random_hours();
        for (size_t i = 0; i < plan.n_days; i++)
            days[i] = (struct calendar_day){around + pick(8), random_hours(), pick(2)};
        use_zone(zone);
        struct calendar *c;
        struct err e;
        assert_int_equal(calendar_new(&plan, around * DAY_MS, &c, &e), 0);
        check_minutes(&plan, c, around * DAY_MS, 8 * 1440);
        calendar_unref(&c);
        seed = own + 1;
    }
}

static void zones_agree_with_the_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        struct zone *z;
        struct err e;
        use_zone(zones[i]);
        assert_int_equal(zone_new(zones[i], &z, &e), 0);
        for (int64_t s = 0; s < (int64_t)130 * 31556952; s += 3 * 86400 + 3601) {
            time_t t = (time_t)s;
            struct tm tm;
            localtime_r(&t, &tm);
            if (tm.tm_year + 1900 >= 2100 || (s > 2145916800 && i == 8)) /* Morocco's dates end in 2087 */
                break;
            assert_int_equal(zone_offset_ms(z, s * 1000), tm.tm_gmtoff * 1000);
            int64_t local = s * 1000 + zone_offset_ms(z, s * 1000), first = zone_utc_ms(z, local);
            assert_true(first <= s * 1000);
            assert_int_equal(first + zone_offset_ms(z, first), local);
        }
        zone_free(&z);
    }
}

static void leaps_of_the_clock(void **state)
{
    (void)state;
    struct zone *z;
    struct err e;
    assert_int_equal(zone_new("Europe/Berlin", &z, &e), 0);
    int64_t leap = civil_day(2026, 3, 29) * DAY_MS + 1 * HOUR_MS; /* 02:00 to 03:00 local */
    assert_int_equal(zone_utc_ms(z, leap + 1 * HOUR_MS + 30 * MINUTE_MS), leap);
    assert_int_equal(zone_next_change_ms(z, leap - 1), leap);
    int64_t back = civil_day(2026, 10, 25) * DAY_MS + 1 * HOUR_MS; /* 03:00 to 02:00 local */
    assert_int_equal(zone_utc_ms(z, back + 1 * HOUR_MS + 30 * MINUTE_MS), back - 30 * MINUTE_MS);
    zone_free(&z);
    assert_int_equal(zone_new("-03:30", &z, &e), 0);
    assert_int_equal(zone_offset_ms(z, 0), -(3 * 60 + 30) * MINUTE_MS);
    assert_int_equal(zone_next_change_ms(z, 0), INT64_MAX);
    zone_free(&z);
}

static void broken_zones_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "Mars/Olympus", "../../../etc/passwd", "/etc/passwd", "+", "+99:00", "tzdata.zi", "+08:00x", "Europe"};
    struct zone *z;
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(zone_new(bad[i], &z, &e), -1);
        assert_null(z);
        assert_true(e.text[0] != '\0');
    }
}

static void spans_and_dates_are_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "9:00-18:00",
                                      "09:00-25:00",
                                      "09:00-09:00",
                                      "24:00-25:00",
                                      "24:00-02:00",
                                      "09:60-10:00",
                                      "09:00 18:00",
                                      "09:00-18:00 ",
                                      "aa:bb-cc:dd"};
    struct calendar_span s;
    struct err e;
    int64_t day;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(calendar_read_span(bad[i], &s, &e), -1);
    assert_int_equal(calendar_read_span("22:00-06:00", &s, &e), 0);
    assert_int_equal(s.from, 22 * 60);
    assert_int_equal(s.to, 30 * 60);
    assert_int_equal(calendar_read_span("00:00-24:00", &s, &e), 0);
    assert_int_equal(s.to, 1440);
    assert_true(civil_read_day(span_str("2028-02-29"), &day));
    assert_int_equal(day, civil_day(2028, 2, 29));
    assert_false(civil_read_day(span_str("2027-02-29"), &day));
    assert_false(civil_read_day(span_str("2027-13-01"), &day));
    assert_false(civil_read_day(span_str("2027/01/01"), &day));
    for (int64_t d = civil_day(1969, 1, 1); d < civil_day(2101, 1, 1); d++) {
        struct civil c = civil_of_day(d);
        assert_int_equal(civil_day(c.year, c.month, c.day), d);
    }
    assert_int_equal(civil_weekday(civil_day(2026, 11, 22)), 6);
    assert_int_equal(civil_weekday(civil_day(1969, 12, 31)), 2);
}

static void a_week_of_a_shop(void **state)
{
    (void)state;
    struct calendar_hours split = {.span = {{9 * 60, 12 * 60}, {13 * 60, 22 * 60}}, .n = 2};
    struct calendar_plan plan = calendar_plan_daily("Asia/Shanghai", &split);
    int64_t friday = civil_day(2026, 10, 2), sale = civil_day(2026, 11, 10);
    const struct calendar_day days[] = {
        {friday, {.n = 0}, false},
        {friday + 8, split, true}, /* a Saturday made up for */
        {sale, {.span = {{9 * 60, 26 * 60}}, .n = 1}, true},
    };
    plan.day = days, plan.n_days = ARRAY_LEN(days);
    struct calendar *c, *other;
    struct err e;
    assert_int_equal(calendar_new(&plan, friday * DAY_MS, &c, &e), 0);
    int64_t at = calendar_utc_ms(c, friday * DAY_MS + 10 * HOUR_MS);
    assert_false(calendar_is_open(c, at));
    assert_int_equal(calendar_next_open(c, at), calendar_utc_ms(c, (friday + 1) * DAY_MS + 9 * HOUR_MS));
    assert_int_equal(calendar_day_end(c, friday), -1);
    assert_int_equal(calendar_day_end(c, sale), calendar_utc_ms(c, (sale + 1) * DAY_MS + 2 * HOUR_MS));
    assert_true(calendar_is_workday(c, friday + 8));
    assert_false(calendar_is_workday(c, friday));
    assert_false(calendar_is_workday(c, friday + 1));
    int64_t before_lunch = calendar_utc_ms(c, sale * DAY_MS + 8 * HOUR_MS) - DAY_MS + 3 * HOUR_MS + 50 * MINUTE_MS;
    assert_int_equal(calendar_after_open(c, before_lunch, 20 * MINUTE_MS),
                     before_lunch + HOUR_MS + 20 * MINUTE_MS); /* 11:50 and 20 minutes are 13:10 */
    assert_int_equal(calendar_next_open(c, INT64_MAX / 2), INT64_MAX);
    assert_int_equal(calendar_open_ms(c, 0), 0);
    assert_int_equal(calendar_new(&plan, sale * DAY_MS, &other, &e), 0); /* made later: the same figures */
    assert_int_equal(calendar_id(other), calendar_id(c));
    assert_int_equal(calendar_open_ms(other, before_lunch), calendar_open_ms(c, before_lunch));
    calendar_unref(&other);
    plan.n_days = 2;
    assert_int_equal(calendar_new(&plan, sale * DAY_MS, &other, &e), 0);
    assert_true(calendar_id(other) != calendar_id(c));
    calendar_unref(&other);
    calendar_unref(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_every_minute), cmocka_unit_test(zones_agree_with_the_library),
        cmocka_unit_test(leaps_of_the_clock),       cmocka_unit_test(broken_zones_are_refused),
        cmocka_unit_test(spans_and_dates_are_read), cmocka_unit_test(a_week_of_a_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Quiet hours: over midnight, of a shop of its own, in the zone of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/calendar.h"
#include "track/reminder_quiet.h"

/* Local time of Shanghai on 2026-11-22. */
static int64_t at(int hour, int minute)
{
    return civil_day(2026, 11, 22) * DAY_MS + (hour - 8) * (int64_t)HOUR_MS + minute * (int64_t)MINUTE_MS;
}

static void spans_and_shops(void **state)
{
    (void)state;
    char night[] = "22:00-08:00", lunch[] = "12:00-13:30", early[] = "04:00-10:00", zone[] = "Asia/Shanghai";
    char *hours[] = {night, lunch}, *own[] = {early}, a[] = "a", b[] = "b";
    struct conf_quiet_shop shop[] = {{a, own, 1}, {b, NULL, 0}};
    struct conf conf = {.reminders.quiet = {zone, hours, 2, shop, 2}};
    struct quiet *q = quiet_new(&conf, at(12, 0));
    struct span any = span_str("any");
    assert_int_equal(quiet_until_ms(q, any, at(21, 59)), 0);
    assert_int_equal(quiet_until_ms(q, any, at(22, 0)), at(32, 0));
    assert_int_equal(quiet_until_ms(q, any, at(26, 30)), at(32, 0));
    assert_int_equal(quiet_until_ms(q, any, at(7, 59)), at(8, 0));
    assert_int_equal(quiet_until_ms(q, any, at(8, 0)), 0);
    assert_int_equal(quiet_until_ms(q, any, at(13, 0)), at(13, 30));
    assert_int_equal(quiet_until_ms(q, span_str(""), at(13, 0)), at(13, 30));
    assert_int_equal(quiet_until_ms(q, span_str("a"), at(9, 0)), at(10, 0));
    assert_int_equal(quiet_until_ms(q, span_str("a"), at(23, 0)), 0);
    assert_int_equal(quiet_until_ms(q, span_str("b"), at(23, 0)), 0);
    quiet_free(&q);
    assert_null(q);
}

static void without_any(void **state)
{
    (void)state;
    struct conf conf = {0};
    struct quiet *q = quiet_new(&conf, at(12, 0));
    assert_int_equal(quiet_until_ms(q, span_str("a"), at(2, 0)), 0);
    quiet_free(&q);
}

static void around_the_clock(void **state)
{
    (void)state;
    char all[] = "00:00-24:00", zone[] = "UTC";
    char *hours[] = {all};
    struct conf conf = {.reminders.quiet = {zone, hours, 1, NULL, 0}};
    struct quiet *q = quiet_new(&conf, at(12, 0));
    assert_true(quiet_until_ms(q, span_str("a"), at(12, 0)) > at(12, 0)); /* the caller looks again before that */
    quiet_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans_and_shops), cmocka_unit_test(without_any),
                                       cmocka_unit_test(around_the_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

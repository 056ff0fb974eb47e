/* Quiet hours: over midnight, of a shop of its own, in the zone of the configuration or of the shop's calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
    struct quiet *q = quiet_new(&conf, NULL, at(12, 0));
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
    struct quiet *q = quiet_new(&conf, NULL, at(12, 0));
    assert_int_equal(quiet_until_ms(q, span_str("a"), at(2, 0)), 0);
    quiet_free(&q);
}

static void around_the_clock(void **state)
{
    (void)state;
    char all[] = "00:00-24:00", zone[] = "UTC";
    char *hours[] = {all};
    struct conf conf = {.reminders.quiet = {zone, hours, 1, NULL, 0}};
    struct quiet *q = quiet_new(&conf, NULL, at(12, 0));
    assert_true(quiet_until_ms(q, span_str("a"), at(12, 0)) > at(12, 0)); /* the caller looks again before that */
    quiet_free(&q);
}

static struct directory *directory_of(const char *text)
{
    char path[] = "/tmp/directory.XXXXXX";
    int fd = mkstemp(path);
    struct directory *d = NULL;
    struct err_list errs = {0};
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(directory_load(path, &d, &errs), 0);
    err_list_fini(&errs);
    unlink(path);
    return d;
}

/* In Tokyo it is an hour later, in London (November) eight hours earlier than in Shanghai. */
static void where_the_shop_is(void **state)
{
    (void)state;
    char night[] = "22:00-08:00", early[] = "04:00-10:00", zone[] = "Asia/Shanghai";
    char *hours[] = {night}, *own[] = {early}, tokyo2[] = "tokyo2", none[] = "none", near[] = "near";
    struct conf_quiet_shop shop[] = {{tokyo2, own, 1}, {none, NULL, 0}, {near, own, 1}};
    struct conf conf = {.reminders.quiet = {zone, hours, 1, shop, 3}};
    struct directory *d =
        directory_of("calendars:\n"
                     "  tokyo: {zone: Asia/Tokyo, hours: {daily: '09:00-18:00'}}\n"
                     "  london: {zone: Europe/London, hours: {daily: '09:00-18:00'}}\n"
                     "shops: {tokyo: {calendar: tokyo}, tokyo2: {calendar: tokyo}, london: {calendar: london},\n"
                     "        none: {calendar: london}, plain: }\n");
    struct quiet *q = quiet_new(&conf, d, at(12, 0));
    directory_unref(&d);
    assert_int_equal(quiet_until_ms(q, span_str("plain"), at(21, 30)), 0);
    assert_int_equal(quiet_until_ms(q, span_str("plain"), at(23, 0)), at(32, 0));
    assert_int_equal(quiet_until_ms(q, span_str("tokyo"), at(21, 30)), at(31, 0));
    assert_int_equal(quiet_until_ms(q, span_str("tokyo"), at(7, 30)), 0);
    assert_int_equal(quiet_until_ms(q, span_str("london"), at(23, 0)), 0); /* three in the afternoon */
    assert_int_equal(quiet_until_ms(q, span_str("london"), at(7, 0)), at(16, 0));
    assert_int_equal(quiet_until_ms(q, span_str("tokyo2"), at(3, 30)), at(9, 0));
    assert_int_equal(quiet_until_ms(q, span_str("tokyo2"), at(9, 30)), 0);
    assert_int_equal(quiet_until_ms(q, span_str("near"), at(9, 30)), at(10, 0));
    assert_int_equal(quiet_until_ms(q, span_str("none"), at(7, 0)), 0);
    quiet_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans_and_shops), cmocka_unit_test(without_any),
                                       cmocka_unit_test(around_the_clock), cmocka_unit_test(where_the_shop_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

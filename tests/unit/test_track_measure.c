/* conf/measure.h: presets and single parts, the text that gateways and readers exchange, who is a reply; and the texts
 * of the zone of days and of shops with days of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/civil.h"
#include "conf/conf.h"
#include "track/day_zone.h"
#include "track/shop_zones.h"

static const char *text_of(struct conf_tracking t)
{
    static char out[MEASURE_TEXT_MAX];
    struct measure m, again;
    const char *key;
    struct err e;
    assert_int_equal(measure_make(&t, &m, &key, &e), 0);
    measure_text(&m, out);
    assert_int_equal(measure_read(span_str(out), &again), *out != '\0');
    char twice[MEASURE_TEXT_MAX];
    assert_string_equal(measure_text(&again, twice), out);
    return out;
}

static void presets_are_what_the_manual_says(void **state)
{
    (void)state;
    static const char *const want[] = {
        "taobao round assistant touch 28800000 82800000 86400000 180000",
        "jd session/600000 human start 32400000 82800000 -1 30000",
        "douyin round human start 28800000 82800000 -1 180000",
        "pdd round human start 28800000 82800000 -1 300000",
        "kuaishou customer_day human start 28800000 82800000 -1 180000",
        "wecom customer_day human start 0 86400000 -1 0",
        "zendesk session human start 0 86400000 0 0",
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const struct preset *p = preset_nth(i);
        assert_non_null(p);
        assert_memory_equal(p->name, want[i], strlen(p->name)); /* the words of the key stand in this order */
        assert_string_equal(text_of((struct conf_tracking){.preset = (int)i + 1}), want[i]);
    }
    assert_null(preset_nth(ARRAY_LEN(want)));
    assert_string_equal(text_of((struct conf_tracking){.preset = ARRAY_LEN(want) + 1}), ""); /* none */
    assert_string_equal(text_of((struct conf_tracking){0}), "");
}

static void single_parts_change_it(void **state)
{
    (void)state;
    char window[] = "calendar", horizon[] = "90m", span[] = "09:30-18:00", none[] = "none", day[] = "day";
    assert_string_equal(text_of((struct conf_tracking){.unit = UNIT_OF_MESSAGE + 1}),
                        "custom message human start 0 86400000 0 180000");
    assert_string_equal(text_of((struct conf_tracking){.preset = 3, .horizon = horizon, .window = span, .within = 2}),
                        "douyin round human start 34200000 64800000 5400000 3000");
    assert_string_equal(text_of((struct conf_tracking){.preset = 3, .horizon = none, .within = 1}),
                        "douyin round human start 28800000 82800000 0 0");
    assert_string_equal(
        text_of((struct conf_tracking){.window = window, .window_by = BY_CLIP + 1, .horizon = day, .within = 6}),
        "custom round human clip -1 -1 -1 300000");
    assert_string_equal(text_of((struct conf_tracking){.preset = 2, .session_gap_ms = 8 * (int64_t)HOUR_MS}),
                        "jd session human start 32400000 82800000 -1 30000");
    assert_string_equal(text_of((struct conf_tracking){.unit = UNIT_OF_SESSION + 1, .session_gap_ms = MINUTE_MS}),
                        "custom session/60000 human start 0 86400000 0 180000");
    assert_string_equal(text_of((struct conf_tracking){.stopper = STOPPER_ANY + 1}), ""); /* says who, not what */
}

static void what_cannot_be_is_named(void **state)
{
    (void)state;
    const struct {
        const char *window, *horizon, *key, *what;
    } bad[] = {{"calendar", NULL, "tracking.window_by", "must be clip where window is calendar"},
               {"22:00-06:00", NULL, "tracking.window", "must end by 24:00"},
               {"nine", NULL, "tracking.window", "nine"},
               {NULL, "8d", "tracking.horizon", "up to 7d"},
               {NULL, "0s", "tracking.horizon", "must be none, day (midnight), or a time"},
               {NULL, "-1h", "tracking.horizon", "must be none"},
               {NULL, "h", "tracking.horizon", "must be none"},
               {NULL, "99999999999999999999s", "tracking.horizon", "must be none"}};
    struct conf_tracking gap = {.preset = 3, .session_gap_ms = MINUTE_MS};
    struct measure none;
    const char *which;
    struct err why;
    assert_int_equal(measure_make(&gap, &none, &which, &why), -1);
    assert_string_equal(which, "tracking.session_gap");
    assert_non_null(strstr(why.text, "goes with the unit session, and the unit is round"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct conf_tracking t = {.window = (char *)(uintptr_t)bad[i].window,
                                  .horizon = (char *)(uintptr_t)bad[i].horizon};
        struct measure m;
        const char *key;
        struct err e;
        assert_int_equal(measure_make(&t, &m, &key, &e), -1);
        assert_string_equal(key, bad[i].key);
        assert_non_null(strstr(e.text, bad[i].what));
    }
}

static void texts_of_others_are_not_taken(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "taobao",
                                      "taobao round human start 1 2 3",
                                      "taobao week human start 0 86400000 0 0",
                                      "taobao round human start a b c d",
                                      "jd session/x human start 0 86400000 0 0",
                                      "jd session/ human start 0 86400000 0 0",
                                      "jd session/99999999999 human start 0 86400000 0 0",
                                      "much_longer_than_a_name_may_be round human start 0 86400000 0 0"};
    struct measure m;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(measure_read(span_str(bad[i]), &m));
}

static void programs_are_known_by_role(void **state)
{
    (void)state;
    for (int s = STOPPER_HUMAN; s <= STOPPER_ANY; s++) {
        struct measure m = {.stopper = (enum measure_stopper)s};
        assert_true(measure_is_reply(&m, span_str("")));
        assert_true(measure_is_reply(&m, span_str("lead")));
        assert_int_equal(measure_is_reply(&m, span_str("assistant")), s != STOPPER_HUMAN);
        assert_int_equal(measure_is_reply(&m, span_str("bot")), s == STOPPER_ANY);
    }
}

static void a_change_of_the_clock_is_told_for_a_week(void **state)
{
    (void)state;
    const int64_t change = 1774746000000; /* 2026-03-29 01:00 UTC */
    struct day_zone z = {0};
    day_zone_set(&z, "Europe/Berlin");
    assert_string_equal(day_zone_text(&z, change - HOUR_MS), "Europe/Berlin 3600000");
    assert_string_equal(day_zone_text(&z, change - 1), "Europe/Berlin 3600000");
    assert_string_equal(day_zone_text(&z, change), "Europe/Berlin 7200000 3600000 1774746000000");
    assert_string_equal(day_zone_text(&z, change + 7 * (int64_t)DAY_MS), "Europe/Berlin 7200000 3600000 1774746000000");
    assert_string_equal(day_zone_text(&z, change + 9 * (int64_t)DAY_MS), "Europe/Berlin 7200000");
    day_zone_set(&z, "Asia/Shanghai");
    assert_string_equal(day_zone_text(&z, change), "Asia/Shanghai 28800000");
    day_zone_set(&z, "+05:30");
    assert_string_equal(day_zone_text(&z, change), "+05:30 19800000");
    day_zone_set(&z, "Nowhere/Nothing");
    assert_string_equal(day_zone_text(&z, change), "UTC 0");
    day_zone_fini(&z);
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

static void assert_text(struct span got, const char *want)
{
    char text[512];
    snprintf(text, sizeof(text), "%.*s", (int)got.n, (const char *)got.p);
    assert_string_equal(text, want);
}

static void shops_elsewhere_have_days_of_their_own(void **state)
{
    (void)state;
    const int64_t change = 1774746000000; /* 2026-03-29 01:00 UTC: Europe's clocks */
    struct directory *d =
        directory_of("calendars:\n"
                     "  default: {zone: Asia/Tokyo, hours: {daily: '09:00-18:00'}}\n"
                     "  berlin: {zone: Europe/Berlin, hours: {daily: '09:00-18:00'}}\n"
                     "  taipei: {zone: Asia/Taipei, hours: {daily: '09:00-18:00'}}\n"
                     "  delhi: {zone: Asia/Kolkata, hours: {daily: '09:00-18:00'}}\n"
                     "shops: {a: {calendar: berlin}, b: , c: {calendar: taipei}, d: {calendar: taobao}}\n");
    struct shop_zones z = {0};
    const char *main = "Asia/Shanghai 28800000";
    assert_text(shop_zones_text(&z, main, change), "-"); /* before a directory */
    uint64_t none = z.version;
    assert_true(none > 0);
    char counting[SHOP_ZONES_COUNTING_MAX], other[SHOP_ZONES_COUNTING_MAX];
    char shanghai[] = "Asia/Shanghai", berlin[] = "Europe/Berlin";
    struct conf_tracking t = {.zone = shanghai, .measure.stopper = STOPPER_HUMAN};
    assert_string_equal(shop_zones_counting(&t, NULL, counting), "Asia/Shanghai stopper=human");
    assert_non_null(strstr(shop_zones_counting(&t, d, counting), "Asia/Shanghai stopper=human shops="));
    t.zone = berlin;
    assert_string_not_equal(strchr(shop_zones_counting(&t, d, other), '='), strchr(counting, '='));
    shop_zones_set(&z, d);
    assert_text(shop_zones_text(&z, main, change - 1), "Europe/Berlin 3600000\ta\t\n"); /* in Taipei it is as late */
    uint64_t winter = z.version;
    assert_true(winter > none);
    assert_text(shop_zones_text(&z, main, change), "Europe/Berlin 7200000 3600000 1774746000000\ta\t\n");
    assert_true(z.version > winter);
    assert_int_equal(shop_zones_parts(&z), 1);
    uint64_t summer = z.version;
    shop_zones_set(&z, d); /* a reload that changes nothing */
    shop_zones_text(&z, main, change + 1);
    assert_int_equal(z.version, summer);
    assert_text(shop_zones_text(&z, "UTC 0", change + 9 * (int64_t)DAY_MS),
                "+08:00 28800000\td\t\nAsia/Taipei 28800000\tc\t\nEurope/Berlin 7200000\ta\t\n");
    shop_zones_text(&z, "Asia/Kolkata 19800000", change + 9 * (int64_t)DAY_MS);
    assert_int_equal(shop_zones_parts(&z), 4);
    directory_unref(&d);
    d = directory_of("calendars: {delhi: {zone: Asia/Kolkata, hours: {daily: '09:00-18:00'}}}\n"
                     "shops: {\"a\\tb\": {calendar: delhi}, e: {calendar: delhi}}\n");
    shop_zones_set(&z, d);
    assert_text(shop_zones_text(&z, "UTC 0", change), "Asia/Kolkata 19800000\te\t\n"); /* a tab would break the text */
    assert_int_equal(shop_zones_parts(&z), 4);
    shop_zones_set(&z, NULL);
    assert_text(shop_zones_text(&z, "UTC 0", change), "-");
    directory_unref(&d);
    shop_zones_fini(&z);
}

static void readers_find_the_zone_of_a_shop(void **state)
{
    (void)state;
    struct span text = span_str("Europe/Berlin 7200000 3600000 1774746000000\ta\tb c\t\nAsia/Tokyo 32400000\taa\t\n");
    char name[64];
    assert_text(shop_zones_find(text, span_str("aa")), "Asia/Tokyo 32400000");
    assert_text(shop_zones_find(text, span_str("b c")), "Europe/Berlin 7200000 3600000 1774746000000");
    static const char *const others[] = {"", "b", "c", "a\tb c", "Asia/Tokyo 32400000", "-", "A"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_equal(shop_zones_find(text, span_str(others[i])).n, 0);
    static const char *const broken[] = {"", "-", "\n\n", "\t", "x", "x\ty", "a\n\ta"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        assert_int_equal(shop_zones_find(span_str(broken[i]), span_str("a")).n, 0);
    assert_true(day_zone_read_name(span_str("Asia/Tokyo 32400000"), name));
    assert_string_equal(name, "Asia/Tokyo");
    assert_false(day_zone_read_name(span_str("Asia/Tokyo"), name) || day_zone_read_name(span_str(" 1"), name));
    const int64_t change = 1774746000000, midnight = 1774742400000 - HOUR_MS; /* 2026-03-29 00:00 in Berlin */
    struct span berlin = span_str("Europe/Berlin 7200000 3600000 1774746000000");
    assert_int_equal(day_zone_day(berlin, midnight), 20541);
    assert_int_equal(day_zone_day(berlin, midnight - 1), 20540);
    assert_int_equal(day_zone_day(berlin, change + 21 * (int64_t)HOUR_MS - 1), 20541);
    assert_int_equal(day_zone_day(berlin, change + 21 * (int64_t)HOUR_MS), 20542);
    assert_int_equal(day_zone_day(span_str("nothing"), midnight), 20540);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_are_what_the_manual_says),
        cmocka_unit_test(single_parts_change_it),
        cmocka_unit_test(what_cannot_be_is_named),
        cmocka_unit_test(texts_of_others_are_not_taken),
        cmocka_unit_test(programs_are_known_by_role),
        cmocka_unit_test(a_change_of_the_clock_is_told_for_a_week),
        cmocka_unit_test(shops_elsewhere_have_days_of_their_own),
        cmocka_unit_test(readers_find_the_zone_of_a_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

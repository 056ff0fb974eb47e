/* Who is who: exact ids before patterns, patterns in file order, errors with places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "conf/directory.h"

static struct directory *load(const char *text, struct err_list *errs)
{
    char path[] = "/tmp/chatgate-dir-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct directory *d;
    int result = directory_load(path, &d, errs);
    assert_int_equal(result, errs->n ? -1 : 0);
    unlink(path);
    return d;
}

static void shops_have_calendars(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct directory *d =
        load("calendars:\n"
             "  default:\n"
             "    hours: {daily: \"09:00-18:00\"}\n"
             "  night:\n"
             "    zone: Asia/Taipei\n"
             "    hours: {mon-fri: [\"09:00-12:00\", \"13:00-02:00\"], sat: []}\n"
             "    holidays: [2026-10-01..2026-10-07]\n"
             "    make_up_days: {\"2026-10-10\": fri}\n"
             "    sale_days: {\"2026-10-05\": \"00:00-24:00\"}\n"
             "shops: {day: {}, night: {calendar: night}, bare: , jd1: {calendar: jd}, jd2: {calendar: jd}}\n"
             "agents:\n"
             "  - {id: a, shop: day}\n"
             "  - {id: b, shop: night}\n"
             "  - {id: c}\n"
             "  - {id: d, shop: jd1}\n"
             "  - {id: e, shop: jd2}\n",
             &errs);
    assert_int_equal(errs.n, 0);
    const struct calendar *jd = directory_find(d, span_str("d")).calendar;
    assert_ptr_equal(directory_find(d, span_str("e")).calendar, jd);
    assert_int_equal(calendar_open_ms(jd, civil_day(2026, 1, 2) * DAY_MS) -
                         calendar_open_ms(jd, civil_day(2026, 1, 1) * DAY_MS),
                     14 * HOUR_MS);
    const struct calendar *day = directory_find(d, span_str("a")).calendar,
                          *night = directory_find(d, span_str("b")).calendar;
    assert_ptr_equal(directory_find(d, span_str("c")).calendar, day);
    assert_ptr_equal(directory_find(d, span_str("nobody")).calendar, day);
    int64_t october = civil_day(2026, 10, 1) * DAY_MS - 8 * HOUR_MS;
    assert_true(calendar_is_open(day, october + 10 * HOUR_MS));
    assert_false(calendar_is_open(night, october + 10 * HOUR_MS));               /* a holiday */
    assert_true(calendar_is_open(night, october + 1 * HOUR_MS));                 /* the span of the evening before */
    assert_true(calendar_is_open(night, october + 4 * DAY_MS + 3 * HOUR_MS));    /* sale */
    assert_true(calendar_is_open(night, october + 9 * DAY_MS + 10 * HOUR_MS));   /* a Saturday made up for */
    assert_false(calendar_is_open(night, october + 16 * DAY_MS + 10 * HOUR_MS)); /* an ordinary one */
    assert_false(calendar_is_workday(night, civil_day(2026, 10, 5)) &&
                 !calendar_is_workday(night, civil_day(2026, 10, 10)));
    directory_unref(&d);
}

static void broken_calendars_are_named(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{}", "hours: is missing"},
        {"{hours: {daily: \"9-18\"}}", "must be two times of day"},
        {"{hours: {monday: \"09:00-18:00\"}}", "must be mon to sun"},
        {"{hours: {fri-mon: \"09:00-18:00\"}}", "must be mon to sun"},
        {"{hours: {daily: \"09:00-18:00\"}, zone: Mars/Olympus}", "zone: "},
        {"{hours: {daily: \"09:00-18:00\"}, holidays: [2026-02-30]}", "must be a date"},
        {"{hours: {daily: \"09:00-18:00\"}, holidays: [2026-02-03..2026-02-01]}", "must be a date"},
        {"{hours: {daily: \"09:00-18:00\"}, make_up_days: {\"2026-02-03\": mon-fri}}", "must be the weekday"},
        {"{hours: {daily: \"09:00-18:00\"}, sale_days: [x]}", "sale_days: is a list"},
        {"{hours: {daily: \"09:00-18:00\"}, open: x}", "open"},
        {"[]", "must be a map"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[300];
        struct err_list errs = {0};
        snprintf(text, sizeof(text), "calendars:\n  x: %s\n", bad[i][0]);
        assert_null(load(text, &errs));
        if (errs.n != 1 || !strstr(errs.line[0], bad[i][1]) || !strstr(errs.line[0], ":2:"))
            fail_msg("%s: %zu errors, first: %s", bad[i][0], errs.n, errs.n ? errs.line[0] : "");
        err_list_fini(&errs);
    }
    struct err_list errs = {0};
    assert_null(load("shops: {s: {calendar: none}}\n", &errs));
    assert_non_null(strstr(errs.line[0], "must be one of the names under calendars, or of taobao, jd, "));
    err_list_fini(&errs);
}

static bool team_is(const struct directory *d, const char *agent, const char *team)
{
    return span_is(directory_find(d, span_str(agent)).team, team);
}

static void agents_are_found(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct directory *d =
        load("shops:\n  flagship: {platform: taobao, locale: tw, facts: [on_time_insurance, made_to_order=yes]}\n"
             "  outlet:\n"
             "agents:\n"
             "  - {id: presale-7, team: special, role: lead, time_zone: Asia/Shanghai}\n"
             "  - {pattern: \"presale-*\", team: presale, shop: flagship}\n"
             "  - {id: [ann, bo], team: night, shop: outlet}\n"
             "  - {pattern: \"客服?号\", team: numbered}\n"
             "  - {pattern: \"*\", team: rest}\n",
             &errs);
    assert_int_equal(errs.n, 0);
    assert_int_equal(directory_count(d), 6);
    assert_true(team_is(d, "presale-7", "special"));
    assert_true(team_is(d, "presale-71", "presale"));
    assert_true(team_is(d, "presale-", "presale"));
    assert_true(team_is(d, "ann", "night"));
    assert_true(team_is(d, "客服三号", "numbered")); /* ? is one character, not one byte */
    assert_true(team_is(d, "客服十三号", "rest"));
    assert_true(team_is(d, "", "rest"));
    struct directory_agent a = directory_find(d, span_str("presale-71"));
    assert_true(a.is_listed);
    assert_int_equal(a.n_facts, 4);
    assert_string_equal(a.facts[1], "made_to_order=yes");
    assert_string_equal(a.facts[2], "platform=taobao");
    assert_string_equal(a.facts[3], "locale=tw");
    assert_true(span_is(a.platform, "taobao"));
    a = directory_find(d, span_str("presale-7"));
    assert_true(span_is(a.time_zone, "Asia/Shanghai"));
    assert_true(span_is(a.role, "lead"));
    assert_int_equal(a.n_facts, 0);
    struct directory *second = directory_ref(d);
    directory_unref(&d);
    assert_null(d);
    assert_true(team_is(second, "bo", "night"));
    directory_unref(&second);
}

/* Against a plain recursive matcher, over all short patterns and texts of a small alphabet. */
static bool slow_match(const char *p, const char *t)
{
    if (!*p)
        return !*t;
    if (*p == '*')
        return slow_match(p + 1, t) || (*t && slow_match(p, t + 1));
    return *t && (*p == '?' || *p == *t) && slow_match(p + 1, t + 1);
}

static void word(char *out, const char *alphabet, unsigned number, unsigned length)
{
    size_t base = strlen(alphabet);
    for (unsigned i = 0; i < length; i++, number /= base)
        out[i] = alphabet[number % base];
    out[length] = '\0';
}

static void patterns_agree_with_a_plain_matcher(void **state)
{
    (void)state;
    char pattern[8], text[8], yaml[100];
    for (unsigned p = 0; p < 4 * 4 * 4 * 4; p++) {
        word(pattern, "ab*?", p, 4);
        snprintf(yaml, sizeof(yaml), "agents: [{pattern: \"%s\", team: t}]\n", pattern);
        struct err_list errs = {0};
        struct directory *d = load(yaml, &errs);
        for (unsigned length = 0; length <= 6; length++)
            for (unsigned t = 0; t < 1u << length; t++) {
                word(text, "ab", t, length);
                if (directory_find(d, span_str(text)).is_listed != slow_match(pattern, text))
                    fail_msg("%s on %s", pattern, text);
            }
        directory_unref(&d);
    }
}

static void an_evil_pattern_takes_no_time(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct directory *d = load("agents: [{pattern: \"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab\", team: t}]\n", &errs);
    char text[201];
    memset(text, 'a', 200);
    text[200] = '\0';
    assert_false(directory_find(d, span_str(text)).is_listed); /* exponential would not end */
    directory_unref(&d);
}

static void nobody_is_listed_without_a_file(void **state)
{
    (void)state;
    struct directory *d;
    struct err_list errs = {0};
    assert_int_equal(directory_load(NULL, &d, &errs), 0);
    assert_false(directory_find(d, span_str("ann")).is_listed);
    directory_unref(&d);
}

static void errors_say_where(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct directory *d = load("shops: {a: 5, b: {fact: [x]}, c: {facts: [\"=y\"]}, d: {locale: mars}}\n"
                               "agents:\n"
                               "  - {team: t}\n"
                               "  - {id: ann, pattern: \"*\"}\n"
                               "  - {id: bo, shop: z, time_zone: Mars/Base}\n"
                               "  - {id: bo}\n"
                               "  - {id: \"\", tem: t}\n"
                               "  - 7\n"
                               "teams: []\n",
                               &errs);
    assert_null(d);
    static const char *const want[] = {
        ":9:1: teams: unknown key, allowed here: calendars, shops, agents",
        ":1:12: shops.a: is \"5\", must be a map",
        ":1:19: fact: unknown key, did you mean \"facts\"?, allowed here: platform, locale, facts, calendar",
        ":1:43: facts: is \"=y\", must be NAME or NAME=VALUE",
        ":1:63: locale: is \"mars\", must be one of cn, tw, hk",
        ":3:5: agents[]: has neither id and pattern",
        ":4:5: agents[]: has both id and pattern",
        ":5:34: time_zone: is \"Mars/Base\", must be a name of the time zone database",
        ":5:20: shop: \"z\" is none of the names under shops",
        ":6:10: id: \"bo\" is listed twice",
        ":7:14: tem: unknown key",
        ":7:10: id: is \"\", must be 1 to 200 bytes",
        ":8:5: agents[]: is \"7\", must be a map",
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        if (i >= errs.n || !strstr(errs.line[i], want[i]))
            fail_msg("expected %s, got %s", want[i], i < errs.n ? errs.line[i] : "nothing");
    assert_int_equal(errs.n, ARRAY_LEN(want));
    err_list_fini(&errs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shops_have_calendars),
        cmocka_unit_test(broken_calendars_are_named),
        cmocka_unit_test(agents_are_found),
        cmocka_unit_test(patterns_agree_with_a_plain_matcher),
        cmocka_unit_test(an_evil_pattern_takes_no_time),
        cmocka_unit_test(nobody_is_listed_without_a_file),
        cmocka_unit_test(errors_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

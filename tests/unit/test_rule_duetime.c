/* Times of commitments, said on a Wednesday at 10:00 in Shanghai (2024-01-10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/span.h"
#include "base/utf8.h"
#include "rule/duetime.h"

static const int64_t now = 1704852000000;

static const struct calendar *shop; /* or none */

static struct duetime read_text(const char *text, int64_t now_ms)
{
    uint32_t cp[40], n = 0;
    for (size_t left = strlen(text); left && n < 40; n++) {
        unsigned k = utf8_decode((const uint8_t *)text, left, &cp[n]);
        assert_true(k > 0);
        text += k, left -= k;
    }
    return duetime_read(cp, n, now_ms, shop);
}

static void expect_at(const char *text, int64_t now_ms, const char *want)
{
    char got[CLOCK_RFC3339_MAX];
    struct duetime d = read_text(text, now_ms);
    if (d.kind != DUETIME_DEFINITE)
        fail_msg("\"%s\" is no definite time", text);
    clock_rfc3339_ms(d.due_ms + 8 * 3600 * 1000, got);
    got[16] = '\0';
    if (strcmp(got, want) != 0)
        fail_msg("\"%s\" is due %s, must be %s", text, got, want);
}

static void definite_times(void **state)
{
    (void)state;
    static const struct {
        const char *text, *due;
    } table[] = {
        {"30分钟内", "2024-01-10T10:30"},
        {"两小时内", "2024-01-10T12:00"},
        {"2小时之内", "2024-01-10T12:00"},
        {"半小时", "2024-01-10T10:30"},
        {"半个小时内", "2024-01-10T10:30"},
        {"一刻钟", "2024-01-10T10:15"},
        {"一个半小时", "2024-01-10T11:30"},
        {"两三小时", "2024-01-10T13:00"},
        {"十几分钟", "2024-01-10T10:20"},
        {"二十四小时内", "2024-01-11T10:00"},
        {"48小时内", "2024-01-12T10:00"},
        {"72小时", "2024-01-13T10:00"},
        {"两天内", "2024-01-12T21:00"},
        {"3日内", "2024-01-13T21:00"},
        {"3个工作日内", "2024-01-15T21:00"},
        {"3到5个工作日", "2024-01-17T21:00"},
        {"今天", "2024-01-10T21:00"},
        {"今日内", "2024-01-10T21:00"},
        {"当天", "2024-01-10T21:00"},
        {"今晚", "2024-01-10T22:00"},
        {"今晚8点前", "2024-01-10T20:00"},
        {"晚上", "2024-01-10T22:00"},
        {"下班前", "2024-01-10T21:00"},
        {"明早", "2024-01-11T10:00"},
        {"明天早上", "2024-01-11T10:00"},
        {"明天上午", "2024-01-11T12:00"},
        {"明天中午前", "2024-01-11T12:00"},
        {"明天下午", "2024-01-11T18:00"},
        {"明天下午3点", "2024-01-11T15:00"},
        {"明天下午三点半", "2024-01-11T15:30"},
        {"明天晚上", "2024-01-11T22:00"},
        {"明天", "2024-01-11T21:00"},
        {"后天", "2024-01-12T21:00"},
        {"大后天", "2024-01-13T21:00"},
        {"周五前", "2024-01-12T21:00"},
        {"周一", "2024-01-15T21:00"},
        {"下周一", "2024-01-15T21:00"},
        {"下周三上午", "2024-01-17T12:00"},
        {"本周内", "2024-01-12T21:00"},
        {"下周", "2024-01-19T21:00"},
        {"星期天", "2024-01-14T21:00"},
        {"月底", "2024-01-31T21:00"},
        {"月初", "2024-02-03T21:00"},
        {"15号前", "2024-01-15T21:00"},
        {"3号", "2024-02-03T21:00"},
        {"1月20日", "2024-01-20T21:00"},
        {"1月5日", "2025-01-05T21:00"},
        {"18点前", "2024-01-10T18:00"},
        {"下午5点前", "2024-01-10T17:00"},
        {"9点前", "2024-01-10T21:00"},
        {"18点左右", "2024-01-10T18:30"},
        {"上班后", "2024-01-11T10:00"},
        {"一百二十分钟", "2024-01-10T12:00"},
        {"半个钟内", "2024-01-10T10:30"},
        {"1到2天", "2024-01-12T21:00"},
        {"听日", "2024-01-11T21:00"},
        {"听日上昼", "2024-01-11T12:00"},
        {"听朝", "2024-01-11T10:00"},
        {"听晚", "2024-01-11T22:00"},
        {"后日", "2024-01-12T21:00"},
        {"礼拜一前", "2024-01-15T21:00"},
        {"本月底", "2024-01-31T21:00"},
        {"下个月底前", "2024-02-29T21:00"},
        {"年底前", "2024-12-31T21:00"},
        {"下个月5号", "2024-02-05T21:00"},
        {"过一个小时", "2024-01-10T11:00"},
        {"不超过3天", "2024-01-13T21:00"},
        {"最多两周", "2024-01-24T21:00"},
        {"一个多小时", "2024-01-10T11:30"},
        {"二十多分钟", "2024-01-10T10:30"},
        {"30分内", "2024-01-10T10:30"},
        {"两三天", "2024-01-13T21:00"},
        {"一个星期内", "2024-01-17T21:00"},
        {"半个月内", "2024-01-25T21:00"},
        {"半天内", "2024-01-10T14:00"},
        {"5个自然日内", "2024-01-15T21:00"},
        {"周五下班前", "2024-01-12T21:00"},
        {"明天一上班", "2024-01-11T10:00"},
        {"今天5点前", "2024-01-10T17:00"},
        {"明天3点", "2024-01-11T15:00"},
        {"明天中午1点", "2024-01-11T13:00"},
        {"今晚12点前", "2024-01-11T00:00"},
        {"今天晚点", "2024-01-10T21:00"},
        {"明后天", "2024-01-12T21:00"},
        {"今明两天", "2024-01-11T21:00"},
        {"隔天", "2024-01-11T21:00"},
        {"当晚", "2024-01-10T22:00"},
        {"收工前", "2024-01-10T21:00"},
        {"下下周一", "2024-01-22T21:00"},
        {"下周初", "2024-01-16T21:00"},
        {"下个礼拜三", "2024-01-17T21:00"},
        {"月中", "2024-01-15T21:00"},
        {"下个月", "2024-02-29T21:00"},
        {"3月底前", "2024-03-31T21:00"},
        {"2月31号", NULL},
        {"2月3前", "2024-02-03T21:00"},
        {"3点半", "2024-01-10T15:30"},
        {"15点30", "2024-01-10T15:30"},
        {"within2hours", "2024-01-10T12:00"},
        {"in30minutes", "2024-01-10T10:30"},
        {"inhalfanhour", "2024-01-10T10:30"},
        {"inacoupleofhours", "2024-01-10T12:00"},
        {"withinthehour", "2024-01-10T11:00"},
        {"inanhourandahalf", "2024-01-10T11:30"},
        {"in2to3days", "2024-01-13T21:00"},
        {"within3到5businessdays", "2024-01-17T21:00"},
        {"withinthenexttwoworkingdays", "2024-01-12T21:00"},
        {"givemetenminutes", "2024-01-10T10:10"},
        {"inaweek", "2024-01-17T21:00"},
        {"by5pm", "2024-01-10T17:00"},
        {"by5点30pmtomorrow", "2024-01-11T17:30"},
        {"tomorrowby10am", "2024-01-11T10:00"},
        {"bynoon", "2024-01-10T12:00"},
        {"tomorrow", "2024-01-11T21:00"},
        {"tomorrowmorning", "2024-01-11T12:00"},
        {"firstthingtomorrow", "2024-01-11T10:00"},
        {"thisafternoon", "2024-01-10T18:00"},
        {"tonight", "2024-01-10T22:00"},
        {"inthemorning", "2024-01-11T12:00"},
        {"byendofday", "2024-01-10T21:00"},
        {"bytheendoftomorrow", "2024-01-11T21:00"},
        {"eodtomorrow", "2024-01-11T21:00"},
        {"byfriday", "2024-01-12T21:00"},
        {"nextmonday", "2024-01-15T21:00"},
        {"bywed", "2024-01-10T21:00"},
        {"bytheendoftheweek", "2024-01-12T21:00"},
        {"bytheendofthemonth", "2024-01-31T21:00"},
        {"onjanuary20", "2024-01-20T21:00"},
        {"by5thfeb", "2024-02-05T21:00"},
        {"bythe3rd", "2024-02-03T21:00"},
        {"latertoday", "2024-01-10T21:00"},
        {"dayaftertomorrow", "2024-01-12T21:00"},
        {"sun", NULL},
        {"in5", NULL},
        {"5", NULL},
        {"within9999999999days", NULL},
        {"晚上好", NULL},
        {"半天", NULL},
        {"收到", NULL},
        {"不过", NULL},
        {"十分钟前", NULL},
        {"半小时前", NULL},
        {"3天前", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].due)
            expect_at(table[i].text, now, table[i].due);
        else if (read_text(table[i].text, now).kind == DUETIME_DEFINITE)
            fail_msg("\"%s\" is a definite time", table[i].text);
    int64_t late = now + 12 * 3600 * 1000; /* 22:00, after hours */
    expect_at("今天", late, "2024-01-11T21:00");
    expect_at("下班前", late, "2024-01-11T21:00");
    expect_at("18点前", late, "2024-01-11T18:00");
    expect_at("半小时内", late, "2024-01-10T22:30");
}

static void vague_times_and_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum duetime_kind kind;
        int minutes;
    } table[] = {
        {"马上", DUETIME_SOON, 5},    {"立刻", DUETIME_SOON, 5},    {"稍等", DUETIME_SOON, 3},
        {"稍后", DUETIME_SOON, 30},   {"一会儿", DUETIME_SOON, 30}, {"过两天", DUETIME_SOON, 2880},
        {"尽快", DUETIME_SOON, 1440}, {"回头", DUETIME_SOMEDAY, 0}, {"到时", DUETIME_SOMEDAY, 0},
        {"3点", DUETIME_NONE, 0},     {"三天", DUETIME_NONE, 0},    {"5个", DUETIME_NONE, 0},
        {"第二件", DUETIME_NONE, 0},  {"周到", DUETIME_NONE, 0},    {"晚点", DUETIME_SOON, 120},
        {"等阵", DUETIME_SOON, 30},   {"", DUETIME_NONE, 0},        {"99999999999天内", DUETIME_NONE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct duetime d = read_text(table[i].text, now);
        if (d.kind != table[i].kind || (table[i].minutes && d.due_ms != now + table[i].minutes * (int64_t)60000))
            fail_msg("\"%s\": kind %d, due in %lld min", table[i].text, d.kind, (long long)(d.due_ms - now) / 60000);
    }
}

/* 9:00 to 18:00, Monday to Friday, in Tokyo; the 11th of January 2024 is a holiday, Saturday the 13th is worked until
 * 2:00. */
static void a_shops_own_hours(void **state)
{
    (void)state;
    struct calendar_hours day = {.span = {{9 * 60, 18 * 60}}, .n = 1}, night = {.span = {{9 * 60, 26 * 60}}, .n = 1};
    struct calendar_plan plan = calendar_plan_daily("+09:00", &day);
    const struct calendar_day days[] = {{civil_day(2024, 1, 11), {.n = 0}, false},
                                        {civil_day(2024, 1, 13), night, true}};
    plan.week[5].n = plan.week[6].n = 0;
    plan.day = days, plan.n_days = ARRAY_LEN(days);
    struct calendar *c;
    struct err e;
    assert_int_equal(calendar_new(&plan, now, &c, &e), 0);
    shop = c;
    expect_at("下班前", now, "2024-01-10T17:00");               /* 11:00 there: today at 18:00 */
    expect_at("下班前", now + 8 * HOUR_MS, "2024-01-12T17:00"); /* in the evening, the holiday passed over */
    expect_at("明天", now, "2024-01-11T20:00");                 /* closed: 21:00 of that day there */
    expect_at("周六", now, "2024-01-14T01:00");                 /* until 2:00 of the next day */
    expect_at("两个工作日内", now, "2024-01-14T01:00");         /* the 12th and the day made up for */
    expect_at("上班后", now, "2024-01-12T09:00");               /* 9:00 there, and an hour */
    shop = NULL;
    calendar_unref(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_shops_own_hours), cmocka_unit_test(definite_times),
                                       cmocka_unit_test(vague_times_and_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/span.h"
#include "rule/calendar.h"
#include "rule/duetime_part.h"

bool duetime_read_day(struct reader *r, int64_t *due)
{
    static const struct {
        const char *word;
        int days;
    } days[] = {{"今天", 0}, {"今日", 0},   {"当天", 0},   {"当日", 0}, {"今儿", 0}, {"明天", 1}, {"明日", 1},
                {"次日", 1}, {"第二天", 1}, {"大后天", 3}, {"后天", 2}, {"听日", 1}, {"后日", 2}};
    int64_t today = calendar_day_of(r->now);
    for (size_t i = 0; i < ARRAY_LEN(days); i++)
        if (duetime_take(r, days[i].word)) {
            duetime_read_rest_of_day(r, today + days[i].days, due);
            if (*due <= r->now) /* after hours: the next day's */
                *due = duetime_close_of(r, today + days[i].days + 1);
            return true;
        }
    if (duetime_take(r, "明早") || duetime_take(r, "明晚")) {
        r->at--;
        duetime_read_rest_of_day(r, today + 1, due);
        return true;
    }
    if (duetime_take(r, "听朝") || duetime_take(r, "听晚")) {
        bool is_night = r->cp[r->at - 1] == 0x665a;
        duetime_read_rest_or(r, today + 1, due, calendar_at(today + 1, is_night ? 22 : 10, 0));
        return true;
    }
    if (duetime_take(r, "今晚") || duetime_take(r, "今早")) {
        r->at--;
        duetime_read_rest_of_day(r, today, due);
        return true;
    }
    if (duetime_take(r, "下班前") || duetime_take(r, "下班之前")) {
        *due = duetime_next_close(r);
        return true;
    }
    return false;
}

bool duetime_read_week(struct reader *r, int64_t *due)
{
    static const char *const week[] = {"周", "星期", "礼拜", NULL};
    static const char *const name[] = {"一", "二", "三", "四", "五", "六", "日", "天", "末", NULL};
    uint32_t start = r->at;
    int64_t today = calendar_day_of(r->now), monday = today - (int)civil_weekday(today);
    bool is_next = duetime_take(r, "下个") || duetime_take(r, "下"),
         is_this = !is_next && (duetime_take(r, "这个") || duetime_take(r, "今个") || duetime_take(r, "本") ||
                                duetime_take(r, "这"));
    if (duetime_take_any(r, week) < 0) {
        r->at = start;
        return false;
    }
    int d = duetime_take_any(r, name);
    if (d < 0) {
        if (!is_next && !is_this) {
            r->at = start;
            return false;
        }
        *due = duetime_close_of(r, monday + 4 + (is_next ? 7 : 0));
        (void)duetime_take_any(r, duetime_before);
        return true;
    }
    d = d == 7 ? 6 : d == 8 ? 6 : d;
    int64_t day = monday + d + (is_next ? 7 : 0);
    if (!is_next && day < today)
        day += 7; /* the coming one */
    duetime_read_rest_of_day(r, day, due);
    return true;
}

/* 月底, 下个月底, 年底, 下个月5号 */
static bool read_month_end(struct reader *r, struct civil c, int64_t *due)
{
    static const struct {
        const char *word;
        unsigned months; /* the day before this many months later */
    } ends[] = {{"下个月底", 2}, {"下月底", 2}, {"这个月底", 1}, {"本月底", 1},  {"月底", 1},
                {"月末", 1},     {"月尾", 1},   {"本月内", 1},   {"这个月内", 1}};
    uint32_t start = r->at;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (duetime_take(r, ends[i].word)) {
            *due = duetime_close_of(r, calendar_month_start(c, ends[i].months) - 1);
            (void)duetime_take_any(r, duetime_before);
            return true;
        }
    if (duetime_take(r, "年底")) {
        *due = duetime_close_of(r, calendar_month_start(c, 13 - c.month) - 1);
        (void)duetime_take_any(r, duetime_before);
        return true;
    }
    if (duetime_take(r, "下个月") || duetime_take(r, "下月")) {
        int d = duetime_take_number(r);
        if (d >= 1 && d <= 31 && (duetime_take(r, "号") || duetime_take(r, "日"))) {
            duetime_read_rest_of_day(r, calendar_month_start(c, 1) + d - 1, due);
            return true;
        }
    }
    r->at = start;
    return false;
}

bool duetime_read_date(struct reader *r, int64_t *due)
{
    uint32_t start = r->at;
    int64_t today = calendar_day_of(r->now);
    struct civil c = civil_of_day(today);
    if (read_month_end(r, c, due))
        return true;
    if (duetime_take(r, "下个月初") || duetime_take(r, "下月初") || duetime_take(r, "月初")) {
        *due = duetime_close_of(r, calendar_month_start(c, 1) + 2);
        return true;
    }
    int a = duetime_take_number(r);
    if (a < 1 || a > 31) {
        r->at = start;
        return false;
    }
    if (a <= 12 && duetime_take(r, "月")) {
        int d = duetime_take_number(r);
        if (d < 1 || d > 31 || !(duetime_take(r, "日") || duetime_take(r, "号"))) {
            r->at = start;
            return false;
        }
        int64_t day = civil_day(c.year, (unsigned)a, (unsigned)d);
        if (day < today)
            day = civil_day(c.year + 1, (unsigned)a, (unsigned)d);
        duetime_read_rest_of_day(r, day, due);
        return true;
    }
    if (duetime_take(r, "号") || duetime_take(r, "日")) {
        int64_t day = calendar_month_start(c, 0) + a - 1;
        if (day < today)
            day = calendar_month_start(c, 1) + a - 1;
        duetime_read_rest_of_day(r, day, due);
        return true;
    }
    r->at = start;
    return false;
}

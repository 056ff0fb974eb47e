#include "rule/calendar.h"
#include "rule/duetime_part.h"

static const char16_t *const within[] = {u"之内", u"以内", u"内",     u"之后", u"以后",
                                         u"后",   u"左右", u"的时间", u"时间", NULL};
/* What may stand before a span and makes even 三天 a time. */
static const char16_t *const at_most[] = {u"不会超过", u"不超过", u"不出", u"最多", u"至多", u"顶多", u"最迟",
                                          u"最晚",     u"最慢",   u"再过", u"过",   u"大约", u"大概", NULL};

static bool is_numeral(uint32_t cp)
{
    return cp == 0x4e24 || cp == 0x4e00 || cp == 0x4e8c || cp == 0x4e09 || cp == 0x56db || cp == 0x4e94 ||
           cp == 0x516d || cp == 0x4e03 || cp == 0x516b || cp == 0x4e5d;
}

/* Whether what was read since `start` is 3到5, 三至五, 两三. */
static bool has_range(const struct reader *r, uint32_t start)
{
    for (uint32_t i = start; i < r->at; i++)
        if (r->cp[i] == 0x5230 || r->cp[i] == 0x81f3 || (i > start && is_numeral(r->cp[i]) && is_numeral(r->cp[i - 1])))
            return true;
    return false;
}

int64_t duetime_workdays_on(const struct reader *r, int n)
{
    int64_t day = calendar_day_of(r->now);
    for (int left = n; left > 0; left -= duetime_is_workday(r, day))
        day++;
    return duetime_close_of(r, day);
}

/* 十分钟前 is over. */
static bool ends_in(struct reader *r, int64_t *due, int64_t at)
{
    *due = at;
    (void)duetime_take_any(r, within);
    return !(r->at < r->n && r->cp[r->at] == u'前');
}

/* 20多分钟, 一个多小时: half of a unit more. */
static bool read_minutes_or_hours(struct reader *r, int n, int64_t *due)
{
    static const char16_t *const minute[] = {u"分钟", u"min", NULL}, *const hour[] = {u"小时", u"个钟头", u"个钟",
                                                                                      u"钟头", u"钟",     u"h",
                                                                                      NULL};
    uint32_t start = r->at;
    bool has_more = duetime_take(r, u"多") || duetime_take(r, u"来");
    if (duetime_take(r, u"刻钟"))
        return ends_in(r, due, r->now + n * 15 * (int64_t)MINUTE_MS);
    if (duetime_take_any(r, minute) >= 0)
        return ends_in(r, due, r->now + (n + (has_more ? 10 : 0)) * (int64_t)MINUTE_MS);
    uint32_t before = r->at;
    if (duetime_take(r, u"分") && duetime_take_any(r, within) >= 0) {
        *due = r->now + n * (int64_t)MINUTE_MS;
        return true;
    }
    r->at = before;
    bool plus_half = !has_more && duetime_take(r, u"个半");
    if (!plus_half && duetime_take(r, u"个"))
        has_more |= duetime_take(r, u"多");
    if (duetime_take_any(r, hour) >= 0)
        return ends_in(r, due, r->now + (n * 60 + (plus_half || has_more ? 30 : 0)) * (int64_t)MINUTE_MS);
    r->at = start;
    return false;
}

/* 半小时, 半个钟; 半天内, 半个月内. */
static bool read_half(struct reader *r, bool is_bounded, int64_t *due)
{
    static const char16_t *const hour[] = {u"小时", u"个小时", u"个钟头", u"个钟", u"钟头", u"钟", NULL};
    if (duetime_take_any(r, hour) >= 0)
        return ends_in(r, due, r->now + 30 * (int64_t)MINUTE_MS);
    int64_t at = duetime_take(r, u"天") || duetime_take(r, u"日") ? r->now + 4 * (int64_t)HOUR_MS
                 : duetime_take(r, u"个月")                       ? duetime_close_of(r, calendar_day_of(r->now) + 15)
                                                                  : -1;
    *due = at;
    return at >= 0 && (duetime_take_any(r, within) >= 0 || is_bounded);
}

static bool read_workdays(struct reader *r)
{
    static const char16_t *const workday[] = {u"个工作日", u"工作日", u"个工作天", u"工作天", u"天工作日", NULL};
    return duetime_take_any(r, workday) >= 0;
}

/* Days in a unit that is no working day; 0: none stands here. */
static int days_of_unit(struct reader *r)
{
    static const struct duetime_meaning units[] = {{u"天", 1},     {u"日", 1},    {u"个自然日", 1}, {u"自然日", 1},
                                                   {u"周", 7},     {u"星期", 7},  {u"个星期", 7},   {u"礼拜", 7},
                                                   {u"个礼拜", 7}, {u"个月", 30}, {NULL, 0}};
    int days = duetime_take_meaning(r, units);
    return days < 0 ? 0 : days;
}

bool duetime_read_span(struct reader *r, int64_t *due)
{
    bool is_bounded = duetime_take_any(r, at_most) >= 0;
    if (duetime_take(r, u"半个") || duetime_take(r, u"半")) {
        if (r->cp[r->at - 1] == u'个')
            r->at--;
        return read_half(r, is_bounded, due);
    }
    uint32_t start = r->at;
    int n = duetime_take_range(r);
    bool is_range = has_range(r, start);
    if (n < 0)
        return false;
    if (read_workdays(r))
        return ends_in(r, due, duetime_workdays_on(r, n));
    if (read_minutes_or_hours(r, n, due))
        return true;
    int unit = days_of_unit(r);
    if (unit == 0 || (duetime_take_any(r, within) < 0 && !is_range && !is_bounded))
        return false; /* 三天 alone is a duration, 15日 a date; 1到2天 is a time */
    *due = duetime_close_of(r, calendar_day_of(r->now) + n * (int64_t)unit);
    return true;
}

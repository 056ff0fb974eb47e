#include "rule/calendar.h"
#include "rule/duetime_part.h"

static const char *const within[] = {"之内", "以内", "内", "之后", "以后", "后", "左右", NULL};

/* Whether what was read since `start` is 3到5 or 三至五. */
static bool has_range(const struct reader *r, uint32_t start)
{
    for (uint32_t i = start; i < r->at; i++)
        if (r->cp[i] == 0x5230 || r->cp[i] == 0x81f3)
            return true;
    return false;
}

bool duetime_read_span(struct reader *r, int64_t *due)
{
    static const char *const hour[] = {"小时", "个钟头", "个钟", "钟头", "钟", "h", NULL};
    bool half = duetime_take(r, "半个") || duetime_take(r, "半");
    uint32_t start = r->at;
    int n = half ? 0 : duetime_take_range(r);
    bool is_range = has_range(r, start);
    if (!half && n < 0)
        return false;
    if (!half && duetime_take(r, "刻钟")) {
        *due = r->now + n * 15 * (int64_t)MINUTE_MS;
        (void)duetime_take_any(r, within);
        return true;
    }
    if (!half && (duetime_take(r, "分钟") || duetime_take(r, "min"))) {
        *due = r->now + n * (int64_t)MINUTE_MS;
        (void)duetime_take_any(r, within);
        return true;
    }
    if (!half && (duetime_take(r, "个工作日") || duetime_take(r, "工作日") || duetime_take(r, "个工作天") ||
                  duetime_take(r, "工作天"))) {
        int64_t day = calendar_day_of(r->now);
        for (int left = n; left > 0; left -= duetime_is_workday(r, day))
            day++;
        *due = duetime_close_of(r, day);
        (void)duetime_take_any(r, within);
        return true;
    }
    bool plus_half = !half && duetime_take(r, "个半");
    bool is_of = !plus_half && duetime_take(r, "个");
    uint32_t before = r->at;
    if (duetime_take_any(r, hour) >= 0) {
        *due = r->now + (n * 60 + (half || plus_half ? 30 : 0)) * (int64_t)MINUTE_MS;
        (void)duetime_take_any(r, within);
        return true;
    }
    r->at = before;
    if (half || plus_half || is_of)
        return false;
    int64_t days = duetime_take(r, "天") || duetime_take(r, "日") ? n : duetime_take(r, "周") ? n * (int64_t)7 : -1;
    static const char *const strict[] = {"之内", "以内", "内", "之后", "以后", "后", NULL};
    if (days < 0 || (duetime_take_any(r, strict) < 0 && !is_range))
        return false; /* 三天 alone is a duration, 15日 a date; 1到2天 is a time */
    *due = duetime_close_of(r, calendar_day_of(r->now) + days);
    return true;
}

#include "base/span.h"
#include "rule/calendar.h"
#include "rule/duetime_part.h"

bool duetime_read_day(struct reader *r, int64_t *due)
{
    static const struct duetime_meaning days[] = {
        {u"今天或者明天", 1}, {u"今天或明天", 1}, {u"明天或者后天", 2}, {u"明天或后天", 2},
        {u"今明两天", 1},     {u"今明两日", 1},   {u"明后两天", 2},     {u"明后天", 2},
        {u"今天", 0},         {u"今日", 0},       {u"当天", 0},         {u"当日", 0},
        {u"今儿", 0},         {u"今个", 0},       {u"明天", 1},         {u"明日", 1},
        {u"明儿", 1},         {u"明个", 1},       {u"次日", 1},         {u"翌日", 1},
        {u"隔天", 1},         {u"隔日", 1},       {u"第二天", 1},       {u"大后天", 3},
        {u"后天", 2},         {u"听日", 1},       {u"后日", 2},         {NULL, 0}};
    int64_t today = calendar_day_of(r->now);
    int ahead = duetime_take_meaning(r, days);
    if (ahead >= 0) {
        duetime_read_rest_of_day(r, today + ahead, due);
        if (*due <= r->now) /* after hours: the next day's */
            *due = duetime_close_of(r, today + ahead + 1);
        return true;
    }
    if (duetime_take(r, u"明早") || duetime_take(r, u"明晚")) {
        r->at--;
        duetime_read_rest_of_day(r, today + 1, due);
        return true;
    }
    if (duetime_take(r, u"听朝") || duetime_take(r, u"听晚")) {
        bool is_night = r->cp[r->at - 1] == 0x665a;
        duetime_read_rest_or(r, today + 1, due, calendar_at(today + 1, is_night ? 22 : 10, 0));
        return true;
    }
    if (duetime_take(r, u"今晚") || duetime_take(r, u"当晚") || duetime_take(r, u"今早")) {
        r->at--;
        duetime_read_rest_of_day(r, today, due);
        return true;
    }
    static const char16_t *const close[] = {u"下班", u"收工", u"放工", u"收市", u"打烊", u"关门", NULL},
                                 *const before[] = {u"之前", u"以前", u"前", NULL};
    *due = duetime_next_close(r);
    return duetime_take_any(r, close) >= 0 && duetime_take_any(r, before) >= 0;
}

bool duetime_read_week(struct reader *r, int64_t *due)
{
    static const char16_t *const week[] = {u"周", u"星期", u"礼拜", NULL};
    static const char16_t *const name[] = {u"一", u"二", u"三", u"四", u"五", u"六", u"日", u"天", u"末", NULL};
    uint32_t start = r->at;
    int64_t today = calendar_day_of(r->now), monday = today - (int)civil_weekday(today);
    static const char16_t *const next[] = {u"下个", u"下", NULL}, *const this[] = {u"这个", u"今个", u"本",
                                                                                   u"这",   u"今",   NULL};
    int weeks = duetime_take(r, u"下下个") || duetime_take(r, u"下下") ? 2 : duetime_take_any(r, next) >= 0 ? 1 : 0;
    bool is_this = weeks == 0 && duetime_take_any(r, this) >= 0;
    if (duetime_take_any(r, week) < 0) {
        r->at = start;
        return false;
    }
    int d = duetime_take_any(r, name);
    if (d < 0) {
        if (weeks == 0 && !is_this) {
            r->at = start;
            return false;
        }
        *due = duetime_close_of(r, monday + (duetime_take(r, u"初") ? 1 : duetime_take(r, u"中") ? 2 : 4) + weeks * 7);
        (void)duetime_take_any(r, duetime_before);
        return true;
    }
    d = d == 7 ? 6 : d == 8 ? 6 : d;
    int64_t day = monday + d + weeks * 7;
    if (weeks == 0 && day < today)
        day += 7; /* the coming one */
    duetime_read_rest_of_day(r, day, due);
    return true;
}

/* 月底, 下个月底, 年底, 下个月5号, 下个月, 月中 */
static bool read_month(struct reader *r, struct civil c, int64_t *due)
{
    /* the day before so many months later */
    static const struct duetime_meaning ends[] = {{u"下个月底", 2}, {u"下月底", 2}, {u"下月内", 2}, {u"下个月内", 2},
                                                  {u"这个月底", 1}, {u"本月底", 1}, {u"月底", 1},   {u"月末", 1},
                                                  {u"月尾", 1},     {u"本月内", 1}, {u"当月内", 1}, {u"这个月内", 1},
                                                  {NULL, 0}};
    uint32_t start = r->at;
    int months = duetime_take_meaning(r, ends);
    if (months >= 0) {
        *due = duetime_close_of(r, calendar_month_start(c, (unsigned)months) - 1);
        (void)duetime_take_any(r, duetime_before);
        return true;
    }
    if (duetime_take(r, u"年底")) {
        *due = duetime_close_of(r, calendar_month_start(c, 13 - c.month) - 1);
        (void)duetime_take_any(r, duetime_before);
        return true;
    }
    bool is_next = duetime_take(r, u"下个月") || duetime_take(r, u"下月");
    if (duetime_take(r, u"月初") || (is_next && duetime_take(r, u"初"))) {
        *due = duetime_close_of(r, calendar_month_start(c, 1) + 2);
        return true;
    }
    if (duetime_take(r, u"月中") || (is_next && duetime_take(r, u"中"))) {
        *due = duetime_close_of(r, calendar_month_start(c, is_next || c.day > 15) + 14);
        (void)duetime_take_any(r, duetime_before);
        return true;
    }
    int d = is_next ? duetime_take_number(r) : 0;
    if (d >= 1 && d <= 31 && (duetime_take(r, u"号") || duetime_take(r, u"日"))) {
        duetime_read_rest_of_day(r, calendar_month_start(c, 1) + d - 1, due);
        return true;
    }
    if (is_next && d < 0) {
        *due = duetime_close_of(r, calendar_month_start(c, 2) - 1);
        return true;
    }
    r->at = start;
    return false;
}

/* Behind X月: 5号, 底, 初, 中旬; 5前 too, for 3/5 is read as 3月5. */
static bool read_in_month(struct reader *r, struct civil c, int month, int64_t *due)
{
    struct civil of = {c.year + ((unsigned)month < c.month), (unsigned)month, 1};
    int last = (int)(calendar_month_start(of, 1) - calendar_month_start(of, 0)),
        d = duetime_take(r, u"底") || duetime_take(r, u"末") ? last
            : duetime_take(r, u"初")                         ? 3
            : duetime_take(r, u"中旬")                       ? 20
                                                             : 0;
    if (d == 0) {
        d = duetime_take_number(r);
        uint32_t before = r->at;
        bool is_before = duetime_take(r, u"之前") || duetime_take(r, u"前");
        r->at = before;
        if (d < 1 || d > last || !(is_before || duetime_take(r, u"日") || duetime_take(r, u"号")))
            return false;
    }
    int64_t day = calendar_month_start(of, 0) + d - 1;
    if (day < calendar_day_of(r->now))
        day = civil_day(of.year + 1, of.month, (unsigned)d);
    duetime_read_rest_of_day(r, day, due);
    return true;
}

bool duetime_read_date(struct reader *r, int64_t *due)
{
    uint32_t start = r->at;
    int64_t today = calendar_day_of(r->now);
    struct civil c = civil_of_day(today);
    if (read_month(r, c, due))
        return true;
    int a = duetime_take_number(r);
    if (a >= 1 && a <= 12 && duetime_take(r, u"月"))
        return read_in_month(r, c, a, due);
    if (a >= 1 && a <= 31 && (duetime_take(r, u"号") || duetime_take(r, u"日"))) {
        int64_t day = calendar_month_start(c, 0) + a - 1;
        if (day < today)
            day = calendar_month_start(c, 1) + a - 1;
        duetime_read_rest_of_day(r, day, due);
        return true;
    }
    r->at = start;
    return false;
}

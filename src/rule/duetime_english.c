/* Times in English. The reader sees words without the blanks between them; what stands before and behind is the
 * caller's to check. */
#include "base/span.h"
#include "rule/calendar.h"
#include "rule/duetime_part.h"

/* The number of an English word or of digits; -1: none. */
static int take_count(struct reader *r)
{
    static const struct duetime_meaning counts[] = {
        {u"acoupleof", 2},   {u"couple", 2},   {u"afew", 5},    {u"few", 5},        {u"several", 5},
        {u"an", 1},          {u"one", 1},      {u"two", 2},     {u"three", 3},      {u"fourteen", 14},
        {u"four", 4},        {u"fifteen", 15}, {u"five", 5},    {u"sixty", 60},     {u"six", 6},
        {u"seven", 7},       {u"eight", 8},    {u"nine", 9},    {u"ten", 10},       {u"twelve", 12},
        {u"twentyfour", 24}, {u"twenty", 20},  {u"thirty", 30}, {u"fortyfive", 45}, {u"fortyeight", 48},
        {u"forty", 40},      {u"ninety", 90},  {u"a", 1},       {NULL, 0}};
    int n = duetime_take_meaning(r, counts);
    if (n >= 0)
        return n;
    return r->at < r->n && r->cp[r->at] <= '9' ? duetime_take_range(r) : -1;
}

/* 3to5, 2or3, one or two: the upper number. */
static int take_range(struct reader *r)
{
    int a = take_count(r);
    uint32_t before = r->at;
    if (a >= 0 && (duetime_take(r, u"to") || duetime_take(r, u"or"))) {
        int b = take_count(r);
        if (b >= a)
            return b;
        r->at = before;
    }
    return a;
}

static bool read_span(struct reader *r, int64_t *due)
{
    static const char16_t *const
        workday[] = {u"businessdays", u"businessday", u"workingdays", u"workingday", u"workdays", u"workday", NULL},
        *const minute[] = {u"minutes", u"minute", u"mins", u"min", NULL}, *const hour[] = {u"hours", u"hour", u"hrs",
                                                                                           u"hr",    u"h",    NULL},
        *const day[] = {u"calendardays", u"days", u"day", NULL}, *const week[] = {u"weeks", u"week", NULL};
    if (duetime_take(r, u"halfanhour") || duetime_take(r, u"halfhour") || duetime_take(r, u"ahalfhour")) {
        *due = r->now + 30 * (int64_t)MINUTE_MS;
        return true;
    }
    (void)(duetime_take(r, u"about") || duetime_take(r, u"around") || duetime_take(r, u"thenext") ||
           duetime_take(r, u"the"));
    uint32_t start = r->at;
    int n = take_range(r);
    bool half = false;
    if (n < 0) { /* within the hour */
        r->at = start;
        n = 1;
    } else if (duetime_take(r, u"andahalf")) {
        half = true;
    }
    (void)duetime_take(r, u"more");
    if (duetime_take_any(r, workday) >= 0)
        *due = duetime_workdays_on(r, n);
    else if (duetime_take_any(r, minute) >= 0)
        *due = r->now + n * (int64_t)MINUTE_MS;
    else if (duetime_take_any(r, hour) >= 0)
        *due = r->now + (n * 60 + (half || duetime_take(r, u"andahalf") ? 30 : 0)) * (int64_t)MINUTE_MS;
    else if (duetime_take_any(r, day) >= 0)
        *due = duetime_close_of(r, calendar_day_of(r->now) + n);
    else if (duetime_take_any(r, week) >= 0)
        *due = duetime_close_of(r, calendar_day_of(r->now) + n * (int64_t)7);
    else
        return false;
    return true;
}

/* 5pm, 5:30pm, 17:00, 10am, noon; `is_bare`: a number alone is none. */
static bool read_clock(struct reader *r, bool is_bare, int *minutes)
{
    uint32_t start = r->at;
    if (duetime_take(r, u"noon") || duetime_take(r, u"midday") || duetime_take(r, u"lunchtime")) {
        *minutes = 12 * 60;
        return true;
    }
    if (duetime_take(r, u"midnight")) {
        *minutes = 24 * 60;
        return true;
    }
    int h = r->at < r->n && r->cp[r->at] <= '9' ? duetime_take_number(r) : -1, m = 0;
    if (h < 0 || h > 24)
        return false;
    bool has_minutes = duetime_take(r, u"点"); /* 18:30, see detect_time.c */
    if (has_minutes)
        m = duetime_take_number(r);
    bool is_pm = duetime_take(r, u"pm") || duetime_take(r, u"p"), is_am = !is_pm && (duetime_take(r, u"am"));
    bool has_mark = is_pm || is_am || has_minutes || duetime_take(r, u"oclock");
    if (m < 0 || m > 59 || (is_bare && !has_mark)) {
        r->at = start;
        return false;
    }
    if ((is_pm && h < 12) || (!is_am && !has_minutes && h < 8))
        h += 12;
    if (is_am && h == 12)
        h = 0;
    *minutes = h * 60 + m;
    return true;
}

static bool read_part(struct reader *r, int *hour)
{
    static const struct duetime_meaning parts[] = {
        {u"morning", 12}, {u"afternoon", 18}, {u"evening", 22}, {u"night", 22}, {NULL, 0}};
    int found = duetime_take_meaning(r, parts);
    if (found >= 0)
        *hour = found;
    return found >= 0;
}

/* today, tomorrow, friday, next monday, this afternoon: a day and where it ends. Bare, sun and sat are none. */
static bool read_day(struct reader *r, bool is_bare, int64_t *day, int *hour)
{
    static const char16_t *const tomorrow[] = {u"tomorrow", u"tommorow", u"tomorow", u"tmrw", u"tmr", NULL},
                                 *const week[] = {u"monday",   u"mon",      u"tuesday", u"tue",    u"wednesday",
                                                  u"wed",      u"thursday", u"thu",     u"friday", u"fri",
                                                  u"saturday", u"sat",      u"sunday",  u"sun",    NULL};
    int64_t today = calendar_day_of(r->now), monday = today - (int)civil_weekday(today);
    *day = today, *hour = -1;
    if (duetime_take(r, u"today"))
        return true;
    if (duetime_take(r, u"tonight")) {
        *hour = 22;
        return true;
    }
    if (duetime_take(r, u"dayaftertomorrow") || duetime_take(r, u"thedayaftertomorrow")) {
        *day = today + 2;
        return true;
    }
    if (duetime_take_any(r, tomorrow) >= 0) {
        *day = today + 1;
        return true;
    }
    bool is_next = duetime_take(r, u"next"), is_this = !is_next && duetime_take(r, u"this");
    if (is_this && read_part(r, hour))
        return true;
    int d = duetime_take_any(r, week);
    if (d >= 0 && (d % 2 == 0 || !is_bare || is_next || is_this)) {
        *day = monday + d / 2;
        *day += is_next || *day < today ? 7 : 0;
        return true;
    }
    if ((is_next || is_this) && duetime_take(r, u"week")) {
        *day = monday + 4 + (is_next ? 7 : 0);
        return true;
    }
    return false;
}

static bool read_month_day(struct reader *r, int64_t *day)
{
    static const char16_t *const months[] = {
        u"january", u"february", u"march",    u"april", u"may", u"june", u"july", u"august", u"september",
        u"october", u"november", u"december", u"jan",   u"feb", u"mar",  u"apr",  u"may",    u"jun",
        u"jul",     u"aug",      u"sep",      u"oct",   u"nov", u"dec",  NULL};
    static const char16_t *const ordinal[] = {u"st", u"nd", u"rd", u"th", NULL};
    struct civil today = civil_of_day(calendar_day_of(r->now));
    int m = duetime_take_any(r, months);
    bool is_the = m < 0 && duetime_take(r, u"the");
    int d = r->at < r->n && r->cp[r->at] <= '9' ? duetime_take_number(r) : -1;
    if (d < 1 || d > 31)
        return false;
    bool is_ordinal = duetime_take_any(r, ordinal) >= 0;
    if (m < 0) {
        (void)duetime_take(r, u"of");
        m = duetime_take_any(r, months);
    }
    if (m < 0 && !(is_the && is_ordinal))
        return false;
    struct civil of = {today.year, m < 0 ? today.month : (unsigned)m % 12 + 1, 1};
    *day = calendar_month_start(of, 0) + d - 1;
    if (*day < calendar_day_of(r->now))
        *day = m < 0 ? calendar_month_start(of, 1) + d - 1 : civil_day(of.year + 1, of.month, (unsigned)d);
    return true;
}

/* end of day, close of business, eod, end of this week, end of the month. */
static bool read_end(struct reader *r, int64_t *due)
{
    static const char16_t *const end[] = {u"theendof", u"endof", u"closeof", NULL},
                                 *const day[] = {u"businessday", u"business", u"today", u"day", NULL},
                                 *const short_day[] = {u"eod", u"cob", u"close", NULL};
    int64_t today = calendar_day_of(r->now), friday = today - (int)civil_weekday(today) + 4;
    bool is_end = duetime_take_any(r, end) >= 0;
    (void)(is_end && (duetime_take(r, u"the") || duetime_take(r, u"this")));
    if (is_end ? duetime_take_any(r, day) >= 0 : duetime_take_any(r, short_day) >= 0) {
        (void)duetime_take(r, u"today");
        *due = duetime_take(r, u"tomorrow") ? duetime_close_of(r, today + 1) : duetime_next_close(r);
        return true;
    }
    bool is_week = is_end ? duetime_take(r, u"week") : duetime_take(r, u"eow") || duetime_take(r, u"theweekend");
    bool is_month = !is_week && is_end && duetime_take(r, u"month");
    if (is_week || is_month) {
        *due = duetime_close_of(r, is_week ? friday : calendar_month_start(civil_of_day(today), 1) - 1);
        return true;
    }
    *due = duetime_close_of(r, today + 1);
    return is_end && duetime_take(r, u"tomorrow");
}

/* A day of the week or of a month; the reader stands still where there is none. */
static bool take_day(struct reader *r, bool is_bare, int64_t *day, int *hour)
{
    uint32_t start = r->at;
    if (read_day(r, is_bare, day, hour))
        return true;
    r->at = start;
    *day = calendar_day_of(r->now), *hour = -1;
    if (read_month_day(r, day))
        return true;
    r->at = start;
    return false;
}

/* Behind a day: by 5pm, at 10. */
static bool take_hour_of_day(struct reader *r, int *minutes)
{
    static const char16_t *const lead[] = {u"by", u"at", u"before", u"around", NULL};
    uint32_t start = r->at;
    if (read_clock(r, duetime_take_any(r, lead) < 0, minutes))
        return true;
    r->at = start;
    return false;
}

/* A day, an hour, or both in either order. */
static bool read_moment(struct reader *r, bool is_bare, int64_t *due)
{
    static const char16_t *const early[] = {u"firstthing", u"early", NULL}, *const on[] = {u"on", u"later", NULL};
    int64_t day = calendar_day_of(r->now);
    int minutes = -1, hour = -1;
    bool is_early = duetime_take_any(r, early) >= 0, has_day = take_day(r, is_bare && !is_early, &day, &hour),
         has_clock = has_day ? hour < 0 && !read_part(r, &hour) && take_hour_of_day(r, &minutes)
                             : !is_early && read_clock(r, is_bare, &minutes);
    if (!has_day) {
        uint32_t before = r->at;
        (void)duetime_take_any(r, on);
        has_day = take_day(r, is_bare && !has_clock && r->at == before, &day, &hour);
        if (!has_day)
            r->at = before;
    }
    if (!has_day && !has_clock)
        return false;
    *due = has_clock   ? day * DAY_MS + minutes * (int64_t)MINUTE_MS
           : is_early  ? calendar_at(day, 10, 0)
           : hour >= 0 ? calendar_at(day, hour, 0)
                       : duetime_close_of(r, day);
    if (*due <= r->now)
        *due = has_day && !has_clock ? duetime_close_of(r, day + 1) : *due + DAY_MS;
    return true;
}

bool duetime_read_english(struct reader *r, int64_t *due)
{
    static const char16_t *const spans[] = {u"within",   u"in",      u"overthenext", u"giveme",
                                            u"giveus",   u"allowme", u"allowus",     u"nomorethan",
                                            u"lessthan", u"under",   u"upto",        u"justgiveme",
                                            NULL},
                                 *const until[] = {u"by",           u"before",   u"nolaterthan",
                                                   u"notlaterthan", u"until",    u"at",
                                                   u"on",           u"latestby", NULL};
    uint32_t start = r->at;
    if (duetime_take_any(r, spans) >= 0) {
        uint32_t behind = r->at;
        if (read_span(r, due))
            return true;
        r->at = behind;
        int hour;
        if (r->cp[start] == 'i' && duetime_take(r, u"the") && read_part(r, &hour)) { /* in the morning */
            int64_t day = calendar_day_of(r->now);
            *due = calendar_at(day, hour, 0);
            *due += *due <= r->now || hour == 12 ? DAY_MS : 0;
            return true;
        }
        r->at = start;
    }
    bool has_lead = duetime_take_any(r, until) >= 0, is_at = has_lead && r->at - start == 2 && r->cp[start] != 'b';
    start = r->at;
    if (read_end(r, due))
        return true;
    r->at = start;
    return read_moment(r, !has_lead || is_at, due);
}

#include "base/span.h"
#include "rule/calendar.h"
#include "rule/duetime_part.h"

enum { HOUR_MINUTES = 60 };

bool duetime_is_workday(const struct reader *r, int64_t day)
{
    return r->calendar ? calendar_is_workday(r->calendar, day) : civil_weekday(day) < 5;
}

int64_t duetime_close_of(const struct reader *r, int64_t day)
{
    int64_t end = r->calendar ? calendar_day_end(r->calendar, day) : -1;
    return end < 0 ? calendar_at(day, CLOSE_HOUR, 0) : calendar_local_ms(r->calendar, end);
}

int64_t duetime_next_close(const struct reader *r)
{
    int64_t day = calendar_day_of(r->now);
    for (int i = 0; r->calendar && i < 60; i++) {
        int64_t end = calendar_day_end(r->calendar, day + i);
        if (end >= 0 && calendar_local_ms(r->calendar, end) > r->now)
            return calendar_local_ms(r->calendar, end);
    }
    return duetime_close_of(r, day) > r->now ? duetime_close_of(r, day) : duetime_close_of(r, day + 1);
}

int64_t duetime_next_open(const struct reader *r)
{
    int64_t day = calendar_day_of(r->now), open = INT64_MAX;
    if (r->calendar && !calendar_is_open(r->calendar, calendar_utc_ms(r->calendar, r->now)))
        open = calendar_next_open(r->calendar, calendar_utc_ms(r->calendar, r->now));
    else if (r->calendar)
        open = calendar_next_open(r->calendar, calendar_next_close(r->calendar, calendar_utc_ms(r->calendar, r->now)));
    if (open != INT64_MAX)
        return calendar_local_ms(r->calendar, open);
    return calendar_at(day + (r->now - day * DAY_MS >= OPEN_HOUR * (int64_t)HOUR_MS), OPEN_HOUR, 0);
}

/* What an hour on the clock means in a part of the day: 下午3点 is 15:00, 中午1点 13:00, 晚上12点 midnight. */
enum twelve { AS_SAID, NOON, AFTERNOON, NIGHT };

struct part_of_day {
    const char16_t *word;
    int hour; /* where it ends */
    enum twelve twelve;
};

static const struct part_of_day parts[] = {
    {u"上昼", 12, AS_SAID}, {u"下昼", 18, AFTERNOON}, {u"晏昼", 18, AFTERNOON}, {u"朝早", 10, AS_SAID},
    {u"夜晚", 22, NIGHT},   {u"凌晨", 6, AS_SAID},    {u"一大早", 10, AS_SAID}, {u"一早", 10, AS_SAID},
    {u"早上", 10, AS_SAID}, {u"早晨", 10, AS_SAID},   {u"早间", 10, AS_SAID},   {u"早", 10, AS_SAID},
    {u"上午", 12, AS_SAID}, {u"午前", 12, AS_SAID},   {u"午饭前", 12, AS_SAID}, {u"午休前", 12, AS_SAID},
    {u"中午", 12, NOON},    {u"下午", 18, AFTERNOON}, {u"傍晚", 19, AFTERNOON}, {u"晚上", 22, NIGHT},
    {u"晚间", 22, NIGHT},   {u"夜里", 22, NIGHT},     {u"夜间", 22, NIGHT},     {u"晚", 22, NIGHT},
};

static int hour_in(int h, enum twelve part)
{
    if (part == NOON)
        return h >= 1 && h <= 3 ? h + 12 : h;
    if (part == NIGHT && h == 12)
        return 24;
    return part != AS_SAID && h < 12 ? h + 12 : h;
}

struct clock_time {
    int minutes;    /* since midnight */
    bool is_around; /* 左右 behind it */
    bool is_to_the_minute;
};

/* X点, X点半, X点N分, X时 behind a day or alone. */
static bool read_clock(struct reader *r, enum twelve part, struct clock_time *out)
{
    uint32_t start = r->at;
    int h = duetime_take_number(r), m = 0;
    if (h < 0 || h > 24 || !(duetime_take(r, u"点钟") || duetime_take(r, u"点") || duetime_take(r, u"时"))) {
        r->at = start;
        return false;
    }
    out->is_to_the_minute = r->cp[r->at - 1] == u'钟';
    if (duetime_take(r, u"半")) {
        m = 30;
    } else if (duetime_take(r, u"一刻")) {
        m = 15;
    } else if (duetime_take(r, u"三刻")) {
        m = 45;
    } else {
        uint32_t before = r->at;
        m = duetime_take_number(r);
        bool is_digits = r->at == before + 2 && r->cp[before] <= '9'; /* 18:30 */
        if (m < 0 || m > 59 || (!duetime_take(r, u"分") && !is_digits))
            r->at = before, m = 0;
    }
    out->is_to_the_minute |= r->at > start && (m > 0 || r->cp[r->at - 1] == '0');
    out->minutes = hour_in(h, part) * 60 + m;
    out->is_around = duetime_take(r, u"左右");
    return true;
}

const char16_t *const duetime_before[] = {u"之前", u"以前", u"前", u"之内", u"以内", u"内", NULL};

static const struct part_of_day *read_part(struct reader *r, bool is_behind_day)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if ((is_behind_day || parts[i].word[1] != 0) && duetime_take(r, parts[i].word))
            return r->at < r->n && r->cp[r->at] == u'好' ? NULL : &parts[i]; /* 晚上好 greets */
    return NULL;
}

/* 明天下班前, 周三上班后, 今天晚点. */
static bool read_work_of_day(struct reader *r, int64_t day, int64_t *due)
{
    static const char16_t *const close[] = {u"下班", u"收工", u"放工", u"收市", u"打烊", u"关门", NULL},
                                 *const open[] = {u"一上班", u"上班后", u"上班", u"返工",
                                                  u"一开门", u"开门后", u"开工", NULL},
                                 *const later[] = {u"晚些时候", u"晚一些", u"晚一点", u"晚些", u"晚点", u"稍晚", NULL};
    if (duetime_take_any(r, close) >= 0 || duetime_take_any(r, later) >= 0) {
        *due = duetime_close_of(r, day);
        return true;
    }
    if (duetime_take_any(r, open) < 0)
        return false;
    int64_t open_ms = r->calendar ? calendar_next_open(r->calendar, calendar_utc_ms(r->calendar, day * DAY_MS)) : -1;
    bool is_known = r->calendar && open_ms != INT64_MAX;
    *due = (is_known ? calendar_local_ms(r->calendar, open_ms) : calendar_at(day, OPEN_HOUR, 0)) + HOUR_MS;
    return true;
}

/* Of a day without its part, 5点 is in the afternoon: before 8:00 nobody promises anything. */
static int in_office_hours(const struct reader *r, int64_t day, int minutes)
{
    bool is_small = minutes >= HOUR_MINUTES && minutes < 8 * HOUR_MINUTES,
         is_past = minutes < 12 * HOUR_MINUTES && day * DAY_MS + minutes * (int64_t)MINUTE_MS <= r->now;
    return is_small || is_past ? minutes + 12 * HOUR_MINUTES : minutes;
}

void duetime_read_rest_or(struct reader *r, int64_t day, int64_t *due, int64_t otherwise)
{
    struct clock_time clock;
    *due = otherwise;
    if (read_work_of_day(r, day, due)) {
        (void)duetime_take_any(r, duetime_before);
        return;
    }
    const struct part_of_day *part = read_part(r, true);
    if (part)
        *due = calendar_at(day, part->hour, 0);
    if (read_clock(r, part ? part->twelve : AS_SAID, &clock)) {
        int minutes = part ? clock.minutes : in_office_hours(r, day, clock.minutes);
        *due = day * DAY_MS + (minutes + (clock.is_around ? 30 : 0)) * (int64_t)MINUTE_MS;
    }
    (void)duetime_take_any(r, duetime_before);
}

void duetime_read_rest_of_day(struct reader *r, int64_t day, int64_t *due)
{
    duetime_read_rest_or(r, day, due, duetime_close_of(r, day));
}

bool duetime_read_bare_hour(struct reader *r, int64_t *due)
{
    uint32_t start = r->at;
    int64_t today = calendar_day_of(r->now);
    struct clock_time clock;
    const struct part_of_day *part = read_part(r, false);
    if (part)
        *due = calendar_at(today, part->hour, 0);
    if (read_clock(r, part ? part->twelve : AS_SAID, &clock)) {
        int minutes = clock.minutes;
        *due = today * DAY_MS + minutes * (int64_t)MINUTE_MS;
        if (*due <= r->now && !part && minutes < 12 * 60 && *due + 12 * (int64_t)HOUR_MS > r->now)
            *due += 12 * (int64_t)HOUR_MS; /* 5点 said at 14:00 */
        if (clock.is_around)
            *due += 30 * MINUTE_MS;
        else if (duetime_take_any(r, duetime_before) < 0 && !part && !clock.is_to_the_minute) {
            r->at = start; /* a bare u"3点" says too little: 第3点, 几点 */
            return false;
        }
    } else if (!part) {
        return false;
    } else {
        (void)duetime_take_any(r, duetime_before);
    }
    if (*due <= r->now)
        *due += DAY_MS;
    return true;
}

#include "base/span.h"
#include "rule/calendar.h"
#include "rule/duetime_part.h"

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

struct part_of_day {
    const char *word;
    int hour, shift; /* where it ends; what is added to 1-11 o'clock */
};

static const struct part_of_day parts[] = {
    {"上昼", 12, 0},  {"下昼", 18, 12}, {"晏昼", 18, 12}, {"朝早", 10, 0},  {"夜晚", 22, 12}, {"凌晨", 6, 0},
    {"一早", 10, 0},  {"早上", 10, 0},  {"早晨", 10, 0},  {"早", 10, 0},    {"上午", 12, 0},  {"中午", 12, 0},
    {"下午", 18, 12}, {"傍晚", 19, 12}, {"晚上", 22, 12}, {"晚间", 22, 12}, {"夜里", 22, 12}, {"晚", 22, 12},
};

/* X点, X点半, X点N分, X时 behind a day or alone; true when read, *minutes since midnight. */
static bool read_clock(struct reader *r, int shift, int *minutes, bool *has_around)
{
    uint32_t start = r->at;
    int h = duetime_take_number(r), m = 0;
    if (h < 0 || h > 24 || !(duetime_take(r, "点钟") || duetime_take(r, "点") || duetime_take(r, "时"))) {
        r->at = start;
        return false;
    }
    if (duetime_take(r, "半")) {
        m = 30;
    } else if (duetime_take(r, "一刻")) {
        m = 15;
    } else {
        uint32_t before = r->at;
        m = duetime_take_number(r);
        bool is_digits = r->at == before + 2 && r->cp[before] <= '9'; /* 18:30 */
        if (m < 0 || m > 59 || (!duetime_take(r, "分") && !is_digits))
            r->at = before, m = 0;
    }
    if (shift && h < 12)
        h += shift;
    *minutes = h * 60 + m;
    *has_around = duetime_take(r, "左右");
    return true;
}

const char *const duetime_before[] = {"之前", "以前", "前", "之内", "内", NULL};

void duetime_read_rest_or(struct reader *r, int64_t day, int64_t *due, int64_t otherwise)
{
    int shift = 0, minutes;
    bool has_around = false;
    *due = otherwise;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (duetime_take(r, parts[i].word)) {
            *due = calendar_at(day, parts[i].hour, 0);
            shift = parts[i].shift;
            break;
        }
    if (read_clock(r, shift, &minutes, &has_around))
        *due = day * DAY_MS + minutes * (int64_t)MINUTE_MS + (has_around ? 30 * MINUTE_MS : 0);
    (void)duetime_take_any(r, duetime_before);
}

void duetime_read_rest_of_day(struct reader *r, int64_t day, int64_t *due)
{
    duetime_read_rest_or(r, day, due, duetime_close_of(r, day));
}

bool duetime_read_bare_hour(struct reader *r, int64_t *due)
{
    uint32_t start = r->at;
    int shift = 0, minutes;
    bool has_around = false, has_part = false;
    int64_t today = calendar_day_of(r->now);
    for (size_t i = 0; i < ARRAY_LEN(parts) && !has_part; i++)
        if (parts[i].word[3] != '\0' && duetime_take(r, parts[i].word)) {
            *due = calendar_at(today, parts[i].hour, 0);
            shift = parts[i].shift;
            has_part = true;
        }
    if (read_clock(r, shift, &minutes, &has_around)) {
        *due = today * DAY_MS + minutes * (int64_t)MINUTE_MS;
        if (*due <= r->now && !has_part && minutes < 12 * 60 && *due + 12 * (int64_t)HOUR_MS > r->now)
            *due += 12 * (int64_t)HOUR_MS; /* 5点 said at 14:00 */
        if (has_around)
            *due += 30 * MINUTE_MS;
        else if (duetime_take_any(r, duetime_before) < 0 && !has_part) {
            r->at = start; /* a bare "3点" says too little: 第3点, 几点 */
            return false;
        }
    } else if (!has_part) {
        return false;
    } else {
        (void)duetime_take_any(r, duetime_before);
    }
    if (*due <= r->now)
        *due += DAY_MS;
    return true;
}

#include "rule/duetime.h"

#include "base/span.h"
#include "rule/calendar.h"
#include "rule/duetime_word.h"

static bool is_workday(const struct reader *r, int64_t day)
{
    return r->calendar ? calendar_is_workday(r->calendar, day) : civil_weekday(day) < 5;
}

/* The end of that day's hours, local; of a closed day, of 21:00. */
static int64_t close_of(const struct reader *r, int64_t day)
{
    int64_t end = r->calendar ? calendar_day_end(r->calendar, day) : -1;
    return end < 0 ? calendar_at(day, CLOSE_HOUR, 0) : calendar_local_ms(r->calendar, end);
}

/* The end of work today, or of the next day on which there is some. */
static int64_t next_close(const struct reader *r)
{
    int64_t day = calendar_day_of(r->now);
    for (int i = 0; r->calendar && i < 60; i++) {
        int64_t end = calendar_day_end(r->calendar, day + i);
        if (end >= 0 && calendar_local_ms(r->calendar, end) > r->now)
            return calendar_local_ms(r->calendar, end);
    }
    return close_of(r, day) > r->now ? close_of(r, day) : close_of(r, day + 1);
}

/* When work begins the next time. */
static int64_t next_open(const struct reader *r)
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

static const char *const within[] = {"之内", "以内", "内", "之后", "以后", "后", "左右", NULL};

/* Whether what was read since `start` is 3到5 or 三至五. */
static bool has_range(const struct reader *r, uint32_t start)
{
    for (uint32_t i = start; i < r->at; i++)
        if (r->cp[i] == 0x5230 || r->cp[i] == 0x81f3)
            return true;
    return false;
}

/* N小时, 半小时, 一个半小时, N分钟, 一刻钟, N天, N个工作日, N周 + 内 / 后 */
static bool read_span(struct reader *r, int64_t *due)
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
        for (int left = n; left > 0; left -= is_workday(r, day))
            day++;
        *due = close_of(r, day);
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
    *due = close_of(r, calendar_day_of(r->now) + days);
    return true;
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

static const char *const before_words[] = {"之前", "以前", "前", "之内", "内", NULL};

/* What may stand behind a day: a part of it, an hour, 前; else the time is `otherwise`. */
static void read_rest_or(struct reader *r, int64_t day, int64_t *due, int64_t otherwise)
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
    (void)duetime_take_any(r, before_words);
}

static void read_rest_of_day(struct reader *r, int64_t day, int64_t *due)
{
    read_rest_or(r, day, due, close_of(r, day));
}

static bool read_day(struct reader *r, int64_t *due)
{
    static const struct {
        const char *word;
        int days;
    } days[] = {{"今天", 0}, {"今日", 0},   {"当天", 0},   {"当日", 0}, {"今儿", 0}, {"明天", 1}, {"明日", 1},
                {"次日", 1}, {"第二天", 1}, {"大后天", 3}, {"后天", 2}, {"听日", 1}, {"后日", 2}};
    int64_t today = calendar_day_of(r->now);
    for (size_t i = 0; i < ARRAY_LEN(days); i++)
        if (duetime_take(r, days[i].word)) {
            read_rest_of_day(r, today + days[i].days, due);
            if (*due <= r->now) /* after hours: the next day's */
                *due = close_of(r, today + days[i].days + 1);
            return true;
        }
    if (duetime_take(r, "明早") || duetime_take(r, "明晚")) {
        r->at--;
        read_rest_of_day(r, today + 1, due);
        return true;
    }
    if (duetime_take(r, "听朝") || duetime_take(r, "听晚")) {
        bool is_night = r->cp[r->at - 1] == 0x665a;
        read_rest_or(r, today + 1, due, calendar_at(today + 1, is_night ? 22 : 10, 0));
        return true;
    }
    if (duetime_take(r, "今晚") || duetime_take(r, "今早")) {
        r->at--;
        read_rest_of_day(r, today, due);
        return true;
    }
    if (duetime_take(r, "下班前") || duetime_take(r, "下班之前")) {
        *due = next_close(r);
        return true;
    }
    return false;
}

static bool read_week(struct reader *r, int64_t *due)
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
        *due = close_of(r, monday + 4 + (is_next ? 7 : 0));
        (void)duetime_take_any(r, before_words);
        return true;
    }
    d = d == 7 ? 6 : d == 8 ? 6 : d;
    int64_t day = monday + d + (is_next ? 7 : 0);
    if (!is_next && day < today)
        day += 7; /* the coming one */
    read_rest_of_day(r, day, due);
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
            *due = close_of(r, calendar_month_start(c, ends[i].months) - 1);
            (void)duetime_take_any(r, before_words);
            return true;
        }
    if (duetime_take(r, "年底")) {
        *due = close_of(r, calendar_month_start(c, 13 - c.month) - 1);
        (void)duetime_take_any(r, before_words);
        return true;
    }
    if (duetime_take(r, "下个月") || duetime_take(r, "下月")) {
        int d = duetime_take_number(r);
        if (d >= 1 && d <= 31 && (duetime_take(r, "号") || duetime_take(r, "日"))) {
            read_rest_of_day(r, calendar_month_start(c, 1) + d - 1, due);
            return true;
        }
    }
    r->at = start;
    return false;
}

static bool read_date(struct reader *r, int64_t *due)
{
    uint32_t start = r->at;
    int64_t today = calendar_day_of(r->now);
    struct civil c = civil_of_day(today);
    if (read_month_end(r, c, due))
        return true;
    if (duetime_take(r, "下个月初") || duetime_take(r, "下月初") || duetime_take(r, "月初")) {
        *due = close_of(r, calendar_month_start(c, 1) + 2);
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
        read_rest_of_day(r, day, due);
        return true;
    }
    if (duetime_take(r, "号") || duetime_take(r, "日")) {
        int64_t day = calendar_month_start(c, 0) + a - 1;
        if (day < today)
            day = calendar_month_start(c, 1) + a - 1;
        read_rest_of_day(r, day, due);
        return true;
    }
    r->at = start;
    return false;
}

/* 晚上, 下午, 中午前, X点前 without a day: today, or tomorrow when that has passed. */
static bool read_bare_hour(struct reader *r, int64_t *due)
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
        else if (duetime_take_any(r, before_words) < 0 && !has_part) {
            r->at = start; /* a bare "3点" says too little: 第3点, 几点 */
            return false;
        }
    } else if (!has_part) {
        return false;
    } else {
        (void)duetime_take_any(r, before_words);
    }
    if (*due <= r->now)
        *due += DAY_MS;
    return true;
}

static const struct {
    const char *word;
    int minutes; /* 0: someday */
} vague[] = {
    {"马上", 5},   {"立刻", 5},    {"立即", 5},      {"立马", 5},    {"这就", 5},      {"请稍候", 3},  {"请稍等", 3},
    {"稍等", 3},   {"稍候", 3},    {"稍后", 30},     {"待会儿", 30}, {"待会", 30},     {"一会儿", 30}, {"一会", 30},
    {"等下", 30},  {"等会", 30},   {"过两天", 2880}, {"尽快", 1440}, {"尽早", 1440},   {"回头", 0},    {"有空", 0},
    {"到时候", 0}, {"到时", 0},    {"改天", 0},      {"晚点", 120},  {"晚一点", 120},  {"晚些", 120},  {"稍晚", 120},
    {"等阵", 30},  {"等一阵", 30}, {"迟啲", 120},    {"即刻", 5},    {"这两天", 2880},
};

/* What a time may be by its first character; most characters rule out all but one or two. */
enum {
    BEGINS_VAGUE = 1,
    BEGINS_DAY = 2,
    BEGINS_WEEK = 4,
    BEGINS_SPAN = 8,
    BEGINS_DATE = 16,
    BEGINS_BARE = 32,
    BEGINS_NUMBER = BEGINS_SPAN | BEGINS_DATE | BEGINS_BARE,
};

static unsigned begins(uint32_t cp)
{
    if (cp >= '0' && cp <= '9')
        return BEGINS_NUMBER;
    switch (cp) {
    case u'马':
    case u'立':
    case u'请':
    case u'稍':
    case u'待':
    case u'等':
    case u'过':
    case u'尽':
    case u'回':
    case u'有':
    case u'到':
    case u'改':
    case u'迟':
    case u'即':
        return BEGINS_VAGUE;
    case u'这':
        return BEGINS_VAGUE | BEGINS_WEEK | BEGINS_DATE;
    case u'一':
        return BEGINS_VAGUE | BEGINS_NUMBER;
    case u'晚':
        return BEGINS_VAGUE | BEGINS_BARE;
    case u'今':
        return BEGINS_DAY | BEGINS_WEEK;
    case u'当':
    case u'明':
    case u'次':
    case u'第':
    case u'大':
    case u'后':
    case u'听':
        return BEGINS_DAY;
    case u'下':
        return BEGINS_DAY | BEGINS_WEEK | BEGINS_DATE | BEGINS_BARE;
    case u'上':
        return BEGINS_DAY | BEGINS_BARE;
    case u'周':
    case u'星':
    case u'礼':
        return BEGINS_WEEK;
    case u'本':
        return BEGINS_WEEK | BEGINS_DATE;
    case u'半':
        return BEGINS_SPAN;
    case u'月':
    case u'年':
        return BEGINS_DATE;
    case u'晏':
    case u'朝':
    case u'夜':
    case u'凌':
    case u'早':
    case u'中':
    case u'傍':
        return BEGINS_BARE;
    case u'零':
    case u'二':
    case u'三':
    case u'四':
    case u'五':
    case u'六':
    case u'七':
    case u'八':
    case u'九':
    case u'两':
    case u'十':
    case u'百':
    case u'几':
        return BEGINS_NUMBER;
    default:
        return 0;
    }
}

static struct duetime read_vague(struct reader *r, int64_t now_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(vague); i++)
        if (duetime_take(r, vague[i].word)) {
            bool has_due = vague[i].minutes != 0;
            return (struct duetime){has_due ? DUETIME_SOON : DUETIME_SOMEDAY, r->at,
                                    has_due ? now_ms + vague[i].minutes * (int64_t)MINUTE_MS : 0};
        }
    return (struct duetime){DUETIME_NONE, 0, 0};
}

static bool read_definite(struct reader *r, unsigned may, int64_t *due)
{
    if (may & BEGINS_DAY && duetime_take(r, "上班后")) {
        *due = next_open(r) + HOUR_MS;
        return true;
    }
    if ((may & BEGINS_DAY && read_day(r, due)) || (may & BEGINS_WEEK && read_week(r, due)))
        return true;
    r->at = 0;
    if (may & BEGINS_SPAN && read_span(r, due))
        return true;
    r->at = 0;
    if (may & BEGINS_DATE && read_date(r, due))
        return true;
    r->at = 0;
    return may & BEGINS_BARE && read_bare_hour(r, due);
}

struct duetime duetime_read(const uint32_t *cp, uint32_t n, int64_t now_ms, const struct calendar *calendar)
{
    struct duetime d = {DUETIME_NONE, 0, 0};
    int64_t due = 0;
    unsigned may = n ? begins(cp[0]) : 0;
    if (!may)
        return d;
    struct reader r = {cp, MIN_OF(n, 24u), 0, calendar ? calendar_local_ms(calendar, now_ms) : now_ms + ZONE_MS,
                       calendar};
    if (may & BEGINS_VAGUE)
        d = read_vague(&r, now_ms);
    if (d.kind == DUETIME_NONE && read_definite(&r, may, &due))
        d = (struct duetime){DUETIME_DEFINITE, r.at, calendar ? calendar_utc_ms(calendar, due) : due - ZONE_MS};
    return d;
}

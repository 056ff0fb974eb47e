#include "rule/duetime.h"

#include "base/span.h"
#include "base/utf8.h"

enum {
    ZONE_MS = 8 * 3600 * 1000, /* Asia/Shanghai has no summer time */
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    DAY_MS = 24 * HOUR_MS,
    OPEN_HOUR = 9,
    CLOSE_HOUR = 21,
    NUMBER_MAX = 9999,
};

struct reader {
    const uint32_t *cp;
    uint32_t n, at;
    int64_t now; /* local milliseconds since 1970-01-01 00:00 local */
};

/* ---- words and numbers ---- */

static bool take(struct reader *r, const char *word)
{
    uint32_t at = r->at;
    for (size_t left = strlen(word); left; at++) {
        uint32_t cp = 0;
        unsigned n = utf8_decode((const uint8_t *)word, left, &cp);
        if (!n || at >= r->n || r->cp[at] != cp)
            return false;
        word += n, left -= n;
    }
    r->at = at;
    return true;
}

static int take_any(struct reader *r, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (take(r, words[i]))
            return i;
    return -1;
}

static int digit_of(uint32_t cp)
{
    static const char digits[] = "零一二三四五六七八九";
    if (cp >= '0' && cp <= '9')
        return (int)(cp - '0');
    if (cp == 0x4e24) /* 两 */
        return 2;
    for (int i = 0; i < 10; i++) {
        uint32_t d = 0;
        (void)utf8_decode((const uint8_t *)digits + 3 * i, 3, &d);
        if (cp == d)
            return i;
    }
    return -1;
}

enum { TEN = 0x5341, HUNDRED = 0x767e, SOME = 0x51e0 /* 几 */ };

/* 3, 15, 三, 十五, 二十, 一百二十, 两三 (the upper), 十几 (20), 几 (5); -1: no number. */
static int take_number(struct reader *r)
{
    uint32_t start = r->at;
    int v = 0, last = -1;
    bool has = false;
    for (; r->at < r->n && v <= NUMBER_MAX; r->at++) {
        uint32_t cp = r->cp[r->at];
        int d = digit_of(cp);
        if (d >= 0 && cp >= '0' && cp <= '9') {
            last = last < 0 ? d : last * 10 + d;
            if (last > NUMBER_MAX)
                break;
        } else if (d >= 0) {
            last = d; /* 两三: the second counts */
        } else if (cp == TEN) {
            v += (last < 0 ? 1 : last) * 10, last = -1;
        } else if (cp == HUNDRED) {
            v += (last < 0 ? 1 : last) * 100, last = -1;
        } else if (cp == SOME) {
            last = v ? 10 : 5;
        } else {
            break;
        }
        has = true;
    }
    if (!has)
        r->at = start;
    return has ? MIN_OF(v + MAX_OF(last, 0), NUMBER_MAX) : -1;
}

/* 3到5, 三至五: the upper number. */
static int take_range(struct reader *r)
{
    static const char *const to[] = {"到", "至", NULL};
    int a = take_number(r);
    uint32_t before = r->at;
    if (a >= 0 && take_any(r, to) >= 0) {
        int b = take_number(r);
        if (b >= a)
            return b;
        r->at = before;
    }
    return a;
}

/* ---- calendar, on local days ---- */

static int64_t day_of(int64_t ms)
{
    return ms / DAY_MS;
}

static int64_t at_hour(int64_t day, int hour, int minute)
{
    return day * DAY_MS + hour * (int64_t)HOUR_MS + minute * (int64_t)MINUTE_MS;
}

/* 0 Monday … 6 Sunday; 1970-01-01 was a Thursday. */
static int weekday_of(int64_t day)
{
    return (int)((day + 3) % 7);
}

/* Days since 1970-01-01 of a civil date (Hinnant's algorithm, public domain). */
static int64_t day_number(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400), doy = (153 * (m + (m > 2 ? (unsigned)-3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

struct civil {
    int64_t year;
    unsigned month, day;
};

static struct civil civil_of(int64_t z)
{
    z += 719468;
    int64_t era = z / 146097;
    unsigned doe = (unsigned)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
             doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct civil c = {yoe + era * 400, mp < 10 ? mp + 3 : mp - 9, doy - (153 * mp + 2) / 5 + 1};
    c.year += c.month <= 2;
    return c;
}

static int64_t month_start(struct civil c, unsigned later)
{
    unsigned m = c.month - 1 + later;
    return day_number(c.year + m / 12, m % 12 + 1, 1);
}

/* ---- forms ---- */

static const char *const within[] = {"之内", "以内", "内", "之后", "以后", "后", "左右", NULL};

/* N小时, 半小时, 一个半小时, N分钟, 一刻钟, N天, N个工作日, N周 + 内 / 后 */
static bool read_span(struct reader *r, int64_t *due)
{
    static const char *const hour[] = {"小时", "个钟头", "个钟", "钟头", "h", NULL};
    bool half = take(r, "半个") || take(r, "半");
    int n = half ? 0 : take_range(r);
    if (!half && n < 0)
        return false;
    if (!half && take(r, "刻钟")) {
        *due = r->now + n * 15 * (int64_t)MINUTE_MS;
        (void)take_any(r, within);
        return true;
    }
    if (!half && (take(r, "分钟") || take(r, "min"))) {
        *due = r->now + n * (int64_t)MINUTE_MS;
        (void)take_any(r, within);
        return true;
    }
    if (!half && (take(r, "个工作日") || take(r, "工作日") || take(r, "个工作天") || take(r, "工作天"))) {
        int64_t day = day_of(r->now);
        for (int left = n; left > 0; left -= weekday_of(day) < 5)
            day++;
        *due = at_hour(day, CLOSE_HOUR, 0);
        (void)take_any(r, within);
        return true;
    }
    bool plus_half = !half && take(r, "个半");
    bool is_of = !plus_half && take(r, "个");
    uint32_t before = r->at;
    if (take_any(r, hour) >= 0) {
        *due = r->now + (n * 60 + (half || plus_half ? 30 : 0)) * (int64_t)MINUTE_MS;
        (void)take_any(r, within);
        return true;
    }
    r->at = before;
    if (half || plus_half || is_of)
        return false;
    int64_t days = take(r, "天") || take(r, "日") ? n : take(r, "周") ? n * (int64_t)7 : -1;
    static const char *const strict[] = {"之内", "以内", "内", "之后", "以后", "后", NULL};
    if (days < 0 || take_any(r, strict) < 0)
        return false; /* 三天 alone is a duration, 15日 a date */
    *due = at_hour(day_of(r->now) + days, CLOSE_HOUR, 0);
    return true;
}

struct part_of_day {
    const char *word;
    int hour, shift; /* where it ends; what is added to 1-11 o'clock */
};

static const struct part_of_day parts[] = {
    {"凌晨", 6, 0},   {"一早", 10, 0},  {"早上", 10, 0},  {"早晨", 10, 0},  {"早", 10, 0},
    {"上午", 12, 0},  {"中午", 12, 0},  {"下午", 18, 12}, {"傍晚", 19, 12}, {"晚上", 22, 12},
    {"晚间", 22, 12}, {"夜里", 22, 12}, {"晚", 22, 12},
};

/* X点, X点半, X点N分, X时 behind a day or alone; true when read, *minutes since midnight. */
static bool read_clock(struct reader *r, int shift, int *minutes, bool *has_around)
{
    uint32_t start = r->at;
    int h = take_number(r), m = 0;
    if (h < 0 || h > 24 || !(take(r, "点钟") || take(r, "点") || take(r, "时"))) {
        r->at = start;
        return false;
    }
    if (take(r, "半")) {
        m = 30;
    } else if (take(r, "一刻")) {
        m = 15;
    } else {
        uint32_t before = r->at;
        m = take_number(r);
        bool is_digits = r->at == before + 2 && r->cp[before] <= '9'; /* 18:30 */
        if (m < 0 || m > 59 || (!take(r, "分") && !is_digits))
            r->at = before, m = 0;
    }
    if (shift && h < 12)
        h += shift;
    *minutes = h * 60 + m;
    *has_around = take(r, "左右");
    return true;
}

static const char *const before_words[] = {"之前", "以前", "前", "之内", "内", NULL};

/* What may stand behind a day: a part of it, an hour, 前. */
static void read_rest_of_day(struct reader *r, int64_t day, int64_t *due, int default_hour)
{
    int shift = 0, minutes;
    bool has_around = false;
    *due = at_hour(day, default_hour, 0);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (take(r, parts[i].word)) {
            *due = at_hour(day, parts[i].hour, 0);
            shift = parts[i].shift;
            break;
        }
    if (read_clock(r, shift, &minutes, &has_around))
        *due = day * DAY_MS + minutes * (int64_t)MINUTE_MS + (has_around ? 30 * MINUTE_MS : 0);
    (void)take_any(r, before_words);
}

static bool read_day(struct reader *r, int64_t *due)
{
    static const struct {
        const char *word;
        int days;
    } days[] = {{"今天", 0}, {"今日", 0}, {"当天", 0},   {"当日", 0},   {"今儿", 0}, {"明天", 1},
                {"明日", 1}, {"次日", 1}, {"第二天", 1}, {"大后天", 3}, {"后天", 2}};
    int64_t today = day_of(r->now);
    for (size_t i = 0; i < ARRAY_LEN(days); i++)
        if (take(r, days[i].word)) {
            read_rest_of_day(r, today + days[i].days, due, CLOSE_HOUR);
            if (*due <= r->now) /* after hours: the next day's */
                *due = at_hour(today + days[i].days + 1, CLOSE_HOUR, 0);
            return true;
        }
    if (take(r, "明早") || take(r, "明晚")) {
        r->at--;
        read_rest_of_day(r, today + 1, due, CLOSE_HOUR);
        return true;
    }
    if (take(r, "今晚") || take(r, "今早")) {
        r->at--;
        read_rest_of_day(r, today, due, CLOSE_HOUR);
        return true;
    }
    if (take(r, "下班前") || take(r, "下班之前")) {
        *due = at_hour(today, CLOSE_HOUR, 0);
        if (*due <= r->now)
            *due += DAY_MS;
        return true;
    }
    return false;
}

static bool read_week(struct reader *r, int64_t *due)
{
    static const char *const week[] = {"周", "星期", "礼拜", NULL};
    static const char *const name[] = {"一", "二", "三", "四", "五", "六", "日", "天", "末", NULL};
    uint32_t start = r->at;
    int64_t today = day_of(r->now), monday = today - weekday_of(today);
    bool is_next = take(r, "下个") || take(r, "下"),
         is_this = !is_next && (take(r, "这个") || take(r, "本") || take(r, "这"));
    if (take_any(r, week) < 0) {
        r->at = start;
        return false;
    }
    int d = take_any(r, name);
    if (d < 0) {
        if (!is_next && !is_this) {
            r->at = start;
            return false;
        }
        *due = at_hour(monday + 4 + (is_next ? 7 : 0), CLOSE_HOUR, 0);
        (void)take_any(r, before_words);
        return true;
    }
    d = d == 7 ? 6 : d == 8 ? 6 : d;
    int64_t day = monday + d + (is_next ? 7 : 0);
    if (!is_next && day < today)
        day += 7; /* the coming one */
    read_rest_of_day(r, day, due, CLOSE_HOUR);
    return true;
}

static bool read_date(struct reader *r, int64_t *due)
{
    uint32_t start = r->at;
    int64_t today = day_of(r->now);
    struct civil c = civil_of(today);
    if (take(r, "月底") || take(r, "月末")) {
        *due = at_hour(month_start(c, 1) - 1, CLOSE_HOUR, 0);
        (void)take_any(r, before_words);
        return true;
    }
    if (take(r, "下个月初") || take(r, "下月初") || take(r, "月初")) {
        *due = at_hour(month_start(c, 1) + 2, CLOSE_HOUR, 0);
        return true;
    }
    int a = take_number(r);
    if (a < 1 || a > 31) {
        r->at = start;
        return false;
    }
    if (a <= 12 && take(r, "月")) {
        int d = take_number(r);
        if (d < 1 || d > 31 || !(take(r, "日") || take(r, "号"))) {
            r->at = start;
            return false;
        }
        int64_t day = day_number(c.year, (unsigned)a, (unsigned)d);
        if (day < today)
            day = day_number(c.year + 1, (unsigned)a, (unsigned)d);
        read_rest_of_day(r, day, due, CLOSE_HOUR);
        return true;
    }
    if (take(r, "号") || take(r, "日")) {
        int64_t day = month_start(c, 0) + a - 1;
        if (day < today)
            day = month_start(c, 1) + a - 1;
        read_rest_of_day(r, day, due, CLOSE_HOUR);
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
    int64_t today = day_of(r->now);
    for (size_t i = 0; i < ARRAY_LEN(parts) && !has_part; i++)
        if (strlen(parts[i].word) > 3 && take(r, parts[i].word)) {
            *due = at_hour(today, parts[i].hour, 0);
            shift = parts[i].shift;
            has_part = true;
        }
    if (read_clock(r, shift, &minutes, &has_around)) {
        *due = today * DAY_MS + minutes * (int64_t)MINUTE_MS;
        if (*due <= r->now && !has_part && minutes < 12 * 60 && *due + 12 * (int64_t)HOUR_MS > r->now)
            *due += 12 * (int64_t)HOUR_MS; /* 5点 said at 14:00 */
        if (has_around)
            *due += 30 * MINUTE_MS;
        else if (take_any(r, before_words) < 0 && !has_part) {
            r->at = start; /* a bare "3点" says too little: 第3点, 几点 */
            return false;
        }
    } else if (!has_part) {
        return false;
    } else {
        (void)take_any(r, before_words);
    }
    if (*due <= r->now)
        *due += DAY_MS;
    return true;
}

static const struct {
    const char *word;
    int minutes; /* 0: someday */
} vague[] = {
    {"马上", 5},    {"立刻", 5},  {"立即", 5},  {"立马", 5},   {"这就", 5},      {"请稍候", 3},
    {"请稍等", 3},  {"稍等", 3},  {"稍候", 3},  {"稍后", 30},  {"待会儿", 30},   {"待会", 30},
    {"一会儿", 30}, {"一会", 30}, {"等下", 30}, {"等会", 30},  {"过两天", 2880}, {"尽快", 1440},
    {"尽早", 1440}, {"回头", 0},  {"有空", 0},  {"到时候", 0}, {"到时", 0},      {"改天", 0},
};

struct duetime duetime_read(const uint32_t *cp, uint32_t n, int64_t now_ms)
{
    struct reader r = {cp, MIN_OF(n, 24u), 0, now_ms + ZONE_MS};
    int64_t due = 0;
    for (size_t i = 0; i < ARRAY_LEN(vague); i++)
        if (take(&r, vague[i].word)) {
            bool has_due = vague[i].minutes != 0;
            return (struct duetime){has_due ? DUETIME_SOON : DUETIME_SOMEDAY, r.at,
                                    has_due ? now_ms + vague[i].minutes * (int64_t)MINUTE_MS : 0};
        }
    if (take(&r, "上班后"))
        due = at_hour(day_of(r.now) + (r.now % DAY_MS >= OPEN_HOUR * (int64_t)HOUR_MS), OPEN_HOUR + 1, 0);
    else if (!read_day(&r, &due) && !read_week(&r, &due) && (r.at = 0, !read_span(&r, &due)) &&
             (r.at = 0, !read_date(&r, &due)) && (r.at = 0, !read_bare_hour(&r, &due)))
        return (struct duetime){DUETIME_NONE, 0, 0};
    return (struct duetime){DUETIME_DEFINITE, r.at, due - ZONE_MS};
}

#include "conf/directory_calendar.h"

#include <stdlib.h>

#include "base/xalloc.h"

enum { DATES_MAX = 1000, RANGE_MAX = 366, DATE_CHARS = 10 };

static const char *const weekdays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

struct reading {
    struct calendar_plan plan;
    struct calendar_day *day;
    struct err_list *errs;
};

/* "mon" … "sun", "mon-fri", "daily"; false when it is none of them. */
static bool read_weekdays(struct span text, unsigned *first, unsigned *last)
{
    if (span_is(text, "daily")) {
        *first = 0, *last = 6;
        return true;
    }
    if (text.n != 3 && (text.n != 7 || text.p[3] != '-'))
        return false;
    *first = *last = 7;
    for (unsigned i = 0; i < 7; i++) {
        if (span_is(span_of(text.p, 3), weekdays[i]))
            *first = i;
        if (span_is(span_of(text.p + text.n - 3, 3), weekdays[i]))
            *last = i;
    }
    return *first <= *last && *last < 7;
}

static void add_span(struct reading *r, struct calendar_hours *h, const struct ynode *at)
{
    const char *text;
    struct err e;
    if (yaml_str(at, "hours", &text, r->errs))
        return;
    if (h->n == CALENDAR_SPANS_MAX)
        yaml_bad(r->errs, at, "hours: has more than %d spans a day", CALENDAR_SPANS_MAX);
    else if (calendar_read_span(text, &h->span[h->n], &e) < 0)
        yaml_bad(r->errs, at, "hours: %s", e.text);
    else
        h->n++;
}

/* A span, or a list of spans (empty: closed). */
static struct calendar_hours read_hours(struct reading *r, const struct ynode *at)
{
    struct calendar_hours h = {.n = 0};
    if (at->kind == YNODE_MAP)
        yaml_bad(r->errs, at, "hours: is a map, must be a span such as 09:00-18:00 or a list of spans");
    else if (at->kind == YNODE_SCALAR)
        add_span(r, &h, at);
    for (size_t i = 0; at->kind == YNODE_SEQ && i < at->n; i++)
        add_span(r, &h, at->value[i]);
    return h;
}

static bool is_map(struct reading *r, const struct ynode *at, const char *what)
{
    if (at && at->kind != YNODE_MAP)
        yaml_bad(r->errs, at, "%s: is %s, must be a map", what, yaml_describe(at));
    return at && at->kind == YNODE_MAP;
}

static void read_week(struct reading *r, const struct ynode *map)
{
    for (size_t i = 0; is_map(r, map, "hours") && i < map->n; i++) {
        unsigned first, last;
        if (!read_weekdays(span_str(map->key[i]->text), &first, &last)) {
            yaml_bad(r->errs, map->key[i], "hours: \"%.20s\" must be mon to sun, two of them as mon-fri, or daily",
                     map->key[i]->text);
            continue;
        }
        struct calendar_hours h = read_hours(r, map->value[i]);
        for (unsigned d = first; d <= last; d++)
            r->plan.week[d] = h;
    }
}

static void add_day(struct reading *r, const struct ynode *at, int64_t day, const struct calendar_hours *h,
                    bool is_work)
{
    if (r->plan.n_days == DATES_MAX)
        yaml_bad(r->errs, at, "has more than %d dates", DATES_MAX);
    else
        r->day[r->plan.n_days++] = (struct calendar_day){day, *h, is_work};
}

/* "2026-10-01" or "2026-10-01..2026-10-07" */
static bool read_dates(struct reading *r, const struct ynode *at, int64_t *first, int64_t *last)
{
    struct span s = span_str(at->kind == YNODE_SCALAR ? at->text : "");
    bool is_one = s.n == DATE_CHARS, is_range = s.n == 2 * DATE_CHARS + 2 && s.p[10] == '.' && s.p[11] == '.';
    if ((is_one || is_range) && civil_read_day(span_of(s.p, DATE_CHARS), first) &&
        civil_read_day(span_of(s.p + s.n - DATE_CHARS, DATE_CHARS), last) && *first <= *last &&
        *last - *first < RANGE_MAX)
        return true;
    yaml_bad(r->errs, at, "is %s, must be a date as 2026-10-01 or a range as 2026-10-01..2026-10-07 of at most %d days",
             yaml_describe(at), RANGE_MAX);
    return false;
}

static void read_holidays(struct reading *r, const struct ynode *list)
{
    static const struct calendar_hours closed = {.n = 0};
    int64_t first, last;
    if (list && list->kind != YNODE_SEQ)
        yaml_bad(r->errs, list, "holidays: is %s, must be a list of dates", yaml_describe(list));
    for (size_t i = 0; list && list->kind == YNODE_SEQ && i < list->n; i++)
        if (read_dates(r, list->value[i], &first, &last))
            for (int64_t day = first; day <= last; day++)
                add_day(r, list->value[i], day, &closed, false);
}

/* {date: weekday whose hours hold} */
static void read_made_up(struct reading *r, const struct ynode *map)
{
    int64_t first, last;
    for (size_t i = 0; is_map(r, map, "make_up_days") && i < map->n; i++) {
        unsigned like, same;
        const struct ynode *day = map->value[i];
        if (!read_dates(r, map->key[i], &first, &last))
            continue;
        if (day->kind != YNODE_SCALAR || !read_weekdays(span_str(day->text), &like, &same) || like != same) {
            yaml_bad(r->errs, day, "make_up_days: is %s, must be the weekday whose hours hold, mon to sun",
                     yaml_describe(day));
            continue;
        }
        for (int64_t d = first; d <= last; d++)
            add_day(r, day, d, &r->plan.week[like], true);
    }
}

/* {date or range: hours} */
static void read_sale_days(struct reading *r, const struct ynode *map)
{
    int64_t first, last;
    for (size_t i = 0; is_map(r, map, "sale_days") && i < map->n; i++) {
        if (!read_dates(r, map->key[i], &first, &last))
            continue;
        struct calendar_hours h = read_hours(r, map->value[i]);
        for (int64_t d = first; d <= last; d++)
            add_day(r, map->value[i], d, &h, r->plan.is_workday[civil_weekday(d)]);
    }
}

struct calendar *directory_calendar_load(const struct ynode *map, int64_t now_ms, struct err_list *errs)
{
    static const char *const allowed[] = {"zone", "hours", "holidays", "make_up_days", "sale_days", NULL};
    static const struct calendar_hours closed = {.n = 0};
    struct reading r = {.errs = errs};
    struct calendar *made = NULL;
    size_t before = errs->n;
    struct err e;
    if (!is_map(&r, map, "calendars"))
        return NULL;
    yaml_allow_keys(map, allowed, errs);
    r.day = xcalloc(DATES_MAX, sizeof(*r.day));
    r.plan = calendar_plan_daily("Asia/Shanghai", &closed);
    r.plan.day = r.day;
    const struct ynode *zone = yaml_get(map, "zone");
    if (zone && yaml_str(zone, "zone", &r.plan.zone, errs) != 0)
        r.plan.zone = "UTC";
    if (!yaml_get(map, "hours"))
        yaml_bad(errs, map, "hours: is missing, must be a map of weekdays to spans");
    read_week(&r, yaml_get(map, "hours"));
    read_holidays(&r, yaml_get(map, "holidays")); /* in this order: of several for one date the last one holds */
    read_made_up(&r, yaml_get(map, "make_up_days"));
    read_sale_days(&r, yaml_get(map, "sale_days"));
    if (errs->n == before && calendar_new(&r.plan, now_ms, &made, &e) < 0)
        yaml_bad(errs, zone ? zone : map, "zone: %s", e.text);
    free(r.day);
    return made;
}

#include "base/calendar.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "base/zone.h"

enum { FIRST_DAY = 19723 /* 2024-01-01 */, DAYS_AHEAD = 1500, DAYS_MAX = 20000, DAY_MIN = 1440 };
#define ZONE_MOST_MS ((int64_t)26 * HOUR_MS)

/* open:  before ───[from ── to)────────[from ── to)──────   before: open time of all that lie ahead of this one */
struct open {
    int64_t from, to, before;
};

struct calendar {
    atomic_uint refs;
    struct zone *zone;
    char zone_name[64];
    struct calendar_hours week[7];
    bool is_workday[7];
    struct calendar_day *day;
    size_t n_days;
    struct open *open; /* sorted, neither overlapping nor touching */
    size_t n, cap;
    uint32_t id;
};

/* ---- building ---- */

static bool read_clock(struct span text, unsigned *minutes)
{
    uint64_t h, m;
    if (text.n != 5 || text.p[2] != ':' || !span_u64(span_of(text.p, 2), &h) || !span_u64(span_of(text.p + 3, 2), &m))
        return false;
    *minutes = (unsigned)(h * 60 + m);
    return m < 60 && *minutes <= DAY_MIN;
}

int calendar_read_span(const char *text, struct calendar_span *out, struct err *e)
{
    struct span s = span_str(text);
    unsigned from, to;
    if (s.n != 11 || s.p[5] != '-' || !read_clock(span_of(s.p, 5), &from) || !read_clock(span_from(s, 6), &to) ||
        from == DAY_MIN || from == to)
        return err_set(e, "is \"%.40s\", must be two times of day such as 09:00-18:00, 22:00-06:00 or 00:00-24:00",
                       text);
    *out = (struct calendar_span){(uint16_t)from, (uint16_t)(to > from ? to : to + DAY_MIN)};
    return 0;
}

struct calendar_plan calendar_plan_daily(const char *zone, const struct calendar_hours *hours)
{
    struct calendar_plan plan = {.zone = zone};
    for (unsigned i = 0; i < 7; i++) {
        plan.week[i] = *hours;
        plan.is_workday[i] = i < 5;
    }
    return plan;
}

static const struct calendar_day *exception(const struct calendar *c, int64_t day)
{
    for (size_t i = c->n_days; i-- > 0;)
        if (c->day[i].day == day)
            return &c->day[i];
    return NULL;
}

static const struct calendar_hours *hours_of(const struct calendar *c, int64_t day)
{
    const struct calendar_day *own = exception(c, day);
    return own ? &own->hours : &c->week[civil_weekday(day)];
}

static void add_open(struct calendar *c, int64_t from, int64_t to)
{
    if (from >= to)
        return;
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 256;
        c->open = xrealloc(c->open, c->cap * sizeof(*c->open));
    }
    c->open[c->n++] = (struct open){.from = from, .to = to};
}

/* A span in local time is a piece of every stretch of time between two changes of the clock that it touches. */
static void add_span(struct calendar *c, int64_t local_from, int64_t local_to)
{
    for (int64_t at = local_from - ZONE_MOST_MS; at < local_to + ZONE_MOST_MS;) {
        int64_t offset = zone_offset_ms(c->zone, at), end = zone_next_change_ms(c->zone, at);
        add_open(c, MAX_OF(local_from - offset, at), MIN_OF(local_to - offset, end));
        at = end;
    }
}

static int by_from(const void *a, const void *b)
{
    const struct open *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static void join(struct calendar *c)
{
    size_t n = 0;
    if (c->n)
        qsort(c->open, c->n, sizeof(*c->open), by_from);
    for (size_t i = 0; i < c->n; i++) {
        struct open *last = n ? &c->open[n - 1] : NULL;
        if (last && c->open[i].from <= last->to)
            last->to = MAX_OF(last->to, c->open[i].to);
        else
            c->open[n++] = c->open[i];
    }
    c->n = n;
    for (size_t i = 1; i < n; i++)
        c->open[i].before = c->open[i - 1].before + c->open[i - 1].to - c->open[i - 1].from;
}

static void build(struct calendar *c, int64_t now_ms)
{
    int64_t last = MIN_OF(MAX_OF(now_ms / DAY_MS, FIRST_DAY) + DAYS_AHEAD, FIRST_DAY + DAYS_MAX);
    for (int64_t day = FIRST_DAY; day < last; day++) {
        const struct calendar_hours *h = hours_of(c, day);
        for (size_t i = 0; i < h->n; i++)
            add_span(c, day * DAY_MS + h->span[i].from * (int64_t)MINUTE_MS,
                     day * DAY_MS + h->span[i].to * (int64_t)MINUTE_MS);
    }
    join(c);
}

static uint64_t mix(uint64_t h, int64_t v)
{
    return (h ^ (uint64_t)v) * 0x100000001b3u ^ h >> 29;
}

static uint64_t mix_hours(uint64_t h, const struct calendar_hours *hours)
{
    h = mix(h, (int64_t)hours->n);
    for (size_t i = 0; i < hours->n; i++)
        h = mix(h, hours->span[i].from << 16 | hours->span[i].to);
    return h;
}

static uint32_t make_id(const struct calendar_plan *plan)
{
    uint64_t h = hash_stable(span_str(plan->zone));
    for (unsigned i = 0; i < 7; i++)
        h = mix_hours(h, &plan->week[i]);
    for (size_t i = 0; i < plan->n_days; i++)
        h = mix_hours(mix(h, plan->day[i].day), &plan->day[i].hours);
    return (uint32_t)(h >> 32 ^ h) | 1;
}

int calendar_new(const struct calendar_plan *plan, int64_t now_ms, struct calendar **out, struct err *e)
{
    struct zone *zone;
    *out = NULL;
    if (zone_new(plan->zone, &zone, e))
        return -1;
    struct calendar *c = *out = xcalloc(1, sizeof(*c));
    atomic_init(&c->refs, 1);
    c->zone = zone;
    snprintf(c->zone_name, sizeof(c->zone_name), "%s", plan->zone);
    memcpy(c->week, plan->week, sizeof(c->week));
    memcpy(c->is_workday, plan->is_workday, sizeof(c->is_workday));
    c->n_days = plan->n_days;
    c->day = xcalloc(plan->n_days + 1, sizeof(*c->day));
    if (plan->n_days)
        memcpy(c->day, plan->day, plan->n_days * sizeof(*c->day));
    c->id = make_id(plan);
    build(c, now_ms);
    return 0;
}

struct calendar *calendar_ref(struct calendar *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void calendar_unref(struct calendar **c)
{
    struct calendar *gone = *c;
    *c = NULL;
    if (!gone || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    zone_free(&gone->zone);
    free(gone->day);
    free(gone->open);
    free(gone);
}

/* ---- questions ---- */

const char *calendar_zone_name(const struct calendar *c)
{
    return c->zone_name;
}

/* How many begin at or before ms. */
static size_t begun(const struct calendar *c, int64_t ms)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c->open[mid].from <= ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The one that holds ms, else the next; NULL: none. */
static const struct open *at_or_after(const struct calendar *c, int64_t ms)
{
    size_t i = begun(c, ms);
    if (i && ms < c->open[i - 1].to)
        return &c->open[i - 1];
    return i < c->n ? &c->open[i] : NULL;
}

bool calendar_is_open(const struct calendar *c, int64_t ms)
{
    const struct open *o = at_or_after(c, ms);
    return o && o->from <= ms;
}

int64_t calendar_open_ms(const struct calendar *c, int64_t ms)
{
    size_t i = begun(c, ms);
    if (!i)
        return 0;
    const struct open *o = &c->open[i - 1];
    return o->before + MIN_OF(ms, o->to) - o->from;
}

int64_t calendar_next_open(const struct calendar *c, int64_t ms)
{
    const struct open *o = at_or_after(c, ms);
    return o ? MAX_OF(o->from, ms) : INT64_MAX;
}

int64_t calendar_next_close(const struct calendar *c, int64_t ms)
{
    const struct open *o = at_or_after(c, ms);
    return o ? o->to : INT64_MAX;
}

int64_t calendar_after_open(const struct calendar *c, int64_t ms, int64_t open_ms)
{
    int64_t want = calendar_open_ms(c, ms) + open_ms;
    if (open_ms <= 0)
        return ms;
    for (const struct open *o = at_or_after(c, ms); o && o < c->open + c->n; o++)
        if (want <= o->before + o->to - o->from)
            return o->from + want - o->before;
    return INT64_MAX;
}

int64_t calendar_day_end(const struct calendar *c, int64_t day)
{
    const struct calendar_hours *h = hours_of(c, day);
    unsigned to = 0;
    for (size_t i = 0; i < h->n; i++)
        to = MAX_OF(to, h->span[i].to);
    return h->n ? calendar_utc_ms(c, day * DAY_MS + to * (int64_t)MINUTE_MS) : -1;
}

bool calendar_is_workday(const struct calendar *c, int64_t day)
{
    const struct calendar_day *own = exception(c, day);
    return own ? own->is_workday : c->is_workday[civil_weekday(day)];
}

int64_t calendar_local_ms(const struct calendar *c, int64_t ms)
{
    return ms + zone_offset_ms(c->zone, ms);
}

int64_t calendar_utc_ms(const struct calendar *c, int64_t local_ms)
{
    return zone_utc_ms(c->zone, local_ms);
}

uint32_t calendar_id(const struct calendar *c)
{
    return c->id;
}

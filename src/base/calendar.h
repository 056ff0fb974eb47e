/* When a shop works: spans of hours by weekday, over midnight too, with holidays, days made up for and sale days, in a
 * time zone. One calendar serves everything that asks: times in business hours, due times, quiet hours (those are a
 * calendar as well: open means quiet). A moment is open when its local wall time lies in a span; where the clock is set
 * back, an hour that comes twice is open twice.
 *
 * Immutable and reference-counted; any thread may ask. */
#pragma once

#include "base/civil.h"
#include "base/err.h"

struct calendar;

enum { CALENDAR_SPANS_MAX = 8 };

/* Minutes since local midnight, `from` inclusive, `to` exclusive; to > 1440 ends on the next day. */
struct calendar_span {
    uint16_t from, to;
};

struct calendar_hours {
    struct calendar_span span[CALENDAR_SPANS_MAX]; /* in any order, may overlap */
    size_t n;                                      /* 0: closed */
};

/* The spans of one date instead of its weekday's. A span belongs to the day on which it begins. */
struct calendar_day {
    int64_t day; /* days since 1970-01-01 */
    struct calendar_hours hours;
    bool is_workday;
};

struct calendar_plan {
    const char *zone;              /* as zone_new takes it */
    struct calendar_hours week[7]; /* Monday first */
    bool is_workday[7];
    const struct calendar_day *day; /* of several for one date the last one holds */
    size_t n_days;
};

/* "09:00-12:30", "22:00-06:00" (over midnight), "00:00-24:00"; -1 and err when it is none. */
int calendar_read_span(const char *text, struct calendar_span *out, struct err *e) MUST_CHECK;
/* A plan with the same spans on all days, in which Monday to Friday are workdays. */
struct calendar_plan calendar_plan_daily(const char *zone, const struct calendar_hours *hours);

/* Knows the days from 2024-01-01 to 1,500 days after now_ms; outside of these nothing is open (a reload begins anew).
 */
int calendar_new(const struct calendar_plan *plan, int64_t now_ms, struct calendar **out, struct err *e) MUST_CHECK;
struct calendar *calendar_ref(struct calendar *c);
void calendar_unref(struct calendar **c);

bool calendar_is_open(const struct calendar *c, int64_t ms);
/* Open time from 2024-01-01 to `ms`: the open time between two moments is the difference, also of figures from two
 * nodes whose calendars have the same calendar_id. */
int64_t calendar_open_ms(const struct calendar *c, int64_t ms);
/* The first open moment that is not before `ms`; INT64_MAX: none is known. */
int64_t calendar_next_open(const struct calendar *c, int64_t ms);
/* The end of the open time in which `ms` lies, else of the one that comes next; INT64_MAX: none is known. */
int64_t calendar_next_close(const struct calendar *c, int64_t ms);
/* The first moment at which so much open time has passed since `ms`; INT64_MAX: beyond what is known. */
int64_t calendar_after_open(const struct calendar *c, int64_t ms, int64_t open_ms);
/* The end of the last span that begins on that day, or -1 when it is closed. */
int64_t calendar_day_end(const struct calendar *c, int64_t day);
bool calendar_is_workday(const struct calendar *c, int64_t day);

/* Wall time to local milliseconds since 1970-01-01 local, and back (the first moment with that local time). */
int64_t calendar_local_ms(const struct calendar *c, int64_t ms);
int64_t calendar_utc_ms(const struct calendar *c, int64_t local_ms);

/* As the plan named it, at most 63 bytes. */
const char *calendar_zone_name(const struct calendar *c);
/* Equal for calendars with equal hours: open times of calendars with the same number may be subtracted. Never 0. */
uint32_t calendar_id(const struct calendar *c);

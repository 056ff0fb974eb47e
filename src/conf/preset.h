/* How marketplaces and desks measure replies, as far as the kept figures can say it (docs/metrics.md has each
 * definition, its source and what differs): the daily window, which replies count, within which time. */
#pragma once

#include <stdbool.h>

#include "base/calendar.h"
#include "base/civil.h"

/* What is one unit: X(id, word) */
#define MEASURE_UNITS(X)                                                                                               \
    X(UNIT_OF_MESSAGE, "message")  /* each customer message */                                                         \
    X(UNIT_OF_ROUND, "round")      /* unanswered messages one behind the other, from the first one */                  \
    X(UNIT_OF_SESSION, "session")  /* the first round behind so much silence */                                        \
    X(UNIT_OF_DAY, "customer_day") /* a conversation's first customer message of a day */
/* Whose message ends it, by the role that the directory gives: */
#define MEASURE_STOPPERS(X)                                                                                            \
    X(STOPPER_HUMAN, "human")         /* neither role bot nor role assistant */                                        \
    X(STOPPER_ASSISTANT, "assistant") /* not role bot */                                                               \
    X(STOPPER_ANY, "any")
/* Which units belong to the window: */
#define MEASURE_BYS(X)                                                                                                 \
    X(BY_START, "start") /* those that begin in it */                                                                  \
    X(BY_TOUCH, "touch") /* those that begin or are answered in it */                                                  \
    X(BY_CLIP, "clip")   /* those with time in it, and only that time counts */

/* What ends a session of the plain rounds. */
#define MEASURE_SESSION_MS ((int64_t)8 * HOUR_MS)

#define X(id, name) id,
enum measure_unit { MEASURE_UNITS(X) };
enum measure_stopper { MEASURE_STOPPERS(X) };
enum measure_by { MEASURE_BYS(X) };
#undef X

struct preset {
    const char *name;
    const char *window;   /* a span of every day in Asia/Shanghai */
    bool is_first_only;   /* the first reply of a session; else every round */
    bool is_clipped;      /* time outside of the window does not count: figures in business hours */
    int limit;            /* index of 3, 30, 60, 180, 300 s; -1: none, the mean counts */
    const char *measures; /* in words */
    /* As a setting (conf/measure.h): the platform's own definition. */
    enum measure_unit unit;
    enum measure_stopper stopper;
    enum measure_by by;
    int64_t horizon_ms;     /* -1: midnight; 0: none */
    int64_t session_gap_ms; /* so much silence ends a session */
};

/* NULL: no such preset. */
const struct preset *preset_find(const char *name);
/* In the order of `tracking.preset`'s words; NULL: there are no more. */
const struct preset *preset_nth(size_t n);
/* Names with commas between, for messages. */
const char *preset_names(void);
/* Its window as a calendar; the caller owns the reference. */
struct calendar *preset_calendar(const struct preset *p, int64_t now_ms) MUST_CHECK;

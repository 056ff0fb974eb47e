/* How marketplaces and desks measure replies, as far as the kept figures can say it (docs/metrics.md has each
 * definition, its source and what differs): the daily window, which replies count, within which time. */
#pragma once

#include <stdbool.h>

#include "base/calendar.h"

struct preset {
    const char *name;
    const char *window;   /* a span of every day in Asia/Shanghai */
    bool is_first_only;   /* the first reply of a session; else every round */
    bool is_clipped;      /* time outside of the window does not count: figures in business hours */
    int limit;            /* index of 3, 30, 60, 180, 300 s; -1: none, the mean counts */
    const char *measures; /* in words */
};

/* NULL: no such preset. */
const struct preset *preset_find(const char *name);
/* Names with commas between, for messages. */
const char *preset_names(void);
/* Its window as a calendar; the caller owns the reference. */
struct calendar *preset_calendar(const struct preset *p, int64_t now_ms) MUST_CHECK;

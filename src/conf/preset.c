#include "conf/preset.h"

#include <stdlib.h>

#include "base/attr.h"

/* X(name, window, then from kept figures: first only, clipped, limit, words; as a setting: unit, stopper, by, horizon,
 * session gap) */
/* clang-format off */
#define PRESETS(X)                                                                                                     \
    X(taobao, "08:00-23:00", false, true, 3, "rounds answered within 3 min",                                           \
      UNIT_OF_ROUND, STOPPER_ASSISTANT, BY_TOUCH, DAY_MS, MEASURE_SESSION_MS)                                          \
    X(jd, "09:00-23:00", true, true, 1, "first replies of a session within 30 s",                                      \
      UNIT_OF_SESSION, STOPPER_HUMAN, BY_START, MIDNIGHT, 10 * MINUTE_MS)                                              \
    X(douyin, "08:00-23:00", false, true, 3, "rounds answered within 3 min",                                           \
      UNIT_OF_ROUND, STOPPER_HUMAN, BY_START, MIDNIGHT, MEASURE_SESSION_MS)                                            \
    X(pdd, "08:00-23:00", false, true, 4, "rounds answered within 5 min",                                              \
      UNIT_OF_ROUND, STOPPER_HUMAN, BY_START, MIDNIGHT, MEASURE_SESSION_MS)                                            \
    X(kuaishou, "08:00-23:00", false, true, 3, "rounds answered within 3 min",                                         \
      UNIT_OF_DAY, STOPPER_HUMAN, BY_START, MIDNIGHT, MEASURE_SESSION_MS)                                              \
    X(wecom, "00:00-24:00", true, false, -1, "mean time to the first reply",                                           \
      UNIT_OF_DAY, STOPPER_HUMAN, BY_START, MIDNIGHT, MEASURE_SESSION_MS)                                              \
    X(zendesk, "00:00-24:00", true, false, -1, "mean time to the first reply",                                         \
      UNIT_OF_SESSION, STOPPER_HUMAN, BY_START, 0, MEASURE_SESSION_MS)
/* clang-format on */

enum { MIDNIGHT = -1 };

static const struct preset presets[] = {
#define X(name, ...) {#name, __VA_ARGS__},
    PRESETS(X)
#undef X
};

const struct preset *preset_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

const struct preset *preset_nth(size_t n)
{
    return n < ARRAY_LEN(presets) ? &presets[n] : NULL;
}

const char *preset_names(void)
{
#define X(name, ...) ", " #name
    static const char names[] = PRESETS(X);
#undef X
    return names + 2;
}

struct calendar *preset_calendar(const struct preset *p, int64_t now_ms)
{
    struct calendar_hours h = {.n = 1};
    struct calendar *c = NULL;
    struct err e;
    if (calendar_read_span(p->window, &h.span[0], &e) < 0)
        abort(); /* a constant above */
    struct calendar_plan plan =
        calendar_plan_daily("+08:00", &h); /* China has no summer time, and needs no zone data */
    if (calendar_new(&plan, now_ms, &c, &e) < 0)
        abort();
    return c;
}

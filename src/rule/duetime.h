/* Times that people name, read from code points, turned into a due time (rule-set documentation, "Times of
 * commitments"). By the calendar of the shop: its zone, the end of its hours on that day, its
 * workdays; without one Asia/Shanghai, 9:00 to 21:00, Monday to Friday. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/calendar.h"

enum { DUETIME_CHARS_MAX = 40 }; /* nothing behind these is looked at */

enum duetime_kind { DUETIME_NONE, DUETIME_DEFINITE, DUETIME_SOON, DUETIME_SOMEDAY };

struct duetime {
    enum duetime_kind kind;
    uint32_t n;     /* code points read */
    int64_t due_ms; /* wall time; 0 for someday */
};

/* Whether a time can begin with this character. */
bool duetime_may_begin(uint32_t cp);
/* Reads a time expression that begins at cp[0], without separators; the colon of 18:30 is 点, the slash of 3/5 月, a
 * dash or the like between two numbers 到. kind NONE when there is none. English words may go on behind what was read:
 * the caller looks whether a word ends there. */
struct duetime duetime_read(const uint32_t *cp, uint32_t n, int64_t now_ms, const struct calendar *calendar);

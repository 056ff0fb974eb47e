/* The two clocks. Everything in the daemon asks here, so that a test can make time jump without touching the machine.
 */
#pragma once

#include "base/attr.h"

/* Monotonic time, for intervals and time-outs. */
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
/* The same as of the system's last tick, up to 10 ms ago, for a sixth of the price: for time-outs of a second and more.
 */
int64_t clock_tick_ms(void);
/* Wall time since 1970-01-01 UTC, for events and for people. */
int64_t clock_wall_us(void);
int64_t clock_wall_ms(void);

/* Adds an offset to the wall clock from now on (tests; `chatgated --clock-offset-ms`). */
void clock_set_wall_offset_ms(int64_t offset_ms);

enum { CLOCK_RFC3339_MAX = 32 };
/* "2026-01-02T03:04:05.678Z" (RFC 3339, UTC, milliseconds). */
const char *clock_rfc3339_ms(int64_t wall_ms, char out[CLOCK_RFC3339_MAX]);

/* Sending times as backends write them. */
#pragma once

#include "base/span.h"

/* Milliseconds since 1970 from "2026-01-02T03:04:05.678Z" (RFC 3339, any offset), or decimal seconds, milliseconds,
 * microseconds or nanoseconds since 1970 (told by their size); 0: not a time. */
int64_t time_read_ms(struct span text);

/* Tables, times and durations for people. */
#pragma once

#include "base/span.h"

/* A table: columns as wide as their widest cell (a Chinese character counts as two), the first row is the head. */
struct table;
struct table *table_new(size_t n_columns);
/* Cells from left to right, row by row. Control characters are shown as '?'. */
void table_add(struct table *t, struct span cell);
void table_addf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prints and frees it. */
void table_print(struct table **t);

enum { TRACKED_TIME_MAX = 32, TRACKED_SPAN_MAX = 32 };
/* "2026-01-02 03:04:05" in local time; "-" for 0. */
const char *tracked_time(int64_t wall_ms, char out[TRACKED_TIME_MAX]);
/* "850 ms", "1.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h" */
const char *tracked_duration(int64_t ms, char out[TRACKED_SPAN_MAX]);

/* Allocation that does not fail: out of memory ends the process with one line. What a peer can cause is capped before
 * it is allocated, so these are for bounded sizes only. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
/* Copies n bytes and adds a NUL. */
char *xmemdup0(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
/* Formatted text on the heap. */
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((returns_nonnull));

/* Attributes and small macros shared by every room. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The caller has to look at the result. */
#define MUST_CHECK              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NOINLINE      __attribute__((noinline))
/* Seldom run: kept apart from what runs for every message. */
#define COLD __attribute__((cold, noinline))

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* Progress of a parser that can be stopped at any byte. */
enum parse {
    PARSE_MORE, /* all bytes so far are fine, more are awaited */
    PARSE_DONE, /* one whole unit was read */
    PARSE_BAD,  /* the bytes can never become a valid unit */
};

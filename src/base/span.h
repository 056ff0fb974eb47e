/* A view of bytes that somebody else owns. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "base/attr.h"

struct span {
    const uint8_t *p;
    size_t n;
};

static inline struct span span_of(const void *p, size_t n)
{
    return (struct span){p, n};
}

/* The span of a C string without its NUL; of NULL, the empty span. */
static inline struct span span_str(const char *s)
{
    return (struct span){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The same for short texts, of which a call would cost more than the comparison. */
static inline bool span_eq_short(struct span a, struct span b)
{
    uint64_t x, y, v, w;
    uint32_t i, j, k, l;
    if (a.n != b.n)
        return false;
    if (a.n < 4 || a.n > 16)
        return span_eq(a, b);
    if (a.n < 8) { /* two pieces that may overlap */
        memcpy(&i, a.p, 4), memcpy(&j, b.p, 4);
        memcpy(&k, a.p + a.n - 4, 4), memcpy(&l, b.p + a.n - 4, 4);
        return i == j && k == l;
    }
    memcpy(&x, a.p, 8), memcpy(&y, b.p, 8);
    memcpy(&v, a.p + a.n - 8, 8), memcpy(&w, b.p + a.n - 8, 8);
    return x == y && v == w;
}

static inline bool span_is(struct span a, const char *s)
{
    return span_eq(a, span_str(s));
}

bool span_same_nocase(const uint8_t *a, const uint8_t *b, size_t n);

/* ASCII case-insensitive equality; most texts that differ do so in length or beginning. */
static inline bool span_eq_nocase(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || (((a.p[0] ^ b.p[0]) & 0xdf) == 0 && span_same_nocase(a.p, b.p, a.n)));
}

static inline bool span_is_nocase(struct span a, const char *s)
{
    return span_eq_nocase(a, span_str(s));
}

static inline bool span_starts(struct span a, struct span prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

/* The bytes from `from` on; empty when past the end. */
static inline struct span span_from(struct span a, size_t from)
{
    return from >= a.n ? span_of(a.p + a.n, 0) : span_of(a.p + from, a.n - from);
}

/* Without ASCII spaces and tabs at both ends. */
struct span span_trim(struct span a);

/* Reads a whole decimal number, digits only, no sign. False on an empty span, another byte, or overflow. */
bool span_u64(struct span a, uint64_t *out) MUST_CHECK;

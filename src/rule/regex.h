/* Regular expressions (PCRE2 with JIT), bounded: no pattern can stall the caller. */
#pragma once

#include "base/err.h"
#include "base/span.h"

struct regex;         /* compiled, immutable, thread-safe */
struct regex_scratch; /* match data, limits and JIT stack of one thread */

enum { REGEX_MATCH_LIMIT = 50000, REGEX_PATTERN_MAX = 4096 };

/* NULL and the reason in err. Verbs `(*…)` and `\C` are refused. */
struct regex *regex_new(const char *pattern, struct err *err);
void regex_free(struct regex **re);
struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch **s);

struct regex_hit {
    size_t from, to;           /* the match */
    size_t edit_from, edit_to; /* its group `edit`, else the match */
};

enum regex_result { REGEX_NONE, REGEX_HIT, REGEX_LIMIT };

/* The first match at or behind `start` (a character border of valid UTF-8). REGEX_LIMIT: too much work, undecided. */
enum regex_result regex_find(const struct regex *re, struct regex_scratch *s, struct span text, size_t start,
                             struct regex_hit *out);

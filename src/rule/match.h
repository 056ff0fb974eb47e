/* Finds which of many words occur in a sequence of units (code points or syllables): a filter on one, two and three
 * units with bitmaps that fit the caches, then an exact check by hash. Immutable after the build, thread-safe. */
#pragma once

#include "base/attr.h"

struct match;

enum { MATCH_WORD_MAX = 1000 };

struct match_word {
    const uint32_t *unit;
    uint32_t n; /* 1 to MATCH_WORD_MAX */
    uint32_t id;
};

/* The words are copied. They may repeat. */
struct match *match_new(const struct match_word *words, size_t n);
void match_free(struct match **m);

/* Called for every occurrence, by rising position; false stops the scan. */
typedef int (*match_fn)(void *arg, uint32_t id, uint32_t from, uint32_t n);

/* Non-zero when the callback stopped it. */
int match_scan(const struct match *m, const uint32_t *unit, uint32_t n, match_fn fn, void *arg);
/* Bytes of its tables. */
size_t match_bytes(const struct match *m);

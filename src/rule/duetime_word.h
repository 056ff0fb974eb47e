/* Words and numbers from code points, read one behind the other (inside of src/rule). */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

enum { DUETIME_NUMBER_MAX = 9999 };

struct calendar;

struct reader {
    const uint32_t *cp;
    uint32_t n, at;
    int64_t now;                     /* local milliseconds since 1970-01-01 00:00 local */
    const struct calendar *calendar; /* or NULL */
};

/* Steps over the word when it stands here. */
bool duetime_take(struct reader *r, const char *word);
/* The same for the first of the words that stands here: its number, or -1. */
int duetime_take_any(struct reader *r, const char *const *words);
/* A number in digits or Chinese (十几 is 19), or -1. */
int duetime_take_number(struct reader *r);
/* A number or a range (3-5, 两三): the upper one, or -1. */
int duetime_take_range(struct reader *r);

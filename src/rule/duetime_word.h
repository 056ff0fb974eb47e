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

/* The rest of duetime_take. */
bool duetime_take_whole(struct reader *r, const char *word);

/* The first code point of a word: ASCII, or a character of three bytes. */
static inline uint32_t duetime_first(const char *word)
{
    const uint8_t *w = (const uint8_t *)word;
    return w[0] < 0x80 ? w[0] : (w[0] & 0x0fu) << 12 | (w[1] & 0x3fu) << 6 | (w[2] & 0x3fu);
}

/* Steps over the word when it stands here. Most do not by their first character, and there are some hundred questions a
 * message. */
static inline bool duetime_take(struct reader *r, const char *word)
{
    return r->at < r->n && r->cp[r->at] == duetime_first(word) && duetime_take_whole(r, word);
}

/* The same for the first of the words that stands here: its number, or -1. */
int duetime_take_any(struct reader *r, const char *const *words);
/* A number in digits or Chinese (十几 is 19), or -1. */
int duetime_take_number(struct reader *r);
/* A number or a range (3-5, 两三): the upper one, or -1. */
int duetime_take_range(struct reader *r);

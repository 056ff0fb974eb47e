/* Words and numbers from code points, read one behind the other (inside of src/rule). Words are char16_t, all of them
 * within it, so that a character is compared as it stands. */
#pragma once

#include <stdbool.h>
#include <uchar.h>

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
bool duetime_take_whole(struct reader *r, const char16_t *word);

/* Steps over the word when it stands here. Most do not by their first character, and there are some hundred questions a
 * message. */
static inline bool duetime_take(struct reader *r, const char16_t *word)
{
    return r->at < r->n && r->cp[r->at] == word[0] && duetime_take_whole(r, word);
}

/* The same for the first of the words that stands here: its number, or -1. */
int duetime_take_any(struct reader *r, const char16_t *const *words);
/* What the first of these words that stands here means, or -1. The last one has no word. */
struct duetime_meaning {
    const char16_t *word;
    int value; /* not negative */
};
int duetime_take_meaning(struct reader *r, const struct duetime_meaning *list);
/* A number in digits or Chinese (十几 is 19), or -1. */
int duetime_take_number(struct reader *r);
/* A number or a range (3-5, 两三): the upper one, or -1. */
int duetime_take_range(struct reader *r);

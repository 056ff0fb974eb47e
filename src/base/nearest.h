/* "did you mean …?": of the words that are allowed, the one that was probably meant. */
#pragma once

#include <stdbool.h>

struct nearest {
    const char *wrong; /* what was written; set by the caller, all else zero */
    const char *best;  /* the nearest word so far, as it was given; NULL: none is near */
    unsigned edits;    /* between the two */
};

/* True when `word` is the nearest so far. Edits are letters put in, left out or changed, and neighbours swapped
 * (optimal string alignment distance): at most two, and fewer than half of what was written, since of a short word even
 * two letters make another one. Words of 40 bytes and more are not looked at. */
bool nearest_try(struct nearest *n, const char *word);

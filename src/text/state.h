/* The scratch of folding and what its passes share. Private to this room. */
#pragma once

#include "text/fold.h"
#include "text/table.h"

enum {
    UNITS_MAX = FOLD_EXPANSION_MAX * FOLD_TEXT_MAX,
    LINE_MAX_BYTES = 6 * FOLD_TEXT_MAX, /* two units of three bytes for a source byte */
};

/* Arrays of one view; `cp` of all three views runs in parallel until reading_build merges letters. */
struct fold_scratch {
    uint32_t *plain, *digit, *reading; /* UNITS_MAX each */
    uint32_t *from, *to;
    uint8_t *gap;
    uint8_t *line; /* LINE_MAX_BYTES */
    uint32_t *line_from, *line_to;
    struct {
        uint32_t *cp, *from, *to; /* the reading view when letters were merged */
        uint8_t *gap;
    } merged;
    void *block;
};

/* digit.c: o, l, i inside of digit runs become 0, 1, 1 in s->digit. */
void digit_fix_letters(struct fold_scratch *s, uint32_t n);
/* reading.c: letter runs that are pinyin become syllables. Returns the finished view. */
struct view reading_build(struct fold_scratch *s, uint32_t n, bool has_letters);

static inline bool is_ascii_letter(uint32_t cp)
{
    return cp - 'a' < 26;
}

static inline bool is_ascii_digit(uint32_t cp)
{
    return cp - '0' < 10;
}

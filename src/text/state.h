/* The scratch of folding and what its passes share. Private to this room. */
#pragma once

#include "text/fold.h"
#include "text/table.h"

enum {
    UNITS_MAX = FOLD_EXPANSION_MAX * FOLD_TEXT_MAX,
    LINE_MAX_BYTES = FOLD_EXPANSION_BYTES_MAX * FOLD_TEXT_MAX,
    /* Behind each array: room for stores of four elements at a time; and arrays that begin some cache lines further
     * into their page than the one before, or all would share the same sets of the first-level cache. */
    ROOM = 96,
    ROOM_BYTES = 4 * ROOM,
};

/* The arrays stand in one block, each at a fixed distance, so that the loop needs one register for all; the system
 * backs only the pages that a text has used. Units of all views run in parallel until reading_build merges letters. */
struct fold_scratch {
    uint32_t entry[UNITS_MAX + ROOM];
    uint32_t from[UNITS_MAX + ROOM], to[UNITS_MAX + ROOM];
    uint32_t plain[UNITS_MAX + ROOM], digit[UNITS_MAX + ROOM], reading[UNITS_MAX + ROOM];
    uint32_t line_from[LINE_MAX_BYTES + ROOM], line_to[LINE_MAX_BYTES + ROOM];
    uint8_t gap[UNITS_MAX + ROOM_BYTES];
    uint8_t line[LINE_MAX_BYTES + ROOM_BYTES];
    struct { /* the reading view when letters were merged */
        uint32_t cp[UNITS_MAX + ROOM], from[UNITS_MAX + ROOM], to[UNITS_MAX + ROOM];
        uint8_t gap[UNITS_MAX + ROOM_BYTES];
    } merged;
    /* Units above the BMP, whose code point an entry cannot hold. */
    uint32_t wide_unit[UNITS_MAX], wide_cp[UNITS_MAX];
    uint32_t wide_n;
};

/* digit.c: o, l, i inside of digit runs become 0, 1, 1 in s->digit. A run has so many true digits, or more. */
enum { DIGIT_RUN_MIN = 5 };
void digit_fix_letters(struct fold_scratch *s, uint32_t n);
/* reading.c: letter runs that are pinyin become syllables. Returns the finished view. */
struct view reading_build(struct fold_scratch *s, uint32_t n, bool has_letters);

/* Characters of valid UTF-8: those of two and four bytes. */
static inline uint32_t fold_decode_rare(const uint8_t *q, uint32_t *cp)
{
    if (q[0] < 0xe0) {
        *cp = (uint32_t)(q[0] & 31) << 6 | (q[1] & 63);
        return 2;
    }
    *cp = (uint32_t)(q[0] & 7) << 18 | (uint32_t)(q[1] & 63) << 12 | (uint32_t)(q[2] & 63) << 6 | (q[3] & 63);
    return 4;
}

static inline bool is_ascii_letter(uint32_t cp)
{
    return cp - 'a' < 26;
}

static inline bool is_ascii_digit(uint32_t cp)
{
    return cp - '0' < 10;
}

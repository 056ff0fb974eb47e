/* What window.c makes of the rules with a window, for window_note.c. */
#pragma once

#include "rule/model.h"

enum { SIGN_BITS = 4096 };

/* What parts two units. */
enum part_end { PART_NONE, PART_CLAUSE, PART_SENTENCE };

struct window_near {
    uint8_t within, same;
    bool is_ordered;
    uint8_t number, money;             /* bits of the groups that detectors can fill */
    uint8_t n_groups, slot, first_bit; /* slot of its rule, bit of its first group there */
};

struct window_plan {
    uint64_t set; /* no other set's */
    struct window_near *near;
    struct window_use *use; /* by term, see struct term_look */
    size_t n_near;
    uint32_t detectors;
    unsigned n_rules, n_regexes;
    uint64_t alone; /* slots of the regular expressions that one set of literals wakes */
    bool has_variants;
    bool is_open;    /* some rule hits without anything that could be told from the texts alone */
    uint64_t *piece; /* bits of the pieces of the words */
    unsigned piece_shift;
    size_t n_pieces;
    uint64_t sign[SIGN_BITS / 64]; /* bits of the separators that words and pictures hold */
};

/* As the third unit: the two are a whole word, or two of any word. */
enum { WINDOW_WHOLE = 0x1fffff, WINDOW_PAIR = 0x1ffffe };

static inline uint32_t window_piece(const struct window_plan *p, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t h = a * 0x9e3779b1u;
    h = ((h << 13 | h >> 19) ^ b) * 0x85ebca6bu;
    h = ((h << 13 | h >> 19) ^ c) * 0xc2b2ae35u;
    return (h ^ h >> 15) * 0x9e3779b1u >> p->piece_shift;
}

static inline uint32_t window_sign(uint32_t cp)
{
    return cp * 0x9e3779b1u >> 20;
}

static inline uint64_t window_rotate(uint64_t bits, unsigned by)
{
    return by ? bits << by | bits >> (64 - by) : bits;
}

/* The word of a note in which a rule's groups have their bits, and the place there. */
static inline unsigned window_group_word(unsigned slot)
{
    return slot % 4;
}

static inline uint64_t window_group_bits(uint64_t groups, unsigned slot)
{
    return window_rotate(groups, slot * 11 % 64);
}

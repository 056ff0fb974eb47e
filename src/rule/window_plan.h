/* What window.c makes of the rules with a window, for window_note.c and window_meet.c. */
#pragma once

#include "rule/sheet.h"

enum { SIGN_BITS = 4096, GROUP_BITS = 64 * WINDOW_GROUP_WORDS };

/* What parts two units. */
enum part_end { PART_NONE, PART_CLAUSE, PART_SENTENCE };

/* Bits of a word of a note. */
enum {
    WORD_PUNCTUATION = 1,
    WORD_BORDER = 2, /* where a word may begin and end */
    WORD_VARIANT = 4,
    WORD_READING = 8,
    WORD_IN_CLAUSE = 16, /* that of the border */
    WORD_IN_SENTENCE = 32,
    WORD_USUAL = WORD_BORDER, /* with no gap: every rule takes it */
    WORD_HOW = WORD_PUNCTUATION | WORD_BORDER | WORD_VARIANT | WORD_READING,
};

struct window_near {
    uint8_t within, same;
    bool is_ordered;
    uint8_t number, money; /* bits of the groups that detectors can fill */
    uint8_t n_groups, group_word, group_shift;
    uint16_t next; /* number + 1 of the next with the same leading bit */
    /* as the rule's: which words it takes */
    uint8_t gap, homophones_same;
    bool has_punctuation, has_border, has_variants;
};

struct window_plan {
    uint64_t set; /* no other set's */
    struct window_near *near;
    struct window_use *use; /* by term, see struct term_look */
    size_t n_near;
    uint64_t lead[WINDOW_GROUP_WORDS]; /* bits of the groups without which a near has no hit */
    uint16_t led[GROUP_BITS];          /* by such a bit: number + 1 of its first near */
    uint32_t detectors;
    unsigned n_regexes;
    uint32_t *regex_rule; /* numbers of the rules with a window that have regular expressions */
    size_t n_regex_rules;
    uint64_t alone; /* slots of the regular expressions that one set of literals wakes */
    bool has_variants;
    bool is_open;    /* some rule hits without anything that could be told from the texts alone */
    uint64_t *piece; /* bits of the pieces of the words */
    unsigned piece_shift;
    size_t n_pieces;
    uint64_t sign[SIGN_BITS / 64]; /* bits of the separators that words and pictures hold */
};

/* As the third unit: the two are a whole word, two of any word, or two of one that may reach farther over the border
 * than a note's units do. */
enum { WINDOW_WHOLE = 0x1fffff, WINDOW_PAIR = 0x1ffffe, WINDOW_LONG = 0x1ffffd };

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

static inline uint8_t window_word_bits(const struct occurrence *o)
{
    return (uint8_t)((o->has_punctuation ? WORD_PUNCTUATION : 0) | (o->has_border ? WORD_BORDER : 0) |
                     (o->is_variant ? WORD_VARIANT : 0) | (o->is_reading ? WORD_READING : 0));
}

/* As eval_takes, for the words of groups. */
static inline bool window_takes(const struct window_near *n, unsigned bits, uint8_t gap, uint8_t same)
{
    if ((bits & WORD_HOW) == WORD_USUAL && gap == 0)
        return true;
    return gap <= n->gap && (!(bits & WORD_PUNCTUATION) || n->has_punctuation) &&
           (bits & WORD_BORDER || !n->has_border) && (!(bits & WORD_VARIANT) || n->has_variants) &&
           (!(bits & WORD_READING) || same >= n->homophones_same);
}

static inline void window_set_group(uint64_t group[WINDOW_GROUP_WORDS], uint16_t bit)
{
    group[bit / 64] |= (uint64_t)1 << (bit % 64);
}

/* window_note.c */
/* Adds a word to a note; false: there is no room. */
bool window_add_word(struct window_note *note, const struct window_word *w);
/* From what was found in a sheet: the literals of regular expressions of rules with a window. */
void window_note_literals(const struct sheet *s, uint64_t *literals, uint64_t *also);

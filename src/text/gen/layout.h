/* Layout of the folding tables, shared by the generator and the code that reads them. */
#pragma once

#include <stdint.h>

enum {
    FOLD_CODE_POINTS = 0x110000,
    FOLD_PAGE = 64,
    FOLD_SYLLABLE_LEN = 6,   /* zhuang */
    FOLD_SPELL_SLOTS = 2048, /* power of two, under a third full: a miss costs one probe */
    FOLD_SPELLS = 1 << 25,   /* in an entry: a letter that spells pinyin, a to z and ü */
    FOLD_SYLLABLES_MAX = 512,
    U_DIAERESIS = 0xfc,
    FOLD_EXPANSION_MAX = 2,       /* canonical code points per source byte, at most */
    FOLD_EXPANSION_BYTES_MAX = 6, /* their UTF-8, per source byte */
};

enum fold_kind {
    FOLD_LETTER, /* payload is the canonical code point, which stays in the plain view */
    FOLD_SEP,    /* payload is the canonical code point, a separator */
    FOLD_OTHER,  /* payload is an enum fold_other */
};

enum fold_other {
    FOLD_OTHER_SELF,      /* a letter, canonical as it is */
    FOLD_OTHER_SELF_SEP,  /* a separator, canonical as it is */
    FOLD_OTHER_DROP,      /* leaves nothing */
    FOLD_OTHER_MARK,      /* composes with the letter before it or leaves nothing */
    FOLD_OTHER_MARK_KEEP, /* composes with the letter before it or is a letter itself */
    FOLD_OTHER_SEQ,       /* from here on: place in fold_seq */
};

/* Digit, spelling and syllable of an entry. */
#define FOLD_ENTRY_TRAITS 0x3fff0000u

struct fold_pair {
    uint32_t base, mark, result;
};

#define FOLD_ENTRY(kind, digit1, syllable, payload)                                                                    \
    ((uint32_t)(kind) << 30 | (uint32_t)(digit1) << 26 | (uint32_t)(syllable) << 16 | (uint32_t)(payload))

static inline enum fold_kind fold_entry_kind(uint32_t e)
{
    return (enum fold_kind)(e >> 30);
}

/* Digit value plus one, 0 for none. */
static inline uint32_t fold_entry_digit1(uint32_t e)
{
    return e >> 26 & 15;
}

static inline uint32_t fold_entry_syllable(uint32_t e)
{
    return e >> 16 & 511;
}

static inline uint32_t fold_entry_payload(uint32_t e)
{
    return e & 0xffff;
}

/* A spelling of 1 to 6 letters as a number: five bits a letter. */
static inline uint32_t fold_spell_add(uint32_t key, uint32_t letter)
{
    return key << 5 | (letter - 'a' + 1);
}

static inline uint32_t fold_spell_slot(uint32_t key)
{
    return key * 2654435769u >> (32 - 11);
}

_Static_assert(FOLD_SPELL_SLOTS == 1 << 11, "fold_spell_slot");

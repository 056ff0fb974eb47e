/* Bopomofo (Zhuyin), in which Taiwan spells Mandarin, as pinyin letters without tones: ㄨㄟ is wei, ㄒㄧㄣ is xin. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { BOPOMOFO_LEN = 6 }; /* letters of the longest syllable */

static inline bool bopomofo_is(uint32_t cp)
{
    return cp >= 0x3105 && cp <= 0x3129;
}

/* ㄓ to ㄙ, which are syllables by themselves. */
static inline bool bopomofo_is_sibilant(uint32_t cp)
{
    return cp >= 0x3113 && cp <= 0x3119;
}

/* Spells the syllable that begins at cp[0], which is Bopomofo, as all n are; how many it took (at least 1). "" when
 * they make no syllable. */
uint32_t bopomofo_spell(const uint32_t *cp, uint32_t n, char out[BOPOMOFO_LEN + 1]);

#include "text/gen/gen.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

/* Bare strokes: no words, but drawn like a bar or a dot, and typed between characters for that. 丿 stays a letter: it
 * is typed as a part of split characters. */
static bool is_stroke(uint32_t cp)
{
    return cp == 0x4e28 || cp == 0x4e36 || cp == 0x4e85; /* 丨 丶 亅 */
}

bool prop_is_separator(uint32_t cp)
{
    if (is_stroke(cp))
        return true;
    uint32_t gc = U_GET_GC_MASK((UChar32)cp);
    if (gc & (U_GC_L_MASK | U_GC_N_MASK | U_GC_M_MASK))
        return false;
    /* Ideographs of a later Unicode than the build's are letters, whatever else is unknown is not. */
    return !(gc & U_GC_CN_MASK && cp >= 0x20000 && cp < 0x40000);
}

bool prop_is_mark(uint32_t cp)
{
    return U_GET_GC_MASK((UChar32)cp) & (U_GC_MN_MASK | U_GC_ME_MASK);
}

int prop_digit(uint32_t cp)
{
    if (cp >= '0' && cp <= '9')
        return (int)cp - '0';
    UErrorCode err = U_ZERO_ERROR;
    if (cp < 0x3000 || uscript_getScript((UChar32)cp, &err) != USCRIPT_HAN)
        return -1;
    switch (cp) {
    case 0x4e24: /* 两: the spoken 2, which Unihan does not count as a numeral */
        return 2;
    case 0x53c2: /* 参, 漆, 廾 are numerals on old deeds alone; in chat they are 参加 and 油漆 */
    case 0x6f06:
    case 0x5efe:
        return -1;
    }
    double v = u_getNumericValue((UChar32)cp);
    return v >= 0 && v <= 9 && v == (double)(int)v ? (int)v : -1;
}

#include "text/bopomofo.h"

#include <stdio.h>

enum {
    FIRST_INITIAL = 0x3105,
    FIRST_SIBILANT = 0x3113,
    FIRST_FINAL = 0x311a,
    ER = 0x3126,
    MEDIAL_I = 0x3127,
    MEDIAL_V = 0x3129
};
enum { FINALS = ER - FIRST_FINAL + 1 };

static const char *const initials[] = {"b", "p", "m", "f",  "d",  "t",  "n", "l", "g", "k", "h",
                                       "j", "q", "x", "zh", "ch", "sh", "r", "z", "c", "s"};
/* ㄚ to ㄦ, and none, behind: nothing, ㄧ, ㄨ, ㄩ. */
static const char *const after[4][FINALS + 1] = {
    {"a", "o", "e", "e", "ai", "ei", "ao", "ou", "an", "en", "ang", "eng", "er", "i"},
    {"ia", "io", "ie", "ie", "iai", "", "iao", "iu", "ian", "in", "iang", "ing", "", "i"},
    {"ua", "uo", "", "", "uai", "ui", "", "", "uan", "un", "uang", "ong", "", "u"},
    {"", "", "ue", "ue", "", "", "", "", "uan", "un", "", "iong", "", "u"},
};
/* The same where no initial stands before them. */
static const char *const alone[4][FINALS + 1] = {
    {"a", "o", "e", "e", "ai", "ei", "ao", "ou", "an", "en", "ang", "eng", "er", ""},
    {"ya", "yo", "ye", "ye", "yai", "", "yao", "you", "yan", "yin", "yang", "ying", "", "yi"},
    {"wa", "wo", "", "", "wai", "wei", "", "", "wan", "wen", "wang", "weng", "", "wu"},
    {"", "", "yue", "yue", "", "", "", "", "yuan", "yun", "", "yong", "", "yu"},
};

uint32_t bopomofo_spell(const uint32_t *cp, uint32_t n, char out[BOPOMOFO_LEN + 1])
{
    uint32_t i = 0, medial = 0, final = FINALS;
    const char *initial = "";
    if (cp[0] < FIRST_FINAL)
        initial = initials[cp[i++] - FIRST_INITIAL];
    if (i < n && cp[i] >= MEDIAL_I && cp[i] <= MEDIAL_V)
        medial = cp[i++] - MEDIAL_I + 1;
    if (i < n && cp[i] >= FIRST_FINAL && cp[i] <= ER)
        final = cp[i++] - FIRST_FINAL;
    const char *rest = initial[0] ? after[medial][final] : alone[medial][final];
    if (medial == 0 && final == FINALS && !bopomofo_is_sibilant(cp[0]))
        rest = ""; /* only ㄓ to ㄙ are syllables by themselves */
    bool is_u_umlaut = medial == 3 && rest[0] == 'u' && (initial[0] == 'n' || initial[0] == 'l');
    snprintf(out, BOPOMOFO_LEN + 1, "%s%s%s", rest[0] ? initial : "", is_u_umlaut ? "v" : "",
             is_u_umlaut ? rest + 1 : rest);
    return i;
}

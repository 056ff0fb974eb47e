#include "text/gen/gen.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>
#include <unicode/utf16.h>

enum { SKELETON_MAX = 32 };

static USpoofChecker *spoof;
static struct prototype {
    UChar text[4];
    int32_t n;
    char ascii;
} prototypes[64];
static size_t prototype_n;

/* Scripts whose letters are borrowed for their looks. Scripts in which people of the chat may really write (Han, Kana,
 * Hangul, Arabic, Thai, …) are left alone. */
static const UScriptCode borrowed[] = {
    USCRIPT_LATIN,
    USCRIPT_CYRILLIC,
    USCRIPT_GREEK,
    USCRIPT_ARMENIAN,
    USCRIPT_COPTIC,
    USCRIPT_CHEROKEE,
    USCRIPT_LISU,
    USCRIPT_OSAGE,
    USCRIPT_DESERET,
    USCRIPT_TIFINAGH,
    USCRIPT_OLD_ITALIC,
    USCRIPT_WARANG_CITI,
    USCRIPT_CANADIAN_ABORIGINAL,
};

/* Symbols that are drawn as a letter; other symbols that resemble one are separators in ordinary use. */
static const uint32_t symbols[] = {0xd7,   0x212e, 0x2228, 0x222a, 0x22a4, 0x22c1, 0x22c3,
                                   0x237a, 0x2573, 0x27d9, 0x292b, 0x292c, 0x2a2f, 0x166d};

/* The skeleton without its marks. */
static int32_t skeleton(uint32_t cp, UChar out[SKELETON_MAX])
{
    UChar in[2];
    int32_t n = 0, kept = 0;
    U16_APPEND_UNSAFE(in, n, (UChar32)cp);
    UErrorCode err = U_ZERO_ERROR;
    n = uspoof_getSkeleton(spoof, 0, in, n, out, SKELETON_MAX, &err);
    if (U_FAILURE(err))
        return 0;
    for (int32_t i = 0; i < n; i++)
        if (!prop_is_mark(out[i]))
            out[kept++] = out[i];
    return kept;
}

void lookalike_init(void)
{
    UErrorCode err = U_ZERO_ERROR;
    spoof = uspoof_open(&err);
    if (U_FAILURE(err))
        die("ICU's confusables data cannot be opened (Debian: libicu72): %s", u_errorName(err));
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ23456789";
    for (const char *c = letters; *c; c++) {
        UChar text[SKELETON_MAX];
        struct prototype *p = &prototypes[prototype_n];
        p->n = skeleton((uint32_t)*c, text);
        if (p->n > 4 || p->n == 0)
            die("unexpected skeleton of '%c'", *c);
        memcpy(p->text, text, sizeof(UChar) * (size_t)p->n);
        p->ascii = (char)u_tolower(*c);
        prototype_n++;
    }
}

static bool is_candidate(uint32_t cp)
{
    for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++)
        if (symbols[i] == cp)
            return true;
    if (!(U_GET_GC_MASK((UChar32)cp) & (U_GC_L_MASK | U_GC_NL_MASK)))
        return false;
    UErrorCode err = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript((UChar32)cp, &err);
    for (size_t i = 0; i < sizeof(borrowed) / sizeof(*borrowed); i++)
        if (borrowed[i] == script)
            return true;
    return false;
}

static char prototype_of(const UChar *text, int32_t n)
{
    for (size_t i = 0; i < prototype_n; i++)
        if (prototypes[i].n == n && memcmp(prototypes[i].text, text, sizeof(UChar) * (size_t)n) == 0)
            return prototypes[i].ascii;
    return 0;
}

static char by_skeleton(uint32_t cp)
{
    UChar text[SKELETON_MAX];
    if (!is_candidate(cp))
        return 0;
    return prototype_of(text, skeleton(cp, text));
}

/* Latin ligatures: æ is "ae". */
static bool by_ligature(uint32_t cp, struct units *out)
{
    UChar text[SKELETON_MAX];
    UErrorCode err = U_ZERO_ERROR;
    if (uscript_getScript((UChar32)cp, &err) != USCRIPT_LATIN || !u_isalpha((UChar32)cp))
        return false;
    int32_t n = skeleton(cp, text);
    if (n != 2 || text[0] >= 0x80 || text[1] >= 0x80 || !u_isalpha(text[0]) || !u_isalpha(text[1]))
        return false;
    *out = (struct units){2, {(uint32_t)u_tolower(text[0]), (uint32_t)u_tolower(text[1])}};
    return true;
}

bool lookalike_of(uint32_t cp, struct units *out)
{
    char c = by_skeleton(cp);
    uint32_t lower = (uint32_t)u_tolower((UChar32)cp), upper = (uint32_t)u_toupper((UChar32)cp);
    /* I, l and 1 share a prototype: the other case tells which one is meant. */
    if (c == 'l' && lower != cp && by_skeleton(lower))
        c = by_skeleton(lower);
    /* A small letter without a look of its own goes with its capital: в is b as В is. */
    if (!c && upper != cp && u_islower((UChar32)cp) && u_isalpha((UChar32)cp) && !prop_is_mark(cp))
        c = by_skeleton(upper);
    if (!c)
        return by_ligature(cp, out);
    *out = (struct units){1, {(uint32_t)c}};
    return true;
}

static void push_text(const char *s, struct units *out)
{
    out->n = 0;
    for (; *s && out->n < UNITS_MAX; s++)
        out->cp[out->n++] = (uint32_t)u_tolower(*s);
}

static bool is_short_word(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return n >= 1 && n <= 4 && s[n] == 0;
}

static bool named_letter(const char *name, struct units *out)
{
    static const char *const forms[] = {
        "NEGATIVE CIRCLED LATIN CAPITAL LETTER ",
        "NEGATIVE SQUARED LATIN CAPITAL LETTER ",
        "CROSSED NEGATIVE SQUARED LATIN CAPITAL LETTER ",
        "REGIONAL INDICATOR SYMBOL LETTER ",
        "LATIN LETTER SMALL CAPITAL ",
        "SQUARED ",
        "NEGATIVE SQUARED ",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        size_t n = strlen(forms[i]);
        if (strncmp(name, forms[i], n) == 0 && is_short_word(name + n)) {
            push_text(name + n, out);
            return true;
        }
    }
    return false;
}

static bool is_enclosed_number(uint32_t cp)
{
    return (cp >= 0x2460 && cp <= 0x24ff) || (cp >= 0x2776 && cp <= 0x2793) || (cp >= 0x3248 && cp <= 0x325f) ||
           (cp >= 0x32b1 && cp <= 0x32bf) || (cp >= 0x1f100 && cp <= 0x1f10c);
}

bool lookalike_named(uint32_t cp, struct units *out)
{
    char text[128];
    double v = u_getNumericValue((UChar32)cp);
    if (is_enclosed_number(cp) && v >= 0 && v < 100) {
        snprintf(text, sizeof(text), "%d", (int)v);
        push_text(text, out);
        return true;
    }
    if (U_GET_GC_MASK((UChar32)cp) & U_GC_ND_MASK) {
        *out = (struct units){1, {'0' + (uint32_t)u_charDigitValue((UChar32)cp)}};
        return true;
    }
    UErrorCode err = U_ZERO_ERROR;
    u_charName((UChar32)cp, U_UNICODE_CHAR_NAME, text, sizeof(text), &err);
    if (U_FAILURE(err) || !text[0])
        return false;
    if (strcmp(text, "KEYCAP TEN") == 0) {
        push_text("10", out);
        return true;
    }
    return named_letter(text, out);
}

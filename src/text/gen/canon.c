#include "text/gen/gen.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>
#include <unicode/utf16.h>

enum { DEPTH_MAX = 8, TEXT_MAX = 64, DIAERESIS = 0x308, IOTA_SUBSCRIPT = 0x345 };

static const UNormalizer2 *nfkc_cf, *nfd;
static USpoofChecker *spoof;

void canon_init(void)
{
    UErrorCode err = U_ZERO_ERROR;
    nfkc_cf = unorm2_getNFKCCasefoldInstance(&err);
    nfd = unorm2_getNFDInstance(&err);
    spoof = uspoof_open(&err);
    if (U_FAILURE(err))
        die("ICU's normalisation data cannot be opened (Debian: libicu72): %s", u_errorName(err));
}

static void push(struct units *u, uint32_t cp)
{
    if (u->n == UNITS_MAX)
        die("an expansion of more than %d code points", UNITS_MAX);
    u->cp[u->n++] = cp;
}

static int32_t normalise(const UNormalizer2 *how, uint32_t cp, UChar out[TEXT_MAX])
{
    UChar in[2];
    int32_t n = 0;
    U16_APPEND_UNSAFE(in, n, (UChar32)cp);
    UErrorCode err = U_ZERO_ERROR;
    n = unorm2_normalize(how, in, n, out, TEXT_MAX, &err);
    if (U_FAILURE(err))
        die("normalisation of U+%04X: %s", cp, u_errorName(err));
    return n;
}

static struct units units_of(const UChar *text, int32_t n)
{
    struct units u = {0};
    for (int32_t i = 0; i < n;) {
        UChar32 c;
        U16_NEXT(text, i, n, c);
        push(&u, (uint32_t)c);
    }
    return u;
}

/* Letters with accents are their ASCII letter, so that pinyin with tone marks is pinyin; but ü, which is another vowel
 * of pinyin, stays. The same for letters that only look like ASCII, or their decomposed spelling would differ. */
static bool strip_accents(uint32_t cp, struct units *out)
{
    UChar text[TEXT_MAX];
    struct units alike, u = units_of(text, normalise(nfd, cp, text));
    if (u.n < 2)
        return false;
    struct units folded = units_of(text, normalise(nfkc_cf, u.cp[0], text));
    uint32_t base = folded.n == 1 ? folded.cp[0] : 0;
    if (base >= 0x80 && lookalike_of(u.cp[0], &alike) && alike.n == 1)
        base = alike.cp[0];
    if (base < 'a' || base > 'z')
        return false;
    /* The iota below a Greek letter is a letter of its own when it is folded, and looks like i. */
    bool has_iota = false;
    for (uint32_t i = 1; i < u.n; i++) {
        if (!prop_is_mark(u.cp[i]))
            return false;
        if (base == 'u' && u.cp[i] == DIAERESIS)
            base = U_DIAERESIS;
        has_iota |= u.cp[i] == IOTA_SUBSCRIPT;
    }
    *out = (struct units){1 + has_iota, {base, 'i'}};
    return true;
}

/* ⑴ is "(1)", ⒈ is "1.": what encloses the number is no part of it. */
static void strip_enclosure(struct units *u)
{
    uint32_t first = u->cp[0], last = u->n ? u->cp[u->n - 1] : 0;
    if (u->n >= 3 && ((first == '(' && last == ')') || (first == 0x3014 && last == 0x3015))) {
        u->n -= 2;
        memmove(u->cp, u->cp + 1, u->n * sizeof(*u->cp));
    } else if (u->n >= 2 && u->n <= 3 && first >= '0' && first <= '9' && (last == '.' || last == ',')) {
        u->n--;
    }
}

static bool is_ascii(const struct units *u)
{
    for (uint32_t i = 0; i < u->n; i++)
        if (u->cp[i] >= 0x80)
            return false;
    return u->n > 0;
}

/* CJK radicals that NFKC leaves alone, drawn as an ideograph. */
static uint32_t radical_of(uint32_t cp)
{
    if (cp < 0x2e80 || cp >= 0x2f00)
        return cp;
    UChar in[1] = {(UChar)cp}, out[8];
    UErrorCode err = U_ZERO_ERROR;
    int32_t n = uspoof_getSkeleton(spoof, 0, in, 1, out, 8, &err);
    struct units u = U_SUCCESS(err) ? units_of(out, n) : (struct units){0};
    UScriptCode script = u.n == 1 ? uscript_getScript((UChar32)u.cp[0], &err) : USCRIPT_COMMON;
    return script == USCRIPT_HAN ? u.cp[0] : cp;
}

/* A vowel sign that decomposes into a mark, which goes, and a sign that stays: the latter. */
static uint32_t drop_first_mark(uint32_t cp)
{
    UChar text[TEXT_MAX];
    struct units u = units_of(text, normalise(nfd, cp, text));
    return u.n == 2 && prop_is_mark(u.cp[0]) && !prop_is_mark(u.cp[1]) ? u.cp[1] : cp;
}

static void canon(uint32_t cp, int depth, struct units *out)
{
    UChar text[TEXT_MAX];
    struct units u;
    if (depth > DEPTH_MAX)
        die("U+%04X has no canonical form: the mappings go round in a circle", cp);
    if (u_hasBinaryProperty((UChar32)cp, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
        return;
    if (cp >= 0x80 && (lookalike_named(cp, &u) || strip_accents(cp, &u))) {
        for (uint32_t i = 0; i < u.n; i++)
            push(out, u.cp[i]);
        return;
    }
    u = units_of(text, normalise(nfkc_cf, cp, text));
    strip_enclosure(&u);
    if (u.n == 1 && !is_ascii(&u) && lookalike_of(cp, &u)) {
        for (uint32_t i = 0; i < u.n; i++)
            push(out, u.cp[i]);
        return;
    }
    if (u.n == 1 && u.cp[0] == cp)
        u.cp[0] = simplify_of(radical_of(drop_first_mark(cp)));
    if (u.n == 1 && u.cp[0] == cp) {
        push(out, cp);
        return;
    }
    for (uint32_t i = 0; i < u.n; i++)
        canon(u.cp[i], depth + 1, out);
}

void canon_of(uint32_t cp, struct units *out)
{
    out->n = 0;
    canon(cp, 0, out);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->n; i++)
        if (i == 0 || !prop_is_mark(out->cp[i]))
            out->cp[kept++] = out->cp[i];
    out->n = kept;
}

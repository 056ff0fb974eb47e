/* The folding of every single code point against utf8proc (NFKC, case folding, ignorables) followed by OpenCC (t2s). A
 * difference must belong to one of the categories below, each of which is a decision, and each of which must occur. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <opencc/opencc.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <utf8proc.h>

#include "test_text_invariants.h"

#define CATEGORIES(X)                                                                                                  \
    X(SAME, "as the libraries have it", 1100000, 1112064)                                                              \
    X(IGNORABLE, "default-ignorable, which utf8proc keeps", 1, 4200)                                                   \
    X(MARK, "a mark without a base goes; marks that do not compose go", 1, 2400)                                       \
    X(ACCENT, "a Latin letter without its accents", 400, 1400)                                                         \
    X(DIGIT, "a digit of another script", 300, 800)                                                                    \
    X(NUMBER, "an enclosed number", 30, 80)                                                                            \
    X(ENCLOSURE, "what stands in brackets or before a dot, without these", 60, 200)                                    \
    X(LETTERS, "an enclosed, small capital or regional letter, or a squared word", 90, 250)                            \
    X(LOOKALIKE, "a letter or symbol that looks like an ASCII one", 900, 1400)                                         \
    X(RADICAL, "a radical as its ideograph", 20, 120)                                                                  \
    X(SIGN, "a vowel sign without the mark that is its first part", 1, 8)                                              \
    X(TWICE, "simplified once more, to a character that stays", 1, 4)                                                  \
    X(LONG, "an expansion of more than two units per byte is left alone", 1, 4)

enum category {
#define X(name, text, low, high) name,
    CATEGORIES(X)
#undef X
        CATEGORY_COUNT
};

static const struct {
    const char *name, *text;
    unsigned low, high;
} categories[] = {
#define X(name, text, low, high) {#name, text, low, high},
    CATEGORIES(X)
#undef X
};

struct text {
    uint32_t n;
    uint32_t cp[64];
};

static opencc_t converter;

static void push_utf8(struct text *t, const uint8_t *p, size_t n)
{
    uint32_t cp;
    for (size_t i = 0; i < n && t->n < ARRAY_LEN(t->cp); i += utf8_decode(p + i, n - i, &cp)) {
        assert_true(utf8_decode(p + i, n - i, &cp) > 0);
        t->cp[t->n++] = cp;
    }
}

static uint32_t simplified(uint32_t cp)
{
    char in[5] = {0}, out[64];
    struct text t = {0};
    UErrorCode err = U_ZERO_ERROR;
    if (uscript_getScript((UChar32)cp, &err) != USCRIPT_HAN)
        return cp;
    size_t n = opencc_convert_utf8_to_buffer(converter, in, utf8_encode(cp, (uint8_t *)in), out);
    push_utf8(&t, (uint8_t *)out, n);
    return t.n == 1 ? t.cp[0] : cp;
}

/* NFKC and case folding, twice, for the few whose folding is not NFKC; then simplified. */
static struct text expected(uint32_t cp)
{
    uint8_t in[5] = {0};
    struct text t = {0};
    utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    utf8proc_uint8_t *once, *twice;
    utf8proc_ssize_t n = utf8proc_map(in, utf8_encode(cp, in), &once, how);
    assert_true(n >= 0);
    n = utf8proc_map(once, n, &twice, how);
    assert_true(n >= 0);
    push_utf8(&t, twice, (size_t)n);
    free(once);
    free(twice);
    for (uint32_t i = 0; i < t.n; i++)
        t.cp[i] = simplified(t.cp[i]);
    return t;
}

static struct text found(struct fold_scratch *s, uint32_t cp)
{
    uint8_t in[4];
    struct text t = {0};
    struct folded f;
    fold_text(s, span_of(in, utf8_encode(cp, in)), FOLD_WANT_LINE, &f);
    push_utf8(&t, f.line.p, f.line.n);
    return t;
}

static bool same(const struct text *a, const struct text *b)
{
    return a->n == b->n && memcmp(a->cp, b->cp, a->n * sizeof(*a->cp)) == 0;
}

static bool is_mark(uint32_t cp)
{
    return U_GET_GC_MASK((UChar32)cp) & (U_GC_MN_MASK | U_GC_ME_MASK);
}

static struct text without_marks(const struct text *t)
{
    struct text out = {0};
    for (uint32_t i = 0; i < t->n; i++)
        if (!is_mark(t->cp[i]))
            out.cp[out.n++] = t->cp[i];
    return out;
}

static bool is_ascii_word(const struct text *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (!(t->cp[i] >= 'a' && t->cp[i] <= 'z') && !(t->cp[i] >= '0' && t->cp[i] <= '9'))
            return false;
    return t->n > 0;
}

static bool is_number(const struct text *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (t->cp[i] < '0' || t->cp[i] > '9')
            return false;
    return t->n > 0;
}

static bool is_end_of_enclosure(uint32_t cp)
{
    return cp == ')' || cp == '.' || cp == ',' || cp == 0x3015;
}

/* The expected text holds the found one between brackets or before its dot. */
static bool is_enclosure(const struct text *e, const struct text *t)
{
    uint32_t skip = e->n && (e->cp[0] == '(' || e->cp[0] == 0x3014);
    return t->n && e->n == t->n + 1 + skip && memcmp(e->cp + skip, t->cp, t->n * sizeof(*t->cp)) == 0 &&
           is_end_of_enclosure(e->cp[e->n - 1]);
}

static bool is_accented(uint32_t cp, const struct text *e, const struct text *t)
{
    utf8proc_int32_t d[16];
    if (e->n != 1 || t->n != 1)
        return false;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)cp, d, 16, UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD, &(int){0});
    bool is_umlaut = t->cp[0] == 0xfc && d[0] == 'u';
    return n >= 2 && d[0] < 0x80 && ((uint32_t)d[0] == t->cp[0] || is_umlaut);
}

static bool is_letter_form(uint32_t cp)
{
    char name[128];
    UErrorCode err = U_ZERO_ERROR;
    u_charName((UChar32)cp, U_UNICODE_CHAR_NAME, name, sizeof(name), &err);
    return strstr(name, "NEGATIVE CIRCLED LATIN") || strstr(name, "NEGATIVE SQUARED") ||
           strstr(name, "REGIONAL INDICATOR") || strstr(name, "SMALL CAPITAL") || strncmp(name, "SQUARED ", 8) == 0;
}

/* Scripts that are borrowed for their looks, and symbols drawn as letters. */
static bool may_look_alike(uint32_t cp)
{
    static const UScriptCode scripts[] = {
        USCRIPT_COMMON,   USCRIPT_INHERITED, USCRIPT_LATIN,      USCRIPT_CYRILLIC,    USCRIPT_GREEK,
        USCRIPT_ARMENIAN, USCRIPT_COPTIC,    USCRIPT_CHEROKEE,   USCRIPT_LISU,        USCRIPT_OSAGE,
        USCRIPT_DESERET,  USCRIPT_TIFINAGH,  USCRIPT_OLD_ITALIC, USCRIPT_WARANG_CITI, USCRIPT_CANADIAN_ABORIGINAL,
    };
    UErrorCode err = U_ZERO_ERROR;
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (uscript_getScript((UChar32)cp, &err) == scripts[i])
            return true;
    return false;
}

static bool is_look_alike(uint32_t cp, const struct text *e, const struct text *t)
{
    if (!may_look_alike(cp) || is_ascii_word(e))
        return false;
    /* Parts of an expansion may look alike while others stay: ẚ is a with a half ring. */
    for (uint32_t i = 0; i < t->n; i++) {
        struct text one = {1, {t->cp[i]}};
        if (!is_ascii_word(&one) && t->cp[i] != 0xfc && (i >= e->n || t->cp[i] != e->cp[i]))
            return false;
    }
    return t->n > 0;
}

/* The first category that explains the difference; CATEGORY_COUNT for none. */
static enum category explain(uint32_t cp, const struct text *e, const struct text *t)
{
    struct text bare = without_marks(e);
    if (same(e, t))
        return SAME;
    if (t->n == 0 && u_hasBinaryProperty((UChar32)cp, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
        return IGNORABLE;
    if (same(&bare, t))
        return MARK;
    if (U_GET_GC_MASK((UChar32)cp) & U_GC_ND_MASK && is_number(t) &&
        u_charDigitValue((UChar32)cp) == (int)t->cp[0] - '0')
        return DIGIT;
    if (is_number(t) && U_GET_GC_MASK((UChar32)cp) & U_GC_NO_MASK && !is_enclosure(e, t))
        return NUMBER;
    if (is_enclosure(e, t))
        return ENCLOSURE;
    if (is_accented(cp, e, t))
        return ACCENT;
    if (is_letter_form(cp) && is_ascii_word(t))
        return LETTERS;
    if (is_look_alike(cp, e, t))
        return LOOKALIKE;
    if (cp >= 0x2e80 && cp < 0x2f00 && t->n == 1 && u_isUAlphabetic((UChar32)t->cp[0]))
        return RADICAL;
    utf8proc_int32_t d[16];
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, d, 16, UTF8PROC_DECOMPOSE, &(int){0});
    if (n == 2 && is_mark((uint32_t)d[0]) && t->n == 1 && t->cp[0] == (uint32_t)d[1])
        return SIGN;
    if (e->n == 1 && t->n == 1 && t->cp[0] == simplified(e->cp[0]))
        return TWICE;
    if (t->n == 1 && t->cp[0] == cp && e->n > 2 * (cp < 0x10000 ? 3u : 4u))
        return LONG;
    return CATEGORY_COUNT;
}

static void print_text(const char *what, const struct text *t)
{
    print_error("  %s:", what);
    for (uint32_t i = 0; i < t->n; i++)
        print_error(" %04X", t->cp[i]);
}

static void every_difference_is_meant(void **state)
{
    (void)state;
    unsigned count[CATEGORY_COUNT + 1] = {0};
    struct fold_scratch *s = fold_scratch_new();
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        if (cp >= 0xd800 && cp < 0xe000)
            continue;
        struct text e = expected(cp), t = found(s, cp);
        enum category c = explain(cp, &e, &t);
        if (c == CATEGORY_COUNT && count[c] < 40) {
            print_error("U+%04X", cp);
            print_text("expected", &e);
            print_text("found", &t);
            print_error("\n");
        }
        count[c]++;
    }
    fold_scratch_free(&s);
    for (unsigned i = 0; i < CATEGORY_COUNT; i++) {
        print_message("%8u  %-10s %s\n", count[i], categories[i].name, categories[i].text);
        assert_in_range(count[i], categories[i].low, categories[i].high);
    }
    assert_int_equal(count[CATEGORY_COUNT], 0);
}

/* Composed and decomposed spellings fold alike, character by character. */
static void decomposed_text_folds_alike(void **state)
{
    (void)state;
    struct fold_scratch *s = fold_scratch_new();
    unsigned compared = 0;
    for (uint32_t cp = 0x80; cp < 0x30000; cp++) {
        uint8_t in[5] = {0};
        utf8proc_uint8_t *nfd;
        struct folded f;
        if (cp >= 0xd800 && cp < 0xe000)
            continue;
        size_t n = utf8_encode(cp, in);
        struct text whole = found(s, cp), parts = {0};
        utf8proc_ssize_t m = utf8proc_map(in, (utf8proc_ssize_t)n, &nfd, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
        assert_true(m > 0);
        fold_text(s, span_of(nfd, (size_t)m), FOLD_WANT_LINE, &f);
        push_utf8(&parts, f.line.p, f.line.n);
        compared += (size_t)m != n;
        /* A separator takes no mark: ≠ is itself, "=" with a stroke is "=". */
        if (!same(&whole, &parts) && !(whole.n == 1 && fold_is_separator(whole.cp[0]))) {
            print_text("whole", &whole);
            print_text("parts", &parts);
            fail_msg("U+%04X folds otherwise when it is decomposed", cp);
        }
        free(nfd);
    }
    assert_true(compared > 12000);
    fold_scratch_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_difference_is_meant),
        cmocka_unit_test(decomposed_text_folds_alike),
    };
    converter = opencc_open("t2s.json");
    if (converter == (opencc_t)-1) {
        print_error("OpenCC: %s\n", opencc_error());
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    opencc_close(converter);
    return failed;
}

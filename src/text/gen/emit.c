#include "text/gen/gen.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

enum { SEQ_MAX = 0x10000 - FOLD_OTHER_SEQ, PAGES_MAX = 4096 };

static uint32_t entry[FOLD_CODE_POINTS];
static bool is_keep[FOLD_CODE_POINTS]; /* composes with what is before it, but is no mark */
static uint32_t seq[SEQ_MAX], seq_n;
static struct fold_pair pair[PAIRS_MAX];
static uint32_t pair_n;

static bool is_surrogate(uint32_t cp)
{
    return cp >= 0xd800 && cp < 0xe000;
}

static uint32_t bytes_of(uint32_t cp)
{
    return cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
}

static uint32_t other(uint32_t payload)
{
    return FOLD_ENTRY(FOLD_OTHER, 0, 0, payload);
}

/* An entry of a code point that is canonical itself. */
static uint32_t entry_of_self(uint32_t cp)
{
    uint32_t digit1 = (uint32_t)(prop_digit(cp) + 1), syllable = reading_of(cp);
    if (prop_is_mark(cp))
        return other(FOLD_OTHER_MARK);
    if (is_keep[cp])
        return other(FOLD_OTHER_MARK_KEEP);
    bool is_sep = prop_is_separator(cp);
    uint32_t spells = (cp >= 'a' && cp <= 'z') || cp == U_DIAERESIS ? FOLD_SPELLS : 0;
    if (cp < 0x10000)
        return spells | FOLD_ENTRY(is_sep ? FOLD_SEP : FOLD_LETTER, digit1, syllable, cp);
    return FOLD_ENTRY(FOLD_OTHER, digit1, syllable, is_sep ? FOLD_OTHER_SELF_SEP : FOLD_OTHER_SELF);
}

static uint32_t entry_of_seq(const struct units *u)
{
    if (seq_n + u->n + 1 > SEQ_MAX)
        die("the expansions do not fit");
    uint32_t at = seq_n;
    seq[seq_n++] = u->n;
    for (uint32_t i = 0; i < u->n; i++)
        seq[seq_n++] = u->cp[i];
    return other(FOLD_OTHER_SEQ + at);
}

/* The scratch has room for so much and no more. */
static bool is_too_long(const struct units *u, uint32_t source_bytes)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < u->n; i++)
        bytes += bytes_of(u->cp[i]);
    return u->n > FOLD_EXPANSION_MAX * source_bytes || bytes > FOLD_EXPANSION_BYTES_MAX * source_bytes;
}

static uint32_t entry_of(uint32_t cp)
{
    struct units u;
    if (is_surrogate(cp))
        return other(FOLD_OTHER_SELF_SEP);
    canon_of(cp, &u);
    if (is_too_long(&u, bytes_of(cp)))
        return entry_of_self(cp);
    if (u.n == 0)
        return other(FOLD_OTHER_DROP);
    if (u.n == 1 && u.cp[0] == cp)
        return entry_of_self(cp);
    uint32_t e = entry_of_self(u.cp[0]);
    return u.n == 1 && fold_entry_kind(e) != FOLD_OTHER ? e : entry_of_seq(&u);
}

/* What is canonical must stay so, or folding twice would differ from folding once. */
static void check_fixed(uint32_t cp)
{
    struct units u, again;
    if (is_surrogate(cp))
        return;
    canon_of(cp, &u);
    for (uint32_t i = 0; i < u.n; i++) {
        canon_of(u.cp[i], &again);
        if (again.n != 1 || again.cp[0] != u.cp[i])
            die("U+%04X folds to U+%04X, which folds on", cp, u.cp[i]);
    }
}

static int by_base(const void *a, const void *b)
{
    const struct fold_pair *x = a, *y = b;
    if (x->base != y->base)
        return x->base < y->base ? -1 : 1;
    return x->mark < y->mark ? -1 : x->mark > y->mark;
}

/* Several characters may share a canonical base: the composition of the base itself counts, even when it says that the
 * mark goes. */
static void add_pair(uint32_t base, uint32_t mark, uint32_t result, bool is_canonical)
{
    for (uint32_t i = 0; i < pair_n; i++) {
        if (pair[i].base == base && pair[i].mark == mark) {
            if (is_canonical)
                pair[i].result = result;
            return;
        }
    }
    if (pair_n == PAIRS_MAX)
        die("more than %d compositions", PAIRS_MAX);
    pair[pair_n++] = (struct fold_pair){base, mark, result};
}

/* Canonical compositions, in terms of canonical code points. Hangul is done by arithmetic. */
static void find_pairs(void)
{
    UErrorCode err = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&err);
    for (uint32_t cp = 0xc0; cp < FOLD_CODE_POINTS; cp++) {
        UChar text[8];
        struct units base, mark, whole;
        err = U_ZERO_ERROR;
        int32_t n = unorm2_getRawDecomposition(nfc, (UChar32)cp, text, 8, &err), i = 0;
        if (n < 2 || (cp >= 0xac00 && cp < 0xd7a4))
            continue;
        UChar32 a, b;
        U16_NEXT(text, i, n, a);
        if (i == n)
            continue;
        U16_NEXT(text, i, n, b);
        if (unorm2_composePair(nfc, a, b) != (UChar32)cp)
            continue;
        canon_of((uint32_t)a, &base);
        canon_of((uint32_t)b, &mark);
        canon_of(cp, &whole);
        if (base.n != 1 || whole.n != 1 || mark.n != 1 || mark.cp[0] != (uint32_t)b)
            continue;
        if (prop_is_separator(base.cp[0]) || prop_is_separator(whole.cp[0]))
            continue;
        add_pair(base.cp[0], mark.cp[0], whole.cp[0], base.cp[0] == (uint32_t)a);
        if (!prop_is_mark(mark.cp[0]))
            is_keep[mark.cp[0]] = true;
    }
    for (uint32_t cp = 0x1161; cp <= 0x11c2; cp++)
        if (cp <= 0x1175 || cp >= 0x11a8)
            is_keep[cp] = true;
    qsort(pair, pair_n, sizeof(pair[0]), by_base);
}

/* Pages of nothing but letters (or separators) that are canonical and have no reading share one page. */
static void make_uniform(uint32_t *page, uint32_t first)
{
    for (enum fold_kind kind = FOLD_LETTER; kind <= FOLD_SEP; kind++) {
        bool is_uniform = first >= 0x80;
        for (uint32_t i = 0; i < FOLD_PAGE; i++)
            is_uniform &= page[i] == FOLD_ENTRY(kind, 0, 0, first + i);
        for (uint32_t i = 0; is_uniform && i < FOLD_PAGE; i++)
            page[i] = other(kind == FOLD_SEP ? FOLD_OTHER_SELF_SEP : FOLD_OTHER_SELF);
    }
}

static void write_pages(FILE *f)
{
    static uint32_t *page[PAGES_MAX];
    static uint32_t index[FOLD_CODE_POINTS / FOLD_PAGE];
    uint32_t n = 0;
    for (uint32_t p = 0; p < FOLD_CODE_POINTS / FOLD_PAGE; p++) {
        uint32_t *now = entry + p * FOLD_PAGE, k = 0;
        make_uniform(now, p * FOLD_PAGE);
        while (k < n && memcmp(page[k], now, FOLD_PAGE * sizeof(*now)) != 0)
            k++;
        if (k == PAGES_MAX)
            die("more than %d pages", PAGES_MAX);
        if (k == n)
            page[n++] = now;
        index[p] = k;
    }
    fputs("const uint16_t fold_index[FOLD_CODE_POINTS / FOLD_PAGE] = {\n", f);
    for (uint32_t p = 0; p < FOLD_CODE_POINTS / FOLD_PAGE; p++)
        fprintf(f, "%u,%s", index[p], p % 32 == 31 ? "\n" : "");
    fputs("};\nconst uint32_t fold_entry[] __attribute__((aligned(64))) = {\n", f);
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < FOLD_PAGE; i++)
            fprintf(f, "0x%x,%s", page[k][i], i % 16 == 15 ? "\n" : "");
    fputs("};\n", f);
}

void emit_tables(FILE *f)
{
    find_pairs();
    for (uint32_t cp = 0; cp < FOLD_CODE_POINTS; cp++) {
        check_fixed(cp);
        entry[cp] = entry_of(cp);
    }
    write_pages(f);
    fputs("const uint32_t fold_seq[] = {\n", f);
    for (uint32_t i = 0; i < seq_n; i++)
        fprintf(f, "0x%x,%s", seq[i], i % 16 == 15 ? "\n" : "");
    fprintf(f, "};\nconst uint32_t fold_pair_n = %u;\nconst struct fold_pair fold_pair[] = {\n", pair_n);
    for (uint32_t i = 0; i < pair_n; i++)
        fprintf(f, "{0x%x, 0x%x, 0x%x},\n", pair[i].base, pair[i].mark, pair[i].result);
    fputs("};\n", f);
}

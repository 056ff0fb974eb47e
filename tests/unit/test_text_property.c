/* Random texts of the characters that take different paths through the folding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_text_invariants.h"

enum { ROUNDS = 60000, LENGTH_MAX = 40 };

static const struct {
    uint32_t first, last;
} blocks[] = {
    {0x20, 0x7e},       {0x61, 0x7a},       {0x30, 0x39},       {0x00, 0x1f},       {0xa0, 0x24f},
    {0x300, 0x36f},     {0x370, 0x52f},     {0x591, 0x6ff},     {0x900, 0xdff},     {0x1100, 0x11ff},
    {0x1161, 0x1175},   {0x1d00, 0x1dff},   {0x1e00, 0x1fff},   {0x2000, 0x218f},   {0x2190, 0x2bff},
    {0x20d0, 0x20f0},   {0x2e80, 0x30ff},   {0x3099, 0x309c},   {0x3130, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},   {0x4e00, 0x9fff},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfb00, 0xfdff},
    {0xfe00, 0xfe0f},   {0xfe20, 0xffff},   {0xe000, 0xe010},   {0x11000, 0x11fff}, {0x1d400, 0x1d7ff},
    {0x1f100, 0x1f2ff}, {0x1f300, 0x1faff}, {0x20000, 0x2ffff}, {0xe0000, 0xe01ef}, {0, 0x10ffff},
};

/* Small alphabets, so that runs of them meet each other. */
static const char *const alphabets[] = {"weixinjaofg lv\xc3\xbc", "13805oil 零一",
                                        "か\xe3\x82\x99\xcc\x81ハ\xe3\x82\x9a", "ᄒ\xe1\x85\xa1\xe1\x86\xab가"};

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)((seed >> 20) % n);
}

static uint32_t draw_of_alphabet(const char *alphabet)
{
    struct span a = span_str(alphabet);
    uint32_t cp = 0;
    for (uint32_t k = draw((uint32_t)a.n) + 1, at = 0; k && at < a.n; k--)
        at += utf8_decode(a.p + at, a.n - at, &cp);
    return cp;
}

static size_t random_text(uint8_t *out)
{
    size_t n = 0;
    const char *alphabet = draw(2) ? alphabets[draw(ARRAY_LEN(alphabets))] : NULL;
    for (uint32_t k = draw(LENGTH_MAX); k; k--) {
        uint32_t b = draw(ARRAY_LEN(blocks));
        uint32_t cp = blocks[b].first + draw(blocks[b].last - blocks[b].first + 1);
        if (alphabet && draw(4))
            cp = draw_of_alphabet(alphabet);
        if (cp < 0xd800 || cp > 0xdfff)
            n += utf8_encode(cp, out + n);
    }
    return n;
}

static void print_hex(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        print_error("%02x", p[i]);
    print_error("\n");
}

static void random_texts_keep_the_invariants(void **state)
{
    (void)state;
    struct fold_scratch *s = fold_scratch_new();
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t text[4 * LENGTH_MAX];
        size_t n = random_text(text);
        uint8_t *copy = xmalloc(n);
        memcpy(copy, text, n);
        const char *wrong = check_folding(s, span_of(copy, n));
        free(copy);
        if (wrong) {
            print_hex(text, n);
            fail_msg("round %d: %s", round, wrong);
        }
    }
    fold_scratch_free(&s);
}

/* Every code point: alone, between letters, and after one that may take it in. */
static void every_code_point_keeps_the_invariants(void **state)
{
    (void)state;
    struct fold_scratch *s = fold_scratch_new();
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        uint8_t text[16];
        if (cp >= 0xd800 && cp < 0xe000)
            continue;
        size_t n = utf8_encode(cp, text);
        n += utf8_encode('i', text + n);
        n += utf8_encode(cp, text + n);
        const char *wrong = check_folding(s, span_of(text, n));
        if (wrong)
            fail_msg("U+%04X: %s", cp, wrong);
    }
    fold_scratch_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_texts_keep_the_invariants),
        cmocka_unit_test(every_code_point_keeps_the_invariants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The word matcher against a naive search, and literals of patterns against PCRE2 itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/literal.h"
#include "rule/match.h"
#include "rule/regex.h"

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % n;
}

struct sum {
    uint64_t n, hash;
};

static int on_match(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    struct sum *s = arg;
    s->n++;
    s->hash += (id * 2654435761u + from) * (uint64_t)(n + 7);
    return 0;
}

static void agrees_with_a_naive_search(void **state)
{
    (void)state;
    enum { WORDS = 300, TEXT = 400 };
    static uint32_t unit[WORDS][6], text[TEXT];
    struct match_word words[WORDS];
    uint64_t found = 0;
    for (int round = 0; round < 60; round++) {
        uint32_t alphabet = 2 + draw(round % 2 ? 6 : 60), n_words = 1 + draw(WORDS);
        for (uint32_t i = 0; i < n_words; i++) {
            words[i] = (struct match_word){unit[i], 1 + draw(6), i};
            for (int k = 0; k < 6; k++)
                unit[i][k] = 0x4e00 + draw(alphabet) * 977;
        }
        for (int i = 0; i < TEXT; i++)
            text[i] = 0x4e00 + draw(alphabet) * 977;
        struct sum got = {0}, want = {0};
        struct match *m = match_new(words, n_words);
        assert_int_equal(match_scan(m, text, TEXT, on_match, &got), 0);
        for (uint32_t at = 0; at < TEXT; at++)
            for (uint32_t i = 0; i < n_words; i++)
                if (words[i].n <= TEXT - at && memcmp(text + at, unit[i], words[i].n * sizeof(uint32_t)) == 0)
                    on_match(&want, i, at, words[i].n);
        assert_int_equal(got.n, want.n);
        assert_true(got.hash == want.hash);
        found += want.n;
        match_free(&m);
    }
    assert_true(found > 1000);
}

static int stop_at_once(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    (void)arg, (void)id, (void)from, (void)n;
    return -1;
}

static void a_scan_can_be_stopped_and_may_be_empty(void **state)
{
    (void)state;
    uint32_t text[] = {1, 2, 3};
    struct match_word w = {text + 1, 1, 0};
    struct match *m = match_new(&w, 1), *none = match_new(NULL, 0);
    assert_int_equal(match_scan(m, text, 3, stop_at_once, NULL), -1);
    assert_int_equal(match_scan(none, text, 3, stop_at_once, NULL), 0);
    assert_int_equal(match_scan(m, text, 0, stop_at_once, NULL), 0);
    match_free(&m);
    match_free(&none);
}

static const char *text_of(const struct literals *lit)
{
    static char out[40000];
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < lit->n; i++) {
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", i ? " " : "");
        for (unsigned k = 0; k < lit->len[i]; k++) {
            uint8_t utf8[4];
            unsigned b = utf8_encode(lit->cp[i][k], utf8);
            memcpy(out + n, utf8, b);
            n += b;
            out[n] = '\0';
        }
    }
    return out;
}

static const char *literals_of(const char *pattern)
{
    static struct literals lit, also;
    literal_extract(pattern, &lit, &also);
    return text_of(&lit);
}

static const char *second_of(const char *pattern)
{
    static struct literals lit, also;
    literal_extract(pattern, &lit, &also);
    return text_of(&also);
}

static unsigned kinds_of(const char *pattern)
{
    static struct literals lit, also;
    return literal_extract(pattern, &lit, &also);
}

static bool holds_kind(const char *text, unsigned kinds)
{
    bool is_held = !kinds;
    for (; *text; text++)
        is_held |= (kinds & LITERAL_DIGIT && *text >= '0' && *text <= '9') ||
                   (kinds & LITERAL_LETTER && *text >= 'a' && *text <= 'z');
    return is_held;
}

static bool holds_one(const char *text, const struct literals *lit)
{
    for (unsigned i = 0; i < lit->n; i++) {
        char word[LITERAL_CHARS_MAX + 1] = "";
        for (unsigned k = 0; k < lit->len[i]; k++)
            word[k] = (char)lit->cp[i][k];
        if (strstr(text, word))
            return true;
    }
    return !lit->n;
}

static void literals_are_read_from_patterns(void **state)
{
    (void)state;
    assert_string_equal(literals_of("加微信"), "加微信");
    assert_string_equal(literals_of("便宜\\s*\\d+(元|块)"), "便宜");
    assert_string_equal(literals_of("(加|添加)微信?"), "加微信 加微 添加微信 添加微");
    assert_string_equal(literals_of("[加添]我v"), "加我v 添我v");
    assert_string_equal(literals_of("a+bc"), "bc");
    assert_string_equal(literals_of("(?<edit>最好)的"), "最好的");
    assert_string_equal(literals_of("x(?=yz)w"), "xw");
    assert_string_equal(literals_of("\\d{11}"), "");
    assert_string_equal(literals_of("a|\\d"), "");
    assert_string_equal(literals_of("(ab)*"), "");
    assert_string_equal(literals_of("(?i)ab"), "");
    assert_string_equal(literals_of("(a)\\1bc"), "bc");
    assert_string_equal(literals_of("(a)\\12bc"), "");
    assert_string_equal(literals_of("ab{0,3}"), "a");
    assert_string_equal(literals_of("\\p{Han}第一\\PL[\\p{Lu}x]"), "第一");
    assert_string_equal(literals_of("ab\\p{Han"), "");
    assert_string_equal(literals_of("[^a]b"), "b");
    assert_string_equal(second_of("加微信"), "");
    assert_string_equal(second_of("我.{0,4}(转账|付款)"), "我");
    assert_string_equal(literals_of("我.{0,4}(转账|付款)"), "转账 付款");
    assert_string_equal(second_of("(我|咱).{0,4}(转账|付款).*(卡|号)+"), "卡 号");
    assert_string_equal(second_of("我.*转账|付款"), "我 付款");
    assert_string_equal(second_of("(我.*转账)?付款.*卡"), "卡");
    assert_string_equal(second_of("(我.*转账)+x"), "x");
}

static void kinds_are_read_from_patterns(void **state)
{
    (void)state;
    assert_int_equal(kinds_of("微信[0-9a-z]{2,}"), LITERAL_DIGIT | LITERAL_LETTER);
    assert_int_equal(kinds_of("微信[a-z]{2,4}[0-9]{3}"), LITERAL_DIGIT);
    assert_int_equal(kinds_of("微信([A-Z]|[0-5]+)"), LITERAL_DIGIT | LITERAL_LETTER);
    assert_int_equal(kinds_of("[0-9]{3,}.{0,4}微信"), LITERAL_DIGIT);
    assert_int_equal(kinds_of("微信[0-9]"), LITERAL_DIGIT);
    assert_int_equal(kinds_of("微信[0-9]?"), 0);
    assert_int_equal(kinds_of("微信[01]?"), 0);
    assert_int_equal(kinds_of("微信[0-9]{0,3}"), 0);
    assert_int_equal(kinds_of("微信([0-9]|号)"), 0);
    assert_int_equal(kinds_of("微信([0-9]|)"), 0);
    assert_int_equal(kinds_of("微信(?=[0-9])"), 0);
    assert_int_equal(kinds_of("微信[^0-9]"), 0);
    assert_int_equal(kinds_of("微信[0-9_]"), 0);
    assert_int_equal(kinds_of("微信[0-z]"), 0);
    assert_int_equal(kinds_of("微信[A-z]"), 0);
    assert_int_equal(kinds_of("微信[\\d0]"), 0);
    assert_int_equal(kinds_of("微信[0-9二]"), 0);
    assert_int_equal(kinds_of("微信\\d"), 0); /* digits of any script */
    assert_int_equal(kinds_of("(?i)微信[0-9]"), 0);
}

/* Random patterns on random texts: whatever matches holds a literal. */
static void literals_are_sound(void **state)
{
    (void)state;
    static const char *const atoms[] = {"a",     "b",        "c",     "ab",    "bc",   "(a|bc)", "(?:ab|c)",
                                        "[ab]",  "[^a]",     ".",     "(a|)",  "(b+)", "(?=a)",  "\\w",
                                        "(?!c)", "(a|b)\\1", "[0-9]", "[a-b]", "[1c]"};
    static const char *const quantifiers[] = {"", "", "", "?", "*", "+", "{2}", "{0,2}", "+?", "*+", "{1,}"};
    struct regex_scratch *scratch = regex_scratch_new();
    unsigned matches = 0, seconds = 0, with_kinds = 0;
    for (int round = 0; round < 4000; round++) {
        char pattern[200] = "", text[24];
        size_t n = 0;
        for (uint32_t i = 0, k = 1 + draw(6); i < k; i++)
            n += (size_t)snprintf(pattern + n, sizeof(pattern) - n, "%s%s%s", atoms[draw(ARRAY_LEN(atoms))],
                                  quantifiers[draw(11)], draw(9) == 0 && i + 1 < k ? "|" : "");
        struct err err;
        struct regex *re = regex_new(pattern, &err);
        if (!re)
            continue;
        struct literals lit, also;
        unsigned kinds = literal_extract(pattern, &lit, &also);
        for (int t = 0; t < 10; t++) {
            uint32_t len = draw(20);
            for (uint32_t i = 0; i < len; i++)
                text[i] = "abc1"[draw(4)];
            text[len] = '\0';
            struct regex_hit h;
            if (regex_find(re, scratch, span_of(text, len), 0, &h) != REGEX_HIT)
                continue;
            with_kinds += kinds > 0;
            if (!holds_kind(text, kinds))
                fail_msg("/%s/ matches \"%s\", which has none of its kinds", pattern, text);
            if (!lit.n)
                continue;
            matches++;
            seconds += also.n > 0;
            if (!holds_one(text, &lit) || !holds_one(text, &also))
                fail_msg("/%s/ matches \"%s\", but holds none of its literals", pattern, text);
        }
        regex_free(&re);
    }
    assert_true(matches > 2000 && seconds > 1000 && with_kinds > 1000);
    regex_scratch_free(&scratch);
}

/* Catastrophic patterns on short and long texts: bounded, with a named result. */
static void no_pattern_stalls(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(a+)+$",           "(a|a)*b",       "(a|aa)+$",
                                           "(.*a){12}$",       "a*a*a*a*a*a*b", "(x+x+)+y",
                                           "(?:a?){30}a{30}b", "([a-z]+)*=",    "^(([a-z])+.)+[A-Z]([a-z])+$",
                                           "(a(?1)?a?)+b"};
    struct regex_scratch *scratch = regex_scratch_new();
    size_t sizes[] = {30, 300, 2000, 60000};
    char *text = xmalloc(60000);
    memset(text, 'a', 60000);
    unsigned limits = 0;
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            struct err err;
            struct regex *re = regex_new(patterns[i], &err);
            assert_non_null(re);
            struct regex_hit h;
            memcpy(text + sizes[k] - 5, "!by=A",
                   5); /* all that a search for needed characters asks for, out of reach */
            limits += regex_find(re, scratch, span_of(text, sizes[k]), 0, &h) == REGEX_LIMIT;
            memset(text + sizes[k] - 5, 'a', 5);
            regex_free(&re);
        }
    assert_true(limits >= 10);
    free(text);
    regex_scratch_free(&scratch);
}

static void dangerous_patterns_are_refused(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(*LIMIT_MATCH=9)a", "a(*SKIP)b", "(", "[a", "a\\Cb", "\\"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        struct err err = {0};
        assert_null(regex_new(patterns[i], &err));
        assert_true(strlen(err.text) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_naive_search),
        cmocka_unit_test(a_scan_can_be_stopped_and_may_be_empty),
        cmocka_unit_test(literals_are_read_from_patterns),
        cmocka_unit_test(kinds_are_read_from_patterns),
        cmocka_unit_test(literals_are_sound),
        cmocka_unit_test(no_pattern_stalls),
        cmocka_unit_test(dangerous_patterns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

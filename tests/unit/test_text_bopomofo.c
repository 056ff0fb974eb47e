/* Bopomofo to pinyin: every kind of syllable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "text/bopomofo.h"

static void check(const char *text, const char *want)
{
    uint32_t cp[32], n = 0;
    struct buf b = {0};
    for (size_t i = 0, len = strlen(text); i < len; n++)
        i += utf8_decode((const uint8_t *)text + i, len - i, &cp[n]);
    for (uint32_t i = 0; i < n;) {
        char spelled[BOPOMOFO_LEN + 1];
        assert_true(bopomofo_is(cp[i]));
        uint32_t took = bopomofo_spell(cp + i, n - i, spelled);
        assert_in_range(took, 1, n - i);
        buf_printf(&b, i ? " %s" : "%s", spelled);
        i += took;
    }
    if (strcmp(buf_cstr(&b), want) != 0)
        fail_msg("%s: found \"%s\", not \"%s\"", text, buf_cstr(&b), want);
    buf_fini(&b);
}

static void syllables(void **state)
{
    (void)state;
    check("ㄨㄟㄒㄧㄣ", "wei xin");
    check("ㄐㄧㄚㄌㄞㄓㄤㄏㄠ", "jia lai zhang hao");
    check("ㄓㄕㄖㄙ", "zhi shi ri si");
    check("ㄒㄩㄐㄩㄝㄑㄩㄢㄐㄩㄥ", "xu jue quan jiong");
    check("ㄋㄩㄌㄩㄝ", "nv lve");
    check("ㄍㄨㄥㄍㄨㄢㄉㄨㄟㄌㄨㄛ", "gong guan dui luo");
    check("ㄅㄧㄥㄌㄧㄡㄇㄧㄠ", "bing liu miao");
    check("ㄧㄨㄩㄧㄡㄨㄥㄩㄥ", "yi wu yu you weng yong");
    check("ㄞㄦㄚ", "ai er a");
    check("ㄓㄨㄤ", "zhuang"); /* the longest */
    check("ㄅㄆㄅㄩㄤ", "  "); /* no syllables */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(syllables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

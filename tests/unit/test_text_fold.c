/* What people type and what it folds to, one case a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "test_text_invariants.h"

static struct fold_scratch *scratch;

static int set_up(void **state)
{
    (void)state;
    scratch = fold_scratch_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fold_scratch_free(&scratch);
    assert_null(scratch);
    return 0;
}

/* The view as text: gaps as that many "_", syllables as <wei>. */
static void show(struct buf *b, const struct view *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        uint8_t utf8[4];
        for (unsigned k = 0; k < v->gap[i]; k++)
            buf_printf(b, "_");
        if (v->cp[i] >= FOLD_SYLLABLE_BASE)
            buf_printf(b, "<%s>", fold_syllable_name(v->cp[i]));
        else
            buf_printf(b, "%.*s", (int)utf8_encode(v->cp[i], utf8), (char *)utf8);
    }
}

static void fold_or_fail(const char *text, struct folded *f)
{
    const char *wrong = check_folding(scratch, span_str(text));
    if (wrong)
        fail_msg("%s: %s", text, wrong);
    fold_text(scratch, span_str(text), FOLD_ALL, f);
}

static void check_view(const char *text, enum fold_view view, const char *want)
{
    struct folded f;
    struct buf b = {0};
    fold_or_fail(text, &f);
    show(&b, &f.view[view]);
    if (strcmp(buf_cstr(&b), want) != 0)
        fail_msg("%s: found \"%s\", not \"%s\"", text, buf_cstr(&b), want);
    buf_fini(&b);
}

static void check_line_is(const char *text, const char *want)
{
    struct folded f;
    fold_or_fail(text, &f);
    if (!span_is(f.line, want))
        fail_msg("%s: found \"%.*s\", not \"%s\"", text, (int)f.line.n, (const char *)f.line.p, want);
}

struct example {
    const char *text, *want;
};

static void check_all(const struct example *e, size_t n, enum fold_view view)
{
    for (size_t i = 0; i < n; i++)
        check_view(e[i].text, view, e[i].want);
}

static void letters_are_folded(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"加我微信", "加我微信"},
        {"WeiXin", "weixin"},
        {"ｗｅｉ ｘｉｎ", "wei_xin"},
        {"Ｑ Ⓠ 🅠 🆀 ⓠ", "q_q_q_q_q"},
        {"V Ⅴ ⓥ ∨ ᴠ Ѵ ν 🇻 𝓥 ｖ", "v_v_v_v_v_v_v_v_v_v"},
        {"𝐖𝐞𝐢𝐗𝐢𝐧 𝕨𝕩", "weixin_wx"},
        {"wеiхin", "weixin"}, /* Cyrillic е and х */
        {"ВАСЯ", "bacя"},     /* what has no Latin look stays */
        {"ΑΒΕ αο", "abe_ao"}, /* Greek */
        {"ꓪꓳ", "wo"},         /* Lisu */
        {"wēixìn", "weixin"}, /* tone marks */
        {"nǚ nü", "nü_nü"},   /* ü is another vowel */
        {"øđłæ", "odlae"},    /* strokes, ligature */
        {"㏄ ㎏", "cc_kg"},
        {"🆔🆚🆗", "idvsok"},
        {"Straße", "strasse"},
        {"0O1lI|", "0o1li"},      /* ASCII is never mapped onto other ASCII */
        {"ロ一ー〇", "ロ一ー〇"}, /* Kana and ideographs are never look-alikes */
    };
    check_all(examples, ARRAY_LEN(examples), VIEW_PLAIN);
}

static void numbers_are_folded(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"①③⑧", "138"}, {"⑴⒊❽➀⓪", "13810"}, {"⓫⑳㉑", "112021"}, {"１３８", "138"},    {"1️⃣3️⃣8️⃣", "138"},
        {"🔟", "10"},    {"𝟙𝟛𝟠", "138"},     {"١٣٨", "138"},     {"㈠㊁㊀", "一二一"}, {"²₃", "23"},
        {"½", "1_2"},
    };
    check_all(examples, ARRAY_LEN(examples), VIEW_PLAIN);
}

static void ideographs_are_folded(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"繁體聯繫電話", "繁体联系电话"}, {"⺅⺡⼈", "亻氵人"}, {"㊙㊗", "秘祝"}, {"微亻言", "微亻言"}, {"﨑", "﨑"},
    };
    check_all(examples, ARRAY_LEN(examples), VIEW_PLAIN);
}

static void invisible_characters_are_dropped(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"加\xe2\x80\x8b微\xc2\xad信", "加微信"},                 /* zero width space, soft hyphen */
        {"加\xe2\x81\xa0微\xef\xbb\xbf信\xe2\x80\x8f", "加微信"}, /* word joiner, byte order mark, direction mark */
        {"加\xf3\xa0\x81\x81微\xe3\x85\xa4信", "加微信"},         /* tag letter, Hangul filler */
        {"微\xcc\xb6信\xcc\xb6", "微信"},                         /* struck through */
        {"w\xcc\xb7x\xcc\x81\xcc\x81", "wx"},
        {"\xcc\x81", ""},
    };
    check_all(examples, ARRAY_LEN(examples), VIEW_PLAIN);
}

static void separators_are_counted(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"加、微…信", "加_微_信"}, /* "…" is three dots and one separator */
        {"V❤️信", "v_信"},
        {"加 + V\xe3\x80\x80信", "加___v_信"},
        {"✔信！", "_信"},
        {"微\n信", "微_信"},
        {"二丨维丶码亅", "二_维_码"},
        {"⼁⼂心丿", "__心丿"},
        {"5％off", "5_off"},
        {"💚💬", ""},
    };
    check_all(examples, ARRAY_LEN(examples), VIEW_PLAIN);
    struct folded f;
    char many[1001];
    memset(many, '.', 999);
    memcpy(many + 999, "a", 2);
    fold_or_fail(many, &f);
    assert_int_equal(f.view[VIEW_PLAIN].gap[0], FOLD_GAP_MAX);
    assert_true(fold_is_separator(' ') && fold_is_separator(0x1f49a) && fold_is_separator(0xe000));
    assert_false(fold_is_separator('a') || fold_is_separator(0x5fae) || fold_is_separator(0x3007));
}

static void the_line_keeps_separators(void **state)
{
    (void)state;
    check_line_is("加Ｖ：ＷＸ＿１２３，５０％", "加v:wx_123,50%");
    check_line_is("微\xe3\x80\x80信\xc2\xa0号", "微 信 号");
    check_line_is("聯繫\n我😀", "联系\n我😀");
    check_line_is("か\xe3\x82\x99ｶﾞ", "がガ");
    check_line_is("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "한");
    check_line_is("", "");
}

static void marks_compose_or_go(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"か\xe3\x82\x99き", "がき"},                 /* dakuten */
        {"u\xcc\x88\xcc\x8c", "ü"},                   /* u, diaeresis, caron */
        {"и\xcc\x86", "й"},                           /* short i */
        {"か \xe3\x82\x99", "か"},                    /* no base: dropped */
        {"\xe0\xa7\x87\xe0\xa6\xbe", "\xe0\xa7\x8b"}, /* Bengali o */
    };
    check_all(examples, ARRAY_LEN(examples), VIEW_PLAIN);
}

static void numerals_become_digits(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"幺三八零零", "13800"},
        {"壹贰叁肆伍陆柒捌玖〇", "1234567890"},
        {"壹貳參陸兩", "12参62"},
        {"〡〢〣", "123"},
        {"一三八 ①③", "138_13"},
        {"十百廿", "十百廿"},
        {"参加油漆", "参加油漆"},
        {"138oo13l000", "13800131000"},
        {"一三五洞洞拐拐八八勾九", "13500778899"}, /* the words of the radio */
        {"洞洞鞋两双", "洞洞鞋2双"},
        {"138 1234 s678", "138_1234_5678"},
        {"13812345678s", "13812345678s"}, /* behind the digits a letter is a unit */
        {"138 oo13 8ooo", "138_0013_8000"},
        {"l3800138000", "13800138000"},
        {"vivo12345678", "vivo12345678"},       /* the end of a word */
        {"1l水2瓶", "1l水2瓶"},                 /* litres */
        {"2 oil 3", "2_oil_3"},                 /* too few digits */
        {"13800138000 oil", "13800138000_oil"}, /* a word of its own */
        {"12345oilooil678", "12345oilooil678"}, /* too long */
        {"iphone", "iphone"},
    };
    check_all(examples, ARRAY_LEN(examples), VIEW_DIGIT);
}

static void readings_are_found(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"薇信", "<wei><xin>"},
        {"威信 維信", "<wei><xin>_<wei><xin>"},
        {"零〇", "<ling><ling>"},
        {"绿女略", "<lv><nv><lve>"},
        {"jiaweixin", "<jia><wei><xin>"},
        {"jiā wēixìn", "<jia>_<wei><xin>"},
        {"wei信", "<wei><xin>"},
        {"Ｗeiхin", "<wei><xin>"},
        {"w e i x i n", "<wei>_<xin>"},
        {"加w.e.i.xin", "<jia><wei>_<xin>"},
        {"vx wx", "vx_wx"},
        {"ok jia wei", "ok_<jia>_<wei>"},
        {"lüse nüer lue", "<lv><se>_<nv><er>_<lve>"},
        {"xian fangan fang'an", "<xian>_<fan><gan>_<fang>_<an>"},
        {"nine jiaoao", "<ni><ne>_<jiao><ao>"},
        {"zhifubao123", "<zhi><fu><bao>123"},
        {"hm ng", "hm_ng"},
        {"weixinweixinweixinweixin", "<wei><xin><wei><xin><wei><xin><wei><xin>"}, /* 24 letters */
        {"weixinweixinweixinweixina", "weixinweixinweixinweixina"},               /* 25 */
    };
    check_all(examples, ARRAY_LEN(examples), VIEW_READING);
    assert_int_equal(fold_syllable_of(0x5fae), fold_syllable_of(0x5a01)); /* 微, 威 */
    assert_int_equal(fold_syllable_of(0x7dad), fold_syllable_of(0x7ef4)); /* 維, 维 */
    assert_int_equal(fold_syllable_of('a'), 0);
    assert_int_equal(fold_syllable_of(0x110000), 0);
    assert_string_equal(fold_syllable_name(0), "");
    assert_string_equal(fold_syllable_name(FOLD_SYLLABLE_BASE), "");
    assert_string_equal(fold_syllable_name(UINT32_MAX), "");
}

static void places_point_at_what_was_typed(void **state)
{
    (void)state;
    const char *text = "加\xe2\x80\x8b㏄Ｗ\xcc\xb6"
                       "e i1️⃣";
    struct folded f;
    fold_or_fail(text, &f);
    static const uint32_t from[] = {0, 6, 6, 9, 14, 16, 17}, to[] = {3, 9, 9, 14, 15, 17, 24};
    const struct view *v = &f.view[VIEW_PLAIN];
    assert_int_equal(v->n, ARRAY_LEN(from));
    for (uint32_t i = 0; i < v->n; i++) {
        assert_int_equal(v->from[i], from[i]);
        assert_int_equal(v->to[i], to[i]);
    }
    assert_int_equal(f.line.n, 3 + 2 + 1 + 1 + 1 + 1 + 1);
    assert_int_equal(f.line_from[3], 6);
    assert_int_equal(f.line_to[4], 9);
}

static void only_what_is_wanted_is_given(void **state)
{
    (void)state;
    struct folded f;
    fold_text(scratch, span_str("加v"), 0, &f);
    assert_int_equal(f.view[VIEW_PLAIN].n, 2);
    assert_null(f.view[VIEW_DIGIT].cp);
    assert_null(f.view[VIEW_READING].cp);
    assert_null(f.line.p);
    fold_text(scratch, span_str(""), FOLD_ALL, &f);
    assert_int_equal(f.view[VIEW_READING].n, 0);
    assert_int_equal(f.line.n, 0);
}

static void check_longest(const char *piece)
{
    size_t n = strlen(piece);
    char *text = xmalloc(FOLD_TEXT_MAX);
    size_t used = 0;
    for (; used + n <= FOLD_TEXT_MAX; used += n)
        memcpy(text + used, piece, n);
    const char *wrong = check_folding(scratch, span_of(text, used));
    if (wrong)
        fail_msg("longest text of %s: %s", piece, wrong);
    free(text);
}

/* The worst expansions, marks, letters and gaps at full length stay inside of the scratch (address sanitizer). */
static void the_longest_texts_fit(void **state)
{
    (void)state;
    static const char *const pieces[] = {"㌖",
                                         "㍿",
                                         "㏂",
                                         "ŉ",
                                         "ﬃ",
                                         "ﷺ",
                                         "ﷻ",
                                         "⒛",
                                         "🔟",
                                         "🆒",
                                         "𝆺𝅥𝅮",
                                         "a",
                                         "微",
                                         "ﾞ",
                                         "か\xe3\x82\x99",
                                         "\xcc\x81",
                                         "\xe2\x80\x8b",
                                         "weixin ",
                                         "w ",
                                         "1o",
                                         "1 ",
                                         "…",
                                         "😀",
                                         "\xf0\xaf\xa1\xbf",
                                         "ㅎㅏㄴ",
                                         "㈝"};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        check_longest(pieces[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_folded),           cmocka_unit_test(numbers_are_folded),
        cmocka_unit_test(ideographs_are_folded),        cmocka_unit_test(invisible_characters_are_dropped),
        cmocka_unit_test(separators_are_counted),       cmocka_unit_test(the_line_keeps_separators),
        cmocka_unit_test(marks_compose_or_go),          cmocka_unit_test(numerals_become_digits),
        cmocka_unit_test(readings_are_found),           cmocka_unit_test(places_point_at_what_was_typed),
        cmocka_unit_test(only_what_is_wanted_is_given), cmocka_unit_test(the_longest_texts_fit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

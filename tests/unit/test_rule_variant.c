/* Spellings that stand in for characters: listed ones, doubled characters, digits for letters, Bopomofo. */
#include "test_rule_help.h"

#define EXAMPLES "    examples: { hit: [ x ], miss: [ y ] }\n"

static const char lists_split[] =
    "# parts\n加 力口\n微 彳微 徽\n信 亻言\n好 女子\n评 讠平\n返 辶反\n红 纟工\n包 勹巳\n必 心丿\n";
static const char lists_lookalike[] = "微 徵\n信 伩\n返 反\n日 曰\n白 曰\n物 勿\n手 扌\n";

static const char lists_emoji[] = "# signs\n加 ➕\n卫星 🛰\n信 ❤\n妈 🐴\n五星 ⭐⭐⭐⭐⭐\n星 ⭐\n";

static struct ruleset *load(struct packs *p, const char *yaml, struct err_list *errs)
{
    packs_init(p);
    packs_write(p, "a.yaml", yaml);
    packs_write(p, "lists/split.txt", lists_split);
    packs_write(p, "lists/lookalike.txt", lists_lookalike);
    packs_write(p, "lists/emoji.txt", lists_emoji);
    struct ruleset *s = packs_load(p, NULL, errs);
    for (size_t i = 0; i < errs->n; i++)
        print_message("%s\n", errs->line[i]);
    packs_fini(p);
    return s;
}

static struct ruleset *variants_of(const char *yaml)
{
    struct packs p;
    struct err_list errs = {0};
    struct ruleset *s = load(&p, yaml, &errs);
    assert_non_null(s);
    return s;
}

static void expect(const struct ruleset *s, const char *text, enum action want)
{
    struct verdict v = judge(s, DIR_OUTGOING, text);
    if (v.action != want)
        fail_msg("%s: %s, expected %s", text, action_name(v.action), action_name(want));
}

static void listed_spellings_stand_for_their_character(void **state)
{
    (void)state;
    struct ruleset *s =
        variants_of("pack: p\ndefaults: { variants: true }\nrules:\n"
                    "  - id: p.a\n    title: t\n    action: block\n    words: [ 微信, 好评, 返红包, "
                    "白天, 日历 ]\n    unless: [ 好评中心 ]\n" EXAMPLES
                    "  - id: p.off\n    title: t\n    action: hold\n    variants: false\n    words: [ 加好 "
                    "]\n" EXAMPLES);
    static const char *const hits[] = {"徵信",         "徵伩",   "微亻言", "彳微亻言", "微 亻 言", "徽信",
                                       "微人言",       "女子评", "好讠平", "好言平",   "返纟工包", "反红勹巳",
                                       "辶 反·纟工包", "曰历",   "曰天",   "微，徵信"};
    static const char *const misses[] = {"女子",       "力口",     "微亻，言", "微亻。。。言",
                                         "女子评中心", "微伩件者", "勿信",     "力口好"};
    for (size_t i = 0; i + 1 < ARRAY_LEN(hits); i++)
        expect(s, hits[i], ACTION_BLOCK);
    expect(s, "微，徵信", ACTION_BLOCK);
    for (size_t i = 0; i < ARRAY_LEN(misses); i++)
        expect(s, misses[i], strcmp(misses[i], "微伩件者") == 0 ? ACTION_BLOCK : ACTION_PASS);
    ruleset_unref(&s);
}

/* What was typed still counts beside its variant: allow phrases, context, words of other groups. */
static void both_texts_count(void **state)
{
    (void)state;
    struct ruleset *s =
        variants_of("pack: p\ndefaults: { variants: true }\nnot_near: { words: [ 请勿 ], side: before }\nrules:\n"
                    "  - id: p.a\n    title: t\n    action: block\n    near: { within: 6, groups: [ [ 加, 女子 ], [ "
                    "微信, 好 ] ] }\n" EXAMPLES);
    expect(s, "力口我徵信", ACTION_BLOCK);
    expect(s, "请勿力口徵信", ACTION_PASS);
    expect(s, "女子徵信", ACTION_BLOCK);
    expect(s, "女子", ACTION_PASS); /* one and the same place is not two pieces */
    ruleset_unref(&s);
}

static void regexes_see_the_variant_text(void **state)
{
    (void)state;
    struct ruleset *s =
        variants_of("pack: p\ndefaults: { variants: true }\nrules:\n"
                    "  - id: p.a\n    title: t\n    action: block\n    regex: [ '加\\s+微信[0-9]{3}' ]\n" EXAMPLES
                    "  - id: p.b\n    title: t\n    action: rewrite\n    regex: [ { pattern: "
                    "'返(?<edit>红包)给', on: plain } ]\n    rewrite: 礼\n" EXAMPLES);
    expect(s, "加  微信123", ACTION_BLOCK);
    expect(s, "力口  徵亻言123", ACTION_BLOCK);
    expect(s, "力口徵亻言123", ACTION_PASS);
    const char *text = "会 辶反-纟 工-勹巳 给您";
    struct verdict v = judge(s, DIR_OUTGOING, text);
    assert_int_equal(v.action, ACTION_REWRITE);
    char *out = edited(&v, text);
    assert_string_equal(out, "会 辶反-礼 给您");
    free(out);
    ruleset_unref(&s);
}

static void edits_take_what_was_typed(void **state)
{
    (void)state;
    struct ruleset *s =
        variants_of("pack: p\ndefaults: { variants: true, homophones: true }\nrules:\n"
                    "  - id: p.a\n    title: t\n    action: rewrite\n    words: [ 加微信 ]\n    rewrite: "
                    "平台联系\n" EXAMPLES);
    static const char *const cases[][2] = {
        {"请力口徵亻言聊", "请平台联系聊"},           {"请 力 口 徵 伩。", "请 平台联系。"},
        {"请加微微信信哦", "请平台联系哦"},           {"请力口薇亻言吧", "请平台联系吧"}, /* with a homophone */
        {"请ㄐㄧㄚ ㄨㄟ ㄒㄧㄣˋ喔", "请平台联系ˋ喔"}, {"请j1a w3ixin", "请平台联系"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct verdict v = judge(s, DIR_OUTGOING, cases[i][0]);
        char *out = edited(&v, cases[i][0]);
        assert_string_equal(out, cases[i][1]);
        free(out);
    }
    expect(s, "宝宝加微笑", ACTION_PASS);
    expect(s, "加1微2信", ACTION_REWRITE);
    expect(s, "加12微信", ACTION_PASS);
    ruleset_unref(&s);
    s = variants_of("pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n    variants: true\n    words: [ "
                    "仅此一次, 第一 ]\n    unless: [ 第一天 ]\n" EXAMPLES);
    expect(s, "仅此1次", ACTION_BLOCK);
    expect(s, "第o一", ACTION_BLOCK);
    expect(s, "第ox一", ACTION_PASS);
    expect(s, "第壹", ACTION_BLOCK);
    expect(s, "第①名", ACTION_BLOCK);
    expect(s, "仅6此一次", ACTION_BLOCK);
    expect(s, "仅此一6次", ACTION_PASS); /* it counts */
    expect(s, "第1天", ACTION_PASS);
    expect(s, "第12", ACTION_PASS);
    expect(s, "高高兴兴", ACTION_PASS);
    ruleset_unref(&s);
}

static void spelled_words_end_at_syllables(void **state)
{
    (void)state;
    struct ruleset *s = variants_of("pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n    homophones: "
                                    "letters\n    words: [ 微信, 脑残 ]\n" EXAMPLES);
    expect(s, "jiawoweixin", ACTION_BLOCK);
    expect(s, "zhengnaocan", ACTION_BLOCK);
    expect(s, "脑can", ACTION_BLOCK);
    expect(s, "薇信", ACTION_PASS);
    expect(s, "weixing", ACTION_PASS);
    expect(s, "weixinqx", ACTION_PASS); /* no pinyin as a whole */
    ruleset_unref(&s);
}

static void a_character_may_be_its_first_letter(void **state)
{
    (void)state;
    struct ruleset *s =
        variants_of("pack: p\ndefaults: { variants: true, homophones: true }\nrules:\n"
                    "  - id: p.a\n    title: t\n    action: block\n    words: [ 最低价, 脑残, 好评返现 "
                    "]\n" EXAMPLES "  - id: p.b\n    title: t\n    action: hold\n    variants: false\n    "
                    "words: [ 加微信 ]\n" EXAMPLES);
    expect(s, "z低价", ACTION_BLOCK);
    expect(s, "最 D 价", ACTION_BLOCK);
    expect(s, "最低j", ACTION_BLOCK);
    expect(s, "好评f现", ACTION_BLOCK);
    expect(s, "xz低价", ACTION_PASS); /* a letter of another word */
    expect(s, "史上最低价", ACTION_BLOCK);
    expect(s, "z低j", ACTION_PASS);
    expect(s, "n残", ACTION_PASS); /* too short */
    expect(s, "jia微信", ACTION_HOLD);
    expect(s, "j微信", ACTION_PASS);
    ruleset_unref(&s);
}

/* Parts that could belong to either neighbour are read both ways. */
static void overlaps_are_read_both_ways(void **state)
{
    (void)state;
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "a.yaml",
                "pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n    variants: true\n    "
                "words: [ 先进, 首选 ]\n" EXAMPLES
                "  - id: p.b\n    title: t\n    action: hold\n    variants: true\n    words: [ 嗯 ]\n    at: "
                "whole\n" EXAMPLES);
    packs_write(&p, "lists/split.txt", "进 辶井\n选 先辶\n");
    struct ruleset *s = packs_load(&p, NULL, &errs);
    assert_non_null(s);
    packs_fini(&p);
    expect(s, "先辶井", ACTION_BLOCK);
    expect(s, "首先辶", ACTION_BLOCK);
    expect(s, "嗯", ACTION_HOLD);
    expect(s, "嗯嗯", ACTION_PASS);
    ruleset_unref(&s);
}

static void lists_are_needed_and_read_with_care(void **state)
{
    (void)state;
    static const char yaml[] = "pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n    variants: true\n    "
                               "words: [ 微信 ]\n" EXAMPLES;
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "a.yaml", yaml);
    assert_null(packs_load(&p, NULL, &errs));
    assert_non_null(strstr(errs.line[0], "lists/split.txt"));
    packs_write(&p, "lists/split.txt", "微 彳微\n微信 v\n好 一二三四五六七八九\n");
    err_list_fini(&errs);
    errs = (struct err_list){0};
    assert_null(packs_load(&p, NULL, &errs));
    assert_int_equal(errs.n, 2);
    assert_non_null(strstr(errs.line[0], "split.txt:2:1: \"微信\": must be one character"));
    assert_non_null(strstr(errs.line[1], "split.txt:3:1"));
    err_list_fini(&errs);
    packs_fini(&p);
}

/* 能不能 asks, and vx-300 is a model; both also beside signs without a unit of their own. */
static void questions_deny_nothing_and_models_are_no_words(void **state)
{
    (void)state;
    struct ruleset *s =
        variants_of("pack: p\ndefaults: { variants: true }\nnot_near: { words: [ 不能, 不可以, 没有, 不要 ], within: "
                    "1, side: before }\nrules:\n  - id: p.a\n    title: t\n    action: block\n    words: [ "
                    "加微信, vx, 卫星v ]\n" EXAMPLES);
    static const char *const hits[] = {"能不能加微信", "可不可以加微信", "可以不可以加微信", "要不要加微信", "有没有vx",
                                       "vx",           "vx-13912340",    "vx-300a",          "vx 300"};
    static const char *const misses[] = {"不能加微信", "不可以加微信",  "可是不要加微信", "没有vx",
                                         "vx-300",     "我要vx-1200的", "🛰v-300"};
    for (size_t i = 0; i < ARRAY_LEN(hits); i++)
        expect(s, hits[i], ACTION_BLOCK);
    for (size_t i = 0; i < ARRAY_LEN(misses); i++)
        expect(s, misses[i], ACTION_PASS);
    ruleset_unref(&s);
}

/* -n for -ng in any word of a `near`, z for zh in longer ones; never an ordinary word, and never two at once. */
static void sounds_that_speakers_confuse(void **state)
{
    (void)state;
    static const char yaml[] =
        "pack: p\ndefaults: { variants: true, homophones: true }\nrules:\n"
        "  - id: p.a\n    title: t\n    action: block\n    near: { within: 3, groups: [ [ 加, 转 ], [ 微信, 支付宝, "
        "现金 ] ] }\n" EXAMPLES
        "  - id: p.b\n    title: t\n    action: hold\n    words: [ 万能, 无所不能, 收款码 ]\n" EXAMPLES;
    static const char *const blocked[] = {"加微幸", "加 微 幸 聊", "转资付宝", "转限金", "转x金", "加薇信", "加支f宝"};
    static const char *const held[] = {"无所不嫩", "收款码", "收宽麻，收款玛"};
    static const char *const passed[] = {"加微型", "加薇幸",  "加微吗", "希望能",
                                         "转乡镜", "加wei幸", "搜宽码", "加l信"};
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "lists/near_ok.txt", "# ordinary\n微型\n");
    packs_write(&p, "lists/split.txt", "加 力口\n");
    packs_write(&p, "a.yaml", yaml);
    struct ruleset *s = packs_load(&p, NULL, &errs);
    assert_non_null(s);
    for (size_t i = 0; i < ARRAY_LEN(blocked); i++)
        expect(s, blocked[i], ACTION_BLOCK);
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        expect(s, held[i], ACTION_HOLD);
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        expect(s, passed[i], ACTION_PASS);
    ruleset_unref(&s);
    packs_write(&p, "lists/near_ok.txt", "微\n");
    assert_null(packs_load(&p, NULL, &errs));
    assert_non_null(strstr(errs.line[0], "must have 2 to 4 characters"));
    err_list_fini(&errs);
    packs_fini(&p);
}

/* Signs have no unit of their own: alone, in a row, and beside characters they are read as their word. */
static void signs_stand_for_words(void **state)
{
    (void)state;
    struct ruleset *s = variants_of(
        "pack: p\ndefaults: { variants: true }\nrules:\n"
        "  - id: p.a\n    title: t\n    action: block\n    words: [ 微信, 草泥妈, 五星好评, 两星 ]\n" EXAMPLES
        "  - id: p.b\n    title: t\n    action: hold\n    near: { within: 2, ordered: true, same: clause, groups: [ [ "
        "加 ], [ 卫星 ] ] }\n" EXAMPLES
        "  - id: p.off\n    title: t\n    action: block\n    variants: false\n    words: [ 加油 ]\n" EXAMPLES);
    static const char *const blocked[] = {
        "微❤", "微 ❤️ 见", "草泥🐴", "⭐⭐⭐⭐⭐好评", "⭐️⭐️⭐️⭐️⭐️好评", "两⭐"};
    static const char *const held[] = {"➕🛰", "➕🛰️聊", "请加🛰", "➕我卫星"};
    static const char *const passed[] = {"🛰➕", "❤", "❤微", "⭐好评", "➕油", "加，谢谢您，🛰", "➕", "信❤"};
    for (size_t i = 0; i < ARRAY_LEN(blocked); i++)
        expect(s, blocked[i], ACTION_BLOCK);
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        expect(s, held[i], ACTION_HOLD);
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        expect(s, passed[i], ACTION_PASS);
    ruleset_unref(&s);
}

/* 银行 is yin hang, not yin xing; the reading of the character alone counts too. */
static void characters_read_otherwise_within_words(void **state)
{
    (void)state;
    struct ruleset *s =
        variants_of("pack: p\ndefaults: { homophones: true }\nrules:\n"
                    "  - id: p.a\n    title: t\n    action: block\n    near: { within: 3, groups: [ [ 转, 发 ], [ "
                    "银行卡, 地址 ] ] }\n" EXAMPLES "  - id: p.b\n    title: t\n    action: hold\n    homophones: { "
                    "same: 2 }\n    words: [ 同行, 曝光你 ]\n" EXAMPLES);
    static const char *const blocked[] = {"转yinhang卡", "转银hang ka", "转银航卡", "转银行卡", "发di址", "发地zhi"};
    static const char *const held[] = {"tonghang都假", "同hang", "同xing", "爆光你", "bao光你"};
    static const char *const passed[] = {"转引航员", "发抵制", "同航", "通行", "爆光尼"};
    for (size_t i = 0; i < ARRAY_LEN(blocked); i++)
        expect(s, blocked[i], ACTION_BLOCK);
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        expect(s, held[i], ACTION_HOLD);
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        expect(s, passed[i], ACTION_PASS);
    ruleset_unref(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_spellings_stand_for_their_character),
        cmocka_unit_test(both_texts_count),
        cmocka_unit_test(regexes_see_the_variant_text),
        cmocka_unit_test(edits_take_what_was_typed),
        cmocka_unit_test(spelled_words_end_at_syllables),
        cmocka_unit_test(a_character_may_be_its_first_letter),
        cmocka_unit_test(questions_deny_nothing_and_models_are_no_words),
        cmocka_unit_test(sounds_that_speakers_confuse),
        cmocka_unit_test(characters_read_otherwise_within_words),
        cmocka_unit_test(overlaps_are_read_both_ways),
        cmocka_unit_test(signs_stand_for_words),
        cmocka_unit_test(lists_are_needed_and_read_with_care),
    };
    return cmocka_run_group_tests(tests, NULL, judge_fini);
}

/* What rules hit and what follows from it. */
#include "test_rule_help.h"

#include "base/utf8.h"

#define EXAMPLES "    examples: { hit: [ x ], miss: [ y ] }\n"

static enum action action_of(const struct ruleset *s, const char *text)
{
    struct verdict v = judge(s, DIR_OUTGOING, text);
    return v.action;
}

static void expect(const struct ruleset *s, const char *text, enum action want)
{
    enum action got = action_of(s, text);
    if (got != want)
        fail_msg("\"%s\": %s, must be %s", text, action_name(got), action_name(want));
}

static void expect_edit(const struct ruleset *s, const char *text, const char *want)
{
    struct verdict v = judge(s, DIR_OUTGOING, text);
    char *got = edited(&v, text);
    if (v.action != ACTION_REWRITE || strcmp(got, want) != 0)
        fail_msg("\"%s\": %s \"%s\", must be \"%s\"", text, action_name(v.action), got, want);
    free(got);
}

static void words_gaps_and_borders(void **state)
{
    (void)state;
    struct ruleset *s = set_of(
        "pack: p\nrules:\n"
        "  - id: p.a\n    title: t\n    action: block\n    words: [ 线下, 加(我|你|)微信, wx ]\n    unless: [ 光线下 "
        "]\n" EXAMPLES "  - id: p.b\n    title: t\n    action: warn\n    words: [ 绿泡 ]\n    gap: 0\n" EXAMPLES
        "  - id: p.c\n    title: t\n    action: hold\n    words: [ 私聊 ]\n    punctuation: true\n    border: "
        "false\n" EXAMPLES "  - id: p.d\n    title: t\n    action: warn\n    words: [ 加💚 ]\n" EXAMPLES);
    expect(s, "线下付款", ACTION_BLOCK);
    expect(s, "線下付款", ACTION_BLOCK);
    expect(s, "线 * 下付款", ACTION_PASS); /* three separators */
    expect(s, "线* 下付款", ACTION_BLOCK);
    expect(s, "您在线，下单即可", ACTION_PASS);
    expect(s, "光线下拍的", ACTION_PASS);
    expect(s, "光线下拍的，线下付", ACTION_BLOCK);
    expect(s, "加你微信", ACTION_BLOCK);
    expect(s, "加微*信", ACTION_BLOCK);
    expect(s, "wx123", ACTION_BLOCK);
    expect(s, "wxyz", ACTION_PASS);
    expect(s, "绿泡", ACTION_WARN);
    expect(s, "绿 泡", ACTION_PASS);
    expect(s, "私，聊", ACTION_HOLD);
    expect(s, "加💚", ACTION_WARN);
    expect(s, "加油", ACTION_PASS);
    expect(s, "", ACTION_PASS);
    ruleset_unref(&s);
}

static void near_orders_distances_and_contexts(void **state)
{
    (void)state;
    struct ruleset *s =
        set_of("pack: p\nnot_near: { words: [ 不要, 请勿 ], side: before, within: 4 }\nrules:\n"
               "  - id: p.a\n    title: t\n    action: block\n    near: { within: 4, groups: [ [ 加, 加我 ], [ 微信, v "
               "] ] }\n" EXAMPLES "  - id: p.b\n    title: t\n    action: warn\n    near: { within: 3, ordered: true, "
               "same: clause, groups: [ [ 您, 您这 ], [ 智商, 这智 ], [ 低 ] ] }\n" EXAMPLES
               "  - id: p.c\n    title: t\n    action: hold\n    near: { within: 6, groups: [ [ 打给 ], [ $phone ] ] "
               "}\n    skip: [ question, quoted ]\n" EXAMPLES);
    expect(s, "加我的微信", ACTION_BLOCK);
    expect(s, "微信加我", ACTION_BLOCK);
    expect(s, "加一二三四五微信", ACTION_PASS);
    expect(s, "加", ACTION_PASS);
    expect(s, "请勿加微信", ACTION_PASS);
    expect(s, "不要一二三四五加微信", ACTION_BLOCK);
    expect(s, "不要，加微信", ACTION_BLOCK); /* another clause */
    expect(s, "您这智商低", ACTION_WARN);    /* a longer piece hides no shorter one */
    expect(s, "低智商您", ACTION_PASS);
    expect(s, "您智商，低", ACTION_PASS);
    expect(s, "打给 138-0013-8000", ACTION_HOLD);
    expect(s, "打给一三八零零一三八零零零", ACTION_HOLD);
    expect(s, "打给13800138000吗", ACTION_PASS);
    expect(s, "他说“打给13800138000”", ACTION_PASS);
    ruleset_unref(&s);
}

static void homophones_are_bounded(void **state)
{
    (void)state;
    struct ruleset *s =
        set_of("pack: p\nrules:\n"
               "  - id: p.a\n    title: t\n    action: block\n    words: [ 微信, 最受欢迎 ]\n    homophones: { "
               "not: [ 威信 ] }\n" EXAMPLES);
    expect(s, "嘴瘦缓瑩", ACTION_BLOCK); /* as long as that it is no chance */
    expect(s, "薇信", ACTION_BLOCK);
    expect(s, "微芯", ACTION_BLOCK);
    expect(s, "薇芯", ACTION_PASS); /* none as written */
    expect(s, "wei信", ACTION_BLOCK);
    expect(s, "weixin", ACTION_BLOCK);
    expect(s, "威信很高", ACTION_PASS);
    expect(s, "因为信任", ACTION_PASS);
    expect(s, "微 信", ACTION_BLOCK);
    ruleset_unref(&s);
}

static void places_and_lengths(void **state)
{
    (void)state;
    struct ruleset *s = set_of(
        "pack: p\nrules:\n"
        "  - id: p.a\n    title: t\n    action: block\n    words: [ 不行 ]\n    at: whole\n    filler: [ 亲, 哦, 呢 "
        "]\n" EXAMPLES "  - id: p.b\n    title: t\n    action: warn\n    words: [ 最好 ]\n    at: clause_end\n" EXAMPLES
        "  - id: p.c\n    title: t\n    action: hold\n    words: [ 没有 ]\n    length: { max: 4 }\n" EXAMPLES);
    expect(s, "亲，不行哦～", ACTION_BLOCK);
    expect(s, "这个不行", ACTION_PASS);
    expect(s, "这款最好，您看", ACTION_WARN);
    expect(s, "最好提前说", ACTION_PASS);
    expect(s, "没有了", ACTION_HOLD);
    expect(s, "没有问题的您放心", ACTION_PASS);
    ruleset_unref(&s);
}

static void edits_are_the_longest_and_are_inspected_again(void **state)
{
    (void)state;
    struct ruleset *s = set_of(
        "pack: p\nrules:\n"
        "  - id: p.a\n    title: t\n    action: rewrite\n    rewrite: { 最好: 很好, 全网最好: 优质, 第一: 前列 }\n    "
        "unless: [ 最好是, 第一时间 ]\n" EXAMPLES
        "  - id: p.b\n    title: t\n    action: rewrite\n    words: [ 最 ]\n    rewrite: \"\"\n    not_near: { words: "
        "[ 好 ], within: 0, side: after }\n" EXAMPLES
        "  - id: p.c\n    title: t\n    action: block\n    words: [ 加微信 ]\n" EXAMPLES
        "  - id: p.d\n    title: t\n    action: rewrite\n    detect: [ phone ]\n    rewrite: { mask: \"*\", keep: [ 3, "
        "4 ] }\n" EXAMPLES
        "  - id: p.e\n    title: t\n    action: rewrite\n    regex: [ '便(?<edit>宜)死' ]\n    rewrite: 利\n" EXAMPLES
        "  - id: p.f\n    title: t\n    action: rewrite\n    near: { within: 3, groups: [ [ 甲 ], [ 乙 ] ] }\n    "
        "rewrite: { text: 丙, of: 2 }\n" EXAMPLES
        "  - id: p.g\n    title: t\n    action: rewrite\n    words: [ 循环 ]\n    rewrite: 循环循环\n" EXAMPLES);
    expect_edit(s, "这款最好的", "这款很好的");
    expect_edit(s, "全网最 好！最好", "优质！很好");
    expect(s, "最好是这样", ACTION_PASS);
    expect_edit(s, "销量第一，时间", "销量前列，时间");
    expect(s, "第一时间", ACTION_PASS);
    expect_edit(s, "电话138 0013 8000哦", "电话138****8000哦");
    expect_edit(s, "便宜死了", "便利死了");
    expect_edit(s, "乙和甲", "丙和甲");
    struct verdict v = judge(s, DIR_OUTGOING, "加最微信"); /* repaired it would be 加微信 */
    assert_int_equal(v.action, ACTION_BLOCK);
    assert_true(v.has_cause && v.cause == CAUSE_REWRITE_FAILED);
    assert_int_equal(v.n_edits, 0);
    expect(s, "循环", ACTION_BLOCK); /* an edit would apply again */
    ruleset_unref(&s);
}

static void windows_join_messages(void **state)
{
    (void)state;
    struct ruleset *s =
        set_of("pack: p\nrules:\n"
               "  - id: p.a\n    title: t\n    action: block\n    words: [ 加我微信 ]\n    window: { messages: 2, "
               "seconds: 60 }\n" EXAMPLES "  - id: p.b\n    title: t\n    action: rewrite\n    rewrite: { 最便宜: 实惠 "
               "}\n    window: { messages: 1, seconds: 5 }\n" EXAMPLES
               "  - id: p.c\n    title: t\n    action: block\n    words: [ 转账 ]\n" EXAMPLES);
    struct rule_scratch *scratch = rule_scratch_new();
    struct rule_input in = {.text = {span_str("微信")}, .n_texts = 1, .now_ms = test_now};
    struct verdict v;
    in.before[0] = span_str("加"), in.before[1] = span_str("我"), in.n_before = 2;
    in.before_ms[0] = test_now - 20000, in.before_ms[1] = test_now - 10000;
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_BLOCK);
    assert_true(v.hit[0].in_window);
    assert_int_equal(v.hit[0].from, 0);
    assert_int_equal(v.hit[0].to, 6);
    in.before_ms[0] = test_now - 61000; /* too old */
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_PASS);
    in.before[0] = span_str("加我微信"), in.before_ms[0] = test_now - 1000; /* judged when it was sent */
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_PASS);
    in.before[1] = span_str("这款最"), in.before_ms[1] = test_now - 1000, in.text[0] = span_str("便宜");
    ruleset_judge(s, scratch, &in, &v); /* the edit would begin in an earlier message */
    assert_int_equal(v.action, ACTION_BLOCK);
    in.before[1] = span_str("转"), in.text[0] = span_str("账"); /* a rule without a window */
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_PASS);
    rule_scratch_free(&scratch);
    ruleset_unref(&s);
}

static void scope_facts_shadow(void **state)
{
    (void)state;
    struct ruleset *s =
        set_of("pack: p\nrules:\n"
               "  - id: p.a\n    title: t\n    action: block\n    words: [ 甲 ]\n    scope: { shops: [ 'jd-*', "
               "'!jd-test' ] }\n" EXAMPLES "  - id: p.b\n    title: t\n    action: block\n    words: [ 乙 ]\n    when: "
               "{ facts: [ food ], absent: [ proof=yes ] }\n" EXAMPLES
               "  - id: p.c\n    title: t\n    action: block\n    words: [ 丙 ]\n    mode: shadow\n" EXAMPLES);
    struct rule_scratch *scratch = rule_scratch_new();
    struct rule_input in = {.text = {span_str("甲")}, .n_texts = 1, .now_ms = test_now};
    struct verdict v;
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_PASS);
    in.who.shop = span_str("jd-1");
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_BLOCK);
    in.who.shop = span_str("jd-test");
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_PASS);
    const char *facts[] = {"food", "proof=yes"};
    in.text[0] = span_str("乙"), in.who.facts = facts, in.who.n_facts = 1;
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_BLOCK);
    in.who.n_facts = 2;
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_PASS);
    in.text[0] = span_str("丙");
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_PASS);
    assert_int_equal(v.n_hits, 1);
    assert_true(rule_is_shadow(v.hit[0].rule) && v.hit[0].action == ACTION_BLOCK);
    rule_scratch_free(&scratch);
    ruleset_unref(&s);
}

static void cases_and_commitments(void **state)
{
    (void)state;
    struct ruleset *in = set_of(
        "pack: c\ndirection: incoming\nrules:\n"
        "  - id: c.a\n    title: t\n    words: [ 没收到 ]\n    opens_case: { kind: not_delivered, severity: 2 }\n    "
        "severity_up: [ 居然 ]\n" EXAMPLES
        "  - id: c.b\n    title: t\n    words: [ 投诉 ]\n    opens_case: { kind: regulator, severity: 4 }\n" EXAMPLES
        "  - id: c.c\n    title: t\n    words: [ 解决了 ]\n    confirms_case: true\n" EXAMPLES
        "  - id: c.d\n    title: t\n    words: [ 差评 ]\n    opens_case: { kind: review_bad, severity: 2 }\n" EXAMPLES
        "  - id: c.e\n    title: t\n    words: [ 冒烟 ]\n    opens_case: { kind: damaged, severity: 4 }\n" EXAMPLES
        "  - id: c.f\n    title: t\n    words: [ 不满 ]\n    opens_case: { kind: other, severity: 3 }\n" EXAMPLES
        "  - id: c.g\n    title: t\n    words: [ 退款 ]\n    opens_case: { kind: refund, severity: 0 }\n" EXAMPLES);
    struct verdict v = judge(in, DIR_INCOMING, "还没收到");
    assert_int_equal(v.action, ACTION_PASS);
    assert_string_equal(v.case_kind, "not_delivered");
    assert_int_equal(v.severity, 2);
    v = judge(in, DIR_INCOMING, "居然还没收到");
    assert_int_equal(v.severity, 3);
    v = judge(in, DIR_INCOMING, "没收到，我要投诉");
    assert_string_equal(v.case_kind, "regulator");
    v = judge(in, DIR_INCOMING, "没收到，差评"); /* of equally severe ones the review, wherever it stands */
    assert_string_equal(v.case_kind, "review_bad");
    v = judge(in, DIR_INCOMING, "差评，没收到");
    assert_string_equal(v.case_kind, "review_bad");
    v = judge(in, DIR_INCOMING, "差评，居然没收到"); /* graver, but not another kind */
    assert_string_equal(v.case_kind, "review_bad");
    assert_int_equal(v.severity, 3);
    v = judge(in, DIR_INCOMING, "冒烟了，我要投诉"); /* an authority before the fault */
    assert_string_equal(v.case_kind, "regulator");
    v = judge(in, DIR_INCOMING, "不满，没收到"); /* what is wrong before a vague kind, and as severe */
    assert_string_equal(v.case_kind, "not_delivered");
    assert_int_equal(v.severity, 3);
    v = judge(in, DIR_INCOMING, "没收到，不满");
    assert_string_equal(v.case_kind, "not_delivered");
    assert_int_equal(v.severity, 3);
    v = judge(in, DIR_INCOMING, "退款，不满"); /* a rule of severity 0 names a vague case only */
    assert_string_equal(v.case_kind, "refund");
    assert_int_equal(v.severity, 3);
    assert_int_equal(v.n_hits, 2);
    v = judge(in, DIR_INCOMING, "没收到，退款");
    assert_string_equal(v.case_kind, "not_delivered");
    assert_int_equal(v.severity, 2);
    v = judge(in, DIR_INCOMING, "退款"); /* and opens none */
    assert_null(v.opens_case);
    assert_null(v.case_kind);
    assert_int_equal(v.n_hits, 0);
    v = judge(in, DIR_INCOMING, "解决了");
    assert_non_null(v.confirms);
    v = judge(in, DIR_OUTGOING, "投诉");
    assert_null(v.opens_case);
    ruleset_unref(&in);
    struct ruleset *out =
        set_of("pack: t\nrules:\n"
               "  - id: t.a\n    title: t\n    near: { within: 6, groups: [ [ $time, $soon ], [ 回复 ] ] }\n    "
               "commits: true\n" EXAMPLES "  - id: t.b\n    title: t\n    words: [ 好的, 稍等 ]\n    at: whole\n    "
               "filler: [ 亲 ]\n    acknowledges: true\n" EXAMPLES);
    v = judge(out, DIR_OUTGOING, "我两小时内回复您");
    assert_int_equal(v.action, ACTION_PASS);
    assert_int_equal(v.n_commits, 1);
    assert_true(v.commit[0].due_ms == test_now + 2 * 3600 * 1000);
    assert_false(v.is_ack_only);
    v = judge(out, DIR_OUTGOING, "我马上回复您，最迟两小时内回复您，回头回复您"); /* a definite time goes first */
    assert_int_equal(v.n_commits, 2);
    assert_true(v.commit[0].is_exact && v.commit[0].due_ms == test_now + 2 * 3600 * 1000);
    assert_false(v.commit[1].is_exact);
    v = judge(out, DIR_OUTGOING, "马上回复您，稍等回复您");
    assert_true(v.n_commits == 2 && v.commit[0].due_ms == test_now + 5 * 60 * 1000);
    v = judge(out, DIR_OUTGOING, "好的亲～");
    assert_true(v.is_ack_only);
    assert_int_equal(v.n_commits, 0);
    ruleset_unref(&out);
}

static void detectors_tell_numbers_apart(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *hit, *miss;
    } table[] = {
        {"phone", "13912345678", "订单号13912345678"},
        {"phone", "１３９ １２３４ ５６７８", "139123456789"},
        {"phone", "+86 139-1234-5678", "13912345678元"},
        {"phone", "一三九一二三四五六七八", "SF13912345678"},
        {"phone", "幺三九，一二三四，五六七八", "139，1234，5678"},
        {"landline", "010-62345678", "2024-12345678"},
        {"service_number", "400-820-8820", "500-820-8820"},
        {"bank_card", "6222021234567890128", "6222021234567890123"},
        {"id_card", "11010519491231002X", "110105194912310021"},
        {"id_card", "110105194912310 02x", "110105194913310020"},
        {"email", "abc.def@163.com", "@小明"},
        {"url", "https://a.example/x?y=1", "版本1.5"},
        {"url", "shop99.com", "价格5.5元"},
        {"url", "shop99点com", "下午5点"},
        {"url", "shop99 . c o m", "shop . c o n"},
        {"url", "shop99[dot]com", "shop99[com]"},
        {"url", "报告在files.pro/report.pdf", "report.pro.pdf"},
        {"share_code", "￥AbCdEfGh12￥", "￥100￥"},
        {"share_code", "复制 (KG3FA7EC)", "耳机 (KG3FA7EC)"},
        {"phone", "139 1234 5678 vx同号", "i5-13912345 678G"},
        {"qq", "10001234qq", "91350211M000100Y43"},
        {"number", "91350100M000100Y44", "税号91350100M000100Y43"},
        {"phone", "税号91350100M000100Y43一三九一二三四五六七八", "税号91350100M000100Y43一二三四"},
        {"qq", "税号91350100M000100Y43，QQ：10001234", "91350100M000100Y4391350100M000100Y43"},
        {"id_card", "身份證 A123456789", "A123456788"},
        {"id_card", "我的是A123456（3）", "A123456(4)"},
        {"id_card", "身份证A1234563", "型号A1234563"},
        {"wechat_id", "abc_1234", "abcdefgh"},
        {"wechat_id", "line @abcdefgh", "mail abc@abcdefgh"},
        {"number", "6228 4800 1234 5678 914", "1234 5678 910"},
        {"money", "返5元", "5楼"},
        {"qq", "10001234", "20240101"},
        {"time", "明天上午", "上次"},
        {"soon", "马上", "马桶"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char yaml[300];
        snprintf(yaml, sizeof(yaml),
                 "pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n    detect: [ %s ]\n" EXAMPLES,
                 table[i].kind);
        struct ruleset *s = set_of(yaml);
        expect(s, table[i].hit, ACTION_BLOCK);
        expect(s, table[i].miss, ACTION_PASS);
        ruleset_unref(&s);
    }
    struct ruleset *s = set_of("pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n"
                               "    detect: [ { url: { allow: [ taobao.com, '!s.click.taobao.com' ] } } ]\n" EXAMPLES);
    expect(s, "https://item.taobao.com/1", ACTION_PASS);
    expect(s, "https://s.click.taobao.com/1", ACTION_BLOCK);
    expect(s, "https://xtaobao.com/1", ACTION_BLOCK);
    expect(s, "taobao.com.evil.top", ACTION_BLOCK);
    expect(s, "taobao.com.evil", ACTION_BLOCK);
    ruleset_unref(&s);
}

static void signs_of_patterns_are_folded_like_the_text(void **state)
{
    (void)state;
    struct ruleset *s = set_of(
        "pack: p\nrules:\n"
        "  - id: p.a\n    title: t\n    action: block\n    regex: [ '甲[^，！？]{0,5}乙' ]\n" EXAMPLES
        "  - id: p.b\n    title: t\n    action: block\n    regex: [ '丙[:：]丁', '丙！！戊', '丙\\？己' ]\n" EXAMPLES
        "  - id: p.c\n    title: t\n    action: block\n    regex: [ '庚（辛）' ]\n" EXAMPLES
        "  - id: p.d\n    title: t\n    action: block\n    regex: [ { pattern: '壬，癸', on: raw } ]\n" EXAMPLES);
    static const char *const hit[] = {"甲好乙", "丙：丁", "丙:丁", "丙!！戊", "丙？己", "庚(辛)", "庚（辛）", "壬，癸"};
    static const char *const miss[] = {"甲，乙", "甲,乙", "甲！乙", "甲?乙", "丙！戊", "丙己", "庚辛", "壬,癸"};
    for (size_t i = 0; i < ARRAY_LEN(hit); i++)
        expect(s, hit[i], ACTION_BLOCK);
    for (size_t i = 0; i < ARRAY_LEN(miss); i++)
        expect(s, miss[i], ACTION_PASS);
    ruleset_unref(&s);
}

static void limits_are_causes(void **state)
{
    (void)state;
    struct ruleset *s = set_of("pack: p\nrules:\n"
                               "  - id: p.a\n    title: t\n    action: warn\n    words: [ 甲 ]\n" EXAMPLES
                               "  - id: p.b\n    title: t\n    action: warn\n    regex: [ '乙(a+)+$' ]\n" EXAMPLES);
    struct buf b = {0};
    for (int i = 0; i < 3000; i++)
        buf_append_str(&b, "甲");
    struct verdict v = judge(s, DIR_OUTGOING, buf_cstr(&b));
    assert_true(v.has_cause && v.cause == CAUSE_TOO_COMPLEX);
    assert_int_equal(v.action, ACTION_WARN);
    buf_reset(&b);
    buf_append_str(&b, "乙");
    for (int i = 0; i < 60; i++)
        buf_append_str(&b, "a");
    buf_append_str(&b, "!");
    v = judge(s, DIR_OUTGOING, buf_cstr(&b));
    assert_true(v.has_cause && v.cause == CAUSE_REGEX_LIMIT);
    assert_int_equal(v.action, ACTION_PASS);
    buf_reset(&b);
    while (b.len < 70000)
        buf_append_str(&b, "长");
    v = judge(s, DIR_OUTGOING, buf_cstr(&b));
    assert_true(v.has_cause && v.cause == CAUSE_TOO_COMPLEX);
    buf_fini(&b);
    ruleset_unref(&s);
}

static uint64_t seed = 0x2545f4914f6cdd1du;

static uint32_t draw(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % n;
}

/* Random texts of interesting pieces: edits are sorted, disjoint, on character borders; what is not edited stays; the
 * result is clean. */
static void edits_change_nothing_else(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "最",   "好", "最好",   "便宜", "最便宜", "第一", "时间",        "的",   "，", " ",  "*",  "Ｚ",   "佳",
        "最佳", "😀",  "\u200b", "138",  "0013",   "8000", "13800138000", "全网", "臺", "\n", "是", "家级", "国"};
    struct ruleset *s =
        set_of("pack: p\nrules:\n"
               "  - id: p.a\n    title: t\n    action: rewrite\n    rewrite: { 最好: 很好, 最佳: 优质, 最便宜: 实惠, "
               "全网最便宜: 优惠, 国家级: 优质 }\n    unless: [ 最好是 ]\n" EXAMPLES
               "  - id: p.b\n    title: t\n    action: rewrite\n    words: [ 全网第一, 第一的 ]\n    rewrite: 靠前\n   "
               " unless: [ 第一时间 ]\n" EXAMPLES "  - id: p.d\n    title: t\n    action: rewrite\n    detect: [ phone "
               "]\n    rewrite: { mask: \"*\", keep: [ 3, 4 ] }\n" EXAMPLES);
    unsigned rewrites = 0;
    for (int round = 0; round < 4000; round++) {
        char text[400] = "";
        size_t n = 0;
        for (uint32_t k = 1 + draw(14); k; k--)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", pieces[draw(ARRAY_LEN(pieces))]);
        struct verdict v = judge(s, DIR_OUTGOING, text);
        for (size_t i = 0; i < v.n_edits; i++) {
            const struct edit *e = &v.edit[i];
            assert_true(e->from < e->to && e->to <= n);
            assert_true(i == 0 || v.edit[i - 1].to <= e->from);
            assert_true((text[e->from] & 0xc0) != 0x80 && (text[e->to] & 0xc0) != 0x80);
            assert_true(utf8_is_valid(e->with));
        }
        assert_true(v.n_edits > 0 ? v.action == ACTION_REWRITE : v.action != ACTION_REWRITE);
        if (v.action != ACTION_REWRITE)
            continue;
        rewrites++;
        char *after = edited(&v, text);
        enum action again = action_of(s, after);
        if (again != ACTION_PASS)
            fail_msg("\"%s\" became \"%s\", which is %s", text, after, action_name(again));
        free(after);
    }
    assert_true(rewrites > 500);
    ruleset_unref(&s);
}

/* One character a line, marks between pieces of a number, and what was sent apart. */
static void short_pieces_are_read_together(void **state)
{
    (void)state;
    struct ruleset *s =
        set_of("pack: p\nrules:\n"
               "  - id: p.a\n    title: t\n    action: block\n    near: { within: 2, same: clause, groups: "
               "[ [ 加 ], [ 微 ] ] }\n" EXAMPLES "  - id: p.b\n    title: t\n    action: hold\n    detect: [ phone ]\n"
               "    window: { messages: 3, seconds: 60 }\n" EXAMPLES);
    static const struct {
        const char *text;
        enum action want;
    } row[] = {
        {"加。我。微。信", ACTION_BLOCK},
        {"加\n微\n信", ACTION_BLOCK},
        {"请您加，微信", ACTION_PASS},
        {"打我：136，0012，3456", ACTION_HOLD},
        {"打我：136，0012，345", ACTION_PASS},
        {"有150，1600，1800的", ACTION_PASS},
        {"1。3。8。0。0。1。3。8。0。0。0", ACTION_HOLD},
        {"码数有1、2、3、4、5", ACTION_PASS},
    };
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct verdict v = judge(s, DIR_OUTGOING, row[i].text);
        if (v.action != row[i].want)
            fail_msg("%s: %s", row[i].text, action_name(v.action));
    }
    struct rule_input in = {.dir = DIR_OUTGOING,
                            .text = {span_str("00138000")},
                            .n_texts = 1,
                            .before = {span_str("138")},
                            .before_ms = {1000},
                            .n_before = 1,
                            .now_ms = 2000};
    struct rule_scratch *scratch = rule_scratch_new();
    struct verdict v;
    ruleset_judge(s, scratch, &in, &v);
    assert_int_equal(v.action, ACTION_HOLD);
    assert_int_equal(v.hit[0].from, 0);
    assert_int_equal(v.hit[0].to, 8);
    rule_scratch_free(&scratch);
    ruleset_unref(&s);
}

static void a_refused_question_is_no_hit(void **state)
{
    (void)state;
    struct ruleset *s =
        set_of("pack: p\ndefaults: { refused: { whole: [ 不会, 不行, 不 ], begin: [ 不支持, we only ], "
               "filler: [ 亲, 抱歉, 我们, 的, 哦 ], turn: [ 加我, 懂的 ], ask: [ 您问 ] } }\nrules:\n"
               "  - id: p.a\n    title: t\n    action: block\n    words: [ 加微信, 什么微信, paypal ]\n"
               "    near: [ { within: 6, groups: [ [ 打 ], [ $phone ] ] } ]\n    window: { messages: 3, "
               "seconds: 60 }\n" EXAMPLES);
    expect(s, "加微信吗？不会", ACTION_PASS);
    expect(s, "能加微信吗？抱歉亲，我们不行的哦", ACTION_PASS);
    expect(s, "能不能加微信，不支持的，请在平台沟通", ACTION_PASS);
    expect(s, "您问加微信，不行的", ACTION_PASS);
    expect(s, "您说的“加微信”，我们不支持", ACTION_PASS);
    expect(s, "\"加微信\" 不行", ACTION_PASS);
    expect(s, "能加微信吗？能打款吗？都问了吗？不行", ACTION_PASS);
    expect(s, "有微信吗有加微信吗不支持", ACTION_PASS);
    expect(s, "PayPal? Sorry, we only take cards", ACTION_BLOCK); /* sorry is no filler here */
    expect(s, "PayPal? we only take cards", ACTION_PASS);
    expect(s, "加微信嘛！不行", ACTION_PASS);
    expect(s, "加微信吗", ACTION_BLOCK);
    expect(s, "加微信吗？", ACTION_BLOCK);
    expect(s, "加微信吗？加", ACTION_BLOCK);
    expect(s, "加微信，不行的", ACTION_BLOCK); /* asks nothing */
    expect(s, "什么微信，不行的", ACTION_BLOCK);
    expect(s, "加微信吗？不会用就说", ACTION_BLOCK); /* the answer goes on */
    expect(s, "加微信吗？我们不行的，加我好友", ACTION_BLOCK);
    expect(s, "加微信吗？不行，您懂的", ACTION_BLOCK);
    expect(s, "加微信吗？那加微信", ACTION_BLOCK);
    expect(s, "加微信吗？好的。不行", ACTION_BLOCK);
    expect(s, "打13912340987吗？不行", ACTION_BLOCK); /* the number has been said */
    expect(s, "打款后加微信吗？不支持，加微信", ACTION_BLOCK);
    ruleset_unref(&s);
}

static void a_warning_yields_to_what_is_stricter(void **state)
{
    (void)state;
    struct ruleset *s = set_of("pack: p\ndefaults: { yields_to: [ 'p.b*' ] }\nrules:\n"
                               "  - id: p.a\n    title: t\n    action: warn\n    words: [ 甲 ]\n" EXAMPLES
                               "  - id: p.b\n    title: t\n    action: block\n    words: [ 乙 ]\n" EXAMPLES
                               "  - id: p.c\n    title: t\n    action: block\n    words: [ 丙 ]\n" EXAMPLES);
    struct verdict v = judge(s, DIR_OUTGOING, "甲乙");
    assert_int_equal(v.n_hits, 1);
    assert_string_equal(rule_id(v.hit[0].rule), "p.b");
    assert_int_equal(judge(s, DIR_OUTGOING, "甲丙").n_hits, 2);
    assert_int_equal(judge(s, DIR_OUTGOING, "甲").action, ACTION_WARN);
    assert_int_equal(judge(s, DIR_OUTGOING, "丙乙").n_hits, 2); /* no warning: both are told */
    ruleset_unref(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_question_is_no_hit),
        cmocka_unit_test(a_warning_yields_to_what_is_stricter),
        cmocka_unit_test(words_gaps_and_borders),
        cmocka_unit_test(near_orders_distances_and_contexts),
        cmocka_unit_test(homophones_are_bounded),
        cmocka_unit_test(places_and_lengths),
        cmocka_unit_test(edits_are_the_longest_and_are_inspected_again),
        cmocka_unit_test(windows_join_messages),
        cmocka_unit_test(scope_facts_shadow),
        cmocka_unit_test(cases_and_commitments),
        cmocka_unit_test(detectors_tell_numbers_apart),
        cmocka_unit_test(short_pieces_are_read_together),
        cmocka_unit_test(signs_of_patterns_are_folded_like_the_text),
        cmocka_unit_test(limits_are_causes),
        cmocka_unit_test(edits_change_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, judge_fini);
}

/* The shipped packs fit platform and place (rules/places.yaml): the same words under different facts of a shop. */
#include "test_rule_help.h"

static const struct expected {
    const char *text, *facts[2];
    enum action action, or_action;
} all[] = {
    {"加我微信 lucky_77", {NULL}, ACTION_BLOCK, ACTION_BLOCK},
    {"加我微信 lucky_77", {"platform=jd"}, ACTION_BLOCK, ACTION_BLOCK},
    {"加我微信 lucky_77", {"platform=wecom"}, ACTION_WARN, ACTION_WARN},
    {"加我微信 lucky_77", {"locale=tw"}, ACTION_BLOCK, ACTION_BLOCK},
    {"加我LINE聊", {"platform=line", "locale=tw"}, ACTION_PASS, ACTION_PASS},
    {"全網最好用的拖把", {NULL}, ACTION_REWRITE, ACTION_BLOCK},
    {"全網最好用的拖把", {"locale=hk"}, ACTION_WARN, ACTION_WARN},
    {"https://item.taobao.com/item.htm?id=600000000001", {NULL}, ACTION_PASS, ACTION_PASS},
    {"https://item.taobao.com/item.htm?id=600000000001", {"platform=taobao"}, ACTION_PASS, ACTION_PASS},
    {"https://item.taobao.com/item.htm?id=600000000001", {"platform=jd"}, ACTION_BLOCK, ACTION_BLOCK},
    {"微信支付", {"platform=douyin"}, ACTION_PASS, ACTION_PASS},
};

static struct verdict judge_there(const struct ruleset *set, struct rule_scratch *scratch, const struct expected *e)
{
    struct rule_input in = {.dir = DIR_OUTGOING, .text = {span_str(e->text)}, .n_texts = 1, .now_ms = test_now};
    struct verdict v = {0};
    in.who.facts = e->facts;
    while (in.who.n_facts < ARRAY_LEN(e->facts) && e->facts[in.who.n_facts])
        in.who.n_facts++;
    ruleset_judge(set, scratch, &in, &v);
    return v;
}

static bool has_notice(const struct verdict *v, const char *part)
{
    bool is_there = false;
    for (size_t i = 0; i < v->n_hits; i++)
        is_there = is_there || strstr(rule_notice(v->hit[i].rule), part);
    return is_there;
}

static void test_platform_and_place(void **state)
{
    (void)state;
    const char *path = SOURCE_DIR "/rules";
    struct ruleset_options o = {.pack_paths = &path, .n_pack_paths = 1};
    struct ruleset *set = NULL;
    struct err_list errs = {0};
    struct rule_scratch *scratch = rule_scratch_new();
    assert_int_equal(ruleset_load(&o, &set, &errs), 0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct verdict v = judge_there(set, scratch, &all[i]);
        const char *fact = all[i].facts[0] ? all[i].facts[0] : "no fact";
        if (v.action != all[i].action && v.action != all[i].or_action)
            fail_msg("%s with %s: %s", all[i].text, fact, action_name(v.action));
        if (v.action == ACTION_BLOCK && strcmp(fact, "locale=tw") == 0 && !has_notice(&v, "請勿引導顧客"))
            fail_msg("%s with %s: another notice", all[i].text, fact);
    }
    rule_scratch_free(&scratch);
    ruleset_unref(&set);
    err_list_fini(&errs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_platform_and_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

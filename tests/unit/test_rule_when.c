/* `when`: facts, hours, and overrides that hold for some shops only. */
#include "test_rule_help.h"

#include "base/calendar.h"
#include "base/civil.h"
#include "rule/example.h"

#define EXAMPLES          "    examples: { hit: [ 甲 ], miss: [ 乙 ] }\n"
#define RULE_OF(id, more) "  - id: p." id "\n    title: t\n    words: [ 甲 ]\n" more EXAMPLES

static struct verdict judge_at(const struct ruleset *set, int64_t now_ms, const struct calendar *calendar,
                               const char *const *facts, size_t n_facts)
{
    struct rule_scratch *scratch = rule_scratch_new();
    struct rule_input in = {.text = {span_str("甲")}, .n_texts = 1, .now_ms = now_ms};
    in.who = (struct rule_who){.facts = facts, .n_facts = n_facts, .calendar = calendar};
    struct verdict v = {0};
    ruleset_judge(set, scratch, &in, &v);
    rule_scratch_free(&scratch);
    return v;
}

static bool hits_at(const struct ruleset *set, int hour, int minute, const struct calendar *calendar)
{
    int64_t ten = 10 * (int64_t)HOUR_MS;
    return judge_at(set, test_now - ten + hour * (int64_t)HOUR_MS + minute * (int64_t)MINUTE_MS, calendar, NULL, 0)
               .n_hits > 0;
}

static void hours_are_those_of_the_shops_clock(void **state)
{
    (void)state;
    static const struct {
        const char *hours;
        int hour, minute;
        bool want;
    } table[] = {
        {"open", 9, 0, true},
        {"open", 20, 59, true},
        {"open", 21, 0, false},
        {"closed", 21, 0, true},
        {"closed", 8, 59, true},
        {"closed", 10, 0, false},
        {"\"12:00-13:30\"", 12, 0, true},
        {"\"12:00-13:30\"", 13, 29, true},
        {"\"12:00-13:30\"", 13, 30, false},
        {"\"22:00-08:00\"", 23, 0, true},
        {"\"22:00-08:00\"", 7, 59, true},
        {"\"22:00-08:00\"", 8, 0, false},
        {"[ \"08:00-09:00\", \"18:00-19:00\" ]", 18, 30, true},
        {"[ \"08:00-09:00\", \"18:00-19:00\" ]", 12, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char yaml[300];
        snprintf(yaml, sizeof(yaml),
                 "pack: p\nrules:\n  - id: p.a\n    title: t\n    action: warn\n    words: [ 甲 ]\n"
                 "    when: { hours: %s }\n" EXAMPLES,
                 table[i].hours);
        struct ruleset *s = set_of(yaml);
        if (hits_at(s, table[i].hour, table[i].minute, NULL) != table[i].want)
            fail_msg("%s at %d:%02d", table[i].hours, table[i].hour, table[i].minute);
        ruleset_unref(&s);
    }
}

static void hours_follow_the_calendar(void **state)
{
    (void)state;
    struct calendar_hours night = {.span = {{20 * 60, 28 * 60}}, .n = 1};
    struct calendar_plan plan = calendar_plan_daily("Asia/Tokyo", &night); /* 19:00 to 3:00 in Shanghai */
    struct calendar *c;
    struct err e;
    assert_int_equal(calendar_new(&plan, test_now, &c, &e), 0);
    struct ruleset *open = set_of("pack: p\nrules:\n" RULE_OF("a", "    action: warn\n    when: { hours: open }\n"));
    struct ruleset *spans =
        set_of("pack: p\nrules:\n" RULE_OF("a", "    action: warn\n    when: { hours: \"20:00-21:00\" }\n"));
    assert_true(hits_at(open, 19, 0, c));
    assert_true(hits_at(open, 2, 59, c));
    assert_false(hits_at(open, 10, 0, c));
    assert_true(hits_at(spans, 19, 30, c)); /* 20:30 there */
    assert_false(hits_at(spans, 20, 30, c));
    ruleset_unref(&open);
    ruleset_unref(&spans);
    calendar_unref(&c);
}

/* Under tests, an example without facts and hours runs where and when its rule is in force. */
static void examples_run_when_the_rule_is_in_force(void **state)
{
    (void)state;
    struct ruleset *s = set_of(
        "pack: p\nrules:\n"
        "  - id: p.a\n    title: t\n    action: warn\n    words: [ 甲 ]\n    when: { hours: closed }\n"
        "    examples: { hit: [ 甲, { text: 甲, at: \"03:00\" } ], miss: [ 乙, { text: 甲, at: \"12:00\" } ] }\n");
    struct rule_scratch *scratch = rule_scratch_new();
    struct buf out = {0};
    struct example_result sum = {0};
    example_run(s, 0, scratch, &out, &sum);
    assert_string_equal(buf_cstr(&out), "");
    assert_int_equal(sum.n, 4);
    assert_int_equal(sum.n_failed, 0);
    buf_fini(&out);
    rule_scratch_free(&scratch);
    ruleset_unref(&s);
}

static void overrides_hold_for_some_shops(void **state)
{
    (void)state;
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "a.yaml",
                "pack: p\nrules:\n" RULE_OF("a", "    action: block\n    notice: n\n    cite: c\n")
                    RULE_OF("b", "    action: warn\n    preset: { standard: \"off\" }\n"));
    packs_write(&p, "places.yaml",
                "override:\n"
                "  - { rule: p.a, when: { facts: [ locale=tw ] }, action: warn, notice: tw, cite: \"\" }\n"
                "  - { rule: p.a, when: { facts: [ platform=own ] }, action: \"off\" }\n"
                "  - { rule: p.b, when: { facts: [ platform=own ] }, action: warn }\n");
    struct ruleset *s = packs_load(&p, NULL, &errs);
    assert_non_null(s);
    static const char *const tw[] = {"locale=tw"}, *const own[] = {"platform=own", "locale=tw"};
    struct verdict v = judge_at(s, test_now, NULL, NULL, 0);
    assert_int_equal(v.action, ACTION_BLOCK);
    assert_int_equal(v.n_hits, 1);
    assert_string_equal(rule_cite(v.hit[0].rule), "c");
    v = judge_at(s, test_now, NULL, tw, 1);
    assert_int_equal(v.action, ACTION_WARN);
    assert_string_equal(rule_id(v.hit[0].rule), "p.a");
    assert_string_equal(rule_notice(v.hit[0].rule), "tw");
    assert_string_equal(rule_cite(v.hit[0].rule), "");
    v = judge_at(s, test_now, NULL, own, 2);
    assert_int_equal(v.n_hits, 1); /* p.a is off there, p.b on */
    assert_string_equal(rule_id(v.hit[0].rule), "p.b");
    ruleset_unref(&s);
    /* what two of them say adds up */
    packs_write(&p, "local/x.yaml",
                "override:\n  - { rule: p.a, when: { facts: [ platform=wecom ] }, action: hold }\n"
                "  - { rule: p.a, when: { facts: [ platform=jd ] }, action: block }\n");
    static const char *const wecom[] = {"platform=wecom", "locale=tw"};
    s = packs_load(&p, NULL, &errs);
    assert_non_null(s);
    v = judge_at(s, test_now, NULL, wecom, 2);
    assert_int_equal(v.action, ACTION_HOLD);
    assert_string_equal(rule_notice(v.hit[0].rule), "tw");
    v = judge_at(s, test_now, NULL, wecom, 1);
    assert_int_equal(v.action, ACTION_HOLD);
    assert_string_equal(rule_notice(v.hit[0].rule), "n");
    ruleset_unref(&s);
    /* what the deployment says of everybody comes last */
    packs_write(&p, "local/x.yaml", "override:\n  - { rule: p.a, action: hold }\n");
    s = packs_load(&p, NULL, &errs);
    assert_non_null(s);
    v = judge_at(s, test_now, NULL, tw, 1);
    assert_int_equal(v.action, ACTION_HOLD);
    assert_string_equal(rule_notice(v.hit[0].rule), "tw");
    ruleset_unref(&s);
    packs_write(&p, "local/x.yaml",
                "override:\n  - { rule: p.a, when: { facts: [ x ] }, scope: { teams: [ t ] }, action: hold }\n");
    assert_null(packs_load(&p, NULL, &errs));
    assert_non_null(strstr(errs.line[0], "scope: not beside when:"));
    err_list_fini(&errs);
    packs_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_are_those_of_the_shops_clock),
        cmocka_unit_test(hours_follow_the_calendar),
        cmocka_unit_test(examples_run_when_the_rule_is_in_force),
        cmocka_unit_test(overrides_hold_for_some_shops),
    };
    return cmocka_run_group_tests(tests, NULL, judge_fini);
}

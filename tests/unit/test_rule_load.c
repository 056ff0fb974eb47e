/* Loading: every kind of error with its place, lists, presets, overrides, versions, lint. */
#include "test_rule_help.h"

#include "rule/lint.h"

#define RULE(more)                                                                                                      \
    "pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n    words: [ 甲 ]\n    examples: { hit: [ 甲 ], " \
    "miss: [ 乙 ] }\n" more

static void every_error_says_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *line;
    } table[] = {
        {"rules: []\n", "a.yaml:1:1: pack: missing"},
        {"pack: p\n", "rules: missing"},
        {"- a\n", "must be a map"},
        {"pack: p\ndirection: up\nrules: []\n", "a.yaml:2:12: direction: is \"up\", must be one of outgoing, incoming"},
        {"pack: p\ncolour: red\nrules: []\n", "a.yaml:2:1: colour: unknown key"},
        {"pack: p\noverride: [ { rule: x } ]\nrules: []\n", "only files of the local folder"},
        {"pack: p\nrules: [ 1 ]\n", "a.yaml:2:10: rules: is \"1\", must be a rule"},
        {RULE("  - id: q.b\n    title: t\n"), "id: is \"q.b\", must begin with \"p.\""},
        {RULE("  - id: p.a\n    title: t\n"), "a.yaml:8:9: id: \"p.a\" is taken by"},
        {RULE("    norm: e1\n"), "norm: is \"e1\", must be a capital letter"},
        {RULE("    mode: loud\n"), "mode: is \"loud\", must be one of enforce, shadow"},
        {RULE("    preset: { strict: maybe }\n"),
         "strict: is \"maybe\", must be one of warn, rewrite, hold, block, off, shadow"},
        {RULE("    preset: { lax: warn }\n"), "lax: unknown key"},
        {RULE("    gap: 99\n"), "gap: is \"99\", must be a whole number from 0 to 20"},
        {RULE("    border: yes\n"), "border: is \"yes\", must be true or false"},
        {RULE("    at: middle\n"), "at: is \"middle\", must be one of start, end, whole"},
        {RULE("    skip: [ joke ]\n"), "must be one of question, quoted"},
        {RULE("    near: { groups: [ [ 甲 ] ] }\n"),
         "groups: is a list of another length, must be a list of 2 to 6 groups"},
        {RULE("    near: { within: 999, groups: [ [ 甲 ], [ 乙 ] ] }\n"), "within: is \"999\""},
        {RULE("    near: { groups: [ [ 甲 ], [ $fone ] ] }\n"), "$fone is no detector"},
        {RULE("    unless: [ $phone ]\n"), "a detector ($phone) is not allowed here"},
        {RULE("    unless: [ '@nothing' ]\n"), "@nothing: no such list"},
        {RULE("    unless: [ '@../x' ]\n"), "is no list name"},
        {RULE("    unless: [ '甲(乙' ]\n"), "brackets do not close"},
        {RULE("    unless: [ '...' ]\n"), "nothing is left of it after folding"},
        {RULE("    unless: []\n"), "is an empty list"},
        {RULE("    not_near: { within: 3 }\n"), "not_near: words: missing"},
        {RULE("    refused: [ 不 ]\n"), "refused: is"},
        {RULE("    refused: { filler: [ 亲 ] }\n"), "whole and begin are missing"},
        {RULE("    refused: { wholly: [ 不 ] }\n"), "wholly"},
        {RULE("    regex: [ '(' ]\n"), "regex: not a valid regular expression"},
        {RULE("    regex: [ '(*COMMIT)a' ]\n"), "verbs and settings"},
        {RULE("    detect: [ fax ]\n"), "detect: is \"fax\", must be one of phone, landline"},
        {RULE("    window: { messages: 9, seconds: 1 }\n"), "messages: is \"9\""},
        {RULE("    scope: { cities: [] }\n"), "cities: unknown key"},
        {RULE("    when: { hours: noon }\n"), "hours: is \"noon\", must be two times of day such as 09:00-18:00"},
        {RULE("    when: { hours: [] }\n"), "hours: is a list, must be open, closed, a span such as 22:00-08:00"},
        {RULE("    when: { days: [ mon ] }\n"), "days: unknown key, allowed here: facts, absent, hours"},
        {RULE("    opens_case: { kind: refund }\n"), "only incoming rules open"},
        {RULE("    severity_up: [ 甲 ]\n"), "severity_up needs opens_case:"},
        {RULE("    length: { min: 9, max: 2 }\n"), "length: min is 9, must not be more than max (2)"},
        {RULE("    homophone: true\n"),
         "homophone: unknown key, did you mean \"homophones\"?, allowed here: id, norm,"},
        {RULE("    detect: [ { url: { allow: [ 'https://shop.example' ] } } ]\n"),
         "allow: is \"https://shop.example\", must be a domain such as shop.example"},
        {RULE("    detect: [ { url: { allow: [ 'shop.example', '!a.shop.example', '*.b.example' ] } } ]\n"),
         "allow: is \"*.b.example\", must be a domain"},
        {RULE("    rewrite: { mask: '**********' }\n"), "must be one character"},
        {"pack: p\nrules:\n  - id: p.a\n    title: t\n    action: rewrite\n    words: [ 甲 ]\n    examples: { hit: [ "
         "甲 ], miss: [ 乙 ] }\n",
         "action rewrite needs rewrite:"},
        {"pack: p\nrules:\n  - id: p.a\n    title: t\n    words: [ 甲 ]\n    examples: { hit: [ 甲 ], miss: [ 乙 ] }\n",
         "action: missing"},
        {"pack: p\nrules:\n  - id: p.a\n    title: t\n    action: warn\n    examples: { hit: [ 甲 ], miss: [ 乙 ] }\n",
         "needs at least one of words"},
        {"pack: p\nrules:\n  - id: p.a\n    action: warn\n    words: [ 甲 ]\n    examples: { hit: [ 甲 ], miss: [ 乙 ] "
         "}\n",
         "title: missing"},
        {"pack: p\nrules:\n  - id: p.a\n    title: t\n    action: warn\n    words: [ 甲 ]\n    examples: { hit: [ 甲 ] "
         "}\n",
         "at least one hit and one miss, has 1 and 0"},
        {"pack: p\ndirection: incoming\nrules:\n  - id: p.a\n    title: t\n    action: block\n    words: [ 甲 ]\n    "
         "examples: { hit: [ 甲 ], miss: [ 乙 ] }\n",
         "never altered or refused"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct packs p;
        struct err_list errs = {0};
        packs_init(&p);
        packs_write(&p, "a.yaml", table[i].yaml);
        assert_null(packs_load(&p, NULL, &errs));
        bool is_told = false;
        for (size_t k = 0; k < errs.n; k++)
            is_told |= strstr(errs.line[k], table[i].line) && strstr(errs.line[k], "a.yaml:");
        if (!is_told)
            fail_msg("no \"%s\", but \"%s\"", table[i].line, errs.n ? errs.line[0] : "nothing");
        err_list_fini(&errs);
        packs_fini(&p);
    }
}

static void all_errors_come_in_one_run(void **state)
{
    (void)state;
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "a.yaml", RULE("    gap: 99\n    mode: loud\n    unless: [ '@nothing' ]\n"));
    packs_write(&p, "b.yaml", "pack: [\n");
    packs_write(&p, "lists/l.txt", "# words\n");
    assert_null(packs_load(&p, "gentle", &errs));
    assert_true(errs.n >= 5);
    err_list_fini(&errs);
    packs_fini(&p);
}

static void lists_are_read_and_include_others(void **state)
{
    (void)state;
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "a.yaml",
                "pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n    words: '@l'\n    examples: { hit: "
                "[ 甲 ], miss: [ 乙 ] }\n");
    packs_write(&p, "lists/l.txt", "# words\n甲甲  # first\r\n\n@m\n");
    packs_write(&p, "lists/m.txt", "乙乙\n");
    struct ruleset *s = packs_load(&p, NULL, &errs);
    assert_int_equal(judge(s, DIR_OUTGOING, "甲甲").action, ACTION_BLOCK);
    assert_int_equal(judge(s, DIR_OUTGOING, "乙乙").action, ACTION_BLOCK);
    char version[20];
    snprintf(version, sizeof(version), "%s", ruleset_version(s));
    assert_int_equal(strlen(version), 16);
    ruleset_unref(&s);
    s = packs_load(&p, NULL, &errs);
    assert_string_equal(ruleset_version(s), version); /* equal content, equal version */
    ruleset_unref(&s);
    packs_write(&p, "lists/m.txt", "乙乙乙\n");
    s = packs_load(&p, NULL, &errs);
    assert_string_not_equal(ruleset_version(s), version);
    ruleset_unref(&s);
    packs_write(&p, "lists/m.txt", "乙乙\n\xff\n@l\n");
    assert_null(packs_load(&p, NULL, &errs)); /* not UTF-8; a circle of includes */
    assert_true(errs.n >= 2);
    err_list_fini(&errs);
    packs_fini(&p);
}

static void presets_and_overrides_change_actions(void **state)
{
    (void)state;
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "a.yaml",
                RULE("    preset: { strict: block, standard: warn, lenient: \"off\" }\n"
                     "  - id: p.b\n    title: t\n    action: block\n    words: [ 丙 ]\n    notice: n\n    examples: { "
                     "hit: [ 丙 ], miss: [ 乙 ] }\n"));
    static const struct {
        const char *preset;
        enum action want;
    } table[] = {{"strict", ACTION_BLOCK}, {"standard", ACTION_WARN}, {NULL, ACTION_WARN}, {"lenient", ACTION_PASS}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ruleset *s = packs_load(&p, table[i].preset, &errs);
        assert_int_equal(judge(s, DIR_OUTGOING, "甲").action, table[i].want);
        assert_int_equal(ruleset_count(s), i == 3 ? 1 : 2);
        ruleset_unref(&s);
    }
    packs_write(&p, "local/x.yaml",
                "override:\n  - { rule: 'p.*', action: hold, notice: mine }\n  - { rule: p.b, action: \"off\" }\n"
                "pack: own\nrules:\n  - id: own.a\n    title: t\n    action: warn\n    words: [ 丁 ]\n    examples: { "
                "hit: [ 丁 ], miss: [ 乙 ] }\n");
    struct ruleset *s = packs_load(&p, NULL, &errs);
    struct verdict v = judge(s, DIR_OUTGOING, "甲");
    assert_int_equal(v.action, ACTION_HOLD);
    assert_string_equal(rule_notice(v.hit[0].rule), "mine");
    assert_int_equal(judge(s, DIR_OUTGOING, "丙").action, ACTION_PASS);
    assert_int_equal(judge(s, DIR_OUTGOING, "丁").action, ACTION_WARN);
    ruleset_unref(&s);
    packs_write(&p, "local/x.yaml", "override:\n  - { rule: p.c, action: \"off\" }\n");
    assert_null(packs_load(&p, NULL, &errs));
    assert_non_null(strstr(errs.line[0], "x.yaml:2:13: rule: \"p.c\" is no rule of this set, the nearest is \"p."));
    err_list_fini(&errs);
    packs_write(&p, "local/x.yaml", "override:\n  - { rule: p.a, action: rewrite }\n");
    assert_null(packs_load(&p, NULL, &errs));
    assert_non_null(strstr(errs.line[0], "needs rewrite"));
    err_list_fini(&errs);
    packs_fini(&p);
}

static bool has_line(const struct err_list *l, const char *part)
{
    for (size_t i = 0; i < l->n; i++)
        if (strstr(l->line[i], part))
            return true;
    return false;
}

static void lint_finds_what_will_disappoint(void **state)
{
    (void)state;
    struct err_list found = {0};
    struct ruleset *s = set_of(RULE("    regex: [ '\\d{7}' ]\n    detect: [ qq ]\n"
                                    "  - id: p.b\n    title: t\n    action: block\n    words: [ 收到付款 ]\n    "
                                    "notice: n\n    examples: { hit: [ 收到付款 ], miss: [ 乙 ] }\n"
                                    "  - id: p.c\n    title: t\n    action: warn\n    words: [ 线下, 线下付 ]\n    "
                                    "border: false\n    examples: { hit: [ 线下 ], miss: [ 乙 ] }\n"));
    ruleset_lint(s, &found);
    assert_true(has_line(&found, "one-character word \"甲\""));
    assert_true(has_line(&found, "no literal can be read"));
    assert_true(has_line(&found, "use them in near"));
    assert_true(has_line(&found, "blocks without a notice"));
    assert_true(has_line(&found, "p.b: hits ordinary service talk"));
    assert_true(has_line(&found, "\"线下付\" adds nothing"));
    err_list_fini(&found);
    ruleset_unref(&s);
}

static void a_set_lives_as_long_as_its_references(void **state)
{
    (void)state;
    struct ruleset *a = set_of(RULE("")), *b = ruleset_ref(a);
    ruleset_unref(&a);
    assert_null(a);
    assert_int_equal(judge(b, DIR_OUTGOING, "甲").action, ACTION_BLOCK);
    ruleset_unref(&b);
    ruleset_unref(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_says_where_and_what),   cmocka_unit_test(all_errors_come_in_one_run),
        cmocka_unit_test(lists_are_read_and_include_others), cmocka_unit_test(presets_and_overrides_change_actions),
        cmocka_unit_test(lint_finds_what_will_disappoint),   cmocka_unit_test(a_set_lives_as_long_as_its_references),
    };
    return cmocka_run_group_tests(tests, NULL, judge_fini);
}

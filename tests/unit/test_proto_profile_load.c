/* Errors in profile files: each with its place, all in one run, naming what is allowed. */
#include "profile_rig.h"

struct bad {
    const char *yaml;  /* put behind a minimal good profile */
    const char *error; /* part of the only line reported */
};

#define RULE(more) "rules: [{id: a, dir: c2s, kind: send, text: [/t]" more "}]"
#define SEND(tpl)  "refusals: {n: {send: '" tpl "'}}"

static const struct bad BAD[] = {
    {"colour: red", "p.yaml:3:1: colour: unknown key, allowed here: profile, json,"},
    {"json: {keys: loose}", "p.yaml:3:14: keys: is \"loose\", must be one of exact, casefold"},
    {"json: {dup: refuse, x: 1}", "x: unknown key, allowed here: keys, dup, trailing"},
    {"default: refuse", "default: is \"refuse\", must be one of pass, policy"},
    {"http: {method_override: maybe}", "must be one of refuse, ignore"},
    {"deny: [/x]", "must be \"METHOD /path\" or \"* /path\""},
    {"deny: [\"POST /a//b\"]", "empty segments and ** before the end"},
    {"deny: [\"POST /a/**/b\"]", "empty segments and ** before the end"},
    {RULE(", colour: 1"), "colour: unknown key, allowed here: id, dir, at, kind"},
    {RULE(", when: [{re: [/a, x]}]"), "re: regular expressions are not offered here, use glob"},
    {RULE(", when: [{is: [/a, x]}]"), "condition: is \"is\", must be one of eq, in, lt, ge, has"},
    {RULE(", when: [{eq: [/a]}]"), "eq: is a list, must be [selector, value]"},
    {RULE(", when: [{eq: [/a, [1, 2]]}]"), "eq: is a list, must be one value (use in for several)"},
    {RULE(", when: [{lt: [/a, x]}]"), "lt: is \"x\", must be a number"},
    {RULE(", when: [{type: [/a, text]}]"), "type: is \"text\", must be one of null, true, false, number, string"},
    {RULE(", when: [{same: [/a, name]}]"), "same: is \"name\", must be uid"},
    {RULE(", when: yes"), "when: is \"yes\", must be a condition or a list of conditions"},
    {RULE(", when: [{has: a}]"), "selector a: must begin with '/'"},
    {RULE(", when: [{has: \"/a!b64/b\"}]"), "the step !b64 is not built yet"},
    {RULE(", when: [{has: \"/a!pb/1\"}]"), "the step !pb is not built yet"},
    {RULE(", when: [{has: \"/a!html\"}]"), "the step !html is not built yet"},
    {RULE(", when: [{has: \"/a!gob\"}]"), "the step !gob is not built yet"},
    {RULE(", when: [{has: \"/a!zip\"}]"), "unknown step !zip, the steps are"},
    {RULE(", when: [{has: \"any:a\"}]"), "parameters of HTTP requests are not inspected yet"},
    {RULE(", when: [{has: \"/a~2\"}]"), "'~' must be followed by 0 or 1"},
    {RULE(", when: [{has: \"/**/a\"}]"), "** must be the last step"},
    {RULE(", refuse: x"), "refuse: is \"x\", must be a name under `refusals`"},
    {RULE(", rewrite: {set: 1}"), "set: unknown key, allowed here: drop"},
    {RULE(", rewrite: {drop: \"/a/**\"}"), "must end with /key or /*"},
    {RULE(", live: {max_age_s: 5}"), "live.max_age_s needs get.ts"},
    {RULE(", live: {max_age_s: 0}"), "max_age_s: is \"0\", must be a whole number from 1 to 86400"},
    {RULE(", get: {Conv: /a}"), "a name is made of small letters"},
    {RULE(", get: {a: /a, b: /a, c: /a, d: /a, e: /a, f: /a, g: /a}"), "more than 12 different names"},
    {RULE("}, {id: a, dir: c2s, kind: ignore"), "the id \"a\" is given twice"},
    {"rules: [{dir: c2s, kind: ignore}]", "every rule needs an `id`"},
    {"rules: [{id: a, kind: ignore}]", "rule a: `dir` is missing"},
    {"rules: [{id: a, dir: c2s}]", "rule a: `kind` is missing"},
    {"rules: [{id: a, dir: c2s, kind: send}]", "rule a: `text` is missing"},
    {"rules: [{id: a, dir: s2c, kind: send, text: /a}]", "kind send belongs to dir: c2s"},
    {"rules: [{id: a, dir: c2s, kind: incoming, text: /a}]", "kind incoming belongs to dir: s2c"},
    {"rules: [{id: a, dir: s2c, kind: ack}]", "an answer needs get.corr or get.mid"},
    {"rules: [{id: a, at: mqtt}]", "at: is \"mqtt\", must be one of ws, http"},
    {"rules: [{id: a, at: http, kind: send, route: \"POST /a\"}]", "kind must be deny with at: http"},
    {"rules: [{id: a, at: http, kind: deny}]", "rule a: `route` is missing"},
    {SEND("{\"a\":${reason:s}}"), ":s belongs inside quotes"},
    {SEND("{\"a\":\"${reason}\"}"), "inside quotes it must be written ${name:s}"},
    {SEND("{\"a\":${nobody}}"), "${nobody}: unknown name"},
    {SEND("{\"a\":${@nobody}}"), "no template of that name stands above"},
    {SEND("{\"a\":${reason}"), "template: is not JSON"},
    {SEND("{\"a\":${reason"), "the closing brace is missing"},
    {SEND("[${reason}${rule}]"), "template: is not JSON"},
    {SEND("name"), "must be the name of a template, or JSON itself"},
    {"refusals: {n: {event: '[\"x\",\"${reason:s}\"]'}}", "ends with an object"},
    {"refusals: {n: {}}", "one of send, ack, event is needed"},
    {"refusals: {n: {http: 403}}", "http: unknown key, allowed here: if, send, ack, event"},
    {"refuse: n", "refuse: is \"n\", must be a name under"},
    {"notice: {via: api}", "via: is \"api\", must be one of none, inline, refusal_only"},
    {"notice: {via: inline}", "`send` or `event` belongs to via: inline"},
    {"notice: {via: none, send: '{}'}", "`send` or `event` belongs to via: inline"},
    {"identity: {ws: {ask: {when: {has: /a}}}}", "identity.ws: `ok` is missing"},
    {"identity: {ws: {ok: {when: {has: /a}}}}", "ok: `when` and `uid` are needed"},
    {"identity: {ws: {ok: {when: {has: /a}, uid: /a, corr: /b}}}", "ok: `corr` needs a `corr` in ask"},
    {"identity: {http: {}}", "http: unknown key, allowed here: ws"},
};

static void test_each(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err_list errs = {0};
        char *text = xasprintf("profile: x\nws: {path: /ws}\n%s\n", BAD[i].yaml);
        struct profile *p = profile_load_text("p.yaml", span_str(text), &errs);
        if (p || !errs.n || !strstr(errs.line[0], BAD[i].error) || strncmp(errs.line[0], "p.yaml:3:", 9) != 0)
            fail_msg("%s: %s", BAD[i].yaml, errs.n ? errs.line[0] : "was taken");
        free(text);
        err_list_fini(&errs);
    }
}

static void test_all_in_one_run(void **state)
{
    (void)state;
    struct err_list errs = {0};
    static const char text[] = "profile: X\n"
                               "ws: [{framing: raw}, {path: x}]\n"
                               "colour: 1\n"
                               "rules:\n"
                               "  - {id: a, dir: up, kind: send}\n"
                               "  - {id: b, dir: c2s, kind: sned, text: x}\n";
    assert_null(profile_load_text("p.yaml", span_str(text), &errs));
    static const char *const want[] = {
        "p.yaml:3:1: colour: unknown key",  "p.yaml:1:10: profile: must be a name", "p.yaml:2:6: ws: `path` is missing",
        "p.yaml:2:16: framing: is \"raw\"", "p.yaml:2:29: route: is \"x\"",         "p.yaml:5:18: dir: is \"up\"",
        "rule a: `text` is missing",        "p.yaml:6:29: kind: is \"sned\"",       "p.yaml:6:41: selector x",
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        bool found = false;
        for (size_t k = 0; k < errs.n; k++)
            found |= strstr(errs.line[k], want[i]) != NULL;
        if (!found)
            fail_msg("%s is not reported", want[i]);
    }
    err_list_fini(&errs);
    assert_null(profile_load_text("p.yaml", span_str("profile: x\n"), &errs));
    assert_non_null(strstr(errs.line[0], "it would do nothing"));
    err_list_fini(&errs);
    assert_null(profile_load_text("p.yaml", span_str("a: [\n"), &errs));
    err_list_fini(&errs);
    assert_null(profile_load_file("/nonexistent/p.yaml", &errs));
    err_list_fini(&errs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each), cmocka_unit_test(test_all_in_one_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Conditions, selectors and the order of rules, with small profiles of the test's own. */
#include "profile_rig.h"

static void use(struct rig *r, const char *yaml)
{
    struct err_list errs = {0};
    struct profile *p = profile_load_text("p.yaml", span_str(yaml), &errs);
    for (size_t i = 0; i < errs.n; i++)
        print_error("%s\n", errs.line[i]);
    assert_non_null(p);
    rig_use(r, p, 0);
}

struct sample {
    const char *cond, *hit, *miss; /* documents, separated by '|' */
};

static void check_docs(struct rig *r, const char *cond, const char *docs, bool want)
{
    while (*docs) {
        size_t n = strcspn(docs, "|");
        r->payload = span_of(docs, n);
        bool got = profile_read(r->s, &r->c, C2S, r->payload, 0, r->u) == 1 && r->u[0].kind == UNIT_SEND;
        if (got != want)
            fail_msg("%s %s %.*s", cond, got ? "hits" : "misses", (int)n, docs);
        docs += n + (docs[n] == '|');
    }
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct sample list[] = {
        {"{eq: [/a, x]}", "{\"a\":\"x\"}|{\"a\":\"\\u0078\"}", "{\"a\":\"X\"}|{\"a\":[\"x\"]}|{}"},
        {"{eq: [/a, 1]}", "{\"a\":1}|{\"a\":1.0}|{\"a\":10e-1}", "{\"a\":\"1\"}|{\"a\":2}"},
        {"{eq: [/a, \"1\"]}", "{\"a\":\"1\"}", "{\"a\":1}"},
        {"{eq: [/a, true]}", "{\"a\":true}", "{\"a\":\"true\"}|{\"a\":false}|{\"a\":1}"},
        {"{eq: [/a, null]}", "{\"a\":null}", "{\"a\":0}|{}"},
        {"{eq: [\"/a/*\", x]}", "{\"a\":[1,\"x\"]}|{\"a\":{\"k\":\"x\"}}", "{\"a\":[]}|{\"a\":\"x\"}"},
        {"{eq: [/a/1, x]}", "{\"a\":[0,\"x\"]}|{\"a\":{\"1\":\"x\"}}", "{\"a\":[\"x\"]}"},
        {"{eq: [\"/a~1b/~0c\", x]}", "{\"a/b\":{\"~c\":\"x\"}}", "{\"a\":{\"b\":\"x\"}}"},
        {"{in: [/a, [x, 2]]}", "{\"a\":\"x\"}|{\"a\":2}", "{\"a\":\"2\"}|{\"a\":\"y\"}"},
        {"{lt: [/a, 300]}", "{\"a\":299.5}|{\"a\":-1}", "{\"a\":300}|{\"a\":\"1\"}|{}"},
        {"{ge: [/a, 400]}", "{\"a\":400}|{\"a\":4e2}", "{\"a\":399}|{}"},
        {"{has: /a}", "{\"a\":null}|{\"a\":{}}", "{\"b\":{\"a\":1}}"},
        {"{absent: /a}", "{}|{\"A\":1}", "{\"a\":null}"},
        {"{glob: [/a, \"u*/m?\"]}", "{\"a\":\"u1/mx\"}|{\"a\":\"u/m/mm\"}",
         "{\"a\":\"u1/m\"}|{\"a\":\"xu/mm\"}|{\"a\":1}"},
        {"{type: [/a, object]}", "{\"a\":{}}", "{\"a\":[]}|{\"a\":null}|{}"},
        {"{not: {has: /a}}", "{}", "{\"a\":1}"},
        {"{any: [{has: /a}, {has: /b}]}", "{\"a\":1}|{\"b\":1}", "{\"c\":1}"},
        {"{all: [{has: /a}, {has: /b}]}", "{\"a\":1,\"b\":2}", "{\"a\":1}"},
        {"{eq: [\"/m!json/a\", x]}", "{\"m\":\"{\\\"a\\\":\\\"x\\\"}\"}",
         "{\"m\":\"{}\"}|{\"m\":{\"a\":\"x\"}}|{\"m\":5}"},
        {"{eq: [\"/m!json\", 5]}", "{\"m\":\"5\"}", "{\"m\":5}"},
        {"{same: [/a, uid]}", "{\"a\":\"me\"}", "{\"a\":\"you\"}|{\"a\":null}|{}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        struct rig r;
        char *yaml = xasprintf("profile: x\nws: {path: /ws}\n"
                               "rules: [{id: a, dir: c2s, when: [%s], kind: send, text: [/t]}]\n",
                               list[i].cond);
        use(&r, yaml);
        buf_append_str(&r.c.uid, "me");
        check_docs(&r, list[i].cond, list[i].hit, true);
        check_docs(&r, list[i].cond, list[i].miss, false);
        rig_fini(&r);
        free(yaml);
    }
}

static uint32_t draw(uint32_t below)
{
    static uint64_t seed = 88172645463325252u;
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}

/* Keys that share length and ends, keys with escapes, other cases, keys that come twice. */
static void put_random_object(struct buf *b)
{
    static const char *const key[] = {
        "axb", "ayb", "a\\u0078b", "Axb", "a", "", "b", "t", "t\\u0074", "axxxxxxxxxxxxxxxxb", "ayxxxxxxxxxxxxxxxb"};
    static const char *const value[] = {"\"x\"", "\"yy\"", "\"\\u0078\"", "1", "null", "{\"axb\":\"x\"}", "[\"x\"]"};
    buf_reset(b);
    buf_append_str(b, draw(20) ? "{" : "[{");
    for (uint32_t i = 0, n = draw(7); i < n; i++)
        buf_printf(b, "%s\"%s\":%s", i ? "," : "", key[draw(ARRAY_LEN(key))], value[draw(ARRAY_LEN(value))]);
    buf_append_str(b, b->data[b->start] == '{' ? "}" : "}]");
}

/* What most conditions are is answered in a shorter way: of texts, and of keys of the root. With a number among the
 * literals and in an object inside it takes the long one. */
static void test_short_way(void **state)
{
    (void)state;
    static const char *const json[] = {"{}", "{keys: casefold}", "{dup: last}", "{keys: casefold, dup: last}"};
    static const char *const path[] = {"/axb", "/ayb", "/a", "/", "/t", "/axxxxxxxxxxxxxxxxb"};
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(json) * ARRAY_LEN(path); i++) {
        struct rig r[2];
        unsigned hits = 0;
        for (int k = 0; k < 2; k++) {
            char *yaml = xasprintf(
                "profile: x\njson: %s\nws: {path: /ws}\n"
                "rules: [{id: a, dir: c2s, when: {in: [%s%s, [x, yy%s]]}, kind: send, text: [%s/t]}]\n",
                json[i % ARRAY_LEN(json)], k ? "/in" : "", path[i / ARRAY_LEN(json)], k ? ", 77" : "", k ? "/in" : "");
            use(&r[k], yaml);
            free(yaml);
        }
        for (int n = 0; n < 3000; n++) {
            put_random_object(&b);
            rig_read(&r[0], C2S, buf_cstr(&b));
            char *wrapped = xasprintf("{\"in\":%s}", buf_cstr(&b));
            rig_read(&r[1], C2S, wrapped);
            free(wrapped);
            if (r[0].n != r[1].n ||
                (r[0].n && (r[0].u[0].has_cause != r[1].u[0].has_cause || r[0].u[0].n_texts != r[1].u[0].n_texts)))
                fail_msg("%s %s: %s", json[i % ARRAY_LEN(json)], path[i / ARRAY_LEN(json)], buf_cstr(&b));
            hits += r[0].n && !r[0].u[0].has_cause;
        }
        assert_in_range(hits, 50, 2000);
        rig_fini(&r[0]);
        rig_fini(&r[1]);
    }
    buf_fini(&b);
}

static void test_order_and_kinds(void **state)
{
    (void)state;
    struct rig r;
    use(&r, "profile: x\nws: {path: /ws}\ncustomer: /who\nrules:\n"
            " - {id: note, dir: c2s, when: {eq: [/private, true]}, kind: ignore}\n"
            " - {id: pad, dir: c2s, when: {has: /sealed}, kind: opaque, get: {conv: /c}}\n"
            " - {id: fix, dir: c2s, when: {has: /old}, kind: edit, text: /t, get: {conv: [/c, /d]}}\n"
            " - {id: say, dir: c2s, when: {has: /t}, kind: send, text: /t, get: {conv: /c, customer: /x}}\n"
            " - {id: in, dir: s2c, when: {has: /t}, kind: incoming, text: /t, get: {conv: /c, sender: /s},\n"
            "    role: {self: {same: [/s, uid]}, agent: {glob: [/s, \"a-*\"]}, else: customer}}\n");
    assert_int_equal(rig_read(&r, C2S, "{\"private\":true,\"t\":\"x\"}"), 0);
    assert_int_equal(rig_read(&r, C2S, "{\"sealed\":\"x\",\"t\":\"x\",\"c\":\"c\"}"), 1);
    assert_int_equal(r.u[0].kind, UNIT_OPAQUE);
    assert_span(r.u[0].conv, "c");
    rig_read(&r, C2S, "{\"old\":1,\"t\":\"x\",\"d\":\"dd\",\"who\":\"w\"}");
    assert_int_equal(r.u[0].kind, UNIT_EDIT);
    assert_span(r.u[0].conv, "dd");
    assert_span(r.u[0].customer, "w");
    rig_read(&r, C2S, "{\"t\":\"x\",\"c\":\"c\",\"x\":\"own\",\"who\":\"w\"}");
    assert_int_equal(r.u[0].kind, UNIT_SEND);
    assert_span(r.u[0].customer, "own");
    assert_int_equal(rig_read(&r, C2S, "{\"other\":1}"), 0);
    buf_append_str(&r.c.uid, "a-1");
    static const struct {
        const char *doc;
        enum unit_role role;
    } in[] = {{"{\"t\":\"x\",\"s\":\"a-1\"}", ROLE_SELF},
              {"{\"t\":\"x\",\"s\":\"a-2\"}", ROLE_AGENT},
              {"{\"t\":\"x\"}", ROLE_CUSTOMER}};
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        assert_int_equal(rig_read(&r, S2C, in[i].doc), 1);
        assert_int_equal(r.u[0].role, in[i].role);
    }
    rig_fini(&r);
}

static void expect_cause(struct rig *r, const char *payload, enum cause cause)
{
    assert_int_equal(rig_read(r, C2S, payload), 1);
    if (!r->u[0].has_cause || r->u[0].cause != cause)
        fail_msg("%s: cause %s", payload, r->u[0].has_cause ? cause_name(r->u[0].cause) : "none");
}

/* An inner document that cannot be read must not make a message pass as "no rule matches". */
static void test_broken_inner_documents(void **state)
{
    (void)state;
    struct rig r;
    use(&r, "profile: x\nws: {path: /ws}\nrules:\n"
            " - {id: plain, dir: c2s, when: {eq: [/k, plain]}, kind: send, text: /m}\n"
            " - {id: deep, dir: c2s, when: {eq: [\"/m!json/method\", send]}, kind: send, text: \"/m!json/t\"}\n"
            " - {id: tail, dir: c2s, when: {eq: [/k, tail]}, kind: send, text: /t}\n");
    expect_cause(&r, "{\"m\":\"{\"}", CAUSE_BAD_JSON);
    expect_cause(&r, "{\"m\":\"{\\\"method\\\":\\\"x\\\",\\\"method\\\":\\\"send\\\"}\"}", CAUSE_AMBIGUOUS_JSON);
    assert_int_equal(rig_read(&r, C2S, "{\"m\":\"{}\"}"), 0);
    rig_read(&r, C2S, "{\"k\":\"plain\",\"m\":\"not json\"}"); /* nobody looks inside */
    assert_false(r.u[0].has_cause);
    rig_read(&r, C2S, "{\"k\":\"tail\",\"m\":\"not json\",\"t\":\"x\"}"); /* the rule that matches does not */
    assert_false(r.u[0].has_cause);
    assert_span(r.u[0].text[0], "x");
    rig_fini(&r);
}

static void test_unknown_by_policy(void **state)
{
    (void)state;
    struct rig r;
    use(&r, "profile: x\nws: {path: /ws, ignore: [ping]}\ndefault: policy\nrules:\n"
            " - {id: sub, dir: c2s, when: {eq: [/k, sub]}, kind: ignore}\n");
    expect_cause(&r, "{\"k\":\"other\"}", CAUSE_UNKNOWN_UNIT);
    assert_int_equal(rig_read(&r, C2S, "{\"k\":\"sub\"}"), 0);
    assert_int_equal(rig_read(&r, C2S, "ping"), 0);
    assert_int_equal(rig_read(&r, S2C, "{\"k\":\"other\"}"), 0);
    rig_fini(&r);
}

/* ${…?} inside and outside of strings, an embedded template, values that try to become syntax. */
static void test_templates(void **state)
{
    (void)state;
    struct rig r;
    use(&r, "profile: x\nws: {path: /ws}\n"
            "templates:\n"
            "  inner: '{\"r\":${reason},\"m\":${mid?}}'\n"
            "  outer: '{\"in\":${@inner},\"s\":\"<${mid:s?}>\",\"rule\":${rule},\"at\":${now_ms}}'\n"
            "refusals: {n: [{send: outer}, {send: '{\"need\":${own}}'}]}\n"
            "rules: [{id: a, dir: c2s, kind: send, text: /t, get: {mid: /id, own: /own}, refuse: n}]\n");
    rig_read(&r, C2S, "{\"t\":\"x\",\"id\":\"a\\\"}\\u0041\"}");
    assert_string_equal(rig_refuse(&r, 0, "\"},{\\"),
                        "{\"in\":\"{\\\"r\\\":\\\"\\\\\\\"},{\\\\\\\\\\\",\\\"m\\\":\\\"a\\\\\\\"}\\\\u0041\\\"}\","
                        "\"s\":\"<a\\\"}A>\",\"rule\":\"E1-1\",\"at\":1700000000}");
    rig_read(&r, C2S, "{\"t\":\"x\",\"own\":[1,{}]}");
    assert_string_equal(rig_refuse(&r, 0, "n"), "{\"in\":\"{\\\"r\\\":\\\"n\\\",\\\"m\\\":null}\",\"s\":\"<>\","
                                                "\"rule\":\"E1-1\",\"at\":1700000000}\n{\"need\":[1,{}]}");
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),        cmocka_unit_test(test_short_way),
        cmocka_unit_test(test_order_and_kinds),   cmocka_unit_test(test_broken_inner_documents),
        cmocka_unit_test(test_unknown_by_policy), cmocka_unit_test(test_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

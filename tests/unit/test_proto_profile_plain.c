/* The profile plain-ws-json end to end: identity, texts, ids, refusal, rewrite, notice, answers. */
#include "profile_rig.h"

static const char SEND[] =
    "{\"type\":\"message\",\"id\":\"m1\",\"conversationId\":\"c7\",\"text\":\"\xe5\x8a\xa0\xe5\xbe\xae\xe4\xbf\xa1\"}";

static void test_send(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "plain-ws-json", 0);
    assert_int_equal(rig_read(&r, C2S, SEND), 1);
    assert_int_equal(r.u[0].kind, UNIT_SEND);
    assert_false(r.u[0].has_cause);
    assert_int_equal(r.u[0].n_texts, 1);
    assert_span(r.u[0].text[0], "加微信");
    assert_span(r.u[0].conv, "c7");
    assert_span(r.u[0].customer, "c7");
    assert_span(r.u[0].mid, "m1");
    assert_string_equal(rig_refuse(&r, 0, "不要\"加\""),
                        "{\"type\":\"error\",\"ref\":\"m1\",\"code\":\"blocked\",\"message\":\"不要\\\"加\\\"\"}");
    assert_string_equal(rig_rewrite(&r, 0, 0, "a\nb"),
                        "{\"type\":\"message\",\"id\":\"m1\",\"conversationId\":\"c7\",\"text\":\"a\\nb\"}");
    struct unit_fate drop = {.drop = true}, none = {0};
    assert_int_equal(rig_emit(&r, &drop), EMIT_NOTHING);
    assert_int_equal(rig_emit(&r, &none), EMIT_AS_IS);
    rig_fini(&r);
}

static void test_number_ids_keep_their_form(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "plain-ws-json", 0);
    rig_read(&r, C2S, "{\"type\":\"message\",\"id\":9007199254740993,\"conversationId\":5,\"text\":\"x\"}");
    assert_span(r.u[0].mid, "9007199254740993");
    assert_string_equal(rig_refuse(&r, 0, "why"),
                        "{\"type\":\"error\",\"ref\":9007199254740993,\"code\":\"blocked\",\"message\":\"why\"}");
    rig_read(&r, C2S, "{\"type\":\"message\",\"conversationId\":5,\"text\":\"x\"}");
    assert_string_equal(rig_refuse(&r, 0, "why"),
                        "{\"type\":\"error\",\"ref\":null,\"code\":\"blocked\",\"message\":\"why\"}");
    rig_fini(&r);
}

static void test_identity(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "plain-ws-json", 0);
    assert_int_equal(rig_read(&r, S2C, "{\"type\":\"auth_ok\",\"agentId\":\"evil\"}"), 0);
    assert_int_equal(r.c.uid.len, 0); /* an answer without a question */
    assert_int_equal(rig_read(&r, C2S, "{\"type\":\"auth\",\"token\":\"t\"}"), 0);
    assert_int_equal(rig_read(&r, S2C, "{\"type\":\"auth_ok\",\"agentId\":\"a1\",\"name\":\"\\u5c0f\"}"), 0);
    assert_span(buf_span(&r.c.uid), "a1");
    assert_span(buf_span(&r.c.name), "小");
    rig_fini(&r);
}

static void test_incoming(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "plain-ws-json", 0);
    const char *in = "{\"type\":\"message\",\"id\":\"k1\",\"conversationId\":\"c7\",\"sender\":{\"id\":\"u9\",\"role\":"
                     "\"customer\"},\"text\":\"\\u5728\\u5417\",\"ts\":1700000}";
    assert_int_equal(rig_read(&r, S2C, in), 1);
    assert_int_equal(r.u[0].kind, UNIT_INCOMING);
    assert_int_equal(r.u[0].role, ROLE_CUSTOMER);
    assert_span(r.u[0].text[0], "在吗");
    assert_span(r.u[0].sender, "u9");
    assert_int_equal(r.u[0].ts_ms, 1700000000);
    assert_true(r.u[0].is_live);
    assert_int_equal(rig_read(&r, S2C, "{\"type\":\"message\",\"sender\":{\"role\":\"agent\"},\"text\":\"x\"}"), 0);
    rig_read(&r, S2C, "{\"type\":\"message\",\"sender\":{\"role\":\"customer\"},\"text\":\"x\",\"ts\":1600000}");
    assert_false(r.u[0].is_live);
    rig_read(&r, S2C, "{\"type\":\"message\",\"sender\":{\"role\":\"customer\"},\"text\":\"x\",\"history\":true}");
    assert_false(r.u[0].is_live);
    rig_fini(&r);
}

static void test_answers(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "plain-ws-json", 0);
    assert_int_equal(rig_read(&r, S2C, "{\"type\":\"error\",\"ref\":\"m1\"}"), 0); /* answers nothing */
    rig_read(&r, C2S, SEND);
    assert_int_equal(rig_read(&r, S2C, "{\"type\":\"error\",\"ref\":\"m1\",\"message\":\"closed\"}"), 1);
    assert_int_equal(r.u[0].kind, UNIT_NONE);
    assert_true(r.u[0].is_nack);
    assert_false(r.u[0].is_ack);
    assert_span(r.u[0].mid, "m1");
    assert_span(r.u[0].conv, "c7");
    assert_int_equal(rig_read(&r, S2C, "{\"type\":\"ack\",\"ref\":\"m1\"}"), 1);
    assert_true(r.u[0].is_ack);
    rig_fini(&r);
}

static void test_notice(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "plain-ws-json", 0);
    size_t n = profile_notice(&r.c, span_str("c\"7"), span_str("客户在等"), 0, &r.out, r.len);
    assert_int_equal(n, 1);
    assert_span(buf_span(&r.out), "{\"type\":\"notice\",\"conversationId\":\"c\\\"7\",\"text\":\"客户在等\"}");
    assert_int_equal(r.len[0], r.out.len);
    buf_reset(&r.out);
    rig_read(&r, C2S, "{\"type\":\"message\",\"conversationId\":42,\"text\":\"x\"}");
    profile_notice(&r.c, span_str("42"), span_str("x"), 0, &r.out, r.len); /* a number where numbers are used */
    assert_span(buf_span(&r.out), "{\"type\":\"notice\",\"conversationId\":42,\"text\":\"x\"}");
    rig_fini(&r);
}

static void expect_cause(struct rig *r, const char *payload, enum cause cause)
{
    assert_int_equal(rig_read(r, C2S, payload), 1);
    if (!r->u[0].has_cause || r->u[0].cause != cause)
        fail_msg("%s: cause %s", payload, r->u[0].has_cause ? cause_name(r->u[0].cause) : "none");
}

static void test_unreadable(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "plain-ws-json", 0);
    expect_cause(&r, "", CAUSE_BAD_JSON);
    expect_cause(&r, "{\"type\":\"message\",}", CAUSE_BAD_JSON);
    expect_cause(&r, "{\"type\":\"x\",\"type\":\"message\",\"text\":\"a\"}", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "{\"type\":\"message\",\"text\":\"ok\",\"te\\u0078t\":\"bad\"}", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "{\"type\":\"message\",\"text\":\"a\\u0000b\"}", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "{\"type\":\"message\",\"text\":\"\\ud800\"}", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "\xef\xbb\xbf{}", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "{} {}", CAUSE_AMBIGUOUS_JSON);
    assert_int_equal(r.u[0].kind, UNIT_OPAQUE);
    assert_string_equal(rig_refuse(&r, 0, "no"),
                        "{\"type\":\"error\",\"ref\":null,\"code\":\"blocked\",\"message\":\"no\"}");
    expect_cause(&r, "{\"type\":\"message\",\"text\":13800138000}", CAUSE_OPAQUE);
    assert_int_equal(r.u[0].kind, UNIT_SEND);
    expect_cause(&r, "{\"type\":\"message\",\"text\":{\"a\":\"b\"}}", CAUSE_OPAQUE);
    rig_read(&r, C2S, "{\"type\":\"message\",\"text\":null}");
    assert_false(r.u[0].has_cause);
    rig_fini(&r);
}

static void test_too_many_texts(void **state)
{
    (void)state;
    struct rig r;
    struct buf b = {0};
    rig_init(&r, "plain-ws-json", 0);
    buf_append_str(&b, "{\"type\":\"message\",\"parts\":[");
    for (int i = 0; i <= UNIT_TEXTS_MAX; i++)
        buf_printf(&b, "%s{\"text\":\"t%d\"}", i ? "," : "", i);
    buf_append_str(&b, "]}");
    expect_cause(&r, buf_cstr(&b), CAUSE_TOO_COMPLEX);
    assert_int_equal(r.u[0].n_texts, UNIT_TEXTS_MAX);
    buf_fini(&b);
    rig_fini(&r);
}

static void test_edits_of_several_texts(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "plain-ws-json", 0);
    rig_read(&r, C2S,
             " { \"type\" : \"message\", "
             "\"parts\":[{\"text\":\"a\\u00e9\\ud83d\\ude00z\"},{\"text\":\"plain\"}],\n\"text\":\"1\\/2\"} ");
    assert_int_equal(r.u[0].n_texts, 3);
    assert_span(r.u[0].text[1], "aé😀z");
    struct text_edit ed[] = {{.text = 0, .from = 1, .to = 2, .with = span_str("|")},
                             {.text = 1, .from = 1, .to = 3, .with = span_str("e")},
                             {.text = 1, .from = 7, .to = 7, .with = span_str("\"")},
                             {.text = 2, .from = 0, .to = 5, .with = span_str("")}};
    struct unit_fate fate = {.edit = ed, .n_edits = ARRAY_LEN(ed)};
    assert_int_equal(rig_emit(&r, &fate), EMIT_BYTES);
    assert_span(buf_span(&r.out),
                " { \"type\" : \"message\", "
                "\"parts\":[{\"text\":\"ae\\ud83d\\ude00\\\"z\"},{\"text\":\"\"}],\n\"text\":\"1|2\"} ");
    ed[3].to = 6;
    assert_int_equal(rig_emit(&r, &fate), EMIT_FAILED);
    assert_int_equal(r.out.len, 0);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_number_ids_keep_their_form),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_incoming),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_notice),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_too_many_texts),
        cmocka_unit_test(test_edits_of_several_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

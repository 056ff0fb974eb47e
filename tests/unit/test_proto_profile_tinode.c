/* The profile tinode on sample frames. */
#include "profile_rig.h"

static const char PUB[] =
    "{\"pub\":{\"id\":\"11\",\"topic\":\"usrB\",\"noecho\":false,\"head\":{\"mime\":\"text/x-drafty\"},"
    "\"content\":{\"txt\":\"hi\",\"fmt\":[{\"at\":0,\"len\":2,\"tp\":\"ST\"}]}}}";

static void test_pub(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "tinode", 0);
    assert_int_equal(rig_read(&r, C2S, PUB), 1);
    assert_int_equal(r.u[0].kind, UNIT_SEND);
    assert_false(r.u[0].has_cause);
    assert_int_equal(r.u[0].n_texts, 1);
    assert_span(r.u[0].text[0], "hi");
    assert_span(r.u[0].conv, "usrB");
    assert_string_equal(
        rig_refuse(&r, 0, "policy violation"),
        "{\"ctrl\":{\"id\":\"11\",\"topic\":\"usrB\",\"code\":422,\"text\":\"policy violation\",\"params\":{"
        "\"what\":\"blocked\"},\"ts\":\"1970-01-20T16:13:20.000Z\"}}");
    assert_string_equal(
        rig_rewrite(&r, 0, 0, "hello"),
        "{\"pub\":{\"id\":\"11\",\"topic\":\"usrB\",\"noecho\":false,\"head\":{\"mime\":\"text/x-drafty\"},"
        "\"content\":{\"txt\":\"hello\"}}}");
    assert_int_equal(r.n_dropped, 1);
    rig_fini(&r);
}

static void test_plain_content_and_edit(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "tinode", 0);
    rig_read(&r, C2S, "{\"pub\":{\"id\":\"12\",\"topic\":\"grp1\",\"head\":{\"replace\":\":12\"},\"content\":\"hi\"}}");
    assert_int_equal(r.u[0].kind, UNIT_EDIT);
    assert_span(r.u[0].text[0], "hi");
    assert_int_equal(rig_read(&r, C2S, "1"), 0);
    assert_int_equal(rig_read(&r, C2S, ""), 0);
    assert_int_equal(rig_read(&r, C2S, "{\"hi\":{\"id\":\"1\",\"ver\":\"0.25\"}}"), 0);
    rig_fini(&r);
}

static void test_companions(void **state)
{
    (void)state;
    static const struct {
        const char *content, *after;
    } list[] = {
        {"{\"fmt\":[{}],\"txt\":\"a\"}", "{\"txt\":\"z\"}"},
        {"{\"fmt\":[{}] , \"txt\":\"a\" , \"ent\":[]}", "{\"txt\":\"z\"}"},
        {"{\"fmt\":1,\"ent\":2,\"txt\":\"a\"}", "{\"txt\":\"z\"}"},
        {"{\"txt\":\"a\",\"fmt\":1,\"ent\":2}", "{\"txt\":\"z\"}"},
        {"{\"x\":0,\"fmt\":1,\"y\":0,\"ent\":2,\"txt\":\"a\"}", "{\"x\":0,\"y\":0,\"txt\":\"z\"}"},
        {"{\"txt\":\"a\"}", "{\"txt\":\"z\"}"},
    };
    struct rig r;
    struct buf b = {0}, want = {0};
    rig_init(&r, "tinode", 0);
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        buf_reset(&b);
        buf_reset(&want);
        buf_printf(&b, "{\"pub\":{\"topic\":\"t\",\"content\":%s}}", list[i].content);
        buf_printf(&want, "{\"pub\":{\"topic\":\"t\",\"content\":%s}}", list[i].after);
        rig_read(&r, C2S, buf_cstr(&b));
        assert_string_equal(rig_rewrite(&r, 0, 0, "z"), buf_cstr(&want));
    }
    /* an edit inside what goes anyway, together with one that stays */
    rig_read(&r, C2S,
             "{\"pub\":{\"content\":{\"txt\":\"a\",\"ent\":[{\"tp\":\"LN\",\"data\":{\"url\":\"http://x\"}}]}}}");
    assert_int_equal(r.u[0].n_texts, 2);
    assert_span(r.u[0].text[1], "http://x");
    struct text_edit ed[] = {{.text = 0, .from = 0, .to = 1, .with = span_str("z")},
                             {.text = 1, .from = 0, .to = 4, .with = span_str("ftp")}};
    struct unit_fate fate = {.edit = ed, .n_edits = 2};
    assert_int_equal(rig_emit(&r, &fate), EMIT_BYTES);
    assert_span(buf_span(&r.out), "{\"pub\":{\"content\":{\"txt\":\"z\"}}}");
    buf_fini(&b);
    buf_fini(&want);
    rig_fini(&r);
}

static void expect_cause(struct rig *r, const char *payload, enum cause cause)
{
    assert_int_equal(rig_read(r, C2S, payload), 1);
    if (!r->u[0].has_cause || r->u[0].cause != cause)
        fail_msg("%s: cause %s", payload, r->u[0].has_cause ? cause_name(r->u[0].cause) : "none");
}

static void test_ambiguities(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "tinode", 0);
    assert_int_equal(rig_read(&r, C2S, "{\"PUB\":{\"Topic\":\"t\",\"conTENT\":\"bad\"}}"), 1);
    assert_span(r.u[0].text[0], "bad");
    assert_span(r.u[0].conv, "t");
    expect_cause(&r, "{\"pub\":{\"content\":\"ok\"},\"Pub\":{\"content\":\"bad\"}}", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "{\"pub\":{\"content\":\"ok\",\"content\":\"bad\"}}", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "{\"pub\":{\"content\":[\"bad\"]}}", CAUSE_OPAQUE);
    expect_cause(&r, "{\"pub\":{\"content\":{\"html\":\"bad\"}}}", CAUSE_OPAQUE);
    /* null is no pub for the server, which goes on to note */
    assert_int_equal(
        rig_read(&r, C2S, "{\"pub\":null,\"note\":{\"what\":\"data\",\"topic\":\"t\",\"payload\":\"bad\"}}"), 1);
    assert_span(r.u[0].text[0], "bad");
    rig_read(&r, C2S, "{\"note\":{\"what\":\"data\",\"topic\":\"t\",\"payload\":{\"a\":[\"deep\"]}}}");
    assert_false(r.u[0].has_cause);
    assert_span(r.u[0].text[0], "deep");
    assert_int_equal(rig_read(&r, C2S, "{\"note\":{\"what\":\"kp\",\"topic\":\"t\"}}"), 0);
    rig_fini(&r);
}

static void test_identity_and_incoming(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "tinode", 0);
    rig_read(&r, C2S, "{\"login\":{\"id\":\"3\",\"scheme\":\"basic\",\"secret\":\"x\"}}");
    rig_read(&r, S2C, "{\"ctrl\":{\"id\":\"3\",\"code\":401,\"params\":{\"user\":\"usrX\"}}}");
    assert_int_equal(r.c.uid.len, 0);
    rig_read(&r, S2C, "{\"ctrl\":{\"id\":\"3\",\"code\":200,\"params\":{\"user\":\"usrA\",\"token\":\"t\"}}}");
    assert_span(buf_span(&r.c.uid), "usrA");
    rig_read(&r, S2C,
             "{\"data\":{\"topic\":\"usrB\",\"from\":\"usrB\",\"ts\":\"1970-01-20T16:13:10.5Z\",\"seq\":14,\"content\":"
             "\"hello\"}}");
    assert_int_equal(r.n, 1);
    assert_int_equal(r.u[0].role, ROLE_CUSTOMER);
    assert_span(r.u[0].mid, "14");
    assert_int_equal(r.u[0].ts_ms, 1699990500);
    assert_true(r.u[0].is_live);
    rig_read(
        &r, S2C,
        "{\"data\":{\"topic\":\"usrB\",\"from\":\"usrA\",\"ts\":\"1970-01-20T16:00:00+00:00\",\"content\":\"x\"}}");
    assert_int_equal(r.u[0].role, ROLE_SELF);
    assert_false(r.u[0].is_live);
    assert_int_equal(profile_notice(&r.c, span_str("usrB"), span_str("x"), 0, &r.out, r.len), 0);
    rig_fini(&r);
}

static void test_answers(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "tinode", 0);
    rig_read(&r, C2S, PUB);
    assert_int_equal(
        rig_read(&r, S2C, "{\"ctrl\":{\"id\":\"11\",\"topic\":\"usrB\",\"code\":403,\"text\":\"denied\"}}"), 1);
    assert_true(r.u[0].is_nack);
    assert_span(r.u[0].mid, "11");
    assert_span(r.u[0].conv, "usrB");
    assert_int_equal(rig_read(&r, S2C, "{\"ctrl\":{\"id\":\"11\",\"topic\":\"usrB\",\"code\":202}}"), 1);
    assert_true(r.u[0].is_ack);
    assert_int_equal(rig_read(&r, S2C, "{\"ctrl\":{\"id\":\"99\",\"code\":500}}"), 0);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pub),
        cmocka_unit_test(test_plain_content_and_edit),
        cmocka_unit_test(test_companions),
        cmocka_unit_test(test_ambiguities),
        cmocka_unit_test(test_identity_and_incoming),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

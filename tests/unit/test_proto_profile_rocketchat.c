/* The profile rocketchat on sample frames: plain DDP and in SockJS frames. */
#include "profile_rig.h"

enum { WS_PLAIN = 0, WS_SOCKJS = 2 };

static const char SEND[] =
    "{\"msg\":\"method\",\"method\":\"sendMessage\",\"id\":\"7\",\"params\":[{\"_id\":\"m7\",\"rid\":"
    "\"r1\",\"msg\":\"hello\"}]}";
#define ERROR_JSON                                                                                                     \
    "{\"msg\":\"result\",\"id\":\"7\",\"error\":{\"isClientSafe\":true,\"error\":\"error-message-blocked\","           \
    "\"reason\":\"why\\\"\",\"message\":\"why\\\"\",\"errorType\":\"Meteor.Error\"}}"

static const char LOGIN[] = "{\"msg\":\"method\",\"method\":\"login\",\"id\":\"1\",\"params\":[{\"resume\":\"t\"}]}";

static void log_in(struct rig *r)
{
    assert_int_equal(rig_read(r, C2S, LOGIN), 0);
    rig_read(r, S2C, "{\"msg\":\"result\",\"id\":\"2\",\"result\":{\"id\":\"other\"}}");
    assert_int_equal(r->c.uid.len, 0); /* another call's result */
    rig_read(r, C2S, "{\"msg\":\"method\",\"method\":\"mine\",\"id\":\"1\",\"params\":[]}");
    rig_read(r, S2C, "{\"msg\":\"result\",\"id\":\"1\",\"result\":{\"id\":\"forged\"}}");
    assert_int_equal(r->c.uid.len, 0); /* the id was taken over by a call of another kind */
    rig_read(r, C2S, LOGIN);
    rig_read(r, S2C, "{\"msg\":\"result\",\"id\":\"1\",\"result\":{\"id\":\"u1\",\"token\":\"t\"}}");
    assert_span(buf_span(&r->c.uid), "u1");
}

static void test_plain_send(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "rocketchat", WS_PLAIN);
    assert_int_equal(rig_read(&r, C2S, SEND), 1);
    assert_int_equal(r.u[0].kind, UNIT_SEND);
    assert_false(r.u[0].has_cause);
    assert_span(r.u[0].text[0], "hello");
    assert_span(r.u[0].conv, "r1");
    assert_span(r.u[0].mid, "m7");
    assert_string_equal(rig_refuse(&r, 0, "why\""), ERROR_JSON "\n{\"msg\":\"updated\",\"methods\":[\"7\"]}");
    assert_string_equal(rig_rewrite(&r, 0, 0, "bye"), "{\"msg\":\"method\",\"method\":\"sendMessage\",\"id\":\"7\","
                                                      "\"params\":[{\"_id\":\"m7\",\"rid\":\"r1\",\"msg\":\"bye\"}]}");
    rig_read(&r, C2S,
             "{\"msg\":\"method\",\"method\":\"updateMessage\",\"id\":\"8\",\"params\":[{\"_id\":\"m7\",\"rid\":\"r1\","
             "\"msg\":\"hello\"}]}");
    assert_int_equal(r.u[0].kind, UNIT_EDIT);
    assert_int_equal(rig_read(&r, C2S, "{\"msg\":\"ping\"}"), 0);
    assert_int_equal(
        rig_read(&r, C2S, "{\"msg\":\"sub\",\"id\":\"s\",\"name\":\"stream-room-messages\",\"params\":[\"r1\"]}"), 0);
    rig_fini(&r);
}

static void test_opaque_forms(void **state)
{
    (void)state;
    static const char *const params[] = {
        "[{\"rid\":\"r\",\"t\":\"e2e\",\"msg\":\"x\"}]", "[{\"rid\":\"r\",\"content\":{},\"msg\":\"x\"}]",
        "[{\"rid\":\"r\",\"msg\":{\"$escape\":\"x\"}}]", "[{\"$escape\":{\"rid\":\"r\",\"msg\":\"x\"}}]",
        "{\"$escape\":[{\"rid\":\"r\",\"msg\":\"x\"}]}", "[{\"rid\":\"r\",\"msg\":[\"x\"]}]",
        "[{\"rid\":\"r\",\"msg\":\"x\",\"blocks\":[]}]",
    };
    struct rig r;
    struct buf b = {0};
    rig_init(&r, "rocketchat", WS_PLAIN);
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        buf_reset(&b);
        buf_printf(&b, "{\"msg\":\"method\",\"method\":\"sendMessage\",\"id\":\"1\",\"params\":%s}", params[i]);
        assert_int_equal(rig_read(&r, C2S, buf_cstr(&b)), 1);
        if (!r.u[0].has_cause || r.u[0].cause != CAUSE_OPAQUE)
            fail_msg("%s passed", params[i]);
    }
    buf_fini(&b);
    rig_fini(&r);
}

static void test_other_methods(void **state)
{
    (void)state;
    static const struct {
        const char *method, *params, *text;
    } list[] = {
        {"slashCommand", "[{\"cmd\":\"me\",\"params\":\"bad\",\"msg\":{\"rid\":\"r\",\"msg\":\"/me bad\"}}]", "bad"},
        {"livechat:closeRoom", "[\"r\",\"bad\",{}]", "bad"},
        {"sendFileMessage", "[\"r\",null,{\"name\":\"n.png\"},{\"msg\":\"bad\"}]", "bad"},
        {"createDiscussion", "[{\"prid\":\"r\",\"reply\":\"bad\"}]", "bad"},
        {"saveRoomSettings", "[\"r\",\"roomTopic\",\"bad\"]", "bad"},
        {"saveRoomSettings", "[\"r\",{\"roomTopic\":\"bad\",\"readOnly\":true}]", "bad"},
        {"sendMessageLivechat", "[{\"rid\":\"r\",\"msg\":\"bad\"}]", "bad"},
    };
    struct rig r;
    struct buf b = {0};
    rig_init(&r, "rocketchat", WS_PLAIN);
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        buf_reset(&b);
        buf_printf(&b, "{\"msg\":\"method\",\"method\":\"%s\",\"id\":\"1\",\"params\":%s}", list[i].method,
                   list[i].params);
        assert_int_equal(rig_read(&r, C2S, buf_cstr(&b)), 1);
        bool is_setting = strcmp(list[i].method, "saveRoomSettings") == 0; /* answers nobody */
        assert_int_equal(r.u[0].kind, is_setting ? UNIT_EDIT : UNIT_SEND);
        assert_false(r.u[0].has_cause);
        assert_span(r.u[0].text[0], list[i].text);
        assert_span(r.u[0].conv, "r");
    }
    buf_fini(&b);
    rig_fini(&r);
}

#define IN_ARGS(args)                                                                                                  \
    "{\"msg\":\"changed\",\"collection\":\"stream-room-messages\",\"id\":\"id\",\"fields\":{\"eventName\":\"r1\","     \
    "\"args\":[" args "]}}"

static void test_incoming(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "rocketchat", WS_PLAIN);
    log_in(&r);
    rig_read(&r, S2C,
             IN_ARGS("{\"_id\":\"m8\",\"rid\":\"r1\",\"msg\":\"hi\",\"token\":\"vtok\",\"u\":{\"_id\":\"v1\"},\"ts\":{"
                     "\"$date\":1700000000}}"));
    assert_int_equal(r.n, 1);
    assert_int_equal(r.u[0].kind, UNIT_INCOMING);
    assert_int_equal(r.u[0].role, ROLE_CUSTOMER);
    assert_span(r.u[0].text[0], "hi");
    assert_span(r.u[0].sender, "v1");
    assert_span(r.u[0].mid, "m8");
    assert_true(r.u[0].is_live);
    rig_read(&r, S2C, IN_ARGS("{\"_id\":\"m9\",\"rid\":\"r1\",\"msg\":\"hi\",\"u\":{\"_id\":\"u1\"}}"));
    assert_int_equal(r.u[0].role, ROLE_SELF);
    rig_read(&r, S2C, IN_ARGS("{\"_id\":\"m9\",\"rid\":\"r1\",\"msg\":\"hi\",\"u\":{\"_id\":\"u2\"}}"));
    assert_int_equal(r.u[0].role, ROLE_AGENT);
    assert_int_equal(rig_read(&r, S2C, IN_ARGS("{\"_id\":\"m9\",\"rid\":\"r1\",\"t\":\"uj\",\"msg\":\"joined\"}")), 0);
    rig_read(&r, S2C,
             IN_ARGS("{\"_id\":\"m8\",\"rid\":\"r1\",\"msg\":\"hi\",\"token\":\"v\",\"editedAt\":{\"$date\":1}}"));
    assert_false(r.u[0].is_live);
    rig_fini(&r);
}

static void test_answers(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "rocketchat", WS_PLAIN);
    rig_read(&r, C2S, SEND);
    assert_int_equal(rig_read(&r, S2C, "{\"msg\":\"result\",\"id\":\"6\",\"error\":{}}"), 0);
    assert_int_equal(rig_read(&r, S2C, "{\"msg\":\"result\",\"id\":\"7\",\"error\":{\"error\":\"x\"}}"), 1);
    assert_true(r.u[0].is_nack);
    assert_span(r.u[0].mid, "m7");
    assert_span(r.u[0].conv, "r1");
    rig_fini(&r);
}

static void test_notice(void **state)
{
    (void)state;
    struct rig r;
    struct json_doc d = {0};
    rig_init(&r, "rocketchat", WS_SOCKJS);
    assert_int_equal(profile_notice(&r.c, span_str("r1"), span_str("x"), 5, &r.out, r.len), 0);
    rig_read(&r, C2S,
             "[\"{\\\"msg\\\":\\\"sub\\\",\\\"id\\\":\\\"s\\\",\\\"name\\\":\\\"stream-notify-user\\\",\\\"params\\\":["
             "\\\"u1/message\\\",false]}\"]");
    assert_true(r.c.notice_ready);
    assert_int_equal(profile_notice(&r.c, span_str("r1"), span_str("x"), 5, &r.out, r.len), 0); /* uid unknown */
    buf_append_str(&r.c.uid, "u1");
    assert_int_equal(profile_notice(&r.c, span_str("r1"), span_str("在\"等"), 5, &r.out, r.len), 1);
    assert_int_equal(json_read(&d, span_from(buf_span(&r.out), 1), 0, NULL), JSON_OK);
    assert_memory_equal(buf_cstr(&r.out), "a[\"{\\\"msg\\\":\\\"changed\\\"", 22);
    uint8_t inner[2048];
    size_t n = json_decode(&d, 1, inner, NULL);
    struct json_doc e = {0};
    assert_int_equal(json_read(&e, span_of(inner, n), 0, NULL), JSON_OK);
    assert_non_null(strstr(buf_cstr(&r.out), "\\\"eventName\\\":\\\"u1/message\\\""));
    json_doc_fini(&e);
    json_doc_fini(&d);
    rig_fini(&r);
}

/* --- SockJS --- */

#define Q "\\\""
#define SJ_SEND(id, text)                                                                                              \
    "\"{" Q "msg" Q ":" Q "method" Q "," Q "method" Q ":" Q "sendMessage" Q "," Q "id" Q ":" Q id Q "," Q "params" Q   \
    ":[{" Q "_id" Q ":" Q "m" id Q "," Q "rid" Q ":" Q "r1" Q "," Q "msg" Q ":" Q text Q "}]}\""
#define SJ_PING "\"{" Q "msg" Q ":" Q "ping" Q "}\""

static void test_sockjs_send(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "rocketchat", WS_SOCKJS);
    assert_int_equal(rig_read(&r, C2S, "[" SJ_SEND("7", "a\\\\u5fae\\\\n") "]"), 1);
    assert_span(r.u[0].text[0], "a微\n");
    assert_span(r.u[0].mid, "m7");
    assert_string_equal(rig_refuse(&r, 0, "w"),
                        "a[\"{\\\"msg\\\":\\\"result\\\",\\\"id\\\":\\\"7\\\",\\\"error\\\":{\\\"isClientSafe\\\":true,"
                        "\\\"error\\\":\\\"error-message-blocked\\\",\\\"reason\\\":\\\"w\\\",\\\"message\\\":"
                        "\\\"w\\\",\\\"errorType\\\":\\\"Meteor.Error\\\"}}\"]\n"
                        "a[\"{\\\"msg\\\":\\\"updated\\\",\\\"methods\\\":[\\\"7\\\"]}\"]");
    assert_string_equal(rig_rewrite(&r, 0, 0, "b\"\n"), "[" SJ_SEND("7", "b\\\\\\\"\\\\n") "]");
    rig_fini(&r);
}

static void expect_emit(struct rig *r, const bool drop[UNITS_MAX], const char *payload)
{
    struct unit_fate fates[UNITS_MAX] = {0};
    for (size_t i = 0; i < r->n; i++)
        fates[i].drop = drop[i];
    assert_int_equal(rig_emit(r, fates), EMIT_BYTES);
    assert_span(buf_span(&r->out), payload);
}

static void test_sockjs_batches(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "rocketchat", WS_SOCKJS);
    assert_int_equal(rig_read(&r, C2S, "[" SJ_SEND("1", "a") ", " SJ_PING " ," SJ_SEND("2", "b") "]"), 2);
    assert_span(r.u[1].text[0], "b");
    expect_emit(&r, (bool[UNITS_MAX]){true}, "[" SJ_PING " ," SJ_SEND("2", "b") "]");
    expect_emit(&r, (bool[UNITS_MAX]){false, true}, "[" SJ_SEND("1", "a") ", " SJ_PING "]");
    expect_emit(&r, (bool[UNITS_MAX]){true, true}, "[" SJ_PING "]");
    assert_int_equal(rig_read(&r, C2S, "[" SJ_SEND("1", "a") "," SJ_SEND("2", "b") "]"), 2);
    expect_emit(&r, (bool[UNITS_MAX]){true}, "[" SJ_SEND("2", "b") "]");
    struct unit_fate all[2] = {{.drop = true}, {.drop = true}};
    assert_int_equal(rig_emit(&r, all), EMIT_NOTHING);
    struct text_edit ed = {.from = 0, .to = 1, .with = span_str("z")};
    struct unit_fate mixed[2] = {{.drop = true}, {.edit = &ed, .n_edits = 1}};
    assert_int_equal(rig_emit(&r, mixed), EMIT_BYTES);
    assert_span(buf_span(&r.out), "[" SJ_SEND("2", "z") "]");
    rig_fini(&r);
}

static void expect_one(struct rig *r, const char *payload, enum cause cause)
{
    assert_int_equal(rig_read(r, C2S, payload), 1);
    if (!r->u[0].has_cause || r->u[0].cause != cause)
        fail_msg("%s: cause %s", payload, r->u[0].has_cause ? cause_name(r->u[0].cause) : "none");
}

static void test_sockjs_tricks(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "rocketchat", WS_SOCKJS);
    assert_int_equal(rig_read(&r, C2S, SJ_SEND("1", "a")), 1); /* one string without a list */
    struct unit_fate drop = {.drop = true};
    assert_int_equal(rig_emit(&r, &drop), EMIT_NOTHING);
    expect_one(&r, " [" SJ_SEND("1", "a") "]", CAUSE_AMBIGUOUS_JSON);
    expect_one(&r, "[[" SJ_SEND("1", "a") "]]", CAUSE_AMBIGUOUS_JSON);
    expect_one(&r, "[{\"msg\":\"method\"}]", CAUSE_AMBIGUOUS_JSON);
    expect_one(&r, "[\"{\\\"msg\\\":\\\"a\\\",\\\"msg\\\":\\\"b\\\"}\"]", CAUSE_AMBIGUOUS_JSON);
    expect_one(&r, "[\"x\"]", CAUSE_BAD_JSON);
    expect_one(&r, "[\"{}\"", CAUSE_BAD_JSON);
    assert_int_equal(rig_read(&r, C2S, ""), 0);
    assert_int_equal(rig_read(&r, C2S, "[]"), 0);
    assert_int_equal(rig_read(&r, S2C, "o"), 0);
    assert_int_equal(rig_read(&r, S2C, "h"), 0);
    assert_int_equal(rig_read(&r, S2C, "c[3000,\"Go away!\"]"), 0);
    rig_fini(&r);
}

/* More messages in one frame than can be judged: one fate for all, nothing slips through behind the others. */
static void test_sockjs_too_many(void **state)
{
    (void)state;
    struct rig r;
    struct buf b = {0};
    rig_init(&r, "rocketchat", WS_SOCKJS);
    for (int n = UNITS_MAX; n <= UNITS_MAX + 1; n++) {
        buf_reset(&b);
        for (int i = 0; i < n; i++)
            buf_printf(&b, "%c%s", i ? ',' : '[', SJ_SEND("1", "a"));
        buf_append_str(&b, "]");
        rig_read(&r, C2S, buf_cstr(&b));
        assert_int_equal(r.n, n == UNITS_MAX ? UNITS_MAX : 1);
    }
    assert_int_equal(r.u[0].cause, CAUSE_TOO_COMPLEX);
    struct unit_fate drop = {.drop = true};
    assert_int_equal(rig_emit(&r, &drop), EMIT_NOTHING);
    buf_fini(&b);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_send),    cmocka_unit_test(test_opaque_forms),
        cmocka_unit_test(test_other_methods), cmocka_unit_test(test_incoming),
        cmocka_unit_test(test_answers),       cmocka_unit_test(test_notice),
        cmocka_unit_test(test_sockjs_send),   cmocka_unit_test(test_sockjs_batches),
        cmocka_unit_test(test_sockjs_tricks), cmocka_unit_test(test_sockjs_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

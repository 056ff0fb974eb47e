/* The profile socketio-custom on sample packets. */
#include "profile_rig.h"

#define SEND "[\"message\",{\"id\":\"m1\",\"conversationId\":\"c1\",\"text\":\"hi\"}]"

static void test_send_with_ack(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "socketio-custom", 0);
    assert_int_equal(rig_read(&r, C2S, "4212" SEND), 1);
    assert_int_equal(r.u[0].kind, UNIT_SEND);
    assert_false(r.u[0].has_cause);
    assert_span(r.u[0].text[0], "hi");
    assert_span(r.u[0].conv, "c1");
    assert_string_equal(rig_refuse(&r, 0, "why"), "4312[{\"ok\":false,\"code\":\"blocked\",\"error\":\"why\"}]");
    assert_string_equal(rig_rewrite(&r, 0, 0, "y\\o"),
                        "4212[\"message\",{\"id\":\"m1\",\"conversationId\":\"c1\",\"text\":\"y\\\\o\"}]");
    rig_fini(&r);
}

static void test_send_without_ack(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "socketio-custom", 0);
    rig_read(&r, C2S, "42" SEND);
    assert_string_equal(rig_refuse(&r, 0, "why"), "42[\"message_error\",{\"id\":\"m1\",\"error\":\"why\"}]");
    rig_read(&r, C2S, "42/desk,7" SEND);
    assert_string_equal(rig_refuse(&r, 0, "why"), "43/desk,7[{\"ok\":false,\"code\":\"blocked\",\"error\":\"why\"}]");
    rig_read(&r, C2S, "42/desk," SEND);
    assert_string_equal(rig_refuse(&r, 0, "why"), "42/desk,[\"message_error\",{\"id\":\"m1\",\"error\":\"why\"}]");
    assert_string_equal(rig_rewrite(&r, 0, 0, ""),
                        "42/desk,[\"message\",{\"id\":\"m1\",\"conversationId\":\"c1\",\"text\":\"\"}]");
    rig_fini(&r);
}

static void test_session(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "socketio-custom", 0);
    static const char *const c2s[] = {"2probe", "3probe", "5", "3", "2", "6", "1", "41", "431[{}]"};
    for (size_t i = 0; i < ARRAY_LEN(c2s); i++)
        assert_int_equal(rig_read(&r, C2S, c2s[i]), 0);
    assert_int_equal(rig_read(&r, S2C, "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000}"), 0);
    assert_int_equal(rig_read(&r, S2C, "42[\"ready\",{\"agent\":{\"id\":\"evil\"}}]"), 0);
    assert_int_equal(r.c.uid.len, 0);
    assert_int_equal(rig_read(&r, C2S, "40"), 0);
    assert_int_equal(profile_notice(&r.c, span_str("c1"), span_str("x"), 0, &r.out, r.len), 0);
    assert_int_equal(rig_read(&r, S2C, "40{\"sid\":\"s\",\"pid\":\"p\"}"), 0);
    assert_int_equal(rig_read(&r, S2C, "42[\"ready\",{\"agent\":{\"id\":\"a1\",\"name\":\"An\"}}]"), 0);
    assert_span(buf_span(&r.c.uid), "a1");
    assert_int_equal(profile_notice(&r.c, span_str("c1"), span_str("x"), 0, &r.out, r.len), 1);
    assert_span(buf_span(&r.out), "42[\"notice\",{\"text\":\"x\",\"conversationId\":\"c1\"}]");
    rig_read(&r, C2S, "42/desk," SEND);
    buf_reset(&r.out);
    assert_int_equal(profile_notice(&r.c, span_str("c1"), span_str("x"), 0, &r.out, r.len), 1);
    assert_span(buf_span(&r.out), "42/desk,[\"notice\",{\"text\":\"x\",\"conversationId\":\"c1\"}]");
    assert_int_equal(
        rig_read(&r, S2C,
                 "42[\"message\",{\"id\":\"m2\",\"from\":\"customer\",\"conversationId\":\"c1\",\"text\":\"yo\"}]"),
        1);
    assert_int_equal(r.u[0].kind, UNIT_INCOMING);
    assert_span(r.u[0].text[0], "yo");
    rig_fini(&r);
}

static void expect_cause(struct rig *r, const char *payload, enum cause cause)
{
    assert_int_equal(rig_read(r, C2S, payload), 1);
    if (!r->u[0].has_cause || r->u[0].cause != cause)
        fail_msg("%s: cause %s", payload, r->u[0].has_cause ? cause_name(r->u[0].cause) : "none");
    struct unit_fate drop = {.drop = true};
    assert_int_equal(rig_emit(r, &drop), EMIT_NOTHING);
}

static void test_unreadable(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "socketio-custom", 0);
    expect_cause(&r, "451-7[\"message\",{\"_placeholder\":true,\"num\":0}]", CAUSE_BINARY);
    assert_string_equal(rig_refuse(&r, 0, "why"), "437[{\"ok\":false,\"code\":\"blocked\",\"error\":\"why\"}]");
    expect_cause(&r, "42 " SEND, CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "421 2" SEND, CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "42/desk" SEND, CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "42" SEND "x", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "42{\"0\":\"message\"}", CAUSE_BAD_JSON);
    expect_cause(&r, "49" SEND, CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "4", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "b4AQID", CAUSE_BAD_JSON);
    expect_cause(&r, SEND, CAUSE_BAD_JSON);
    expect_cause(&r, "42[\"message\",{\"text\":\"a\",\"text\":\"b\"}]", CAUSE_AMBIGUOUS_JSON);
    expect_cause(&r, "42[\"message\",{\"body\":\"a\"}]", CAUSE_OPAQUE);
    assert_int_equal(rig_read(&r, C2S, "42[\"typing\",{}]"), 0);
    rig_fini(&r);
}

static void test_answers(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "socketio-custom", 0);
    rig_read(&r, C2S, "4212" SEND);
    assert_int_equal(rig_read(&r, S2C, "4313[{\"ok\":false}]"), 0); /* of something else */
    assert_int_equal(rig_read(&r, S2C, "4312[{\"ok\":false,\"code\":\"closed\"}]"), 1);
    assert_true(r.u[0].is_nack);
    assert_span(r.u[0].mid, "m1");
    assert_span(r.u[0].conv, "c1");
    assert_int_equal(rig_read(&r, S2C, "4312[{\"ok\":true}]"), 1);
    assert_true(r.u[0].is_ack);
    assert_int_equal(rig_read(&r, S2C, "4312[\"message\",{\"from\":\"customer\",\"text\":\"x\"}]"), 0);
    expect_cause(&r, "42012" SEND, CAUSE_AMBIGUOUS_JSON);
    rig_fini(&r);
}

static void test_routes(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "socketio-custom", 0);
    struct span get = span_str("GET"), post = span_str("POST");
    struct route ok = profile_route(r.p, get, span_str("/socket.io/?EIO=4&transport=websocket"), NULL);
    assert_int_equal(ok.kind, ROUTE_WEBSOCKET);
    assert_int_equal(ok.ws_opcode, 1);
    assert_int_equal(profile_route(r.p, get, span_str("/socket.io/?EIO=4&transport=polling"), NULL).kind, ROUTE_DENY);
    assert_int_equal(profile_route(r.p, get, span_str("/socket.io/?EIO=3&transport=websocket"), NULL).kind, ROUTE_DENY);
    assert_int_equal(profile_route(r.p, get, span_str("/socket.io/?EIO=4&EIO=3&transport=websocket"), NULL).kind,
                     ROUTE_DENY);
    assert_int_equal(profile_route(r.p, post, span_str("/socket.io/?EIO=4&transport=polling&sid=x"), NULL).kind,
                     ROUTE_DENY);
    assert_int_equal(profile_route(r.p, post, span_str("/socket.io/x?EIO=4"), NULL).kind, ROUTE_DENY);
    assert_int_equal(profile_route(r.p, post, span_str("/Socket.IO"), NULL).kind, ROUTE_DENY);
    assert_int_equal(profile_route(r.p, get, span_str("/socket.io/socket.io.js"), NULL).kind, ROUTE_PASS);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_with_ack), cmocka_unit_test(test_send_without_ack), cmocka_unit_test(test_session),
        cmocka_unit_test(test_unreadable),    cmocka_unit_test(test_routes),           cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Routes: what is a chat socket, what is denied, what can be read in two ways. */
#include "profile_rig.h"

struct sample {
    const char *method, *target;
    enum route_kind kind;
};

static const char *kind_name(enum route_kind k)
{
    static const char *const name[] = {"pass", "websocket", "deny", "bad"};
    return name[k];
}

static void check_all(const char *profile, const struct sample *list, size_t n)
{
    struct rig r;
    rig_init(&r, profile, 0);
    for (size_t i = 0; i < n; i++) {
        enum route_kind k = profile_route(r.p, span_str(list[i].method), span_str(list[i].target), NULL).kind;
        if (k != list[i].kind)
            fail_msg("%s %s: %s, not %s", list[i].method, list[i].target, kind_name(k), kind_name(list[i].kind));
    }
    rig_fini(&r);
}

static void test_rocketchat(void **state)
{
    (void)state;
    static const struct sample list[] = {
        {"GET", "/", ROUTE_PASS},
        {"GET", "/websocket", ROUTE_WEBSOCKET},
        {"GET", "/web%73ocket", ROUTE_WEBSOCKET},
        {"GET", "/websocket/", ROUTE_PASS}, /* the caller refuses an upgrade here */
        {"GET", "/sockjs/websocket", ROUTE_WEBSOCKET},
        {"GET", "/sockjs/123/abc/websocket", ROUTE_WEBSOCKET},
        {"GET", "/sockjs/info?cb=1", ROUTE_PASS},
        {"POST", "/sockjs/123/abc/xhr_send", ROUTE_DENY},
        {"POST", "/sockjs/123/abc/xhr_send/", ROUTE_DENY},
        {"POST", "/SOCKJS/123/abc/XHR", ROUTE_DENY},
        {"GET", "/sockjs/123/abc/jsonp?c=x", ROUTE_DENY},
        {"GET", "/sockjs/123/abc/eventsource", ROUTE_DENY},
        {"GET", "/sockjs/123/abc/htmlfile", ROUTE_DENY},
        {"POST", "/api/v1/method.call/sendMessage", ROUTE_DENY},
        {"POST", "/api/v1/method.call/anything%3Aelse", ROUTE_DENY},
        {"post", "/api/v1/method.call/sendMessage", ROUTE_DENY},
        {"POST", "/api/v1/method.callAnon/sendMessage", ROUTE_DENY},
        {"POST", "/api/v1/method%2Ecall/sendMessage", ROUTE_DENY},
        {"POST", "/api/v1/chat.sendMessage", ROUTE_DENY},
        {"POST", "/api/v1/chat.postMessage?x=1", ROUTE_DENY},
        {"POST", "/api/v1/chat.update", ROUTE_DENY},
        {"GET", "/api/v1/chat.getMessage?msgId=1", ROUTE_PASS},
        {"POST", "/api/v1/rooms.upload/r1", ROUTE_DENY},
        {"POST", "/api/v1/rooms.media/r1", ROUTE_DENY},
        {"POST", "/api/v1/rooms.mediaConfirm/r1/f1", ROUTE_DENY},
        {"POST", "/api/v1/commands.run", ROUTE_DENY},
        {"POST", "/api/v1/groups.setTopic", ROUTE_DENY},
        {"POST", "/api/v1/livechat/message", ROUTE_DENY},
        {"PUT", "/api/v1/livechat/message/m1", ROUTE_DENY},
        {"POST", "/api/v1/livechat/upload/r1", ROUTE_DENY},
        {"POST", "/api/v1/livechat/room.closeByUser", ROUTE_DENY},
        {"POST", "/hooks/a/b", ROUTE_DENY},
        {"POST", "/api/v1/login", ROUTE_PASS},
        {"POST", "/api//v1/chat.sendMessage", ROUTE_BAD},
        {"POST", "/api/v1/./chat.sendMessage", ROUTE_BAD},
        {"POST", "/api/v1/x/../chat.sendMessage", ROUTE_BAD},
        {"POST", "/api/v1/%2e%2e/v1/chat.sendMessage", ROUTE_BAD},
        {"POST", "/api/v1%2Fchat.sendMessage", ROUTE_BAD},
        {"POST", "/api/v1/chat.sendMessage;x=1", ROUTE_BAD},
        {"POST", "/api/v1/chat.sendMessage%3Bx", ROUTE_BAD},
        {"POST", "/api\\v1\\chat.sendMessage", ROUTE_BAD},
        {"POST", "/api/v1/chat.sendMessage%00", ROUTE_BAD},
        {"POST", "/api/v1/chat%2", ROUTE_BAD},
        {"POST", "/api/v1/chat%zz", ROUTE_BAD},
        {"GET", "/a#b", ROUTE_BAD},
        {"GET", "", ROUTE_BAD},
        {"GET", "api", ROUTE_BAD},
        {"CONNECT", "example.org:443", ROUTE_BAD},
        {"OPTIONS", "*", ROUTE_PASS},
        {"POST", "http://example.org/api/v1/chat.update", ROUTE_DENY},
        {"POST", "https://example.org/api/v1/chat.update", ROUTE_DENY},
        {"GET", "http://example.org", ROUTE_PASS},
        {"POST", "/login?_method=PUT", ROUTE_BAD},
        {"POST", "/login?a=1&_method=PUT&_method=GET", ROUTE_BAD},
        {"GET", "/file-upload/x/a%20b.png", ROUTE_PASS},
    };
    check_all("rocketchat", list, ARRAY_LEN(list));
}

static void test_tinode(void **state)
{
    (void)state;
    static const struct sample list[] = {
        {"GET", "/v0/channels?apikey=x", ROUTE_WEBSOCKET},
        {"POST", "/v0/channels/lp?sid=1", ROUTE_DENY},
        {"GET", "/v0/channels/lp", ROUTE_DENY},
        {"GET", "/v0/channels/LP/", ROUTE_DENY},
        {"POST", "/v0/file/u/", ROUTE_PASS},
    };
    check_all("tinode", list, ARRAY_LEN(list));
}

static void test_long_paths(void **state)
{
    (void)state;
    struct rig r;
    struct buf b = {0};
    rig_init(&r, "tinode", 0);
    for (int i = 0; i < 63; i++)
        buf_append_str(&b, "/a");
    assert_int_equal(profile_route(r.p, span_str("GET"), buf_span(&b), NULL).kind, ROUTE_PASS);
    buf_append_str(&b, "/a/a");
    assert_int_equal(profile_route(r.p, span_str("GET"), buf_span(&b), NULL).kind, ROUTE_BAD);
    buf_reset(&b);
    buf_append_str(&b, "/");
    for (int i = 0; i < 9000; i++)
        buf_append_str(&b, "a");
    assert_int_equal(profile_route(r.p, span_str("GET"), buf_span(&b), NULL).kind, ROUTE_BAD);
    buf_fini(&b);
    rig_fini(&r);
}

static struct profile *load(const char *text)
{
    struct err_list errs = {0};
    struct profile *p = profile_load_text("p.yaml", span_str(text), &errs);
    for (size_t i = 0; i < errs.n; i++)
        print_error("%s\n", errs.line[i]);
    assert_non_null(p);
    return p;
}

static void test_knobs(void **state)
{
    (void)state;
    struct profile *p = load("profile: x\nhttp: {method_override: ignore, strip_suffix: [.json]}\n"
                             "ws: {path: /cable, subprotocols: [a, b], opcode: binary}\n"
                             "deny: [\"POST /m/{id}/edit\"]\n"
                             "rules: [{id: up, at: http, kind: deny, route: [\"PUT /m/*\", \"PATCH /m/**\"]}]\n");
    struct span post = span_str("POST"), put = span_str("PUT");
    assert_int_equal(profile_route(p, post, span_str("/m/7/edit"), "GET").kind, ROUTE_DENY);
    assert_int_equal(profile_route(p, post, span_str("/m/7/edit.json"), NULL).kind, ROUTE_DENY);
    assert_int_equal(profile_route(p, post, span_str("/m/7/8/edit"), NULL).kind, ROUTE_PASS);
    assert_int_equal(profile_route(p, post, span_str("/q?_method=PUT"), "PUT").kind, ROUTE_PASS);
    assert_int_equal(profile_route(p, put, span_str("/m/7"), NULL).kind, ROUTE_DENY);
    assert_int_equal(profile_route(p, span_str("PATCH"), span_str("/m/7/8/9"), NULL).kind, ROUTE_DENY);
    struct route ws = profile_route(p, span_str("GET"), span_str("/cable"), NULL);
    assert_int_equal(ws.ws_opcode, 2);
    assert_true(profile_subprotocol_ok(p, ws.ws, span_str("b")));
    assert_true(profile_subprotocol_ok(p, ws.ws, span_str("")));
    assert_false(profile_subprotocol_ok(p, ws.ws, span_str("c")));
    profile_unref(&p);
    p = load("profile: x\nws: {path: /ws}\n");
    assert_int_equal(profile_route(p, post, span_str("/q"), "PUT").kind, ROUTE_BAD);
    profile_unref(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rocketchat),
        cmocka_unit_test(test_tinode),
        cmocka_unit_test(test_long_paths),
        cmocka_unit_test(test_knobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

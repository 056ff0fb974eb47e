/* Heads sent on byte for byte, local answers, and paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/http.h"

static void sent_on(const char *in, const struct http_edit *edit, const char *want)
{
    struct http_head h;
    struct err e;
    int status;
    struct buf out = {0};
    assert_int_equal(http_parse_request(span_str(in), 4096, &h, &status, &e), PARSE_DONE);
    http_write_head(&out, &h, span_str(in), edit);
    assert_string_equal(buf_cstr(&out), want);
    buf_fini(&out);
}

static void heads_keep_their_bytes(void **state)
{
    (void)state;
    sent_on("GET /a%2Fb HTTP/1.1\r\nhOST:h\r\nX-Odd:   v  \t\r\nX-Odd:w\r\n\r\nbody", NULL,
            "GET /a%2Fb HTTP/1.1\r\nhOST:h\r\nX-Odd:   v  \t\r\nX-Odd:w\r\n\r\n");
    sent_on("POST / HTTP/1.1\r\nHost: h\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\nConnection: close, X-Mine\r\n"
            "connection: x-other\r\nX-MINE: 1\r\nX-Other: 2\r\nX-Third: 3\r\nTE: trailers\r\nProxy-Connection: x\r\n"
            "Upgrade: h2c\r\n\r\n",
            NULL, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Third: 3\r\n\r\n");
}

static void heads_are_edited_as_asked(void **state)
{
    (void)state;
    static const char *const drop[] = {"Sec-WebSocket-Extensions", "X-Forwarded-For", NULL};
    struct http_edit edit = {.drop = drop, .add = span_str("X-Forwarded-For: 192.0.2.1\r\n"), .keep_upgrade = true};
    sent_on("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade, X-Hop\r\nUpgrade: websocket\r\n"
            "x-forwarded-for: 10.0.0.1\r\nsec-websocket-extensions: permessage-deflate\r\nKeep-Alive: 3\r\n"
            "X-Hop: 1\r\nCookie: a=b\r\n\r\n",
            &edit,
            "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade, X-Hop\r\nUpgrade: websocket\r\n"
            "Cookie: a=b\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
}

static void answers(void **state)
{
    (void)state;
    struct buf b = {0};
    http_write_answer(&b, 403, "text/plain", span_str("X: y\r\n"), span_str("no\n"), false);
    assert_string_equal(buf_cstr(&b), "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                                      "Connection: close\r\nX: y\r\n\r\nno\n");
    buf_reset(&b);
    http_write_answer(&b, 100, NULL, span_str(NULL), span_str(NULL), true);
    assert_string_equal(buf_cstr(&b), "HTTP/1.1 100 Continue\r\n\r\n");
    buf_reset(&b);
    http_write_answer(&b, 404, NULL, span_str(NULL), span_str(NULL), true);
    assert_string_equal(buf_cstr(&b), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    /* what was written is read back */
    struct http_head h;
    struct err e;
    assert_int_equal(http_parse_response(buf_span(&b), 4096, span_str("GET"), &h, &e), PARSE_DONE);
    assert_int_equal(h.head_bytes, b.len);
    assert_int_equal(h.framing, HTTP_NO_BODY);
    assert_string_equal(http_reason(799), "Unknown");
    buf_fini(&b);
}

static void path_is(const char *target, const char *path, const char *query)
{
    size_t n = strlen(path) + 1;
    struct span q;
    struct err e = {""};
    char *out = xmalloc(MAX_OF(n, 2u));
    if (http_split_target(span_str(target), out, MAX_OF(n, 2u), &q, &e) < 0)
        fail_msg("%s: %s", target, e.text);
    assert_string_equal(out, path);
    assert_true(span_is(q, query));
    if (n > 2) /* one byte less is too small */
        assert_int_equal(http_split_target(span_str(target), out, n - 1, &q, &e), -1);
    free(out);
}

static void paths(void **state)
{
    (void)state;
    path_is("/", "/", "");
    path_is("/a", "/a", "");
    path_is("/socket.io/?EIO=4&t=%2F;x", "/socket.io/", "EIO=4&t=%2F;x");
    path_is("/a/%e5%be%AE/%21b%3Ac", "/a/\xe5\xbe\xae/!b:c", "");
    path_is("/m%2Eroom", "/m.room", "");
    path_is("/%252e%252e", "/%2e%2e", "");
    path_is("/...", "/...", "");
    path_is("/.a/a./..b", "/.a/a./..b", "");
    path_is("/a?b?c", "/a", "b?c");
    path_is("/a?", "/a", "");
    path_is("/a?x=/../;y", "/a", "x=/../;y");
    path_is("http://h/a?b", "/a", "b");
    path_is("HTTPS://h:1", "/", "");
    path_is("http://h?b", "/", "b");
    path_is("*", "*", "");
}

static void paths_that_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      "a",       "?a",         "//",          "//a",   "/a//b",       "/a//",    "/.",
        "/..",   "/./a",    "/a/../b",    "/a/.",        "/a/..", "/%2e",        "/%2E%2e", "/.%2e/a",
        "/a;b",  "/;",      "/a%2fb",     "/a%2Fb",      "/a\\b", "/a%5cb",      "/a%00b",  "/a%",
        "/a%2",  "/a%zz",   "/a%2x",      "/a%0ab",      "/a%0d", "/a%7f",       "/a#b",    "http",
        "h:443", "ftp://h", "http://h//", "http://h/..", "*a",    "/a/%2e%2e/b",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char out[64];
        struct span q;
        struct err e = {""};
        if (http_split_target(span_str(bad[i]), out, sizeof(out), &q, &e) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_true(e.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_keep_their_bytes),
        cmocka_unit_test(heads_are_edited_as_asked),
        cmocka_unit_test(answers),
        cmocka_unit_test(paths),
        cmocka_unit_test(paths_that_are_refused),
    };
    return cmocka_run_group_tests_name("proto_http_write", tests, NULL, NULL);
}

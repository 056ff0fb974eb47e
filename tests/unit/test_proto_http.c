/* HTTP/1.1 heads: what is read, what is refused with which status, and that cutting the bytes changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/http.h"

enum { MAX_BYTES = 4096 };

struct outcome {
    enum parse parse;
    int status;
    struct http_head head;
    struct err err;
};

/* Parses an exact-size copy, so that the address sanitizer sees a read one byte too far. The spans point into it. */
static struct outcome parse_copy(const char *text, size_t n, bool is_request, uint8_t **copy)
{
    static struct outcome o;
    *copy = xmalloc(n);
    memcpy(*copy, text, n);
    o.parse = is_request ? http_parse_request(span_of(*copy, n), MAX_BYTES, &o.head, &o.status, &o.err)
                         : http_parse_response(span_of(*copy, n), MAX_BYTES, span_str("GET"), &o.head, &o.err);
    return o;
}

/* Every prefix of a head says MORE until the answer is known, and then the answer never changes. */
static void same_at_every_cut(const char *text, size_t n, bool is_request, const struct outcome *whole)
{
    bool is_known = false;
    for (size_t cut = 0; cut <= n; cut++) {
        uint8_t *copy;
        struct outcome o = parse_copy(text, cut, is_request, &copy);
        if (is_known || o.parse != PARSE_MORE) {
            assert_int_equal(o.parse, whole->parse);
            if (is_request && o.parse == PARSE_BAD)
                assert_int_equal(o.status, whole->status);
            if (o.parse == PARSE_DONE) {
                assert_int_equal(cut >= whole->head.head_bytes, true);
                assert_int_equal(o.head.head_bytes, whole->head.head_bytes);
                assert_int_equal(o.head.n_headers, whole->head.n_headers);
                assert_int_equal(o.head.framing, whole->head.framing);
                assert_int_equal(o.head.content_length, whole->head.content_length);
            }
            is_known = true;
        }
        free(copy);
    }
    assert_int_equal(is_known, whole->parse != PARSE_MORE);
}

static uint8_t *held; /* what the spans of the last outcome point into */

static struct outcome parse_n(const char *text, size_t n, bool is_request)
{
    free(held);
    struct outcome o = parse_copy(text, n, is_request, &held);
    same_at_every_cut(text, n, is_request, &o);
    return o;
}

static struct http_head request(const char *text)
{
    struct outcome o = parse_n(text, strlen(text), true);
    if (o.parse != PARSE_DONE)
        fail_msg("refused: %s: %s", o.err.text, text);
    return o.head;
}

static struct http_head response(const char *text)
{
    struct outcome o = parse_n(text, strlen(text), false);
    if (o.parse != PARSE_DONE)
        fail_msg("refused: %s: %s", o.err.text, text);
    return o.head;
}

static void refused_n(const char *text, size_t n, int status)
{
    struct outcome o = parse_n(text, n, true);
    if (o.parse != PARSE_BAD || o.status != status)
        fail_msg("parse %d status %d, expected BAD %d: %s", o.parse, o.status, status, text);
    assert_true(o.err.text[0]);
}

static void refused(const char *text, int status)
{
    refused_n(text, strlen(text), status);
}

static void response_refused(const char *text)
{
    struct outcome o = parse_n(text, strlen(text), false);
    if (o.parse != PARSE_BAD)
        fail_msg("not refused: %s", text);
}

static void reads_a_request(void **state)
{
    (void)state;
    struct http_head h = request("POST /a/b?c=%20d HTTP/1.1\r\nHost: im.example:8080\r\nX-Pad: \t  two words \t\r\n"
                                 "x-empty:\r\nCookie: a=\xe5\xbe\xae\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.1");
    assert_true(span_is(h.method, "POST"));
    assert_true(span_is(h.target, "/a/b?c=%20d"));
    assert_int_equal(h.minor, 1);
    assert_int_equal(h.n_headers, 5);
    assert_true(span_is(http_find(&h, "x-pad")->value, "two words"));
    assert_int_equal(http_find(&h, "X-EMPTY")->value.n, 0);
    assert_null(http_find(&h, "X-Pa"));
    assert_int_equal(h.framing, HTTP_BODY_LENGTH);
    assert_int_equal(h.content_length, 5);
    assert_true(h.keep_alive);
    assert_false(h.wants_upgrade);
    assert_memory_equal(held + h.head_bytes, "hello", 5);
}

static void framing_matrix(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        int framing; /* -1: refused */
        uint64_t length;
    } row[] = {
        {"", HTTP_NO_BODY, 0},
        {"Content-Length: 0\r\n", HTTP_NO_BODY, 0},
        {"Content-Length: 7\r\n", HTTP_BODY_LENGTH, 7},
        {"Content-Length: 007\r\n", HTTP_BODY_LENGTH, 7},
        {"Content-Length: 9223372036854775807\r\n", HTTP_BODY_LENGTH, INT64_MAX},
        {"Content-Length: 9223372036854775808\r\n", -1, 0},
        {"Content-Length: 18446744073709551616\r\n", -1, 0},
        {"Content-Length: 7\r\nContent-Length: 7\r\n", HTTP_BODY_LENGTH, 7},
        {"Content-Length: 7\r\nContent-Length: 07\r\n", -1, 0},
        {"Content-Length: 7\r\nContent-Length: 8\r\n", -1, 0},
        {"Content-Length: 7\r\nContent-Length: 8\r\nContent-Length: 8\r\n", -1, 0},
        {"Content-Length: 7, 7\r\n", -1, 0},
        {"Content-Length:\r\n", -1, 0},
        {"Content-Length: +7\r\n", -1, 0},
        {"Content-Length: -7\r\n", -1, 0},
        {"Content-Length: 0x7\r\n", -1, 0},
        {"Content-Length: 7 7\r\n", -1, 0},
        {"Content-Length: 7;\r\n", -1, 0},
        {"Transfer-Encoding: chunked\r\n", HTTP_BODY_CHUNKED, 0},
        {"transfer-encoding: CHUNKED\r\n", HTTP_BODY_CHUNKED, 0},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", -1, 0},
        {"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", -1, 0},
        {"Transfer-Encoding: chunked, chunked\r\n", -1, 0},
        {"Transfer-Encoding: gzip, chunked\r\n", -1, 0},
        {"Transfer-Encoding: chunked, identity\r\n", -1, 0},
        {"Transfer-Encoding: identity\r\n", -1, 0},
        {"Transfer-Encoding: xchunked\r\n", -1, 0},
        {"Transfer-Encoding: \"chunked\"\r\n", -1, 0},
        {"Transfer-Encoding: chunked;q=1\r\n", -1, 0},
        {"Transfer-Encoding: ,chunked\r\n", -1, 0},
        {"Transfer-Encoding:\r\n", -1, 0},
        {"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", -1, 0},
        {"Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", -1, 0},
        {"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", -1, 0},
        {"Transfer-Encoding: nonsense\r\nContent-Length: 7\r\n", -1, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        char *text = xasprintf("POST / HTTP/1.1\r\nHost: h\r\n%s\r\n", row[i].fields);
        if (row[i].framing < 0) {
            refused(text, 400);
        } else {
            struct http_head h = request(text);
            assert_int_equal(h.framing, row[i].framing);
            assert_int_equal(h.content_length, row[i].length);
        }
        free(text);
        char *answer = xasprintf("HTTP/1.1 200 OK\r\n%s\r\n", row[i].fields);
        if (row[i].framing < 0)
            response_refused(answer);
        else if (row[i].fields[0])
            assert_int_equal(response(answer).framing, row[i].framing);
        free(answer);
    }
    refused("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    response_refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void refuses_what_can_be_read_in_two_ways(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET / HTTP/1.1\nHost: h\n\n",                              /* bare LF */
        "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",                  /* bare LF behind a field */
        "GET / HTTP/1.1\r\nHost: h\r\n\n",                          /* bare LF as the end */
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",             /* bare CR */
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\r\n\r\n",              /* doubled CR */
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",          /* obs-fold */
        "GET / HTTP/1.1\r\nHost: h\r\n\tX: b\r\n\r\n",              /* obs-fold */
        "GET / HTTP/1.1\r\n Host: h\r\n\r\n",                       /* white space behind the start line */
        "GET / HTTP/1.1\r\nHost : h\r\n\r\n",                       /* space before the colon */
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length\t: 5\r\n\r\n", /* the same */
        "GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n",                 /* no name */
        "GET / HTTP/1.1\r\nHost: h\r\nnothing\r\n\r\n",             /* no colon */
        "GET / HTTP/1.1\r\nHost: h\r\nX(y): v\r\n\r\n",             /* not a token */
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\x7f\r\n\r\n",            /* control */
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n",            /* control */
        "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",             /* two of them */
        "GET / HTTP/1.1\r\n\r\n",                                   /* none */
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",                          /* empty */
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",                     /* a list */
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",                      /* a path */
        "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n",                      /* user */
        "GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n",            /* another authority */
        "GET http://h:80/ HTTP/1.1\r\nHost: h\r\n\r\n",             /* the same */
        "GET http://h@other/ HTTP/1.1\r\nHost: h\r\n\r\n",          /* the same */
        "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n",                /* no authority */
        "GET http://h/ HTTP/1.0\r\n\r\n",                           /* nothing to compare with */
        "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",                 /* scheme */
        "GET x HTTP/1.1\r\nHost: h\r\n\r\n",                        /* no form of RFC 9112 3.2 */
        "GET * HTTP/1.1\r\nHost: h\r\n\r\n",                        /* only OPTIONS may */
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",                       /* two spaces */
        "GET /  HTTP/1.1\r\nHost: h\r\n\r\n",                       /* two spaces */
        "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",                     /* space in the target */
        "GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n",                      /* tabs */
        "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",                       /* space at the end */
        "GET /\xe5\xbe\xae HTTP/1.1\r\nHost: h\r\n\r\n",            /* not ASCII */
        "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",                     /* fragment */
        "GET /a\\b HTTP/1.1\r\nHost: h\r\n\r\n",                    /* backslash */
        "GET /<a> HTTP/1.1\r\nHost: h\r\n\r\n",                     /* delimiters */
        "G(T / HTTP/1.1\r\nHost: h\r\n\r\n",                        /* not a token */
        " GET / HTTP/1.1\r\nHost: h\r\n\r\n",                       /* space first */
        "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",                    /* empty line first */
        "GET /\r\nHost: h\r\n\r\n",                                 /* HTTP/0.9 */
        "GET / http/1.1\r\nHost: h\r\n\r\n",                        /* case */
        "GET / HTTP/1.11\r\nHost: h\r\n\r\n",                       /* digits */
        "GET / HTTP/1\r\nHost: h\r\n\r\n",                          /* digits */
        "\x16\x03\x01\x02",                                         /* a TLS hello */
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, transfer-encoding\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: host\r\n\r\n",
        "CONNECT /x HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refused(bad[i], 400);
    static const char nul[] = "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
    refused_n(nul, sizeof(nul) - 1, 400);
    static const char nul_name[] = "GET / HTTP/1.1\r\nHost: h\r\nX\0: b\r\n\r\n";
    refused_n(nul_name, sizeof(nul_name) - 1, 400);
    static const char nul_host[] = "GET / HTTP/1.1\r\nHost: h\0\r\n\r\n";
    refused_n(nul_host, sizeof(nul_host) - 1, 400);
    static const char nul_target[] = "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n";
    refused_n(nul_target, sizeof(nul_target) - 1, 400);
}

static void refuses_with_the_right_status(void **state)
{
    (void)state;
    refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505);
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    refused("GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505);
    refused("GET / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\n\r\n", 417);
}

static char *long_head(size_t pad, unsigned fields)
{
    struct buf b = {0};
    buf_append_str(&b, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (unsigned i = 1; i < fields; i++)
        buf_append_str(&b, "X: y\r\n");
    buf_append_str(&b, "P: ");
    memset(buf_reserve(&b, pad), 'p', pad);
    buf_commit(&b, pad);
    buf_append_str(&b, "\r\n\r\n");
    char *text = xstrdup(buf_cstr(&b));
    buf_fini(&b);
    return text;
}

static void heads_are_bounded(void **state)
{
    (void)state;
    char *fits = long_head(MAX_BYTES - 32, 1), *above = long_head(MAX_BYTES - 31, 1);
    assert_int_equal(strlen(fits), MAX_BYTES);
    struct outcome o = parse_n(fits, strlen(fits), true);
    assert_int_equal(o.parse, PARSE_DONE);
    o = parse_n(above, strlen(above), true);
    assert_int_equal(o.parse, PARSE_BAD);
    assert_int_equal(o.status, 431);
    free(fits);
    free(above);
    char *endless = long_head(2 * MAX_BYTES, 1);
    endless[MAX_BYTES + 1] = 0; /* no end in sight */
    refused(endless, 431);
    free(endless);
    char *many = long_head(1, HTTP_HEADERS_MAX - 1), *too_many = long_head(1, HTTP_HEADERS_MAX);
    assert_int_equal(request(many).n_headers, HTTP_HEADERS_MAX);
    refused(too_many, 431);
    free(many);
    free(too_many);
}

static void targets_in_their_four_forms(void **state)
{
    (void)state;
    assert_true(span_is(request("GET http://H:81/a?b HTTP/1.1\r\nHost: h:81\r\n\r\n").target, "http://H:81/a?b"));
    assert_true(span_is(request("GET https://[::1] HTTP/1.1\r\nHost: [::1]\r\n\r\n").target, "https://[::1]"));
    assert_true(span_is(request("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").target, "*"));
    struct http_head h = request("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
    assert_true(h.wants_upgrade);
    assert_false(h.wants_websocket);
    /* what browsers leave as it is */
    assert_true(span_is(request("GET /a|b?x={y}^`\\ HTTP/1.1\r\nHost: h\r\n\r\n").target, "/a|b?x={y}^`\\"));
    assert_int_equal(request("GET / HTTP/1.0\r\n\r\n").minor, 0);
}

static void keep_alive_by_version_and_connection(void **state)
{
    (void)state;
    assert_true(request("GET / HTTP/1.1\r\nHost: h\r\n\r\n").keep_alive);
    assert_false(request("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n").keep_alive);
    assert_false(request("GET / HTTP/1.1\r\nHost: h\r\nConnection: x\r\nConnection: y, close\r\n\r\n").keep_alive);
    assert_false(request("GET / HTTP/1.0\r\nHost: h\r\n\r\n").keep_alive);
    assert_true(request("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    assert_false(request("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
    assert_true(
        request("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n").expect_continue);
    assert_false(request("GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n").expect_continue);
    assert_false(
        request("POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").expect_continue);
}

static void websocket_handshakes(void **state)
{
    (void)state;
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VER "Sec-WebSocket-Version: 13\r\n"
#define UP  "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    struct http_head h = request("GET /ws?t=1 HTTP/1.1\r\nHost: h\r\n" UP KEY VER "\r\n");
    assert_true(h.wants_websocket && h.wants_upgrade);
    assert_true(span_is(h.ws_key, "dGhlIHNhbXBsZSBub25jZQ=="));
    static const char *const not_ws[] = {
        "POST /ws HTTP/1.1\r\nHost: h\r\n" UP KEY VER "\r\n",
        "GET /ws HTTP/1.0\r\nHost: h\r\n" UP KEY VER "\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n" KEY VER "\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: close\r\n" KEY VER "\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: h2c, websocket\r\nConnection: Upgrade\r\n" KEY VER "\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n" UP KEY VER "\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\n" UP KEY "Sec-WebSocket-Version: 8\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\n" UP KEY VER VER "\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\n" UP KEY KEY VER "\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\n" UP VER "\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\n" UP VER "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\n" UP VER "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\n" UP KEY VER "Content-Length: 4\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\n" UP KEY VER "Transfer-Encoding: chunked\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(not_ws); i++) {
        h = request(not_ws[i]);
        assert_true(h.wants_upgrade);
        assert_false(h.wants_websocket);
    }
    assert_false(request("GET / HTTP/1.1\r\nHost: h\r\nUpgrade-Insecure-Requests: 1\r\n\r\n").wants_upgrade);
    assert_true(response("HTTP/1.1 101 Switching Protocols\r\n" UP "\r\n").is_websocket);
    assert_false(response("HTTP/1.1 200 OK\r\n" UP "\r\n").is_websocket);
    assert_false(
        response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n").is_websocket);
    assert_false(response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n").is_websocket);
}

static int framing_of(const char *method, const char *text)
{
    struct http_head h;
    struct err e;
    assert_int_equal(http_parse_response(span_str(text), MAX_BYTES, span_str(method), &h, &e), PARSE_DONE);
    return (int)h.framing;
}

static void responses(void **state)
{
    (void)state;
    struct http_head h = response("HTTP/1.1 404 Not Found at all\r\nContent-Length: 3\r\n\r\nabc");
    assert_int_equal(h.status, 404);
    assert_int_equal(h.framing, HTTP_BODY_LENGTH);
    assert_int_equal(response("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").status, 200);
    assert_int_equal(response("HTTP/1.1 200 \r\n\r\n").framing, HTTP_BODY_TO_CLOSE);
    assert_false(response("HTTP/1.1 200 OK\r\n\r\n").keep_alive);
    assert_int_equal(response("HTTP/1.1 100 Continue\r\n\r\n").framing, HTTP_NO_BODY);
    assert_true(response("HTTP/1.1 100 Continue\r\n\r\n").keep_alive);
    assert_int_equal(response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").framing, HTTP_NO_BODY);
    assert_int_equal(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n").framing, HTTP_NO_BODY);
    assert_int_equal(framing_of("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), HTTP_NO_BODY);
    assert_int_equal(framing_of("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_NO_BODY);
    assert_int_equal(framing_of("CONNECT", "HTTP/1.1 200 OK\r\n\r\n"), HTTP_NO_BODY);
    assert_int_equal(framing_of("CONNECT", "HTTP/1.1 407 No\r\n\r\n"), HTTP_BODY_TO_CLOSE);
    static const char *const bad[] = {
        "HTTP/1.1 99 X\r\n\r\n",
        "HTTP/1.1 600 X\r\n\r\n",
        "HTTP/1.1 2000 X\r\n\r\n",
        "HTTP/1.1 20 X\r\n\r\n",
        "HTTP/1.1  200 X\r\n\r\n",
        "HTTP/2.0 200 X\r\n\r\n",
        "http/1.1 200 X\r\n\r\n",
        "HTTP/1.1 200 a\x01\r\n\r\n",
        "HTTP/1.1 +20 X\r\n\r\n",
        "HTTP/1.1 200 OK\nX: y\r\n",
        "HTTP/1.1\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        response_refused(bad[i]);
}

static void tokens_in_lists(void **state)
{
    (void)state;
    struct http_head h = request("GET / HTTP/1.1\r\nHost: h\r\nX: a, ,b ,\tC\r\nX:d\r\n\r\n");
    static const char *const in[] = {"a", "B", "c", "D"}, *const out[] = {"", "a,", "ab", "a, b", "X"};
    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        assert_true(http_has_token(&h, "x", in[i]));
    for (size_t i = 0; i < ARRAY_LEN(out); i++)
        assert_false(http_has_token(&h, "x", out[i]));
}

static int release(void **state)
{
    (void)state;
    free(held);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_request),
        cmocka_unit_test(framing_matrix),
        cmocka_unit_test(refuses_what_can_be_read_in_two_ways),
        cmocka_unit_test(refuses_with_the_right_status),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(targets_in_their_four_forms),
        cmocka_unit_test(keep_alive_by_version_and_connection),
        cmocka_unit_test(websocket_handshakes),
        cmocka_unit_test(responses),
        cmocka_unit_test(tokens_in_lists),
    };
    return cmocka_run_group_tests_name("proto_http", tests, NULL, release);
}

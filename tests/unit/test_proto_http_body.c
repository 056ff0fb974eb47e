/* Where a body ends: lengths, chunks, trailers, at every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/http.h"

struct outcome {
    enum parse parse;
    size_t used;
};

/* Feeds [0, cut) and then the rest in pieces of `step`. */
static struct outcome feed(const struct http_head *h, const char *text, size_t n, size_t cut, size_t step)
{
    struct http_body b;
    struct outcome o = {PARSE_MORE, 0};
    http_body_init(&b, h);
    while (o.parse == PARSE_MORE) {
        size_t left = n - o.used, piece = o.used < cut ? cut - o.used : MIN_OF(step, left), used = 0;
        uint8_t *copy = xmalloc(piece);
        memcpy(copy, text + o.used, piece);
        o.parse = http_body_feed(&b, span_of(copy, piece), &used);
        free(copy);
        assert_true(used <= piece);
        if (o.parse == PARSE_MORE)
            assert_int_equal(used, piece);
        o.used += used;
        if (o.used == n)
            break;
    }
    /* the answer stays */
    size_t used = 1;
    enum parse again = http_body_feed(&b, span_of("GET /", o.parse == PARSE_MORE ? 0 : 5), &used);
    assert_int_equal(again, o.parse);
    assert_int_equal(used, 0);
    return o;
}

static struct outcome at_every_cut(const struct http_head *h, const char *text, size_t n)
{
    struct outcome whole = feed(h, text, n, n, n);
    struct outcome bytes = feed(h, text, n, 0, 1);
    assert_int_equal(bytes.parse, whole.parse);
    assert_int_equal(bytes.used, whole.used);
    for (size_t cut = 0; cut <= n; cut++) {
        struct outcome o = feed(h, text, n, cut, n);
        assert_int_equal(o.parse, whole.parse);
        assert_int_equal(o.used, whole.used);
    }
    return whole;
}

static void chunked(const char *text, enum parse parse, size_t used)
{
    struct http_head h = {.framing = HTTP_BODY_CHUNKED};
    struct outcome o = at_every_cut(&h, text, strlen(text));
    if (o.parse != parse || (parse != PARSE_BAD && o.used != used))
        fail_msg("parse %d used %zu: %s", o.parse, o.used, text);
}

static void chunks_that_are_fine(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "00a\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n",
        "A\r\n\r\n0\r\n\r\n\r\nx\r\n0\r\n\r\n", /* data that looks like the end */
        "0\r\nX-Sum: 1\r\nempty:\r\nY: \xe5\xbe\xae\t.\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        size_t n = strlen(good[i]);
        chunked(good[i], PARSE_DONE, n);
        char *followed = xasprintf("%sGET /next HTTP/1.1\r\n", good[i]);
        chunked(followed, PARSE_DONE, n);
        free(followed);
        char *cut = xmemdup0(good[i], n - 1);
        chunked(cut, PARSE_MORE, n - 1);
        free(cut);
    }
    chunked("fffffffffffffff\r\nabc", PARSE_MORE, 20);
}

static void chunks_that_are_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\r\n",
        "5\nhello",
        "5;ext=1\r\nhello",
        "5 \r\nhello",
        " 5\r\nhello",
        "+5\r\nhello",
        "-1\r\n",
        "0x5\r\nhello",
        "g\r\n",
        "5\rhello",
        "5\r\nhelloX",
        "5\r\nhello\n",
        "5\r\nhello\rX",
        "1000000000000000\r\n",
        "0000000000000005\r\nhello",
        "0\r\n X: folded\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\n: y\r\n\r\n",
        "0\r\nXy\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\nX: a\rb\r\n\r\n",
        "0\r\nX: a\x01\r\n\r\n",
        "0\r\n\rX",
        "0\r\n\n",
        "0\n\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        chunked(bad[i], PARSE_BAD, 0);
}

static void trailers_are_bounded(void **state)
{
    (void)state;
    struct http_head h = {.framing = HTTP_BODY_CHUNKED};
    struct buf b = {0};
    buf_append_str(&b, "0\r\nX: ");
    while (b.len < 3 + 8192 - 3)
        buf_append_str(&b, "y");
    buf_append_str(&b, "\r\n\r");
    struct outcome o = feed(&h, buf_cstr(&b), b.len, b.len, b.len);
    assert_int_equal(o.parse, PARSE_MORE);
    buf_append_str(&b, "\n");
    assert_int_equal(feed(&h, buf_cstr(&b), b.len, b.len, b.len).parse, PARSE_DONE);
    buf_reset(&b);
    buf_append_str(&b, "0\r\n");
    for (int i = 0; i < 2000; i++)
        buf_append_str(&b, "X: y\r\n");
    o = feed(&h, buf_cstr(&b), b.len, 0, 7);
    assert_int_equal(o.parse, PARSE_BAD);
    assert_int_equal(o.used, 3 + 8192);
    buf_fini(&b);
}

static void lengths(void **state)
{
    (void)state;
    struct http_head h = {.framing = HTTP_BODY_LENGTH, .content_length = 5};
    struct outcome o = at_every_cut(&h, "helloGET /", 10);
    assert_int_equal(o.parse, PARSE_DONE);
    assert_int_equal(o.used, 5);
    assert_int_equal(at_every_cut(&h, "hell", 4).parse, PARSE_MORE);
    h.framing = HTTP_NO_BODY;
    o = at_every_cut(&h, "GET /", 5);
    assert_int_equal(o.parse, PARSE_DONE);
    assert_int_equal(o.used, 0);
    h.framing = HTTP_BODY_LENGTH;
    h.content_length = 0;
    assert_int_equal(at_every_cut(&h, "GET /", 5).parse, PARSE_DONE);
}

static void to_the_close(void **state)
{
    (void)state;
    struct http_head h = {.framing = HTTP_BODY_TO_CLOSE};
    struct http_body b;
    http_body_init(&b, &h);
    for (int i = 0; i < 3; i++) {
        size_t used = 0;
        assert_int_equal(http_body_feed(&b, span_str("anything"), &used), PARSE_MORE);
        assert_int_equal(used, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_that_are_fine), cmocka_unit_test(chunks_that_are_not),
        cmocka_unit_test(trailers_are_bounded), cmocka_unit_test(lengths),
        cmocka_unit_test(to_the_close),
    };
    return cmocka_run_group_tests_name("proto_http_body", tests, NULL, NULL);
}

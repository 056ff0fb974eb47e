/* The stream reader's bounds: bytes, names, depth, memory, work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/buf.h"
#include "proto/xmpp_parser.h"
#include "proto/xmpp_skip.h"

#define HEADER                                                                                                         \
    "<?xml version='1.0'?><stream:stream to='a.example' xmlns='jabber:client' "                                        \
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

size_t __sanitizer_get_current_allocated_bytes(void);
#pragma weak __sanitizer_get_current_allocated_bytes

static size_t allocated_bytes(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks;
}

/* --- more than the tree holds --- */

/* What comes of this behind a header, and of a small element behind it. The tree stands in *tree. */
static enum xmpp_got read_big(struct buf *in, bool is_from_server, struct xmpp_dom *tree)
{
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = 1 << 18, .passes_long = is_from_server};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    struct xmpp_item item;
    assert_int_equal(xmpp_next(s, span_str(HEADER), &item), XMPP_HEADER);
    enum xmpp_got got = xmpp_next(s, buf_span(in), &item);
    if (got == XMPP_ELEMENT) {
        assert_true(item.is_stanza && item.raw.n == in->len);
        assert_true(xmpp_is(item.dom, 0, "jabber:client", "message"));
        assert_int_equal(item.dom->node[0].end, item.dom->n);
        *tree = *item.dom;
        assert_int_equal(xmpp_next(s, span_str("<a>&#65;</a>"), &item), XMPP_ELEMENT);
        assert_false(item.dom->is_truncated);
    } else {
        assert_int_equal(item.fault, XMPP_TOO_BIG);
    }
    xmpp_stream_free(&s);
    xmpp_pool_fini(&pool);
    buf_reset(in);
    return got;
}

static void put_times(struct buf *out, unsigned n, const char *what)
{
    while (n--)
        buf_append_str(out, what);
}

/* A client is told; what a server passes on, from whomever, ends no stream. */
static void test_too_much(void **state)
{
    (void)state;
    struct buf in = {0};
    struct xmpp_dom tree;
    for (int is_from_server = 0; is_from_server < 2; is_from_server++) {
        enum xmpp_got want = is_from_server ? XMPP_ELEMENT : XMPP_BAD;
        buf_append_str(&in, "<message");
        for (int i = 0; i <= XMPP_ATTRS_MAX; i++)
            buf_printf(&in, " b%d=''", i);
        buf_append_str(&in, "><body>x</body></message>");
        assert_int_equal(read_big(&in, is_from_server, &tree), want);
        assert_true(!is_from_server || (tree.is_truncated && tree.n == 1 && tree.n_attrs == 0));

        buf_append_str(&in, "<message>");
        put_times(&in, XMPP_DEPTH_MAX + 6, "<a>");
        put_times(&in, XMPP_DEPTH_MAX + 6, "</a>");
        buf_append_str(&in, "</message>");
        assert_int_equal(read_big(&in, is_from_server, &tree), want);
        assert_true(!is_from_server || (tree.is_truncated && tree.n == XMPP_DEPTH_MAX - 1));

        for (unsigned n = XMPP_NS_MAX; n <= XMPP_NS_MAX + 1; n++) {
            buf_append_str(&in, "<message><a xmlns='");
            put_times(&in, n, "u");
            buf_append_str(&in, "'>b</a></message>");
            assert_int_equal(read_big(&in, is_from_server, &tree), n == XMPP_NS_MAX ? XMPP_ELEMENT : want);
            assert_true(want == XMPP_BAD || tree.is_truncated == (n > XMPP_NS_MAX));
        }
    }
    buf_fini(&in);
}

/* What is no stanza is not judged: more children than the tree holds could hide one of a login. */
static void test_too_many_children(void **state)
{
    (void)state;
    struct buf in = {0};
    for (int i = 0; i < 4; i++) {
        bool is_from_server = i & 1, is_stanza = i & 2;
        struct xmpp_pool pool = {NULL};
        struct xmpp_stream_options o = {.max_bytes = 1 << 18, .passes_long = is_from_server};
        struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
        struct xmpp_item item;
        buf_append_str(&in, is_stanza ? "<iq>" : "<authenticate xmlns='urn:xmpp:sasl:2'>");
        put_times(&in, XMPP_NODES_MAX, "<a/>");
        buf_append_str(&in, is_stanza ? "</iq>" : "</authenticate>");
        assert_int_equal(xmpp_next(s, span_str(HEADER), &item), XMPP_HEADER);
        enum xmpp_got got = xmpp_next(s, buf_span(&in), &item);
        assert_int_equal(got, is_from_server || is_stanza ? XMPP_ELEMENT : XMPP_BAD);
        assert_true(got == XMPP_BAD ? item.fault == XMPP_TOO_BIG : item.dom->is_truncated);
        xmpp_stream_free(&s);
        xmpp_pool_fini(&pool);
        buf_reset(&in);
    }
    buf_fini(&in);
}

/* A long namespace is not copied for each element and attribute: without bounds these are 2 and 4 MB. */
static void test_long_namespaces(void **state)
{
    (void)state;
    struct buf in = {0};
    struct xmpp_dom tree;
    for (int is_mixed = 0; is_mixed < 2; is_mixed++) {
        buf_append_str(&in, "<message xmlns:p='");
        put_times(&in, XMPP_NS_MAX, "u");
        buf_append_str(&in, "'>");
        put_times(&in, 2000, is_mixed ? "<p:a b='1' p:b='2'/>" : "<p:a p:b='2'/>");
        buf_append_str(&in, "</message>");
        assert_int_equal(read_big(&in, false, &tree), XMPP_ELEMENT);
        assert_int_equal(tree.is_truncated, is_mixed);
        assert_in_range(tree.words.cap, 1, 600000);
        assert_in_range(tree.ns_bytes, 1, XMPP_NS_BYTES_MAX + 3 * XMPP_NS_MAX);
    }
    buf_fini(&in);
}

/* A long token that trickles in is scanned again and again: only so often. */
static void test_trickled_token(void **state)
{
    (void)state;
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = 1 << 20};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    struct xmpp_item item;
    struct buf in = {0};
    assert_int_equal(xmpp_next(s, span_str(HEADER), &item), XMPP_HEADER);
    buf_append_str(&in, "<a b='");
    enum xmpp_got got = XMPP_MORE;
    while (got == XMPP_MORE && in.len < 1 << 19) {
        buf_append_str(&in, ">>>>>>>>");
        got = xmpp_next(s, buf_span(&in), &item);
    }
    assert_int_equal(got, XMPP_BAD);
    assert_in_range(in.len, 4096, 8192);
    buf_fini(&in);
    xmpp_stream_free(&s);
    xmpp_pool_fini(&pool);
}

/* A million elements with new names, two of three not plain: expat never forgets one, so it must be made anew. Without
 * that the growth is above 100 MB. */
static void test_bounded_memory(void **state)
{
    (void)state;
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = 1000};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    struct xmpp_item item;
    char text[200];
    size_t most = 0;
    assert_int_equal(xmpp_next(s, span_str(HEADER), &item), XMPP_HEADER);
    for (unsigned i = 0; i < 1000000; i++) {
        int n = snprintf(text, sizeof(text), "<e%x xmlns='urn:n%x' a%x='%s'/>", i, i, i, i % 3 ? "&#65;" : "1");
        assert_int_equal(xmpp_next(s, span_of(text, (size_t)n), &item), XMPP_ELEMENT);
        if (i % 1000 == 0)
            most = MAX_OF(most, allocated_bytes());
    }
    assert_in_range(most, 1, 2 << 20);
    xmpp_stream_free(&s);
    xmpp_pool_fini(&pool);
}

/* A parser that nothing has needed for a while is given back, and made again when it is needed; the longer the header
 * that it has to read again, the later. */
static void test_parser_is_given_back(void **state)
{
    (void)state;
    for (size_t header_bytes = 0; header_bytes <= 4000; header_bytes += 4000) {
        struct xmpp_pool pool = {NULL};
        struct xmpp_stream_options o = {.max_bytes = 1000};
        struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
        struct xmpp_item item;
        struct buf header = {0};
        buf_append_str(&header, "<s b='");
        while (header.len < header_bytes)
            buf_append_str(&header, "x");
        buf_append_str(&header, "'>");
        assert_int_equal(xmpp_next(s, buf_span(&header), &item), XMPP_HEADER);
        for (int again = 0; again < 2; again++) {
            size_t with = 0, bytes = 0;
            assert_int_equal(xmpp_next(s, span_str("<a>&#65;</a>"), &item), XMPP_ELEMENT);
            assert_true(span_is(xmpp_text(item.dom, 0), "A"));
            with = allocated_bytes();
            for (; allocated_bytes() + 4096 > with && bytes < 10000; bytes += 50)
                assert_int_equal(xmpp_next(s, span_str("<a>plain words, forty-three bytes of them.....</a>"), &item),
                                 XMPP_ELEMENT);
            assert_in_range(bytes, header.len + 500, header.len + 600);
        }
        buf_fini(&header);
        xmpp_stream_free(&s);
        xmpp_pool_fini(&pool);
    }
}

/* --- more than the parser may have --- */

/* A start tag of that many bytes whose namespace, of half as many at most, is copied for each of its attributes. */
static void put_heavy(struct buf *out, const char *name, size_t bytes, size_t ns_bytes)
{
    size_t from = out->len;
    buf_printf(out, "<%s xmlns:p='", name);
    put_times(out, (unsigned)MIN_OF(ns_bytes, bytes / 2), "u");
    buf_append_str(out, "'");
    for (unsigned i = 0; out->len - from < bytes - 30; i++)
        buf_printf(out, " p:a%x=''", i);
    buf_append_str(out, ">");
}

/* Without the bound: 67 MB of namespaces for 64 kB. */
static void test_parser_memory(void **state)
{
    (void)state;
    static const size_t limits[] = {16 << 10, 100 << 10, 500 << 10, 1 << 20, 5 << 19};
    struct buf in = {0};
    put_heavy(&in, "a", 65536, 65536);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        for (size_t step = 1000; step <= 100000; step *= 100) {
            struct xmpp_parser p = {.max_memory = limits[i], .passes_long = true};
            xmpp_parser_make(&p);
            xmpp_parser_feed(&p, span_str("<s>"));
            for (size_t at = 0; at < in.len && !p.has_fault; at += step)
                xmpp_parser_feed(&p, span_of(buf_span(&in).p + at, MIN_OF(step, in.len - at)));
            assert_true(p.has_fault);
            assert_int_equal(p.fault, XMPP_TOO_COMPLEX);
            assert_in_range(p.most_memory, 1, limits[i]);
            xmpp_parser_drop(&p);
            assert_int_equal(p.memory, 0);
            buf_fini(&p.ns);
        }
    buf_fini(&in);
}

/* Wherever expat is refused memory, it ends well. */
static void test_refused_everywhere(void **state)
{
    (void)state;
    struct buf in = {0};
    unsigned n_full = 0;
    put_heavy(&in, "a", 2000, 200);
    put_heavy(&in, "b", 2000, 20);
    put_times(&in, 20, "<c xmlns='u:c' d='&#65;'>&#65;");
    for (size_t limit = 8 << 10; limit < 150 << 10; limit += 150) {
        struct xmpp_parser p = {.max_memory = limit};
        xmpp_parser_make(&p);
        for (size_t at = 0; at < in.len && !p.has_fault; at += 100)
            xmpp_parser_feed(&p, span_of(buf_span(&in).p + at, MIN_OF(100u, in.len - at)));
        assert_int_equal(p.has_fault, p.is_full);
        assert_true(!p.has_fault || p.fault == XMPP_TOO_COMPLEX);
        assert_in_range(p.most_memory, 1, limit);
        n_full += p.has_fault;
        xmpp_parser_drop(&p);
        assert_int_equal(p.memory, 0);
        buf_fini(&p.ns);
    }
    assert_in_range(n_full, 100, 900);
    buf_fini(&in);
}

static void put_too_complex(struct buf *out)
{
    put_heavy(out, "message", 65536, XMPP_NS_MAX);
    buf_append_str(out, "<x b='>\"</message>' c=\"'/>\"/><message/>]]><![CDATA[<a>]]]><![CDATA[]>]]></message>");
}

/* A client is told; a server's is handed on to its last byte, and the one behind it is read. */
static void test_too_complex(void **state)
{
    (void)state;
    struct buf in = {0}, passed = {0};
    put_too_complex(&in);
    size_t n = in.len;
    buf_append_str(&in, "<iq>&#65;</iq>");
    for (int is_from_server = 0; is_from_server < 2; is_from_server++)
        for (size_t step = 999; step < 100000; step *= 10) {
            struct xmpp_pool pool = {NULL};
            struct xmpp_stream_options o = {.max_bytes = 1 << 17, .passes_long = is_from_server};
            struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
            struct xmpp_item item = {.is_last = false};
            enum xmpp_got got = xmpp_next(s, span_str(HEADER), &item);
            size_t idle = allocated_bytes(), have = 0, at = 0;
            assert_int_equal(got, XMPP_HEADER);
            for (have = 0; have < n && got != XMPP_BAD && !item.is_last;) {
                have = MIN_OF(have + step, n);
                got = xmpp_next(s, span_of(buf_span(&in).p + at, have - at), &item);
                assert_true(got == XMPP_MORE || got == (is_from_server ? XMPP_PART : XMPP_BAD));
                at += item.raw.n;
                xmpp_stream_rest(s);
            }
            if (is_from_server) {
                assert_true(item.is_last && item.is_stanza && at == n);
                assert_in_range(allocated_bytes(), 1, idle + 65536);
                assert_int_equal(xmpp_next(s, span_from(buf_span(&in), n), &item), XMPP_ELEMENT);
                assert_true(xmpp_is(item.dom, 0, "jabber:client", "iq") && span_is(xmpp_text(item.dom, 0), "A"));
            } else {
                assert_int_equal(got, XMPP_BAD);
                assert_int_equal(item.fault, XMPP_TOO_COMPLEX);
                assert_string_equal(xmpp_fault_condition(item.fault), "policy-violation");
                assert_int_equal(xmpp_stream_max_memory(s), (1 << 20) + (4 << 17));
            }
            xmpp_stream_free(&s);
            xmpp_pool_fini(&pool);
        }
    buf_fini(&in);
    buf_fini(&passed);
}

/* What one element needed is not kept from the next, nor by a stream at rest. */
static void test_memory_is_given_back(void **state)
{
    (void)state;
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = 1 << 17};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    struct xmpp_item item;
    struct buf in = {0};
    assert_int_equal(xmpp_next(s, span_str(HEADER), &item), XMPP_HEADER);
    size_t idle = allocated_bytes();
    for (unsigned i = 0; i < 20; i++) {
        buf_reset(&in);
        buf_append_str(&in, "<message>");
        for (unsigned k = 0; k < 2000; k++)
            buf_printf(&in, "<a%x xmlns:p='u:p' p:b='1'/>", i << 12 | k);
        buf_append_str(&in, "</message>");
        assert_int_equal(xmpp_next(s, buf_span(&in), &item), XMPP_ELEMENT);
        assert_false(item.dom->is_truncated);
    }
    xmpp_stream_rest(s);
    xmpp_pool_fini(&pool);
    buf_fini(&in);
    assert_in_range(allocated_bytes(), 1, idle + 4096);
    assert_int_equal(xmpp_next(s, span_str("<iq>&#65;</iq>"), &item), XMPP_ELEMENT);
    assert_true(xmpp_is(item.dom, 0, "jabber:client", "iq"));
    xmpp_stream_free(&s);
    xmpp_pool_fini(&pool);
}

/* --- where an element ends that is not looked at --- */

static void check_skip(const char *text, enum xmpp_skipped want, size_t want_used)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        struct xmpp_skip k = {0};
        enum xmpp_skipped got = XMPP_SKIP_MORE;
        size_t at = 0;
        while (got == XMPP_SKIP_MORE && at < strlen(text)) {
            size_t n = MIN_OF(step, strlen(text) - at), used = n;
            got = xmpp_skip_next(&k, span_of(text + at, n), &used);
            at += used;
        }
        if (got != want || (got == XMPP_SKIP_DONE && at != want_used))
            fail_msg("%s in steps of %zu: %d at %zu", text, step, got, at);
    }
}

static void test_skip(void **state)
{
    (void)state;
    static const char *const whole[] = {"<a/>",
                                        "<a />",
                                        "<a></a>",
                                        "<a></a >",
                                        "<a b='/>' c=\"'/></a>\"/>",
                                        "<a>/><b/>'\"</a>",
                                        "<a><a><a/></a>></a>",
                                        "<a><![CDATA[</a>]]]></a>",
                                        "<a><![CDATA[]]></a>",
                                        "<a><![CDATA[]>]] >]]>]]&gt;</a>",
                                        "<a b='/'/>",
                                        "<a\nb='1'\n/>",
                                        "<p:a xmlns:p='u'><p:b/></p:a>"};
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        struct buf in = {0};
        buf_append_str(&in, whole[i]);
        buf_append_str(&in, "<b/>");
        check_skip(buf_cstr(&in), XMPP_SKIP_DONE, strlen(whole[i]));
        buf_fini(&in);
        for (size_t n = 1; n < strlen(whole[i]); n++) {
            char part[100];
            snprintf(part, sizeof(part), "%.*s", (int)n, whole[i]);
            check_skip(part, XMPP_SKIP_MORE, 0);
        }
    }
    static const char *const bad[] = {"<a><!-- --></a>", "<a><?b?></a>", "<!DOCTYPE a><a/>", "<a><![CDAT[]]></a>",
                                      "<?a?><a/>"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_skip(bad[i], XMPP_SKIP_BAD, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trickled_token),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_long_namespaces),
        cmocka_unit_test(test_too_many_children),
        cmocka_unit_test(test_bounded_memory),
        cmocka_unit_test(test_parser_is_given_back),
        cmocka_unit_test(test_parser_memory),
        cmocka_unit_test(test_refused_everywhere),
        cmocka_unit_test(test_too_complex),
        cmocka_unit_test(test_memory_is_given_back),
        cmocka_unit_test(test_skip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

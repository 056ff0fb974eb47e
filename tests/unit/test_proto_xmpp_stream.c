/* The stream reader: whole, byte by byte, at every split alike; what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "proto/xmpp_plain.h"
#include "proto/xmpp_stream.h"

#define HEADER                                                                                                         \
    "<?xml version='1.0'?><stream:stream to='a.example' xmlns='jabber:client' "                                        \
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

static const char *const got_names[] = {"more", "space", "header", "element", "part", "end", "bad"};

static void tell_attr(struct buf *out, const struct xmpp_dom *d, const struct xmpp_attr *a)
{
    const struct xmpp_slice all[] = {a->ns, a->name, a->value};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        buf_append_str(out, i ? "|" : " @");
        buf_append(out, buf_span(&d->words).p + all[i].at, all[i].n);
    }
}

/* One line per item: kind, bytes, tree. */
static void tell(struct buf *out, enum xmpp_got got, const struct xmpp_item *item)
{
    if (got == XMPP_SPACE) { /* comes in as many pieces as it was given */
        buf_append_span(out, item->raw);
        return;
    }
    buf_printf(out, "%s%s:", got_names[got], item->is_stanza ? "!" : "");
    if (got == XMPP_BAD)
        buf_append_str(out, xmpp_fault_condition(item->fault));
    buf_append_span(out, item->raw);
    for (uint32_t i = 0; got == XMPP_ELEMENT && i < item->dom->n; i++) {
        const struct xmpp_node *n = &item->dom->node[i];
        buf_printf(out, " (%u>%u %u %u %u %u ", n->parent, n->end, n->raw_from, n->raw_content, n->raw_content_end,
                   n->raw_to);
        buf_append_span(out, xmpp_ns(item->dom, i));
        buf_append_str(out, "|");
        buf_append_span(out, xmpp_name(item->dom, i));
        buf_append_str(out, "|");
        buf_append_span(out, xmpp_text(item->dom, i));
        buf_append_str(out, "|");
        buf_append_span(out, xmpp_attr(item->dom, i, "id"));
        for (uint32_t a = n->attr; a < n->attr + n->n_attrs; a++)
            tell_attr(out, item->dom, &item->dom->attr[a]);
        buf_append_str(out, ")");
    }
    buf_append_str(out, "\n");
}

/* Feeds `text` in pieces as a session does: what is not used yet is given again with more behind it, in fresh memory.
 */
static void run(const char *text, size_t n, const size_t *cuts, size_t n_cuts, size_t max, struct buf *out)
{
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = max};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    struct buf hold = {0};
    bool is_over = false;
    for (size_t c = 0, at = 0; c <= n_cuts && !is_over; c++) {
        size_t to = c < n_cuts ? cuts[c] : n;
        buf_append(&hold, text + at, to - at);
        at = to;
        while (!is_over) {
            char *copy = xmemdup0(buf_span(&hold).p, hold.len);
            struct xmpp_item item;
            enum xmpp_got got = xmpp_next(s, span_of(copy, hold.len), &item);
            if (got != XMPP_MORE)
                tell(out, got, &item);
            is_over = got == XMPP_BAD;
            size_t used = item.raw.n;
            free(copy);
            if (got == XMPP_MORE)
                break;
            buf_consume(&hold, used);
        }
        xmpp_stream_rest(s);
    }
    buf_fini(&hold);
    xmpp_stream_free(&s);
    xmpp_pool_fini(&pool);
}

static struct buf whole(const char *text, size_t max)
{
    struct buf out = {0};
    run(text, strlen(text), NULL, 0, max, &out);
    return out;
}

static void check_splits(const char *text, size_t max)
{
    size_t n = strlen(text), all[4096] = {0};
    struct buf want = whole(text, max);
    assert_in_range(n, 1, 4095);
    for (size_t i = 0; i < n; i++)
        all[i] = i + 1;
    struct buf got = {0};
    run(text, n, all, n, max, &got);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    for (size_t a = 1; a < n; a++) {
        buf_reset(&got);
        run(text, n, &a, 1, max, &got);
        assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    }
    buf_fini(&got);
    buf_fini(&want);
}

static const char stream[] =
    HEADER "\n<message to='c@a.example' id='1'><body xml:lang=\"zh\">a &amp; b &#x4f60;<![CDATA[<>]]></body>"
           "<x xmlns='u:x'><y a='>'/></x></message> <presence/><iq type='get' id='i&gt;'><q xmlns='u:q'></q></iq >"
           "<p:m xmlns:p='jabber:client' id='p'>\xe4\xbd\xa0\xf0\x9f\x98\x80</p:m>\r\n</stream:stream>";

static void test_items(void **state)
{
    (void)state;
    struct buf out = whole(stream, 4096);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "|body|a & b \xe4\xbd\xa0<>| @http://www.w3.org/XML/1998/namespace|lang|zh)"));
    assert_non_null(strstr(text, "(0>4 0 33 "));
    assert_non_null(strstr(text, "jabber:client|presence||)"));
    assert_non_null(strstr(text, "u:q|q||)"));
    assert_non_null(strstr(text, "|iq||i> @|type|get @|id|i>)"));
    assert_non_null(strstr(text, "jabber:client|m|\xe4\xbd\xa0\xf0\x9f\x98\x80|p @|id|p)"));
    assert_non_null(strstr(text, "end:</stream:stream>\n"));
    assert_non_null(strstr(text, "element!:<presence/>"));
    assert_null(strstr(text, "bad:"));
    buf_fini(&out);
}

static void test_every_split(void **state)
{
    (void)state;
    check_splits(stream, 4096);
    check_splits(HEADER "<a><!-- x --></a>", 4096);
    check_splits(HEADER "<a/>text<b/>", 4096);
    check_splits(HEADER "<a b='1' b='2'/>", 4096);
}

/* --- plain elements --- */

static const char *const plain[] = {
    "<a/>",
    "<a />",
    "<message to='c@a.example'  id=\"1\" type='chat'><body xml:lang='zh'>\xe4\xbd\xa0\xe5\xa5\xbd &lt;\xef\xbf\xa5> "
    "]>\n</body></message>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<iq type='set'><q xmlns='u:q'><x a='\xe4\xbd\xa0' lang='b' xml:lang='c'/><y "
    "xmlns='u:y'/>t</q><z>&amp;&apos;&quot;</z></iq>",
};

static const char *const not_plain[] = {
    "",
    "<",
    "<a",
    "<a>",
    "<a b=",
    "<a></a",
    "<a></b>",
    "</a>",
    "<1/>",
    "<a b='1'c='2'/>",
    "<a b='1' b='2'/>",
    "<a b ='1'/>",
    "<a\tb='1'/>",
    "<a b='\n'/>",
    "<a b='<'/>",
    "<a b='>'/>",
    "<a b='\xff'/>",
    "<a xml:lang='1' xml:lang='1'/>",
    "<a xml:id='1'/>",
    "<a xmlns=''/>",
    "<a xmlns='u:a' xmlns='u:a'/>",
    "<a xmlns:p='u:p'/>",
    "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
    "<p:a/>",
    "<a p:b='1'/>",
    "<a>]]></a>",
    "<a>\r</a>",
    "<a>\x01</a>",
    "<a>&#65;</a>",
    "<a>&lt</a>",
    "<a>\xef\xbf\xbe</a>",
    "<a>\xed\xa0\x80</a>",
    "<a><![CDATA[]]></a>",
    "<a><!-- --></a>",
    "<a><?p?></a>",
    "<a></a >",
};

static void test_plain(void **state)
{
    (void)state;
    struct xmpp_dom *d = xmpp_dom_new();
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        struct buf in = {0};
        buf_append_str(&in, plain[i]);
        buf_append_str(&in, "<b/>"); /* of the next one it sees nothing */
        assert_int_equal(xmpp_plain_read(buf_span(&in), span_str("jabber:client"), d), strlen(plain[i]));
        for (size_t n = 0; n < strlen(plain[i]); n++) {
            char *copy = xmemdup0(plain[i], n);
            xmpp_dom_reset(d);
            assert_int_equal(xmpp_plain_read(span_of(copy, n), span_str("jabber:client"), d), 0);
            free(copy);
        }
        buf_reset(&in);
        buf_append_str(&in, HEADER);
        buf_append_str(&in, plain[i]);
        check_splits(buf_cstr(&in), 4096);
        buf_fini(&in);
        xmpp_dom_reset(d);
    }
    for (size_t i = 0; i < ARRAY_LEN(not_plain); i++) {
        if (xmpp_plain_read(span_str(not_plain[i]), span_str("jabber:client"), d))
            fail_msg("read as plain: %s", not_plain[i]);
        xmpp_dom_reset(d);
    }
    xmpp_dom_free(&d);
}

static unsigned below(unsigned *seed, size_t n)
{
    return (unsigned)((size_t)rand_r(seed) % n);
}

/* One of the first `n_usual`, seldom one of all. */
static const char *pick(unsigned *seed, const char *const *list, size_t n_usual, size_t n)
{
    return list[below(seed, below(seed, 24) ? n_usual : n)];
}

/* Random elements, most of them well-formed: read at once they are what they are byte by byte, which the parser reads.
 */
static void put_random(struct buf *out, unsigned *seed, unsigned depth)
{
    static const char *const attrs[] = {
        " b='1'",       " b=\"'2\"",    " c=''",          " id='&gt;'",           " xml:lang='zh'",
        " xmlns='u:x'", " xmlns='u:y'", "  d='\xc3\xa4'", " lang='\xef\xbf\xa5'", " xmlns=''",
        " x='>'",       " x='\t'",      " xml:id='i'",    " e='\xef\xbf\xbf'"};
    static const char *const texts[] = {"x",
                                        "\xe4\xbd\xa0\xe5\xa5\xbd\xe8\xbf\x99\xe4\xbb\xb6\xe8\xa1\xac\xe8\xa1\xab",
                                        "&amp;",
                                        "]",
                                        ">",
                                        "\n",
                                        "0123456789abcdef",
                                        "&quot;",
                                        "\xef\xbc\x8c",
                                        "\xef\xbf\xa5",
                                        "\xf0\x9f\x98\x80",
                                        "\r\n",
                                        "&#x4f60;",
                                        "<![CDATA[<]]>",
                                        "\xef\xbf\xbe",
                                        "\xc0\xaf",
                                        "&x;"};
    /* The rare ones stand behind. */
    static const char *const names[] = {"a", "message", "iq", "b-1._", "\xc3\xa4", "presence"};
    const char *name = pick(seed, names, 4, ARRAY_LEN(names));
    buf_printf(out, "<%s", name);
    for (unsigned n = below(seed, 4); n; n--)
        buf_append_str(out, pick(seed, attrs, 9, ARRAY_LEN(attrs)));
    if (below(seed, 4) == 0) {
        buf_append_str(out, below(seed, 2) ? "/>" : " />");
        return;
    }
    buf_append_str(out, ">");
    for (unsigned n = below(seed, 6); n; n--)
        if (depth < 3 && below(seed, 3) == 0)
            put_random(out, seed, depth + 1);
        else
            buf_append_str(out, pick(seed, texts, 11, ARRAY_LEN(texts)));
    buf_printf(out, below(seed, 50) ? "</%s>" : "</%s >", name);
}

/* In two pieces, cut anywhere in the element: what is not whole is left to the parser, what comes behind is plain. */
static void check_cuts(struct span in, size_t from, struct buf *want)
{
    struct buf got = {0};
    for (size_t cut = from; cut < in.n; cut++) {
        buf_reset(&got);
        run((const char *)in.p, in.n, &cut, 1, 4096, &got);
        assert_string_equal(buf_cstr(&got), buf_cstr(want));
    }
    buf_fini(&got);
}

static void test_plain_at_random(void **state)
{
    (void)state;
    static size_t all[65536];
    unsigned seed = 7, n_plain = 0, n_bad = 0;
    struct xmpp_dom *d = xmpp_dom_new();
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        all[i] = i + 1;
    for (unsigned round = 0; round < 4000; round++) {
        struct buf in = {0}, at_once = {0}, by_byte = {0};
        buf_append_str(&in, round % 5 ? HEADER : "<s>");
        size_t from = in.len;
        put_random(&in, &seed, 0);
        if (round % 7 == 0) /* one byte of it broken */
            in.data[from + below(&seed, in.len - from)] = (uint8_t) "<>&'\"/ =]\xef\xe4"[below(&seed, 11)];
        buf_append_str(&in, "<message id='n'/>");
        run((const char *)in.data, in.len, NULL, 0, 4096, &at_once);
        run((const char *)in.data, in.len, all, in.len, 4096, &by_byte);
        assert_string_equal(buf_cstr(&at_once), buf_cstr(&by_byte));
        if (round % 16 == 0)
            check_cuts(buf_span(&in), from, &at_once);
        xmpp_dom_reset(d);
        n_plain += xmpp_plain_read(span_from(buf_span(&in), from), span_str("u"), d) > 0;
        n_bad += strstr(buf_cstr(&at_once), "bad:") != NULL;
        buf_fini(&in);
        buf_fini(&at_once);
        buf_fini(&by_byte);
    }
    assert_in_range(n_plain, 1500, 3500);
    assert_in_range(n_bad, 300, 2000);
    xmpp_dom_free(&d);
}

/* An element of that many bytes and not much more time, with as many attributes as fit. */
static void test_many_attributes(void **state)
{
    (void)state;
    struct xmpp_dom *d = xmpp_dom_new();
    struct buf in = {0};
    for (unsigned n = 15; n <= 17; n++) {
        buf_reset(&in);
        buf_append_str(&in, "<a xmlns='u:a'");
        for (unsigned i = 0; i < n; i++)
            buf_printf(&in, " b%u=''", i);
        buf_append_str(&in, "/>");
        xmpp_dom_reset(d);
        assert_int_equal(xmpp_plain_read(buf_span(&in), span_str("u"), d), n <= 16 ? in.len : 0);
    }
    buf_fini(&in);
    xmpp_dom_free(&d);
}

/* A header in UTF-16 with an attribute that is open still: what comes then is no element for those who read on so. */
static void test_encodings(void **state)
{
    (void)state;
    static const char wide[] = "<\0s\0>\0<\0a\0 \0b\0=\0'\0A><a/>";
    struct buf out = {0};
    run(wide, sizeof(wide) - 1, NULL, 0, 4096, &out);
    assert_string_equal(buf_cstr(&out), "bad:unsupported-encoding\n");
    buf_fini(&out);
    check_splits("<?xml version='1.0' encoding='utf-8'?><s><a/>", 4096);
    out = whole("<?xml version='1.0' encoding='UTF-8' standalone='yes'?><s><a/>", 4096);
    assert_non_null(strstr(buf_cstr(&out), "element:<a/>"));
    buf_fini(&out);
}

static void check_bad(const char *text, const char *condition)
{
    struct buf out = whole(text, 300);
    char want[64];
    snprintf(want, sizeof(want), "bad:%s", condition);
    if (!strstr(buf_cstr(&out), want))
        fail_msg("%s: %s", text, buf_cstr(&out));
    buf_fini(&out);
    check_splits(text, 300);
}

static void test_refused(void **state)
{
    (void)state;
    check_bad("GET / HTTP/1.1\r\n", "not-well-formed");
    check_bad("<!DOCTYPE s [<!ENTITY a 'b'>]><s>", "restricted-xml");
    check_bad("<?xml version='1.0'?><!DOCTYPE s><s>", "restricted-xml");
    check_bad("<?php 1?><s>", "restricted-xml");
    check_bad("<?xml version='1.0' encoding='ISO-8859-1'?><s>", "unsupported-encoding");
    check_bad("<?xml version='1.0' encoding='UTF-16'?><s>", "unsupported-encoding");
    check_bad("\xef\xbb\xbf<s>", "not-well-formed");
    check_bad("<s/>", "not-well-formed");
    check_bad("<s><!-- -->", "restricted-xml");
    check_bad("<s><a><!-- --></a>", "restricted-xml");
    check_bad("<s><?x y?>", "restricted-xml");
    check_bad("<s><a>&x;</a>", "restricted-xml");
    check_bad("<s><a b='&x;'/>", "restricted-xml");
    check_bad("<s><a></b>", "not-well-formed");
    check_bad("<s>x<a/>", "not-well-formed");
    check_bad("<s>&#65;<a/>", "not-well-formed");
    check_bad("<s><![CDATA[x]]><a/>", "not-well-formed");
    check_bad("<s><p:a/>", "not-well-formed");
    check_bad("<s><a>\xff</a>", "not-well-formed");
    check_bad("<s><a>&#0;</a>", "not-well-formed");
    check_bad("<s><a>&#xd800;</a>", "not-well-formed");
    check_bad("<s><a/><?xml version='1.0'?><s>", "not-well-formed");
    check_bad(
        "<s><a><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/>"
        "<b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/>"
        "<b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/>"
        "</a>",
        "policy-violation");
    struct buf deep = {0};
    buf_append_str(&deep, HEADER);
    for (int i = 0; i < XMPP_DEPTH_MAX; i++)
        buf_append_str(&deep, "<a>");
    struct buf out = whole(buf_cstr(&deep), 4096);
    assert_string_equal(strstr(buf_cstr(&out), "bad:"), "bad:policy-violation\n");
    buf_fini(&out);
    buf_fini(&deep);
}

/* From the server a longer element is handed on in parts, and the next one is read as ever. */
static void test_parts(void **state)
{
    (void)state;
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = 1000, .passes_long = true};
    struct buf text = {0}, hold = {0}, passed = {0};
    buf_append_str(&text, HEADER "<iq id='x'><a>");
    for (int i = 0; i < 400; i++)
        buf_append_str(&text, i % 3 ? "0123456789" : "<b c='>'/>");
    buf_append_str(&text, "</a></iq>\n<message id='m'><body>b</body></message></stream:stream>");
    for (size_t step = 1; step < 2000; step = step * 2 + 1) {
        struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
        bool saw_last = false, saw_message = false;
        for (size_t at = 0; at < text.len; at += step) {
            buf_append(&hold, buf_span(&text).p + at, MIN_OF(step, text.len - at));
            struct xmpp_item item;
            for (;;) {
                enum xmpp_got got = xmpp_next(s, buf_span(&hold), &item);
                assert_int_not_equal(got, XMPP_BAD);
                if (got == XMPP_MORE)
                    break;
                saw_last = saw_last || (got == XMPP_PART && item.is_last);
                saw_message = saw_message || (got == XMPP_ELEMENT && xmpp_is(item.dom, 0, "jabber:client", "message"));
                buf_append_span(&passed, item.raw);
                buf_consume(&hold, item.raw.n);
            }
            xmpp_stream_rest(s);
            assert_in_range(hold.len, 0, 1000 + step);
        }
        assert_true(saw_message && (saw_last || step > 4000));
        assert_true(span_eq(buf_span(&passed), buf_span(&text)));
        buf_reset(&passed);
        buf_fini(&hold);
        xmpp_stream_free(&s);
    }
    buf_fini(&passed);
    buf_fini(&text);
    xmpp_pool_fini(&pool);
}

/* RFC 7395: every message is one element. */
static void test_messages(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     " <a/>",    "<a/> ",           "<a/><b/>",
                                      "<a>",  "x<a/>",    "<a></b>",         "<?xml version='1.0'?><a/>",
                                      "</s>", "<a/></s>", "<a><!-- --></a>", "&#65;"};
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = 1000, .is_framed = true};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    struct xmpp_item item;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(xmpp_message(s, span_str(bad[i]), &item), XMPP_BAD);
        const char *open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a'/>";
        assert_int_equal(xmpp_message(s, span_str(open), &item), XMPP_ELEMENT);
        assert_true(xmpp_is(item.dom, 0, "urn:ietf:params:xml:ns:xmpp-framing", "open"));
        assert_true(span_is(xmpp_attr(item.dom, 0, "to"), "a"));
    }
    xmpp_stream_free(&s);
    xmpp_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),           cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_parts),
        cmocka_unit_test(test_messages),        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_plain_at_random), cmocka_unit_test(test_many_attributes),
        cmocka_unit_test(test_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

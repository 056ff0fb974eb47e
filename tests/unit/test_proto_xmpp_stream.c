/* The stream reader: whole, byte by byte, at every split alike; what is refused. */
#include "xmpp_stream_rig.h"

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
        cmocka_unit_test(test_items), cmocka_unit_test(test_every_split), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_parts), cmocka_unit_test(test_messages),    cmocka_unit_test(test_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

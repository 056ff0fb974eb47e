/* Elements that are read without the XML parser: what they are is what the parser makes of them. */
#include "proto/xmpp_plain.h"
#include "xmpp_stream_rig.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_plain_at_random),
        cmocka_unit_test(test_many_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

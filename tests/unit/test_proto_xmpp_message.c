/* Texts of stanzas, edits of their source, tokens, addresses, SASL names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/rand.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"
#include "proto/xmpp_stream.h"
#include "proto/xmpp_token.h"

struct rig {
    struct xmpp_pool pool;
    struct xmpp_stream *s;
    struct xmpp_item item;
};

static int setup(void **state)
{
    struct rig *r = xcalloc(1, sizeof(*r));
    struct xmpp_stream_options o = {.max_bytes = 65536, .is_framed = true};
    r->s = xmpp_stream_new(&r->pool, &o);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    xmpp_stream_free(&r->s);
    xmpp_pool_fini(&r->pool);
    free(r);
    return 0;
}

static const struct xmpp_dom *read_one(struct rig *r, const char *text)
{
    if (xmpp_message(r->s, span_str(text), &r->item) != XMPP_ELEMENT)
        fail_msg("not read: %s", text);
    return r->item.dom;
}

static void check_texts(struct rig *r, const char *inside, const char *want, bool is_opaque)
{
    struct buf text = {0}, got = {0};
    struct xmpp_message m;
    buf_printf(&text, "<message xmlns='jabber:client' to='c@x/r' from='a@x' id='7' type='chat'>%s</message>", inside);
    xmpp_message_read(read_one(r, buf_cstr(&text)), 0, &m);
    for (size_t i = 0; i < m.n_said; i++) {
        buf_append(&got, "|/!" + m.said[i].kind, 1);
        buf_append_span(&got, m.said[i].text);
    }
    assert_string_equal(buf_cstr(&got), want);
    assert_int_equal(m.is_opaque, is_opaque);
    assert_true(span_is(m.to, "c@x/r") && span_is(m.from, "a@x") && span_is(m.id, "7"));
    buf_fini(&text);
    buf_fini(&got);
}

static void test_texts(void **state)
{
    struct rig *r = *state;
    check_texts(r, "<body>a</body><subject>b</subject><body xml:lang='zh'>c</body><thread>t</thread>", "|a|b|c", false);
    check_texts(r, "<active xmlns='http://jabber.org/protocol/chatstates'/>", "", false);
    check_texts(r, "<body>a<x>b</x>c</body>", "|abc", false);
    check_texts(r,
                "<body>a</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body "
                "xmlns='http://www.w3.org/1999/xhtml'><p>x <b>y</b></p><a href='http://u'>z</a></body></html>",
                "|a/x yz/http://u", false);
    check_texts(r, "<x xmlns='jabber:x:oob'><url>u</url><desc>d</desc></x>", "|u|d", false);
    check_texts(r, "<x xmlns='jabber:x:conference' jid='r@x' reason='why'/>", "!why", false);
    check_texts(r, "<x xmlns='jabber:x:data'><field var='v'><value>f</value></field></x>", "|f", false);
    check_texts(r,
                "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>in</body></message>"
                "</forwarded>",
                "|in", false);
    check_texts(r, "<body>h</body><encrypted xmlns='eu.siacs.conversations.axolotl'><payload>p</payload></encrypted>",
                "|h", true);
    check_texts(r, "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>", "", false);
    check_texts(r, "<encrypted xmlns='urn:xmpp:omemo:2'><payload/></encrypted>", "", true);
    check_texts(r, "<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>", "", true);
    check_texts(r, "<x xmlns='jabber:x:encrypted'>x</x>", "", true);
    check_texts(r, "<encryption xmlns='urn:xmpp:eme:0' namespace='n'/>", "", true);
    check_texts(r, "<body>?OTR:AAMC</body>", "|?OTR:AAMC", true);
    check_texts(r, "<body xmlns='other'>no</body>", "", false);
    check_texts(r, "<data xmlns='http://jabber.org/protocol/ibb' sid='i'>AAAA</data>", "", true);
    check_texts(r, "<reference xmlns='urn:xmpp:reference:0' type='data' uri='https://u/x'/>", "/https://u/x", false);
    check_texts(r, "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:cus@x'/>", "", false);
    check_texts(r, "<url-data xmlns='http://jabber.org/protocol/url-data' target='https://u/y'/>", "!https://u/y",
                false);
    check_texts(r, "<rtt xmlns='urn:xmpp:rtt:0' seq='1'><t>half a wo</t></rtt>", "", false);
}

/* Values of a form are texts only where people write and read them. */
static void test_forms(void **state)
{
    check_texts(*state,
                "<x xmlns='jabber:x:data' type='submit'><title>t</title>"
                "<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
                "<field var='muc#roomconfig_roomname'><value>name</value></field>"
                "<field var='muc#roomconfig_roomdesc'><value>desc</value></field>"
                "<field var='muc#roomconfig_roomowners'><value>boss@x</value></field>"
                "<field var='muc#roomconfig_publicroom'><value>1</value></field>"
                "<field var='muc#register_roomnick'><value>nick</value></field>"
                "<field var='jid' type='jid-single'><value>a@b</value></field>"
                "<field var='flag' type='boolean'><value>1</value></field>"
                "<field var='choice' label='l'><value>v</value></field>"
                "<reported/><item><field var='c'><value>cell</value></field></item></x>",
                "|t|name|desc|nick|v|cell", false);
}

static void test_too_much(void **state)
{
    struct rig *r = *state;
    struct buf text = {0};
    struct xmpp_message m;
    buf_append_str(&text, "<message xmlns='jabber:client'>");
    for (int i = 0; i <= XMPP_TEXTS_MAX; i++)
        buf_append_str(&text, "<body>x</body>");
    buf_append_str(&text, "</message>");
    xmpp_message_read(read_one(r, buf_cstr(&text)), 0, &m);
    assert_true(m.is_too_much);
    buf_reset(&text);
    buf_append_str(&text, "<message xmlns='jabber:client'>");
    for (int i = 0; i <= XMPP_NODES_MAX; i++)
        buf_append_str(&text, "<x/>");
    buf_append_str(&text, "<body>hidden</body></message>");
    xmpp_message_read(read_one(r, buf_cstr(&text)), 0, &m);
    assert_true(m.is_too_much);
    buf_fini(&text);
}

/* --- edits --- */

static char *edited(struct rig *r, const char *body, const char *find, const char *with)
{
    struct buf text = {0}, out = {0};
    buf_printf(&text, "<message xmlns='jabber:client'><body>%s</body><after x=\"1\"/></message>", body);
    const struct xmpp_dom *d = read_one(r, buf_cstr(&text));
    uint32_t node = xmpp_child(d, 0, "jabber:client", "body");
    struct span t = xmpp_text(d, node);
    const uint8_t *at = memmem(t.p, t.n, find, strlen(find));
    assert_non_null(at);
    struct xmpp_cuts cuts = {.n = 0};
    uint32_t from = (uint32_t)(at - t.p);
    bool ok = xmpp_cut_text(&cuts, d, r->item.raw, node, from, from + (uint32_t)strlen(find), span_str(with)) &&
              xmpp_splice(&cuts, r->item.raw, &out);
    xmpp_cuts_fini(&cuts);
    char *result = ok ? xmemdup0(buf_span(&out).p, out.len) : NULL;
    buf_fini(&text);
    buf_fini(&out);
    return result;
}

static void check_edit(struct rig *r, const char *body, const char *find, const char *with, const char *want)
{
    struct buf all = {0};
    char *got = edited(r, body, find, with);
    if (!want) {
        assert_null(got);
        return;
    }
    buf_printf(&all, "<message xmlns='jabber:client'><body>%s</body><after x=\"1\"/></message>", want);
    assert_non_null(got);
    assert_string_equal(got, buf_cstr(&all));
    free(got);
    buf_fini(&all);
}

static void test_edits(void **state)
{
    struct rig *r = *state;
    check_edit(r, "a best b", "best", "good", "a good b");
    check_edit(r, "a best b", "best", "<&>\"'\x01", "a &lt;&amp;&gt;&quot;&apos; b");
    check_edit(r, "&#98;e&#x73;t &amp; x", "best", "ok", "ok &amp; x");
    check_edit(r, "&lt;best&gt;", "best", "ok", "&lt;ok&gt;");
    check_edit(r, "a&amp;b", "&", "+", "a+b");
    check_edit(r, "<![CDATA[a best b]]>", "best", "x<y", "<![CDATA[a ]]>x&lt;y<![CDATA[ b]]>");
    check_edit(r, "a be<![CDATA[st b]]>", "best", "ok", "a ok<![CDATA[ b]]>");
    check_edit(r, "<![CDATA[a be]]>st b", "best", "ok", "<![CDATA[a ]]>ok b");
    check_edit(r, "be<![CDATA[]]>st", "best", "ok", "ok");
    check_edit(r, "a\r\nbest\rb", "best", "ok", "a\r\nok\rb");
    check_edit(r, "a\r\nb", "\n", " ", "a b");
    check_edit(r, "\xe6\x9c\x80&#22909; x", "\xe6\x9c\x80\xe5\xa5\xbd", "ok", "ok x");
    check_edit(r, "]]best>", "best", "", "]&#93;>");
    check_edit(r, "]best]>", "best", "", "&#93;]>");
    check_edit(r, "]best>", "best", "]", "&#93;&#93;>");
    check_edit(r, "<![CDATA[]]best>]]>", "best", "", "<![CDATA[]]]]><![CDATA[>]]>");
    check_edit(r, "a\rbest\nb", "best", "", "a&#10;\nb");
    check_edit(r, "be<i/>st", "best", "ok", NULL);
    check_edit(r, "<i/>best", "best", "ok", NULL);
}

static void test_companions(void **state)
{
    struct rig *r = *state;
    const char *text =
        "<message xmlns='jabber:client'><body>best</body><html xmlns='http://jabber.org/protocol/xhtml-im'>"
        "<body xmlns='http://www.w3.org/1999/xhtml'>best</body></html><origin-id xmlns='u' id='1'/>"
        "<reference xmlns='urn:xmpp:reference:0' begin='0' end='1'/></message>";
    const struct xmpp_dom *d = read_one(r, text);
    struct xmpp_cuts cuts = {.n = 0};
    struct buf out = {0};
    assert_true(xmpp_cut_companions(&cuts, d));
    assert_true(xmpp_cut_text(&cuts, d, r->item.raw, 1, 0, 4, span_str("ok")));
    assert_true(xmpp_splice(&cuts, r->item.raw, &out));
    assert_string_equal(buf_cstr(&out), "<message xmlns='jabber:client'><body>ok</body><origin-id xmlns='u' id='1'/>"
                                        "</message>");
    xmpp_cuts_fini(&cuts);
    buf_reset(&out);
    d = read_one(r, "<a>]]<html xmlns='http://jabber.org/protocol/xhtml-im'/>></a>");
    assert_true(xmpp_cut_companions(&cuts, d) && xmpp_splice(&cuts, r->item.raw, &out));
    assert_string_equal(buf_cstr(&out), "<a>]&#93;></a>");
    xmpp_cuts_fini(&cuts);
    buf_fini(&out);
}

/* Attributes in any legal spelling; a `with` without bytes takes one out. */
static void test_attributes(void **state)
{
    struct rig *r = *state;
    static const struct {
        const char *text, *name, *with, *want;
    } cases[] = {
        {"<a xmlns='u' h='1'/>", "h", "22", "<a xmlns='u' h='22'/>"},
        {"<a\n h = \"1\" xmlns='u'>x</a >", "h", "<'&", "<a\n h = \"&lt;&apos;&amp;\" xmlns='u'>x</a >"},
        {"<a xmlns='h' hh=' h=\"9\"' h='&#x31;'></a>", "h", "2", "<a xmlns='h' hh=' h=\"9\"' h='2'></a>"},
        {"<a p:h='7' h='' xmlns:p='q'/>", "h", "2", "<a p:h='7' h='2' xmlns:p='q'/>"},
        {"<a xmlns='u' location='x'\t id='2'/>", "location", NULL, "<a xmlns='u'\t id='2'/>"},
        {"<a xmlns='u'/>", "h", "1", NULL},
        {"<a/>", "h", "1", NULL},
        {"<a >h='1'</a>", "h", "1", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct xmpp_dom *d = read_one(r, cases[i].text);
        struct xmpp_cuts cuts = {.n = 0};
        struct buf out = {0};
        struct span with = cases[i].with ? span_str(cases[i].with) : span_of(NULL, 0);
        assert_int_equal(xmpp_cut_attr(&cuts, d, r->item.raw, 0, cases[i].name, with), cases[i].want != NULL);
        assert_true(xmpp_splice(&cuts, r->item.raw, &out));
        assert_string_equal(buf_cstr(&out), cases[i].want ? cases[i].want : cases[i].text);
        xmpp_cuts_fini(&cuts);
        buf_fini(&out);
    }
}

static bool ends_with(const struct buf *b, const char *s)
{
    struct span all = buf_span(b);
    return all.n >= strlen(s) && span_is(span_from(all, all.n - strlen(s)), s);
}

/* Any text in any spelling, any range: the edited source reads as the edited text. */
static void append_spelled(struct buf *out, uint32_t cp, bool *in_cdata)
{
    static const char *const line_ends[] = {"\r", "\n", "\r\n"};
    uint8_t c[4];
    unsigned n = utf8_encode(cp, c);
    bool is_mark = cp == '>' && ends_with(out, "]]");
    if (is_mark ? *in_cdata : rand_u64() % 6 == 0) {
        buf_append_str(out, *in_cdata ? "]]>" : "<![CDATA[");
        *in_cdata = !*in_cdata;
    }
    if (cp == '\n' && (*in_cdata || rand_u64() % 3))
        buf_append_str(out, line_ends[ends_with(out, "\r") ? 0 : rand_u64() % 3]);
    else if (is_mark)
        buf_append_str(out, "&gt;");
    else if (*in_cdata)
        buf_append(out, c, n);
    else if (cp == '&' || cp == '<' || cp == '\n' || rand_u64() % 3 == 0)
        buf_printf(out, rand_u64() % 2 ? "&#%u;" : "&#x%x;", cp);
    else
        buf_append(out, c, n);
}

static void test_random_edits(void **state)
{
    struct rig *r = *state;
    static const uint32_t letters[] = {'a', 'b', '&', '<', '\n', ']', ']', '>', 0x4f60, 0x597d, 0x1f600};
    static const char *const withs[] = {"", "<x>", "]", "]]", ">", "\n"};
    for (int round = 0; round < 10000; round++) {
        const char *with = withs[rand_u64() % ARRAY_LEN(withs)];
        uint32_t cp[12], n = 1 + (uint32_t)(rand_u64() % 12), at[13] = {0};
        struct buf text = {0}, out = {0}, want = {0};
        bool in_cdata = false;
        buf_append_str(&text, "<message xmlns='jabber:client'><body>");
        for (uint32_t i = 0; i < n; i++) {
            uint8_t c[4];
            cp[i] = letters[rand_u64() % ARRAY_LEN(letters)];
            append_spelled(&text, cp[i], &in_cdata);
            at[i + 1] = at[i] + utf8_encode(cp[i], c);
        }
        buf_append_str(&text, in_cdata ? "]]></body></message>" : "</body></message>");
        uint32_t from = (uint32_t)(rand_u64() % (n + 1)), to = from + (uint32_t)(rand_u64() % (n + 1 - from));
        const struct xmpp_dom *d = read_one(r, buf_cstr(&text));
        struct span t = xmpp_text(d, 1);
        assert_int_equal(t.n, at[n]);
        buf_append(&want, t.p, at[from]);
        buf_append_str(&want, with);
        buf_append(&want, t.p + at[to], t.n - at[to]);
        struct xmpp_cuts cuts = {.n = 0};
        assert_true(xmpp_cut_text(&cuts, d, r->item.raw, 1, at[from], at[to], span_str(with)));
        assert_true(xmpp_splice(&cuts, r->item.raw, &out));
        d = read_one(r, buf_cstr(&out));
        assert_true(span_eq(xmpp_text(d, 1), buf_span(&want)));
        xmpp_cuts_fini(&cuts);
        buf_fini(&text);
        buf_fini(&out);
        buf_fini(&want);
    }
}

/* --- tokens, addresses, logins --- */

static void test_tokens(void **state)
{
    (void)state;
    uint8_t key[XMPP_KEY_BYTES], other[XMPP_KEY_BYTES];
    rand_bytes(key, sizeof(key));
    rand_bytes(other, sizeof(other));
    struct xmpp_bounce b = {.id = span_str("m'1<"),
                            .to = span_str("c@x/r"),
                            .reason = span_str("\xe8\xaf\xb7"),
                            .rule = span_str("r.1")},
                       back;
    struct buf id = {0}, space = {0};
    assert_true(xmpp_token_make(key, &b, &id));
    assert_true(xmpp_token_read(key, buf_span(&id), &space, &back));
    assert_true(span_eq(b.id, back.id) && span_eq(b.to, back.to) && span_eq(b.reason, back.reason) &&
                span_eq(b.rule, back.rule) && back.kind == XMPP_STANZA_MESSAGE);
    assert_false(xmpp_token_read(other, buf_span(&id), &space, &back));
    for (size_t i = 4; i < id.len; i++) {
        id.data[i] ^= 1;
        assert_false(xmpp_token_read(key, buf_span(&id), &space, &back));
        id.data[i] ^= 1;
        assert_false(xmpp_token_read(key, span_of(id.data, i), &space, &back));
    }
    char *longer = xcalloc(1, 5000);
    memset(longer, 'x', 4999);
    b.reason = span_str(longer);
    buf_reset(&id);
    assert_true(xmpp_token_make(key, &b, &id) && xmpp_token_read(key, buf_span(&id), &space, &back));
    assert_int_equal(back.reason.n, XMPP_TOKEN_TEXT_MAX);
    b.id = span_str(longer);
    assert_false(xmpp_token_make(key, &b, &id));
    free(longer);
    buf_fini(&id);
    buf_fini(&space);
}

static void check_user(const char *mechanism, const char *first, size_t n, const char *want)
{
    struct buf user = {0};
    bool ok = xmpp_sasl_user(span_str(mechanism), span_of(first, n), &user);
    assert_int_equal(ok, want != NULL);
    if (want)
        assert_string_equal(buf_cstr(&user), want);
    buf_fini(&user);
}

static void test_names(void **state)
{
    (void)state;
    check_user("PLAIN", "\0amy\0pw", 7, "amy");
    check_user("PLAIN", "boss@x\0amy\0pw", 13, "boss@x");
    check_user("PLAIN", "\0\0pw", 4, NULL);
    check_user("SCRAM-SHA-1", "n,,n=amy,r=abc", 14, "amy");
    check_user("SCRAM-SHA-256", "y,a=boss,n=a=2Cm=3Dy,r=abc", 26, "boss");
    check_user("SCRAM-SHA-256", "n,,n=a=2Cm=3Dy,r=abc", 20, "a,m=y");
    check_user("SCRAM-SHA-1", "n,,x", 4, NULL);
    check_user("EXTERNAL", "amy", 3, NULL);
    struct span jid = span_str("Amy.B@X.example/Desk/1");
    struct buf bare = {0};
    xmpp_append_bare(&bare, jid);
    assert_string_equal(buf_cstr(&bare), "amy.b@x.example");
    assert_true(span_is(xmpp_resource(jid), "Desk/1") && span_is(xmpp_domain(jid), "X.example"));
    assert_true(xmpp_is_person(jid) && !xmpp_is_person(span_str("x/a@b")) && !xmpp_is_person(span_str("@x")));
    assert_int_equal(xmpp_resource(span_str("a@x")).n, 0);
    struct buf out = {0};
    assert_true(xmpp_base64_decode(span_str("YWJjZA=="), &out));
    assert_string_equal(buf_cstr(&out), "abcd");
    assert_false(xmpp_base64_decode(span_str("YWJjZ"), &out));
    assert_false(xmpp_base64_decode(span_str("YW=j"), &out));
    assert_true(xmpp_base64_decode(span_str("="), &out));
    buf_fini(&out);
    buf_fini(&bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_much, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_companions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_edits, setup, teardown),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

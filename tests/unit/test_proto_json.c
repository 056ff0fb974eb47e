/* The JSON reader against jansson and a plain reader on random and on damaged documents, and every refusal by itself.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
/* The library and the reader name their kinds alike. */
#define JSON_NULL   LIB_NULL
#define JSON_TRUE   LIB_TRUE
#define JSON_FALSE  LIB_FALSE
#define JSON_STRING LIB_STRING
#define JSON_ARRAY  LIB_ARRAY
#define JSON_OBJECT LIB_OBJECT
#include <jansson.h>
#undef JSON_NULL
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_STRING
#undef JSON_ARRAY
#undef JSON_OBJECT

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "../plain_json.h"

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}

/* --- random documents --- */

static void put_space(struct buf *b)
{
    while (draw(4) == 0)
        buf_append(b, &" \n\t\r"[draw(4)], 1);
}

static void put_random_string(struct buf *b)
{
    static const char *const piece[] = {"a",
                                        "Z",
                                        "9",
                                        " ",
                                        "\\n",
                                        "\\\"",
                                        "\\\\",
                                        "\\/",
                                        "\\u00e9",
                                        "\\u5fae",
                                        "\\ud83d\\ude00",
                                        "加",
                                        "微信",
                                        "\xf0\x9f\x98\x80",
                                        "é",
                                        "\\t",
                                        "plain text of some length",
                                        "您好请问有什么可以帮您的吗",
                                        "\x7f"};
    buf_append_str(b, "\"");
    for (uint32_t n = draw(8); n; n--)
        buf_append_str(b, piece[draw(ARRAY_LEN(piece))]);
    buf_append_str(b, "\"");
}

static void put_random(struct buf *b, int depth)
{
    static const char *const scalar[] = {"null",    "true", "false", "0", "-1", "12.5", "1e3", "9007199254740993",
                                         "-0.25E-2"};
    uint32_t kind = draw(depth > 4 ? 2 : 5);
    put_space(b);
    if (kind == 0) {
        buf_append_str(b, scalar[draw(ARRAY_LEN(scalar))]);
    } else if (kind <= 2) {
        put_random_string(b);
    } else {
        uint32_t n = draw(depth == 0 ? 30 : 6);
        buf_append_str(b, kind == 3 ? "[" : "{");
        for (uint32_t i = 0; i < n; i++) {
            buf_append_str(b, i ? "," : "");
            if (kind == 4) {
                put_space(b);
                buf_printf(b, "\"k%u\":", draw(200) == 0 ? 0 : i);
            }
            put_random(b, depth + 1);
        }
        put_space(b);
        buf_append_str(b, kind == 3 ? "]" : "}");
    }
    put_space(b);
}

/* --- comparing --- */

static bool same(const struct json_doc *d, uint32_t i, json_t *v);

static bool same_string(const struct json_doc *d, uint32_t i, const char *text, size_t n)
{
    size_t most = d->node[i].to - d->node[i].from;
    uint8_t *out = xmalloc(most);
    uint32_t *map = xmalloc(most * sizeof(*map));
    size_t got = json_decode(d, i, out, map);
    bool ok = span_eq(span_of(out, got), span_of(text, n)) && map[got] == d->node[i].to - 1 &&
              json_is(d, i, span_of(text, n));
    for (size_t k = 1; k <= got; k++)
        ok = ok && map[k - 1] <= map[k] && map[k - 1] > d->node[i].from;
    free(out);
    free(map);
    return ok;
}

static bool same_object(const struct json_doc *d, uint32_t i, json_t *v)
{
    const char *key;
    json_t *value;
    if (d->node[i].n != json_object_size(v))
        return false;
    json_object_foreach(v, key, value)
    {
        uint32_t at = json_member(d, i, span_str(key));
        if (!at || !d->node[at - 1].is_key || !same(d, at, value))
            return false;
    }
    return json_member(d, i, span_str("no such key")) == 0;
}

static bool same_array(const struct json_doc *d, uint32_t i, json_t *v)
{
    if (d->node[i].n != json_array_size(v))
        return false;
    for (size_t k = 0; k < json_array_size(v); k++)
        if (!same(d, json_item(d, i, (uint32_t)k), json_array_get(v, k)))
            return false;
    return json_item(d, i, d->node[i].n) == 0;
}

static bool same(const struct json_doc *d, uint32_t i, json_t *v)
{
    char number[64];
    struct span raw = json_raw_span(d, i);
    switch ((enum json_kind)d->node[i].kind) {
    case JSON_NULL:
        return json_typeof(v) == LIB_NULL && span_is(raw, "null");
    case JSON_TRUE:
        return json_typeof(v) == LIB_TRUE && span_is(raw, "true");
    case JSON_FALSE:
        return json_typeof(v) == LIB_FALSE && span_is(raw, "false");
    case JSON_NUMBER:
        snprintf(number, sizeof(number), "%.*s", (int)raw.n, (const char *)raw.p);
        return json_typeof(v) == JSON_REAL && !(strtod(number, NULL) < json_real_value(v)) &&
               !(strtod(number, NULL) > json_real_value(v));
    case JSON_STRING:
        return json_typeof(v) == LIB_STRING && same_string(d, i, json_string_value(v), json_string_length(v));
    case JSON_ARRAY:
        return json_typeof(v) == LIB_ARRAY && same_array(d, i, v);
    case JSON_OBJECT:
        return json_typeof(v) == LIB_OBJECT && same_object(d, i, v);
    }
    return false;
}

enum { LIBRARY_FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL };

static void compare(struct json_doc *d, struct span src)
{
    static struct plain plain;
    json_error_t why;
    struct err e = {""};
    /* on the heap in exact size, so that reading one byte too far is seen */
    uint8_t *copy = xmalloc(src.n ? src.n : 1);
    memcpy(copy, src.p, src.n);
    enum json_result r = json_read(d, span_of(copy, src.n), 0, &e);
    plain_read(&plain, src, 0);
    if (!plain_agrees(&plain, d, r, &e))
        fail_msg("%.*s: %d, %s; the plain reader: %d at byte %u", (int)src.n, src.p, r, e.text, plain.result,
                 plain.failed_at);
    json_t *v = json_loadb((const char *)src.p, src.n, LIBRARY_FLAGS, &why);
    bool is_too_much = r == JSON_TOO_COMPLEX || (!v && json_error_code(&why) == json_error_numeric_overflow);
    bool is_odd = src.n && memchr(src.p, 0, src.n); /* the library overlooks some NULs behind a number */
    if (!is_too_much && !is_odd && (r == JSON_OK) != (v != NULL))
        fail_msg("%.*s: %s, the library: %s", (int)src.n, src.p, r ? e.text : "good", v ? "good" : why.text);
    if (r == JSON_OK && v && !same(d, 0, v))
        fail_msg("%.*s: read differently", (int)src.n, src.p);
    json_decref(v);
    free(copy);
}

static void test_against_library(void **state)
{
    (void)state;
    struct json_doc d = {0};
    struct buf b = {0};
    for (int i = 0; i < 3000; i++) {
        buf_reset(&b);
        put_random(&b, 0);
        compare(&d, buf_span(&b));
        for (int k = 0; k < 6 && b.len; k++) {
            uint8_t *p = b.data + b.start + draw(b.len);
            switch (draw(3)) {
            case 0:
                *p = (uint8_t) "{}[]\",:\\0-e.u x"[draw(15)];
                break;
            case 1:
                *p = (uint8_t)draw(256);
                break;
            case 2:
                b.len = draw(b.len);
                break;
            }
            compare(&d, buf_span(&b));
        }
    }
    buf_fini(&b);
    json_doc_fini(&d);
}

/* --- refusals --- */

struct expected {
    const char *text;
    enum json_result result;
    unsigned flags;
};

static void test_refusals(void **state)
{
    (void)state;
    static const struct expected list[] = {
        {"{}", JSON_OK, 0},
        {"", JSON_INVALID, 0},
        {" ", JSON_INVALID, 0},
        {"{\"a\":1,}", JSON_INVALID, 0},
        {"[1,]", JSON_INVALID, 0},
        {"[1 2]", JSON_INVALID, 0},
        {"{a:1}", JSON_INVALID, 0},
        {"{'a':1}", JSON_INVALID, 0},
        {"[01]", JSON_INVALID, 0},
        {"[+1]", JSON_INVALID, 0},
        {"[.5]", JSON_INVALID, 0},
        {"[1.]", JSON_INVALID, 0},
        {"[1e]", JSON_INVALID, 0},
        {"[NaN]", JSON_INVALID, 0},
        {"[tru]", JSON_INVALID, 0},
        {"[\"a\nb\"]", JSON_INVALID, 0},
        {"[\"\\x\"]", JSON_INVALID, 0},
        {"[\"\\u12g4\"]", JSON_INVALID, 0},
        {"[\"\xc0\x80\"]", JSON_INVALID, 0},
        {"[\"\xed\xa0\x80\"]", JSON_INVALID, 0},
        {"[\"\xff\"]", JSON_INVALID, 0},
        /* what comes first counts */
        {"[\"\xff\", \"\\u0000\"]", JSON_INVALID, 0},
        {"[\"\\u0000\", \"\xff\"]", JSON_AMBIGUOUS, 0},
        {"[\"\xe4\xbd\", \"\\u0000\"]", JSON_INVALID, 0},
        {"{\"a\":\"\xe4\", \"a\":1}", JSON_INVALID, 0},
        {"[\"a long text of ordinary letters\xed\xa0\x80 and more\"]", JSON_INVALID, 0},
        {"[\"a long text of ordinary lett\ters\"]", JSON_INVALID, 0},
        {"[1] \xff", JSON_AMBIGUOUS, 0},
        {"[\"a", JSON_INVALID, 0},
        {"/* */{}", JSON_INVALID, 0},
        {"[\"\\u0000\"]", JSON_AMBIGUOUS, 0},
        {"[\"\\ud800\"]", JSON_AMBIGUOUS, 0},
        {"[\"\\udc00\\ud800\"]", JSON_AMBIGUOUS, 0},
        {"[\"\\ud800\\u0041\"]", JSON_AMBIGUOUS, 0},
        {"\xef\xbb\xbf{}", JSON_AMBIGUOUS, 0},
        {"{}{}", JSON_AMBIGUOUS, 0},
        {"{} x", JSON_AMBIGUOUS, 0},
        {"{}\n", JSON_OK, 0},
        {"{} x", JSON_OK, JSON_TRAILING_OK},
        {"{\"a\":1,\"a\":2}", JSON_AMBIGUOUS, 0},
        {"{\"a\":1,\"\\u0061\":2}", JSON_AMBIGUOUS, 0},
        {"{\"a\":1,\"a\":2}", JSON_OK, JSON_DUP_LAST},
        {"{\"message\":\"ok\",\"Message\":\"bad\"}", JSON_OK, 0},
        {"{\"message\":\"ok\",\"Message\":\"bad\"}", JSON_AMBIGUOUS, JSON_KEYS_CASEFOLD},
        {"{\"pub\":1,\"P\\u0055B\":2}", JSON_AMBIGUOUS, JSON_KEYS_CASEFOLD},
        {"{\"message\":\"ok\",\"me\xc5\xbfsage\":\"bad\"}", JSON_AMBIGUOUS, JSON_KEYS_CASEFOLD},
        {"{\"key\":\"ok\",\"\\u212aey\":\"bad\"}", JSON_AMBIGUOUS, JSON_KEYS_CASEFOLD},
    };
    struct json_doc d = {0};
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        e.text[0] = '\0';
        enum json_result r = json_read(&d, span_str(list[i].text), list[i].flags, &e);
        if (r != list[i].result)
            fail_msg("%s: %d instead of %d (%s)", list[i].text, r, list[i].result, e.text);
        assert_true(r == JSON_OK || strstr(e.text, "at byte "));
    }
    assert_int_equal(json_read(&d, span_of("[\0]", 3), 0, &e), JSON_INVALID);
    assert_int_equal(json_read(&d, span_of("[]\0", 3), 0, &e), JSON_AMBIGUOUS);
    json_doc_fini(&d);
}

static void test_case_and_last(void **state)
{
    (void)state;
    struct json_doc d = {0};
    assert_int_equal(json_read(&d, span_str("{\"PUB\":{\"\\u0054opic\":7}}"), JSON_KEYS_CASEFOLD, NULL), JSON_OK);
    uint32_t pub = json_member(&d, 0, span_str("pub"));
    assert_int_not_equal(pub, 0);
    assert_true(span_is(json_raw_span(&d, json_member(&d, pub, span_str("topic"))), "7"));
    assert_int_equal(json_read(&d, span_str("{\"a\":1,\"b\":2,\"a\":3}"), JSON_DUP_LAST, NULL), JSON_OK);
    assert_true(span_is(json_raw_span(&d, json_member(&d, 0, span_str("a"))), "3"));
    assert_int_equal(json_read(&d, span_str("{\"PUB\":1}"), 0, NULL), JSON_OK);
    assert_int_equal(json_member(&d, 0, span_str("pub")), 0);
    json_doc_fini(&d);
}

static void put_nested(struct buf *b, int depth)
{
    buf_reset(b);
    for (int i = 0; i < depth; i++)
        buf_append_str(b, i % 2 ? "{\"a\":" : "[");
    buf_append_str(b, "1");
    for (int i = depth - 1; i >= 0; i--)
        buf_append_str(b, i % 2 ? "}" : "]");
}

static void test_bounds(void **state)
{
    (void)state;
    struct json_doc d = {0};
    struct buf b = {0};
    put_nested(&b, JSON_DEPTH_MAX);
    assert_int_equal(json_read(&d, buf_span(&b), 0, NULL), JSON_OK);
    put_nested(&b, JSON_DEPTH_MAX + 1);
    assert_int_equal(json_read(&d, buf_span(&b), 0, NULL), JSON_TOO_COMPLEX);
    for (int extra = 0; extra < 2; extra++) {
        buf_reset(&b);
        buf_append_str(&b, "[1");
        for (int i = 2; i < JSON_NODES_MAX + extra; i++)
            buf_append_str(&b, ",1");
        buf_append_str(&b, "]");
        assert_int_equal(json_read(&d, buf_span(&b), 0, NULL), extra ? JSON_TOO_COMPLEX : JSON_OK);
    }
    assert_int_equal(d.cap, JSON_NODES_MAX);
    buf_fini(&b);
    json_doc_fini(&d);
}

/* Equal keys in an object of every size around the change of method, at every pair of places. */
static void test_equal_keys(void **state)
{
    (void)state;
    struct json_doc d = {0};
    struct buf b = {0};
    for (int n = 2; n < 30; n++) {
        for (int first = 0; first < n; first++) {
            for (int second = first; second < n; second++) {
                buf_reset(&b);
                for (int i = 0; i < n; i++)
                    buf_printf(&b, "%c\"key-%d\":[{}]", i ? ',' : '{', i == second ? first : i);
                buf_append_str(&b, "}");
                enum json_result r = json_read(&d, buf_span(&b), 0, NULL);
                assert_int_equal(r, first == second ? JSON_OK : JSON_AMBIGUOUS);
            }
        }
    }
    buf_fini(&b);
    json_doc_fini(&d);
}

/* Strings of every length and alignment around the eight-byte step, with a special byte at every place. */
static void test_string_steps(void **state)
{
    (void)state;
    static const struct {
        const char *piece;
        enum json_result result;
    } list[] = {{"\\n", JSON_OK},  {"加", JSON_OK},        {"\x01", JSON_INVALID}, {"\x1f", JSON_INVALID},
                {"\x7f", JSON_OK}, {"\x80", JSON_INVALID}, {" ", JSON_OK},         {"!", JSON_OK},
                {"#", JSON_OK},    {"\\", JSON_INVALID}};
    struct json_doc d = {0};
    struct buf b = {0};
    for (size_t k = 0; k < ARRAY_LEN(list); k++) {
        for (int lead = 0; lead < 9; lead++) {
            for (int at = 0; at < 20; at++) {
                buf_reset(&b);
                buf_printf(&b, "%*s\"%.*s%s\"", lead, "", at, "abcdefghijklmnopqrst", list[k].piece);
                assert_int_equal(json_read(&d, buf_span(&b), 0, NULL), list[k].result);
            }
        }
    }
    buf_fini(&b);
    json_doc_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_library), cmocka_unit_test(test_refusals),   cmocka_unit_test(test_case_and_last),
        cmocka_unit_test(test_bounds),          cmocka_unit_test(test_equal_keys), cmocka_unit_test(test_string_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

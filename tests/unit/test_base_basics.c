/* Containers and small helpers of src/base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/hist.h"
#include "base/json_out.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/utf8.h"

static void buf_is_a_queue(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++) {
        buf_printf(&b, "%d,", i);
        if (i % 3 == 0)
            buf_consume(&b, 2);
    }
    assert_true(b.len > 2000);
    assert_int_equal(buf_cstr(&b)[b.len - 1], ',');
    buf_consume(&b, b.len);
    assert_null(b.data); /* an idle buffer holds no memory */
    buf_set(&b, span_str("agent-17"));
    assert_int_equal(b.cap, 8); /* what is kept takes no more than it needs */
    buf_set(&b, span_str("amy"));
    assert_true(span_is(buf_span(&b), "amy"));
    buf_append_str(&b, " and many others");
    assert_true(span_is(buf_span(&b), "amy and many others"));
    buf_set(&b, span_of("", 0));
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void map_agrees_with_an_array(void **state)
{
    (void)state;
    enum { KEYS = 500 };
    struct map m = {0};
    void *want[KEYS] = {0};
    for (int round = 0; round < 20000; round++) {
        uint64_t r = rand_u64();
        unsigned k = (unsigned)(r % KEYS);
        char key[16];
        snprintf(key, sizeof(key), "k%u", k);
        if (r >> 62) {
            void *value = (void *)(uintptr_t)(1 + (r >> 32));
            assert_ptr_equal(map_put(&m, span_str(key), value), want[k]);
            want[k] = value;
        } else {
            assert_ptr_equal(map_del(&m, span_str(key)), want[k]);
            want[k] = NULL;
        }
    }
    size_t n = 0, pos = 0;
    struct span key;
    void *value;
    for (; map_next(&m, &pos, &key, &value); n++)
        assert_non_null(value);
    assert_int_equal(n, m.len);
    map_fini(&m);
}

static void hist_error_is_bounded(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < ((uint64_t)1 << 39); v = v + 1 + v / 7) {
        uint64_t up = hist_upper(hist_index(v));
        assert_true(up >= v);
        assert_true((double)(up - v) <= 0.016 * (double)v);
    }
    static struct hist h;
    for (unsigned i = 1; i <= 1000; i++)
        hist_add(&h, i);
    assert_in_range(hist_quantile(&h, 0.5), 495, 508);
    assert_int_equal(hist_quantile(&h, 1.0), 1000);
    assert_int_equal(hist_rank(6, 0.9), 6); /* 0.9 of six values is more than five of them */
    assert_int_equal(hist_rank(10, 0.9), 9);
    assert_int_equal(hist_rank(100, 0.99), 99);
    assert_int_equal(hist_rank(1, 0.01), 1);
    assert_int_equal(hist_rank(7, 1.0), 7);
}

static size_t naive_prefix(struct span s)
{
    size_t i = 0;
    uint32_t cp;
    for (unsigned n; i < s.n && (n = utf8_decode(s.p + i, s.n - i, &cp)) > 0;)
        i += n;
    return i;
}

/* Whole words are looked at where the bytes are common: every mix, every place, every broken byte. */
static void utf8_prefix_as_character_by_character(void **state)
{
    (void)state;
    static const char *const piece[] = {"a",
                                        "~ ",
                                        "\xe4\xbd\xa0",
                                        "\xe5\xa5\xbd",
                                        "\xe0\xa4\x80",
                                        "\xed\x95\x9c",
                                        "\xef\xbc\x8c",
                                        "\xc3\xa9",
                                        "\xf0\x9f\x98\x8a",
                                        "0123456789",
                                        "\xe6\x82\xa8\xe5\xa5\xbd\xe8\xaf\xb7\xe9\x97\xae\xe6\x9c\x89\xe4\xbb\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80"};
    uint32_t seed = 7;
    for (int round = 0; round < 20000; round++) {
        uint8_t text[96];
        size_t n = 0;
        while (n < 60) {
            seed = seed * 1664525u + 1013904223u;
            const char *one = piece[(seed >> 16) % ARRAY_LEN(piece)];
            memcpy(text + n, one, strlen(one));
            n += strlen(one);
        }
        n -= seed >> 8 & 7;
        if (round % 4)
            text[(seed >> 11) % n] = (uint8_t)(seed >> 24);
        assert_int_equal(utf8_valid_prefix(span_of(text, n)), naive_prefix(span_of(text, n)));
    }
}

static void utf8_refuses_what_the_rfc_refuses(void **state)
{
    (void)state;
    const char *bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",    "\xe4\xb8",
                         "\x80",     "\xff",         "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(utf8_valid_prefix(span_str(bad[i])), 0);
    for (uint32_t cp = 1; cp < 0x110000; cp++) {
        if (cp >= 0xd800 && cp < 0xe000)
            continue;
        uint8_t out[4];
        uint32_t back = 0;
        unsigned n = utf8_encode(cp, out);
        assert_int_equal(utf8_decode(out, n, &back), n);
        assert_int_equal(back, cp);
    }
}

static void checksums_have_known_values(void **state)
{
    (void)state;
    assert_int_equal(hash_crc32c(0, span_str("123456789")), 0xe3069283u); /* RFC 3720 B.4's check value */
    assert_int_equal(hash_crc32c(hash_crc32c(0, span_str("1234")), span_str("56789")), 0xe3069283u);
    assert_true(hash_stable(span_str("a")) == 0xaf63dc4c8601ec8cu);
}

static void json_is_escaped(void **state)
{
    (void)state;
    struct buf b = {0};
    struct json_out j = {.buf = &b};
    json_obj(&j);
    json_key(&j, "a\"");
    json_span(&j, span_of("\n\x01\xff\xe5\xa5\xbd", 6));
    json_key(&j, "b");
    json_arr(&j);
    json_int(&j, -3);
    json_bool(&j, true);
    json_arr_end(&j);
    json_obj_end(&j);
    assert_string_equal(buf_cstr(&b), "{\"a\\\"\":\"\\n\\u0001\xef\xbf\xbd\xe5\xa5\xbd\",\"b\":[-3,true]}");
    buf_fini(&b);
}

static void arena_objects_are_zeroed_and_apart(void **state)
{
    (void)state;
    struct arena a = {0};
    for (int round = 0; round < 3; round++) {
        char *last = NULL;
        for (size_t n = 1; n < 3000; n += 7) {
            char *p = arena_alloc(&a, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xee, n);
            assert_true(p != last);
            last = p;
        }
        arena_reset(&a);
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_is_a_queue),
        cmocka_unit_test(map_agrees_with_an_array),
        cmocka_unit_test(hist_error_is_bounded),
        cmocka_unit_test(utf8_refuses_what_the_rfc_refuses),
        cmocka_unit_test(utf8_prefix_as_character_by_character),
        cmocka_unit_test(checksums_have_known_values),
        cmocka_unit_test(json_is_escaped),
        cmocka_unit_test(arena_objects_are_zeroed_and_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

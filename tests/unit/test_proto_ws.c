/* WebSocket frame heads against an independent reading of RFC 6455 section 5.2, masking against a naive loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "proto/ws.h"

static enum parse parse_copy(const uint8_t *p, size_t n, bool from_client, struct ws_head *h)
{
    uint8_t *copy = xmalloc(n);
    memcpy(copy, p, n);
    enum parse r = ws_parse_head(span_of(copy, n), from_client, h);
    free(copy);
    return r;
}

/* Parses n bytes, and says that no cut of them would have been judged otherwise. */
static enum parse at_every_cut(const uint8_t *p, size_t n, bool from_client, struct ws_head *h)
{
    enum parse whole = parse_copy(p, n, from_client, h), r = PARSE_MORE;
    for (size_t cut = 0; cut <= n; cut++) {
        struct ws_head part;
        enum parse now = parse_copy(p, cut, from_client, &part);
        if (r != PARSE_MORE)
            assert_int_equal(now, r);
        r = now;
        if (r == PARSE_DONE) {
            assert_true(cut >= h->head_len);
            assert_int_equal(part.head_len, h->head_len);
            assert_int_equal(part.len, h->len);
            assert_memory_equal(part.mask, h->mask, 4);
        }
    }
    assert_int_equal(r, whole);
    return whole;
}

static void every_first_two_bytes(void **state)
{
    (void)state;
    static const uint8_t known[] = {0, 1, 2, 8, 9, 10};
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            for (int from_client = 0; from_client < 2; from_client++) {
                unsigned op = a & 15, len = b & 127;
                bool fin = a >> 7, is_control = op >= 8;
                bool ok = !(a & 0x70) && memchr(known, (int)op, sizeof(known)) && (b >> 7) == (unsigned)from_client;
                if (is_control && (!fin || len > 125))
                    ok = false;
                /* behind the two bytes: a long length that is in order, and a mask */
                uint8_t in[14] = {(uint8_t)a, (uint8_t)b, 0, 0, 0, 1, 0, 0, 0, 0, 0xaa, 0xbb, 0xcc, 0xdd};
                if (len == 126)
                    in[2] = 1;
                struct ws_head h;
                enum parse r = at_every_cut(in, sizeof(in), from_client, &h);
                assert_int_equal(r, ok ? PARSE_DONE : PARSE_BAD);
                if (!ok)
                    continue;
                assert_int_equal(h.fin, fin);
                assert_int_equal(h.opcode, op);
                assert_int_equal(h.masked, from_client);
                assert_int_equal(h.len, len < 126 ? len : len == 126 ? 256 : UINT64_C(1) << 32);
                assert_int_equal(h.head_len, 2 + (len < 126 ? 0 : len == 126 ? 2 : 8) + 4 * from_client);
            }
}

static void lengths_in_shortest_form_only(void **state)
{
    (void)state;
    static const struct {
        uint8_t in[10];
        size_t n;
        enum parse want;
    } row[] = {
        {{0x82, 126, 0, 125}, 4, PARSE_BAD},
        {{0x82, 126, 0, 126}, 4, PARSE_DONE},
        {{0x82, 126, 0xff, 0xff}, 4, PARSE_DONE},
        {{0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 10, PARSE_BAD},
        {{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10, PARSE_DONE},
        {{0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 10, PARSE_DONE},
        {{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, 10, PARSE_BAD},
        {{0x82, 127, 0, 0, 0, 0, 0, 1, 0}, 9, PARSE_MORE},
        {{0x82}, 1, PARSE_MORE},
        {{0}, 0, PARSE_MORE},
    };
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct ws_head h;
        assert_int_equal(at_every_cut(row[i].in, row[i].n, false, &h), row[i].want);
    }
}

static void heads_written_are_read_back(void **state)
{
    (void)state;
    static const uint64_t lens[] = {0, 1, 125, 126, 127, 255, 256, 65535, 65536, 1 << 20, UINT64_C(1) << 40, INT64_MAX};
    static const uint8_t mask[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < ARRAY_LEN(lens); i++)
        for (int masked = 0; masked < 2; masked++)
            for (int fin = 0; fin < 2; fin++) {
                uint8_t out[WS_HEAD_MAX + 1];
                struct ws_head h;
                size_t n = ws_write_head(out, fin, WS_BINARY, lens[i], masked ? mask : NULL);
                assert_int_equal(at_every_cut(out, n, masked, &h), PARSE_DONE);
                assert_int_equal(h.head_len, n);
                assert_int_equal(h.len, lens[i]);
                assert_int_equal(h.fin, fin);
                assert_int_equal(h.opcode, WS_BINARY);
                if (masked)
                    assert_memory_equal(h.mask, mask, 4);
            }
}

static void masking_agrees_with_a_naive_loop(void **state)
{
    (void)state;
    enum { MOST = 200 };
    uint8_t src[MOST + 16], dst[MOST + 16], want[MOST + 16];
    uint8_t mask[4];
    rand_bytes(src, sizeof(src));
    rand_bytes(mask, sizeof(mask));
    for (size_t from = 0; from < 9; from++)
        for (size_t to = 0; to < 9; to++)
            for (size_t phase = 0; phase < 5; phase++)
                for (size_t n = 0; n < MOST; n += n < 70 ? 1 : 13) {
                    memset(dst, 0x5a, sizeof(dst));
                    memset(want, 0x5a, sizeof(want));
                    for (size_t i = 0; i < n; i++)
                        want[to + i] = src[from + i] ^ mask[(phase + i) % 4];
                    ws_mask(dst + to, src + from, n, mask, phase);
                    assert_memory_equal(dst, want, sizeof(dst));
                }
}

static void masking_in_place_and_in_pieces(void **state)
{
    (void)state;
    uint8_t a[1000], b[1000], mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    rand_bytes(a, sizeof(a));
    memcpy(b, a, sizeof(b));
    ws_mask(a, a, sizeof(a), mask, 0);
    for (size_t at = 0, step = 1; at < sizeof(b); at += step, step = step % 61 + 1) {
        step = MIN_OF(step, sizeof(b) - at);
        ws_mask(b + at, b + at, step, mask, at);
    }
    assert_memory_equal(a, b, sizeof(a));
    /* the example of RFC 6455 section 5.7 */
    uint8_t hello[5];
    ws_mask(hello, (const uint8_t *)"\x7f\x9f\x4d\x51\x58", 5, mask, 0);
    assert_memory_equal(hello, "Hello", 5);
}

static void close_payloads(void **state)
{
    (void)state;
    assert_true(ws_close_is_valid(span_of("", 0)));
    assert_false(ws_close_is_valid(span_of("\x03", 1)));
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        uint8_t p[2] = {(uint8_t)(code >> 8), (uint8_t)code};
        bool ok = (code >= 1000 && code < 1015 && (code < 1004 || code > 1006)) || (code >= 3000 && code < 5000);
        assert_int_equal(ws_close_is_valid(span_of(p, 2)), ok);
    }
    assert_true(ws_close_is_valid(span_of("\x03\xe8\xe5\xbe\xae", 5)));
    assert_false(ws_close_is_valid(span_of("\x03\xe8\xe5\xbe", 4)));
    uint8_t longest[126] = {3, 0xe8};
    assert_true(ws_close_is_valid(span_of(longest, 125)));
    assert_false(ws_close_is_valid(span_of(longest, 126)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_first_two_bytes),          cmocka_unit_test(lengths_in_shortest_form_only),
        cmocka_unit_test(heads_written_are_read_back),    cmocka_unit_test(masking_agrees_with_a_naive_loop),
        cmocka_unit_test(masking_in_place_and_in_pieces), cmocka_unit_test(close_payloads),
    };
    return cmocka_run_group_tests_name("proto_ws", tests, NULL, NULL);
}

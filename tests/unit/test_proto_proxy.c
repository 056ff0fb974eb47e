/* PROXY headers, whole and at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(s)  s, sizeof(s) - 1

static const struct {
    const char *bytes;
    size_t n;
    enum parse want;
    bool has_address, is_v6;
    uint8_t last; /* byte of the address */
    uint16_t port;
    size_t header_bytes; /* 0: all */
} rows[] = {
    {BYTES("PROXY TCP4 10.0.0.7 10.0.0.1 4711 80\r\n"), PARSE_DONE, true, false, 7, 4711, 0},
    {BYTES("PROXY TCP4 10.0.0.7 10.0.0.1 4711 80\r\nGET"), PARSE_DONE, true, false, 7, 4711, 38},
    {BYTES("PROXY TCP6 ::9 ::1 65535 80\r\n"), PARSE_DONE, true, true, 9, 65535, 0},
    {BYTES("PROXY UNKNOWN\r\n"), PARSE_DONE, false, false, 0, 0, 0},
    {BYTES("PROXY UNKNOWN what ever\r\n"), PARSE_DONE, false, false, 0, 0, 0},
    {BYTES("PROXY TCP4 10.0.0.7 10.0.0.1 65536 80\r\n"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES("PROXY TCP4 10.0.0.7 10.0.0.1 1 80 x\r\n"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES("PROXY TCP4 10.0.0.7 10.0.0.1 1\r\n"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES("PROXY TCP4 10.0.0.777 10.0.0.1 1 80\r\n"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES("PROXY TCP4 ::1 ::1 1 80\r\n"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES("PROXY TCP4  10.0.0.7 10.0.0.1 1 80\r\n"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES("PROXY UDP4 10.0.0.7 10.0.0.1 1 80\r\n"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES("GET / HTTP/1.1\r\n\r\n"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES(SIGNATURE "\x21\x11\0\x0c\x0a\0\0\x07\x0a\0\0\x01\x12\x67\0\x50"), PARSE_DONE, true, false, 7, 4711, 0},
    {BYTES(SIGNATURE "\x21\x11\0\x0f\x0a\0\0\x07\x0a\0\0\x01\x12\x67\0\x50\x04\0\0"), PARSE_DONE, true, false, 7, 4711,
     0},
    {BYTES(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x01\0\x02"),
     PARSE_DONE, true, true, 9, 1, 0},
    {BYTES(SIGNATURE "\x20\0\0\0"), PARSE_DONE, false, false, 0, 0, 0},
    {BYTES(SIGNATURE "\x21\x31\0\x01x"), PARSE_DONE, false, false, 0, 0, 0},
    {BYTES(SIGNATURE "\x11\x11\0\x0c\x0a\0\0\x07\x0a\0\0\x01\x12\x67\0\x50"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES(SIGNATURE "\x22\x11\0\x0c\x0a\0\0\x07\x0a\0\0\x01\x12\x67\0\x50"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES(SIGNATURE "\x21\x11\0\x04\x0a\0\0\x07"), PARSE_BAD, false, false, 0, 0, 0},
    {BYTES(SIGNATURE "\x21\x11\xff\xff"), PARSE_BAD, false, false, 0, 0, 0},
};

static void test_whole_and_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct proxy_header h;
        struct span all = span_of(rows[i].bytes, rows[i].n);
        assert_int_equal(proxy_parse(all, &h), rows[i].want);
        if (rows[i].want == PARSE_DONE) {
            assert_int_equal(h.has_address, rows[i].has_address);
            assert_int_equal(h.header_bytes, rows[i].header_bytes ? rows[i].header_bytes : rows[i].n);
        }
        if (rows[i].want == PARSE_DONE && rows[i].has_address) {
            assert_int_equal(h.is_v6, rows[i].is_v6);
            assert_int_equal(h.addr[h.is_v6 ? 15 : 3], rows[i].last);
            assert_int_equal(h.port, rows[i].port);
        }
        size_t header = h.header_bytes;
        for (size_t cut = 0; cut < rows[i].n; cut++) {
            enum parse p = proxy_parse(span_of(all.p, cut), &h);
            if (rows[i].want == PARSE_DONE)
                assert_int_equal(p, cut < header ? PARSE_MORE : PARSE_DONE);
            else
                assert_int_not_equal(p, PARSE_DONE);
        }
    }
}

static void test_endless_line(void **state)
{
    (void)state;
    char line[400] = "PROXY TCP4 ";
    memset(line + 11, '1', sizeof(line) - 11);
    struct proxy_header h;
    assert_int_equal(proxy_parse(span_of(line, 106), &h), PARSE_MORE);
    assert_int_equal(proxy_parse(span_of(line, 107), &h), PARSE_BAD);
    assert_int_equal(proxy_parse(span_of(line, sizeof(line)), &h), PARSE_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_and_at_every_split),
        cmocka_unit_test(test_endless_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

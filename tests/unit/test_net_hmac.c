/* HMAC-SHA256 against the vectors of RFC 4231, base64 against those of RFC 4648. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/hmac.h"

static void vectors_of_rfc_4231(void **state)
{
    (void)state;
    char hex[HMAC_HEX];
    uint8_t key[131];
    memset(key, 0x0b, 20);
    hmac_sha256_hex(span_of(key, 20), span_str("Hi There"), hex);
    assert_string_equal(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha256_hex(span_str("Jefe"), span_str("what do ya want for nothing?"), hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    hmac_sha256_hex(span_of(key, sizeof(key)), span_str("Test Using Larger Than Block-Size Key - Hash Key First"), hex);
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const pair[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    char out[BASE64_LEN(6)];
    for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
        base64_encode((const uint8_t *)pair[i][0], strlen(pair[i][0]), out);
        assert_string_equal(out, pair[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_of_rfc_4231), cmocka_unit_test(vectors_of_rfc_4648)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* TLS on the data path against OpenSSL's own client: versions, ciphers, groups, new keys, short records, renegotiation.
 */
#include "tls_rig.h"

static void test_versions_and_ciphers(void **state)
{
    (void)state;
    static const char *const ciphers[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                          "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"};
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    static const char *const groups[] = {"X25519", "P-256", "P-521", "ffdhe2048"};
    for (size_t i = 0; i < 4 + 3 + 4; i++) {
        SSL_CTX *ctx = client_new(i < 4 ? TLS1_2_VERSION : TLS1_3_VERSION);
        if (i < 4)
            assert_int_equal(SSL_CTX_set_cipher_list(ctx, ciphers[i]), 1);
        else if (i < 7)
            assert_int_equal(SSL_CTX_set_ciphersuites(ctx, suites[i - 4]), 1);
        else
            assert_int_equal(SSL_CTX_set1_groups_list(ctx, groups[i - 7]), 1);
        struct pair p;
        pair_begin(&p, ctx);
        pair_handshake(&p);
        both_talk(&p);
        both_talk(&p);
        pair_end(&p);
        SSL_CTX_free(ctx);
    }
}

static void test_key_updates(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION);
    struct pair p;
    pair_begin(&p, ctx);
    pair_handshake(&p);
    both_talk(&p);
    for (int i = 0; i < 6; i++) { /* with REQUESTED the server's direction gets new keys as well */
        assert_int_equal(SSL_key_update(p.client, i % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        both_talk(&p);
    }
    pair_end(&p);
    SSL_CTX_free(ctx);
}

static size_t longest;

static void on_record(int is_write, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
    (void)version, (void)n, (void)ssl, (void)arg;
    const uint8_t *head = p;
    if (!is_write && type == SSL3_RT_HEADER && head[0] == SSL3_RT_APPLICATION_DATA)
        longest = MAX_OF(longest, (size_t)(head[3] << 8 | head[4]));
}

/* A client with little memory asks for short records: they stay short. */
static void test_short_records(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION);
    SSL_CTX_set_tlsext_max_fragment_length(ctx, TLSEXT_max_fragment_length_512);
    struct pair p;
    pair_begin(&p, ctx);
    pair_handshake(&p);
    both_talk(&p);
    SSL_set_msg_callback(p.client, on_record);
    longest = 0;
    char text[3001], got[3000];
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(conn_write(&p.s.c, text, 3000), 0);
    int n = 0;
    for (int i = 0; i < TURNS && n < 3000; i++) {
        int k = SSL_read(p.client, got + n, 3000 - n);
        n += k > 0 ? k : 0;
        turn();
    }
    assert_int_equal(n, 3000);
    assert_in_range(longest, 500, 512 + 32);
    pair_end(&p);
    SSL_CTX_free(ctx);
}

static void test_renegotiation_is_refused(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_2_VERSION);
    struct pair p;
    pair_begin(&p, ctx);
    pair_handshake(&p);
    both_talk(&p);
    check_renegotiation_is_refused(&p);
    pair_end(&p);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_and_ciphers),
        cmocka_unit_test(test_key_updates),
        cmocka_unit_test(test_short_records),
        cmocka_unit_test(test_renegotiation_is_refused),
    };
    return cmocka_run_group_tests(tests, tls_rig_setup, tls_rig_teardown);
}

/* TLS as the client, towards a backend. */
#include "tls_rig.h"

static SSL_CTX *backend_new(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    assert_int_equal(SSL_CTX_use_certificate_file(ctx, tls_rig_cert(), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, tls_rig_key(), SSL_FILETYPE_PEM), 1);
    return ctx;
}

/* Tickets and new keys that a backend sends at any time do not need what was given back; another handshake is refused.
 */
static void test_a_backend_speaks_after_its_handshake(void **state)
{
    (void)state;
    struct err e;
    struct tls_client *as = tls_client_new(tls_rig_cert(), true, &e);
    assert_non_null(as);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *ctx = backend_new(version);
        struct pair p;
        pair_begin_backend(&p, ctx, as, "test");
        pair_handshake(&p);
        both_talk(&p);
        for (int i = 0; i < 4 && version == TLS1_3_VERSION; i++) {
            assert_int_equal(SSL_new_session_ticket(p.client), 1);
            assert_int_equal(SSL_do_handshake(p.client), 1);
            assert_int_equal(SSL_key_update(p.client, i % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED),
                             1);
            both_talk(&p);
        }
        if (version == TLS1_2_VERSION)
            check_renegotiation_is_refused(&p);
        pair_end(&p);
        SSL_CTX_free(ctx);
    }
    tls_client_unref(&as);
}

static void test_a_backend_of_another_name(void **state)
{
    (void)state;
    struct err e;
    struct tls_client *as = tls_client_new(tls_rig_cert(), true, &e);
    assert_non_null(as);
    SSL_CTX *ctx = backend_new(TLS1_3_VERSION);
    struct pair p;
    pair_begin_backend(&p, ctx, as, "other");
    for (int i = 0; i < TURNS && !p.s.has_failed; i++) {
        (void)SSL_do_handshake(p.client);
        turn();
    }
    assert_true(p.s.has_failed);
    assert_false(p.s.is_open);
    ERR_clear_error();
    pair_end(&p);
    SSL_CTX_free(ctx);
    tls_client_unref(&as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_backend_speaks_after_its_handshake),
        cmocka_unit_test(test_a_backend_of_another_name),
    };
    return cmocka_run_group_tests(tests, tls_rig_setup, tls_rig_teardown);
}

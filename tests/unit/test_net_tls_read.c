/* TLS: reading ahead loses nothing, and what one connection is sent breaks no other. */
#include <event2/event.h>
#include <unistd.h>

#include "tls_rig.h"

/* Many records in one packet are all taken from the socket at once; they come out in order, however little is read at
 * a time and however the reading stops in between. */
static void test_reading_ahead(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION);
    for (size_t piece = 3; piece < 5000; piece = piece * 7 + 1) {
        struct pair p;
        struct buf want = {0};
        pair_begin(&p, ctx);
        pair_handshake(&p);
        p.s.piece = piece;
        for (int i = 0; i < 100; i++) {
            char text[64];
            snprintf(text, sizeof(text), "message %d of many;", i * i);
            client_says(&p, text);
            buf_append_str(&want, text);
        }
        for (int i = 0; i < 20000 && p.s.got.len < want.len; i++) {
            conn_set_reading(&p.s.c, i % 4 != 0);
            turn();
        }
        assert_int_equal(p.s.got.len, want.len);
        assert_memory_equal(p.s.got.data + p.s.got.start, want.data, want.len);
        buf_fini(&want);
        pair_end(&p);
    }
    SSL_CTX_free(ctx);
}

/* Records that come in halves: what was read ahead waits for its rest, and no turn is busy meanwhile. */
static void test_halves(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION);
    struct pair p;
    pair_begin(&p, ctx);
    pair_handshake(&p);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(p.client, out);
    client_says(&p, "first");
    client_says(&p, "second");
    uint8_t wire[256];
    int n = BIO_read(out, wire, sizeof(wire));
    for (int i = 0; i < n; i++) {
        assert_int_equal(write(p.fd, wire + i, 1), 1);
        turn();
        assert_int_equal(event_base_get_num_events(tls_rig_base(), EVENT_BASE_COUNT_ACTIVE), 0);
    }
    server_has(&p, "firstsecond");
    pair_end(&p);
    SSL_CTX_free(ctx);
}

/* The client's first bytes and the end of its handshake in one packet. */
static void test_data_with_the_handshake(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION);
    struct pair p;
    pair_begin(&p, ctx);
    SSL_do_handshake(p.client);
    turn();
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(p.client, out);
    assert_int_equal(SSL_do_handshake(p.client), 1);
    client_says(&p, "early bird");
    uint8_t wire[1024];
    int n = BIO_read(out, wire, sizeof(wire));
    assert_int_equal(write(p.fd, wire, (size_t)n), n);
    server_has(&p, "early bird");
    pair_end(&p);
    SSL_CTX_free(ctx);
}

static void test_the_end_is_said(void **state)
{
    (void)state;
    char b[8];
    SSL_CTX *ctx = client_new(TLS1_3_VERSION);
    struct pair p;
    pair_begin(&p, ctx);
    pair_handshake(&p);
    both_talk(&p);
    conn_shutdown(&p.s.c);
    int rc = SSL_read(p.client, b, sizeof(b));
    assert_int_equal(SSL_get_error(p.client, rc), SSL_ERROR_ZERO_RETURN);
    SSL_shutdown(p.client);
    for (int i = 0; i < TURNS && !p.s.has_ended; i++)
        turn();
    assert_true(p.s.has_ended);
    pair_end(&p);
    SSL_CTX_free(ctx);
}

/* What is no record ends the connection, and only it: its neighbours share more than a thread with it. */
static void test_a_broken_neighbour(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION);
    struct pair good, bad, late;
    pair_begin(&good, ctx);
    pair_begin(&bad, ctx);
    pair_begin(&late, ctx);
    SSL_do_handshake(good.client); /* all three are under way at once */
    SSL_do_handshake(late.client);
    SSL_do_handshake(bad.client);
    turn();
    pair_handshake(&bad);
    pair_handshake(&good);
    both_talk(&good);
    uint8_t noise[64] = {23, 3, 3, 0, 40, 1, 2, 3};
    assert_int_equal(write(bad.fd, noise, sizeof(noise)), sizeof(noise));
    for (int i = 0; i < TURNS && !bad.s.has_failed; i++)
        turn();
    assert_true(bad.s.has_failed);
    pair_handshake(&late);
    both_talk(&late);
    both_talk(&good);
    pair_end(&bad);
    both_talk(&late);
    pair_end(&good);
    both_talk(&late);
    pair_end(&late);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_ahead),           cmocka_unit_test(test_halves),
        cmocka_unit_test(test_data_with_the_handshake), cmocka_unit_test(test_the_end_is_said),
        cmocka_unit_test(test_a_broken_neighbour),
    };
    return cmocka_run_group_tests(tests, tls_rig_setup, tls_rig_teardown);
}

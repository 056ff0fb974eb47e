/* TLS: tickets arrive, and sessions are resumed with them. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "tls_rig.h"

static SSL_SESSION *ticket;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static void test_tickets_resume(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *ctx = client_new(version);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, on_ticket);
        for (int i = 0; i < 4; i++) {
            struct pair p;
            pair_begin(&p, ctx);
            if (i) {
                assert_non_null(ticket);
                assert_int_equal(SSL_set_session(p.client, ticket), 1);
            }
            pair_handshake(&p);
            assert_int_equal(SSL_session_reused(p.client), i > 0);
            both_talk(&p);
            SSL_shutdown(p.client); /* a session of TLS 1.2 that ends without is not used again */
            pair_end(&p);
        }
        SSL_SESSION_free(ticket);
        ticket = NULL;
        SSL_CTX_free(ctx);
    }
}

static void tcp_pair(int fd[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(s, 1), 0);
    getsockname(s, (struct sockaddr *)&a, &n);
    fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd[1], (struct sockaddr *)&a, n), 0);
    fd[0] = accept4(s, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fd[0] >= 0);
    fcntl(fd[1], F_SETFL, O_NONBLOCK);
    close(s);
}

static bool client_reads(struct pair *p)
{
    struct pollfd poll_for = {.fd = p->fd, .events = POLLIN};
    assert_int_equal(poll(&poll_for, 1, 60000), 1);
    char b[64];
    return SSL_read(p->client, b, sizeof(b)) > 0;
}

/* The ticket may wait for the connection's first bytes, but not for ever. */
static void test_a_ticket_arrives(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_ticket);
    for (int is_silent = 0; is_silent < 2; is_silent++) {
        struct pair p;
        int fd[2];
        tcp_pair(fd);
        pair_begin_on(&p, ctx, fd);
        for (int rc = 0; rc != 1 || !p.s.is_open;) {
            rc = SSL_do_handshake(p.client);
            turn();
        }
        if (!is_silent)
            assert_int_equal(conn_write(&p.s.c, "nine", 4), 0);
        bool has_data = client_reads(&p);
        while (!is_silent && !has_data)
            has_data = client_reads(&p);
        while (!ticket)
            (void)client_reads(&p);
        both_talk(&p);
        pair_end(&p);
        SSL_SESSION_free(ticket);
        ticket = NULL;
    }
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tickets_resume),
        cmocka_unit_test(test_a_ticket_arrives),
    };
    return cmocka_run_group_tests(tests, tls_rig_setup, tls_rig_teardown);
}

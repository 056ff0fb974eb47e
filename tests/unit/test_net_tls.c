/* TLS on the data path against OpenSSL's own client: what an idle connection gives back is not missed by key updates,
 * resumption, close_notify, CBC ciphers and refused renegotiation; reading ahead loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/loop.h"

enum { TURNS = 200 };

/* What OpenSSL holds, in bytes. */
static size_t held;

static void *counting_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    void *p = malloc(n);
    held += p ? malloc_usable_size(p) : 0;
    return p;
}

static void counting_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    held -= p ? malloc_usable_size(p) : 0;
    free(p);
}

static void *counting_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    held -= p ? malloc_usable_size(p) : 0;
    p = realloc(p, n);
    held += p ? malloc_usable_size(p) : 0;
    return p;
}

/* --- a server's certificate, its context, its connections --- */

static char dir[] = "/tmp/test_net_tls.XXXXXX", cert_path[64], key_path[64];
static struct tls_server *server;
static struct loop *loop;

static void make_certificate(void)
{
    assert_non_null(mkdtemp(dir));
    snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
    snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    FILE *f = fopen(cert_path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    f = fopen(key_path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
}

static int group_setup(void **state)
{
    (void)state;
    struct err e = {{0}};
    make_certificate();
    loop = loop_new();
    server = tls_server_new(cert_path, key_path, &e);
    return server ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_server_unref(&server);
    loop_free(&loop);
    unlink(cert_path);
    unlink(key_path);
    rmdir(dir);
    return 0;
}

/* The server's side keeps what comes; `piece` is how much it reads at a time, once per turn. */
struct side {
    struct conn c;
    size_t piece;
    struct buf got;
    bool is_open, has_failed, has_ended;
};

static struct side *side_of(struct conn *c)
{
    return CONTAINER_OF(c, struct side, c);
}

static void on_open(struct conn *c)
{
    side_of(c)->is_open = true;
}

static void on_readable(struct conn *c)
{
    struct side *s = side_of(c);
    size_t n = 0;
    switch (conn_read(c, buf_reserve(&s->got, s->piece), s->piece, &n)) {
    case CONN_IO_OK:
        buf_commit(&s->got, n);
        conn_read_again(c);
        break;
    case CONN_IO_AGAIN:
        break;
    case CONN_IO_EOF:
        s->has_ended = true;
        conn_set_reading(c, false);
        break;
    case CONN_IO_FAILED:
        s->has_failed = true;
        conn_close(c);
        break;
    }
}

static void on_drained(struct conn *c)
{
    (void)c;
}

static void on_failed(struct conn *c, const char *why)
{
    (void)why;
    side_of(c)->has_failed = true;
    conn_close(c);
}

static const struct conn_handlers handlers = {on_open, on_readable, on_drained, on_failed};

struct pair {
    struct side s;
    SSL *client;
    int fd; /* the client's */
};

static void turn(void)
{
    event_base_loop(loop_base(loop), EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static void pair_begin_on(struct pair *p, SSL_CTX *ctx, const int fd[2])
{
    struct err e;
    *p = (struct pair){.s.piece = 4096};
    p->fd = fd[1];
    conn_init(&p->s.c, &handlers);
    assert_int_equal(conn_adopt(&p->s.c, loop_base(loop), fd[0], server, &e), 0);
    p->client = SSL_new(ctx);
    SSL_set_fd(p->client, p->fd);
    SSL_set_connect_state(p->client);
}

static void pair_begin(struct pair *p, SSL_CTX *ctx)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    pair_begin_on(p, ctx, fd);
}

static void pair_handshake(struct pair *p)
{
    int rc = 0;
    for (int i = 0; i < TURNS && (rc != 1 || !p->s.is_open); i++) {
        ERR_clear_error();
        rc = SSL_do_handshake(p->client);
        turn();
    }
    assert_int_equal(rc, 1);
    assert_true(p->s.is_open);
}

static void pair_end(struct pair *p)
{
    conn_close(&p->s.c);
    buf_fini(&p->s.got);
    SSL_free(p->client);
    close(p->fd);
    turn();
}

static SSL_CTX *client_new(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
    return ctx;
}

static void client_says(struct pair *p, const char *text)
{
    assert_int_equal(SSL_write(p->client, text, (int)strlen(text)), (int)strlen(text));
}

/* Waits until the server has this and nothing more. */
static void server_has(struct pair *p, const char *text)
{
    for (int i = 0; i < TURNS && p->s.got.len < strlen(text); i++)
        turn();
    assert_int_equal(p->s.got.len, strlen(text));
    assert_memory_equal(p->s.got.data + p->s.got.start, text, strlen(text));
    buf_consume(&p->s.got, p->s.got.len);
}

static void client_has(struct pair *p, const char *text)
{
    char b[256];
    size_t n = 0;
    for (int i = 0; i < TURNS && n < strlen(text); i++) {
        int k = SSL_read(p->client, b + n, (int)(sizeof(b) - n));
        n += k > 0 ? (size_t)k : 0;
        turn();
    }
    assert_int_equal(n, strlen(text));
    assert_memory_equal(b, text, n);
}

static void both_talk(struct pair *p)
{
    client_says(p, "how much is it");
    server_has(p, "how much is it");
    assert_int_equal(conn_write(&p->s.c, "nine", 4), 0);
    client_has(p, "nine");
}

/* --- tests --- */

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

static void check_renegotiation_is_refused(struct pair *p)
{
    char b[8];
    assert_int_equal(SSL_renegotiate(p->client), 1);
    int rc = SSL_do_handshake(p->client), why = SSL_ERROR_NONE;
    for (int i = 0; i < TURNS && (rc > 0 || (why = SSL_get_error(p->client, rc)) == SSL_ERROR_WANT_READ); i++) {
        turn();
        rc = SSL_read(p->client, b, sizeof(b));
    }
    assert_int_equal(why, SSL_ERROR_SSL);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
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
        assert_int_equal(event_base_get_num_events(loop_base(loop), EVENT_BASE_COUNT_ACTIVE), 0);
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

/* --- as the client, towards a backend --- */

/* `client` is OpenSSL's server here. */
static void backend_begin(struct pair *p, SSL_CTX *ctx, struct tls_client *as, const char *name)
{
    int fd[2];
    struct err e;
    *p = (struct pair){.s.piece = 4096};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    p->fd = fd[1];
    conn_init(&p->s.c, &handlers);
    assert_int_equal(conn_adopt(&p->s.c, loop_base(loop), fd[0], NULL, &e), 0);
    assert_int_equal(conn_start_tls_client(&p->s.c, as, name, &e), 0);
    p->client = SSL_new(ctx);
    SSL_set_fd(p->client, p->fd);
    SSL_set_accept_state(p->client);
}

static SSL_CTX *backend_new(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    assert_int_equal(SSL_CTX_use_certificate_file(ctx, cert_path, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM), 1);
    return ctx;
}

/* Tickets and new keys that a backend sends at any time do not need what was given back; another handshake is refused.
 */
static void test_a_backend_speaks_after_its_handshake(void **state)
{
    (void)state;
    struct err e;
    struct tls_client *as = tls_client_new(cert_path, true, &e);
    assert_non_null(as);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *ctx = backend_new(version);
        struct pair p;
        backend_begin(&p, ctx, as, "test");
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
    struct tls_client *as = tls_client_new(cert_path, true, &e);
    assert_non_null(as);
    SSL_CTX *ctx = backend_new(TLS1_3_VERSION);
    struct pair p;
    backend_begin(&p, ctx, as, "other");
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

/* What a connection of OpenSSL's own keeps after the handshake, on the server's side. */
static size_t plain_bytes(SSL_CTX *client_ctx, SSL_CTX *server_ctx)
{
    int fd[2], done = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    SSL *c = SSL_new(client_ctx), *s = SSL_new(server_ctx);
    SSL_set_fd(c, fd[0]);
    SSL_set_fd(s, fd[1]);
    for (int i = 0; i < TURNS && done != 1; i++) {
        (void)SSL_connect(c);
        done = SSL_accept(s);
    }
    assert_int_equal(done, 1);
    char b[8];
    (void)SSL_read(c, b, sizeof(b)); /* the ticket */
    SSL_free(c);
    size_t with = held;
    SSL_free(s);
    close(fd[0]);
    close(fd[1]);
    return with - held;
}

static void test_an_idle_connection_is_small(void **state)
{
    (void)state;
    SSL_CTX *ctx = client_new(TLS1_3_VERSION), *plain = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION); /* as clients do: a long list of ciphers is offered */
    SSL_CTX_set_mode(plain, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_num_tickets(plain, 1);
    assert_int_equal(SSL_CTX_use_certificate_file(plain, cert_path, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(plain, key_path, SSL_FILETYPE_PEM), 1);
    size_t theirs = plain_bytes(ctx, plain);
    enum { N = 20 };
    struct pair p[N];
    for (int i = 0; i < N; i++) {
        pair_begin(&p[i], ctx);
        pair_handshake(&p[i]);
        both_talk(&p[i]);
        SSL_free(p[i].client);
        p[i].client = NULL;
    }
    size_t with = held;
    for (int i = 0; i < N; i++)
        conn_close(&p[i].s.c);
    size_t ours = (with - held) / N;
    print_message("OpenSSL holds %zu bytes for an idle connection, %zu with what it gives back\n", theirs, ours);
    assert_true(ours + 1650 < theirs);
    for (int i = 0; i < N; i++)
        pair_end(&p[i]);
    SSL_CTX_free(plain);
    SSL_CTX_free(ctx);
}

int main(void)
{
    if (CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_and_ciphers),
        cmocka_unit_test(test_key_updates),
        cmocka_unit_test(test_tickets_resume),
        cmocka_unit_test(test_a_ticket_arrives),
        cmocka_unit_test(test_short_records),
        cmocka_unit_test(test_renegotiation_is_refused),
        cmocka_unit_test(test_reading_ahead),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_data_with_the_handshake),
        cmocka_unit_test(test_the_end_is_said),
        cmocka_unit_test(test_a_broken_neighbour),
        cmocka_unit_test(test_an_idle_connection_is_small),
        cmocka_unit_test(test_a_backend_speaks_after_its_handshake),
        cmocka_unit_test(test_a_backend_of_another_name),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

#include "tls_rig.h"

#include <event2/event.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a server's certificate, its context, its connections --- */

static char dir[] = "/tmp/test_net_tls.XXXXXX", cert_path[64], key_path[64];
static struct tls_server *server;
static struct loop *loop;

const char *tls_rig_cert(void)
{
    return cert_path;
}

const char *tls_rig_key(void)
{
    return key_path;
}

struct event_base *tls_rig_base(void)
{
    return loop_base(loop);
}

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

int tls_rig_setup(void **state)
{
    (void)state;
    struct err e = {{0}};
    make_certificate();
    loop = loop_new();
    server = tls_server_new(cert_path, key_path, &e);
    return server ? 0 : -1;
}

int tls_rig_teardown(void **state)
{
    (void)state;
    tls_server_unref(&server);
    loop_free(&loop);
    unlink(cert_path);
    unlink(key_path);
    rmdir(dir);
    return 0;
}

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

void turn(void)
{
    event_base_loop(loop_base(loop), EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

void pair_begin_on(struct pair *p, SSL_CTX *ctx, const int fd[2])
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

void pair_begin(struct pair *p, SSL_CTX *ctx)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    pair_begin_on(p, ctx, fd);
}

void pair_begin_backend(struct pair *p, SSL_CTX *ctx, struct tls_client *as, const char *name)
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

void pair_handshake(struct pair *p)
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

void pair_end(struct pair *p)
{
    conn_close(&p->s.c);
    buf_fini(&p->s.got);
    SSL_free(p->client);
    close(p->fd);
    turn();
}

SSL_CTX *client_new(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
    return ctx;
}

void client_says(struct pair *p, const char *text)
{
    assert_int_equal(SSL_write(p->client, text, (int)strlen(text)), (int)strlen(text));
}

void server_has(struct pair *p, const char *text)
{
    for (int i = 0; i < TURNS && p->s.got.len < strlen(text); i++)
        turn();
    assert_int_equal(p->s.got.len, strlen(text));
    assert_memory_equal(p->s.got.data + p->s.got.start, text, strlen(text));
    buf_consume(&p->s.got, p->s.got.len);
}

void client_has(struct pair *p, const char *text)
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

void both_talk(struct pair *p)
{
    client_says(p, "how much is it");
    server_has(p, "how much is it");
    assert_int_equal(conn_write(&p->s.c, "nine", 4), 0);
    client_has(p, "nine");
}

void check_renegotiation_is_refused(struct pair *p)
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

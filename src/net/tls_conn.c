/* A connection of the data path: OpenSSL on our socket, and what is given back after the handshake. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/xalloc.h"
#include "net/tls_parts.h"

struct tls {
    SSL *ssl;
    int fd;
    bool is_broken; /* a fatal error: nothing may be sent any more, not even close_notify */
};

/* --- the socket of a connection, as OpenSSL sees it --- */

/* All connections of a thread share one BIO, which reads and writes the socket that is set before each call: one of
 * their own takes 200 bytes. It goes with the last of them. */
static _Thread_local int fd_now;
static _Thread_local SSL *ssl_now;
static _Thread_local bool is_dry_now; /* the socket gave less than was asked for: asking again would be in vain */
static _Thread_local BIO *io_now;

static int io_result(BIO *b, ssize_t n, int retry_flag)
{
    BIO_clear_flags(b, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY | BIO_FLAGS_IN_EOF);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(b, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    if (n == 0)
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static int on_io_read(BIO *b, char *p, int n)
{
    ssize_t got = -1;
    if (is_dry_now)
        errno = EAGAIN;
    else
        got = recv(fd_now, p, (size_t)n, 0);
    is_dry_now = is_dry_now || (got > 0 && got < n);
    return io_result(b, got, BIO_FLAGS_READ);
}

/* Nobody waits for a ticket of TLS 1.3: it goes out with the first bytes of the connection, or after 200 ms. */
static int on_io_write(BIO *b, const char *p, int n)
{
    int more = SSL_get_state(ssl_now) == TLS_ST_SW_SESSION_TICKET ? MSG_MORE : 0;
    return io_result(b, send(fd_now, p, (size_t)n, MSG_NOSIGNAL | more), BIO_FLAGS_WRITE);
}

static long on_io_ctrl(BIO *b, int cmd, long num, void *arg)
{
    (void)num, (void)arg;
    if (cmd == BIO_CTRL_EOF)
        return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
    return cmd == BIO_CTRL_FLUSH;
}

static int on_io_free(BIO *b)
{
    if (io_now == b)
        io_now = NULL;
    return 1;
}

/* Before each call that may read or write. */
static void begin(struct tls *t)
{
    ERR_clear_error();
    errno = 0;
    fd_now = t->fd;
    ssl_now = t->ssl;
    is_dry_now = false;
}

static BIO_METHOD *io_method;

static void make_io_method(void)
{
    io_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "chatgate socket");
    if (!io_method)
        abort();
    BIO_meth_set_read(io_method, on_io_read);
    BIO_meth_set_write(io_method, on_io_write);
    BIO_meth_set_ctrl(io_method, on_io_ctrl);
    BIO_meth_set_destroy(io_method, on_io_free);
}

/* A reference for the caller. */
static BIO *shared_io(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_io_method);
    if (io_now)
        return BIO_up_ref(io_now) == 1 ? io_now : NULL;
    io_now = BIO_new(io_method);
    if (io_now)
        BIO_set_init(io_now, 1);
    return io_now;
}

static struct tls *wrap(SSL *ssl, int fd)
{
    BIO *io = ssl ? shared_io() : NULL;
    if (!io) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_bio(ssl, io, io);
    SSL_set_read_ahead(ssl, 1); /* else each record takes two reads: five bytes, then the rest */
    struct tls *t = xcalloc(1, sizeof(*t));
    *t = (struct tls){.ssl = ssl, .fd = fd};
    return t;
}

struct tls *tls_accept(struct tls_server *s, int fd)
{
    struct tls *t = wrap(SSL_new(s->ctx), fd);
    if (t)
        SSL_set_accept_state(t->ssl);
    return t;
}

struct tls *tls_connect(struct tls_client *c, int fd, const char *server_name)
{
    struct tls *t = wrap(tls_client_ssl(c, server_name), fd);
    if (t)
        SSL_set_connect_state(t->ssl);
    return t;
}

/* --- what an idle connection need not keep --- */

/* Both sides' keys of the key exchange, which OpenSSL keeps. Without the private one, what was said cannot be read by
 * whoever gets hold of this memory later, either. */
static void forget_exchange(SSL *ssl)
{
    EVP_PKEY *key[2] = {NULL, NULL};
    SSL_get_tmp_key(ssl, &key[0]);
    SSL_get_peer_tmp_key(ssl, &key[1]);
    for (size_t i = 0; i < 2; i++) {
        if (key[i])
            EVP_PKEY_set_type(key[i], EVP_PKEY_get_id(key[i])); /* empties it */
        EVP_PKEY_free(key[i]);
    }
}

/* The list of ciphers that the client had to offer. */
static void forget_offer(SSL *ssl)
{
    STACK_OF(SSL_CIPHER) *offered = SSL_is_server(ssl) ? SSL_get_client_ciphers(ssl) : NULL;
    sk_SSL_CIPHER_zero(offered);
    sk_SSL_CIPHER_reserve(offered, 0);
}

/* TLS 1.3 uses a connection's session, 1 kB, for nothing but its tickets, and these are out: all connections can have
 * the same empty one. OpenSSL begins the whole connection anew when it gets a session while its context is for other
 * versions than it has negotiated, so the context is exchanged first; then nothing but a pointer changes. */
static struct {
    pthread_mutex_t lock;
    SSL_CTX *ctx;
    SSL_SESSION *session;
} settled = {.lock = PTHREAD_MUTEX_INITIALIZER};

static SSL_CTX *settled_ctx(const SSL_METHOD *negotiated)
{
    pthread_mutex_lock(&settled.lock);
    if (!settled.ctx) {
        settled.ctx = SSL_CTX_new(negotiated);
        settled.session = SSL_SESSION_new();
    }
    pthread_mutex_unlock(&settled.lock);
    return settled.session ? settled.ctx : NULL;
}

static void forget_session(SSL *ssl)
{
    if (!SSL_is_server(ssl) || SSL_version(ssl) != TLS1_3_VERSION ||
        SSL_SESSION_get_max_fragment_length(SSL_get0_session(ssl)) != TLSEXT_max_fragment_length_DISABLED)
        return;
    const SSL_METHOD *negotiated = SSL_get_ssl_method(ssl);
    SSL_CTX *ctx = settled_ctx(negotiated);
    if (!ctx || SSL_CTX_get_ssl_method(ctx) != negotiated || SSL_set_SSL_CTX(ssl, ctx) != ctx)
        return;
    SSL_set_session(ssl, settled.session);
    SSL_set_verify_result(ssl, X509_V_OK); /* an empty session says otherwise */
}

void tls_close_notify(struct tls *t)
{
    if (t->is_broken || !SSL_is_init_finished(t->ssl))
        return;
    begin(t);
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

void tls_free(struct tls **t)
{
    if (!*t)
        return;
    tls_close_notify(*t);
    SSL_free((*t)->ssl);
    free(*t);
    *t = NULL;
}

static enum tls_want result(struct tls *t, int rc, struct err *e)
{
    int saved = errno;
    char text[256];
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    case SSL_ERROR_SYSCALL:
        t->is_broken = true;
        if (!saved)
            return TLS_CLOSED;
        errno = saved;
        err_sys(e, "TLS");
        ERR_clear_error();
        return TLS_FAILED;
    default: {
        t->is_broken = true;
        long verify = SSL_get_verify_result(t->ssl);
        if (verify != X509_V_OK)
            err_set(e, "certificate: %s", X509_verify_cert_error_string(verify));
        else
            err_set(e, "TLS: %s", tls_error_text(text));
        ERR_clear_error();
        return TLS_FAILED;
    }
    }
}

enum tls_want tls_handshake(struct tls *t, struct err *e)
{
    begin(t);
    int rc = SSL_do_handshake(t->ssl);
    if (rc != 1)
        return result(t, rc, e);
    forget_exchange(t->ssl);
    forget_offer(t->ssl);
    forget_session(t->ssl);
    ERR_clear_error();
    return TLS_OK;
}

enum tls_want tls_read(struct tls *t, void *p, size_t n, size_t *done, struct err *e)
{
    begin(t);
    int rc = SSL_read_ex(t->ssl, p, n, done);
    return rc == 1 ? TLS_OK : result(t, rc, e);
}

enum tls_want tls_write(struct tls *t, const void *p, size_t n, size_t *done, struct err *e)
{
    begin(t);
    int rc = SSL_write_ex(t->ssl, p, n, done);
    return rc == 1 ? TLS_OK : result(t, rc, e);
}

bool tls_has_pending(const struct tls *t)
{
    return SSL_has_pending(t->ssl) == 1;
}

#include "net/tls_parts.h"

#include <arpa/inet.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#include "base/xalloc.h"

/* An OpenSSL error in words, without its numbers and the names of its rooms. */
static const char *error_words(unsigned long code, char out[256])
{
    const char *reason = ERR_reason_error_string(code);
    if (ERR_SYSTEM_ERROR(code))
        snprintf(out, 256, "%s", strerror(ERR_GET_REASON(code)));
    else if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE)
        snprintf(out, 256, "holds nothing in PEM form that is wanted here");
    else if (reason)
        snprintf(out, 256, "%s", reason);
    else
        ERR_error_string_n(code, out, 256);
    return out;
}

const char *tls_error_text(char out[256])
{
    unsigned long code = ERR_get_error();
    if (code)
        (void)error_words(code, out);
    else
        snprintf(out, 256, "closed without a reason");
    ERR_clear_error();
    return out;
}

static int fail(struct err *e, const char *what)
{
    char text[256];
    return err_set(e, "%s: %s", what, tls_error_text(text));
}

static SSL_CTX *ctx_new(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx)
        abort();
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

/* Of HTTP only 1.1: over HTTP/2 a WebSocket (RFC 8441) would go round the codec. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned int in_len, void *arg)
{
    (void)ssl;
    const struct tls_server *s = arg;
    const unsigned char *offer = (const unsigned char *)s->alpn;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, offer, offer[0] + 1u, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct tls_server *tls_server_new(const char *certificate, const char *key, struct err *e)
{
    SSL_CTX *ctx = ctx_new(TLS_server_method());
    ERR_clear_error();
    int bad = 0;
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
        bad = fail(e, certificate);
    else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        bad = fail(e, key);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        bad = fail(e, "certificate and key do not belong together");
    if (bad) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets resume without memory here */
    SSL_CTX_set_num_tickets(ctx, 1);
    struct tls_server *s = xcalloc(1, sizeof(*s));
    s->ctx = ctx;
    atomic_init(&s->refs, 1);
    tls_server_set_alpn(s, "http/1.1");
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, s);
    return s;
}

void tls_server_set_alpn(struct tls_server *s, const char *protocol)
{
    snprintf(s->alpn, sizeof(s->alpn), "%c%s", (char)strlen(protocol), protocol);
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void tls_server_unref(struct tls_server **s)
{
    if (*s && atomic_fetch_sub(&(*s)->refs, 1) == 1) {
        SSL_CTX_free((*s)->ctx);
        free(*s);
    }
    *s = NULL;
}

struct tls_client *tls_client_new(const char *ca, bool verify, struct err *e)
{
    SSL_CTX *ctx = ctx_new(TLS_client_method());
    ERR_clear_error();
    int ok = ca ? SSL_CTX_load_verify_locations(ctx, ca, NULL) : SSL_CTX_set_default_verify_paths(ctx);
    if (ok != 1) {
        fail(e, ca ? ca : "the system's certificates");
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    struct tls_client *c = xcalloc(1, sizeof(*c));
    c->ctx = ctx;
    atomic_init(&c->refs, 1);
    return c;
}

void tls_client_set_alpn(struct tls_client *c, const char *protocol)
{
    char offer[32];
    int n = snprintf(offer, sizeof(offer), "%c%s", (char)strlen(protocol), protocol);
    SSL_CTX_set_alpn_protos(c->ctx, (const unsigned char *)offer, (unsigned)n);
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void tls_client_unref(struct tls_client **c)
{
    if (*c && atomic_fetch_sub(&(*c)->refs, 1) == 1) {
        SSL_CTX_free((*c)->ctx);
        free(*c);
    }
    *c = NULL;
}

SSL *tls_client_ssl(struct tls_client *c, const char *server_name)
{
    SSL *ssl = SSL_new(c->ctx);
    if (!ssl)
        return NULL;
    struct in6_addr any;
    bool is_address = inet_pton(AF_INET, server_name, &any) == 1 || inet_pton(AF_INET6, server_name, &any) == 1;
    if (is_address) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name);
    } else {
        SSL_set_tlsext_host_name(ssl, server_name);
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(ssl, server_name);
    }
    return ssl;
}

struct bufferevent *tls_stream_new(struct event_base *base, struct tls_client *c, const char *server_name, int options)
{
    SSL *ssl = tls_client_ssl(c, server_name);
    return ssl ? bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, options) : NULL;
}

struct bufferevent *tls_stream_accept(struct event_base *base, struct tls_server *s, int options)
{
    SSL *ssl = SSL_new(s->ctx);
    return ssl ? bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, options) : NULL;
}

const char *tls_stream_error(struct bufferevent *bev, int socket_errno)
{
    static _Thread_local char text[256];
    unsigned long code = bufferevent_get_openssl_error(bev);
    if (code)
        return error_words(code, text);
    return socket_errno ? strerror(socket_errno) : "closed by the peer";
}

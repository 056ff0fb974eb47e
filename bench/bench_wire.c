#include "bench_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "base/xalloc.h"

enum { BACKLOG = 4096, SOURCE_ADDRESSES = 8 };

static int unix_endpoint(struct endpoint *ep, const char *path, struct err *e)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&ep->addr;
    size_t n = strlen(path);
    if (!n || n >= sizeof(un->sun_path))
        return err_set(e, "unix socket path: %zu bytes, allowed are 1 to %zu", n, sizeof(un->sun_path) - 1);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, n + 1);
    ep->len = sizeof(*un);
    return 0;
}

/* Splits "host:port", "[v6]:port" into host and port in `copy`. */
static int split_port(char *copy, const char **host, const char **port)
{
    char *colon = strrchr(copy, ':');
    if (!colon || !colon[1])
        return -1;
    *colon = 0;
    *port = colon + 1;
    *host = copy;
    if (copy[0] == '[' && colon > copy && colon[-1] == ']') {
        colon[-1] = 0;
        *host = copy + 1;
    }
    return 0;
}

int endpoint_parse(struct endpoint *ep, const char *text, struct err *e)
{
    *ep = (struct endpoint){.len = 0};
    if (strncmp(text, "unix:", 5) == 0)
        return unix_endpoint(ep, text + 5, e);
    char copy[300];
    const char *host, *port;
    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy) || split_port(copy, &host, &port) < 0)
        return err_set(e, "address '%.100s': expected HOST:PORT, [V6]:PORT or unix:PATH", text);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE}, *found;
    int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (rc)
        return err_set(e, "address '%.100s': %s", text, gai_strerror(rc));
    memcpy(&ep->addr, found->ai_addr, found->ai_addrlen);
    ep->len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int url_of_unix(struct url *u, const char *rest, struct err *e)
{
    char path[128];
    const char *colon = strchr(rest, ':');
    if (!colon || colon[1] != '/' || (size_t)(colon - rest) >= sizeof(path))
        return err_set(e, "target: expected ws+unix:/SOCKET:/PATH");
    snprintf(path, sizeof(path), "%.*s", (int)(colon - rest), rest);
    snprintf(u->host, sizeof(u->host), "localhost");
    snprintf(u->name, sizeof(u->name), "localhost");
    snprintf(u->path, sizeof(u->path), "%s", colon + 1);
    return unix_endpoint(&u->to, path, e);
}

int url_parse(struct url *u, const char *text, struct err *e)
{
    static const struct {
        const char *scheme;
        bool is_tls, is_http;
    } schemes[] = {
        {"ws://", false, false}, {"wss://", true, false}, {"http://", false, true}, {"https://", true, true}};
    size_t k = 0, n = 0;
    *u = (struct url){.is_tls = false};
    if (strncmp(text, "ws+unix:", 8) == 0)
        return url_of_unix(u, text + 8, e);
    while (k < ARRAY_LEN(schemes) && strncmp(text, schemes[k].scheme, n = strlen(schemes[k].scheme)) != 0)
        k++;
    if (k == ARRAY_LEN(schemes))
        return err_set(e, "target '%.100s': expected ws://, wss://, http://, https:// or ws+unix:", text);
    u->is_tls = schemes[k].is_tls;
    u->is_http = schemes[k].is_http;
    const char *host = text + n;
    n = strcspn(host, "/?");
    if (!n || n >= sizeof(u->host) || strlen(host + n) >= sizeof(u->path) - 1)
        return err_set(e, "target '%.100s': host or path is empty or too long", text);
    snprintf(u->host, sizeof(u->host), "%.*s", (int)n, host);
    snprintf(u->path, sizeof(u->path), "%s%s", host[n] == '/' ? "" : "/", host + n);

    char with_port[300], copy[300];
    bool has_port = strrchr(u->host, ':') && !(u->host[0] == '[' && u->host[n - 1] == ']');
    snprintf(with_port, sizeof(with_port), "%s%s", u->host, has_port ? "" : u->is_tls ? ":443" : ":80");
    snprintf(copy, sizeof(copy), "%s", with_port);
    const char *name, *port;
    if (split_port(copy, &name, &port) < 0)
        return err_set(e, "target '%.100s': expected %sHOST:PORT/PATH", text, schemes[k].scheme);
    snprintf(u->name, sizeof(u->name), "%.255s", name);
    return endpoint_parse(&u->to, with_port, e);
}

int wire_listen(const struct endpoint *at, struct err *e)
{
    int on = 1, fd = socket(at->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (at->addr.ss_family != AF_UNIX) /* what is accepted inherits it */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&at->addr, at->len) < 0 || listen(fd, BACKLOG) < 0) {
        err_sys(e, "listen");
        close(fd);
        return -1;
    }
    return fd;
}

static void bind_source(int fd, const struct endpoint *to, unsigned nth)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&to->addr;
    if (in->sin_family != AF_INET || (ntohl(in->sin_addr.s_addr) >> 24) != 127)
        return;
    int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK + nth % SOURCE_ADDRESSES)};
    /* The port is then chosen at connect, by the whole four-tuple. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        return; /* the kernel chooses then */
}

int wire_connect(const struct endpoint *to, unsigned nth, struct err *e)
{
    int on = 1, fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (to->addr.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    bind_source(fd, to, nth);
    if (connect(fd, (const struct sockaddr *)&to->addr, to->len) < 0 && errno != EINPROGRESS) {
        err_sys(e, "connect");
        close(fd);
        return -1;
    }
    return fd;
}

/* --- TLS --- */

struct wire_tls {
    SSL_CTX *ctx;
    bool is_verifying;
    const char *host_name; /* for SNI; NULL: an address */
    uint8_t *trusted;      /* the server's certificate once it was found good, DER */
    int trusted_len;
};

static int tls_error(struct err *e, const char *what)
{
    char text[200] = "";
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_set(e, "%s: %s", what, text[0] ? text : "failed");
}

/* Looks at a target's certificate once. When the same one comes again it was good a moment ago, and building its chain
 * anew for each connection would make the load generator slower than what it measures. */
static int verify_once(X509_STORE_CTX *store, void *arg)
{
    struct wire_tls *t = arg;
    uint8_t *der = NULL;
    if (!t->is_verifying)
        return 1;
    int n = i2d_X509(X509_STORE_CTX_get0_cert(store), &der);
    bool is_known = n > 0 && n == t->trusted_len && memcmp(der, t->trusted, (size_t)n) == 0;
    int rc = is_known ? 1 : X509_verify_cert(store);
    if (is_known) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
    } else if (rc == 1 && n > 0) {
        OPENSSL_free(t->trusted);
        t->trusted = der, t->trusted_len = n;
        return 1;
    }
    OPENSSL_free(der);
    return rc;
}

/* The certificate has to be `name`'s. */
static bool expect_name(struct wire_tls *t, const char *name, bool is_address)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->ctx);
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, name) : X509_VERIFY_PARAM_set1_host(param, name, 0);
}

struct wire_tls *wire_tls_new(const char *ca, bool verify, const char *name, struct err *e)
{
    struct in6_addr any;
    bool is_address = inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
    struct wire_tls *t = xcalloc(1, sizeof(*t));
    t->ctx = SSL_CTX_new(TLS_client_method());
    t->is_verifying = verify;
    t->host_name = is_address ? NULL : name;
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(t->ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF); /* full handshakes only */
    SSL_CTX_set_verify(t->ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(t->ctx, verify_once, t);
    bool ok = ca ? SSL_CTX_load_verify_locations(t->ctx, ca, NULL) : SSL_CTX_set_default_verify_paths(t->ctx);
    if (!ok || (verify && !expect_name(t, name, is_address))) {
        tls_error(e, ok ? name : ca ? ca : "system certificates");
        wire_tls_free(&t);
    }
    return t;
}

void wire_tls_free(struct wire_tls **t)
{
    if (!*t)
        return;
    SSL_CTX_free((*t)->ctx);
    OPENSSL_free((*t)->trusted);
    free(*t);
    *t = NULL;
}

int wire_start_tls(struct wire *w, struct wire_tls *t, struct err *e)
{
    SSL *ssl = SSL_new(t->ctx);
    if (!ssl || !SSL_set_fd(ssl, w->fd) || (t->host_name && !SSL_set_tlsext_host_name(ssl, t->host_name))) {
        SSL_free(ssl);
        return tls_error(e, "TLS");
    }
    w->ssl = ssl;
    SSL_set_connect_state(ssl);
    return 0;
}

void wire_fini(struct wire *w)
{
    SSL_free(w->ssl);
    w->ssl = NULL;
}

static ssize_t tls_result(struct wire *w, int n)
{
    if (n > 0)
        return n;
    int why = SSL_get_error(w->ssl, n);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? WIRE_AGAIN : WIRE_GONE;
}

ssize_t wire_read(struct wire *w, void *p, size_t n)
{
    if (w->ssl)
        return tls_result(w, SSL_read(w->ssl, p, (int)n));
    ssize_t got = read(w->fd, p, n);
    if (got > 0)
        return got;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? WIRE_AGAIN : WIRE_GONE;
}

ssize_t wire_write(struct wire *w, const void *p, size_t n)
{
    if (w->ssl)
        return tls_result(w, SSL_write(w->ssl, p, (int)n));
    ssize_t put = send(w->fd, p, n, MSG_NOSIGNAL);
    if (put >= 0)
        return put;
    return errno == EAGAIN || errno == EINTR ? WIRE_AGAIN : WIRE_GONE;
}

int wire_handshake(struct wire *w, bool *want_out, struct err *e)
{
    errno = 0;
    int rc = SSL_do_handshake(w->ssl);
    if (rc == 1)
        return 1;
    int why = SSL_get_error(w->ssl, rc);
    if (why == SSL_ERROR_SYSCALL && errno)
        return err_sys(e, "TLS handshake");
    *want_out = why == SSL_ERROR_WANT_WRITE;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : tls_error(e, "TLS handshake");
}

void wire_accept_key(struct span key, char out[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[EVP_MAX_MD_SIZE], text[64 + sizeof(guid)];
    unsigned n = 0;
    size_t key_len = MIN_OF(key.n, 64u);
    memcpy(text, key.p, key_len);
    memcpy(text + key_len, guid, sizeof(guid) - 1);
    EVP_Digest(text, key_len + sizeof(guid) - 1, digest, &n, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)out, digest, (int)n);
}

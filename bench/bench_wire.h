/* Sockets of the bench: addresses, listening, connecting from several loopback addresses, and TLS on top. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/span.h"

struct endpoint {
    struct sockaddr_storage addr;
    socklen_t len;
};

/* "127.0.0.1:80", "[::1]:80", "name:80" or "unix:/path". */
int endpoint_parse(struct endpoint *ep, const char *text, struct err *e) MUST_CHECK;

/* "ws://host:port/path", "wss://…", "ws+unix:/socket:/path", or "http://…", "https://…" for plain requests. */
struct url {
    char host[256]; /* as in the Host header, with the port */
    char name[256]; /* without the port, for TLS */
    char path[1024];
    bool is_tls, is_http;
    struct endpoint to;
};
int url_parse(struct url *u, const char *text, struct err *e) MUST_CHECK;

/* A listening, non-blocking socket; -1 with err. */
int wire_listen(const struct endpoint *at, struct err *e);
/* Starts a connection. `nth`: which one; loopback connections start from 127.0.0.1 to 127.0.0.8 in turn, so that ports
 * do not run out. */
int wire_connect(const struct endpoint *to, unsigned nth, struct err *e);

struct wire_tls; /* client context for one server */
/* `ca`: trusted certificates, NULL: the system's. With `verify` the certificate has to be that of `name`, a host name
 * or an address, which is kept by reference. NULL with err. */
struct wire_tls *wire_tls_new(const char *ca, bool verify, const char *name, struct err *e);
void wire_tls_free(struct wire_tls **t);

struct wire {
    int fd;
    void *ssl; /* NULL: plain */
};
int wire_start_tls(struct wire *w, struct wire_tls *t, struct err *e) MUST_CHECK;
void wire_fini(struct wire *w); /* does not close fd */

enum { WIRE_AGAIN = -1, WIRE_GONE = -2 };
/* Bytes read or written, or WIRE_*. */
ssize_t wire_read(struct wire *w, void *p, size_t n);
ssize_t wire_write(struct wire *w, const void *p, size_t n);
/* 1 done, 0 not yet (*want_out tells what is awaited), -1 failed. */
int wire_handshake(struct wire *w, bool *want_out, struct err *e);

/* The Sec-WebSocket-Accept of a key (RFC 6455 4.2.2). */
void wire_accept_key(struct span key, char out[29]);

/* TLS 1.2 and 1.3 (OpenSSL, only in tls.c). Contexts are immutable and reference-counted: a reload makes new ones, live
 * connections keep theirs. */
#pragma once

#include "base/err.h"
#include "base/span.h"

struct bufferevent;
struct event_base;
struct tls_server;
struct tls_client;
struct tls; /* one connection's state */

/* A listener's context: PEM certificate chain and key; takes only `http/1.1` by ALPN. NULL and err when the files do
 * not fit. */
struct tls_server *tls_server_new(const char *certificate, const char *key, struct err *e);
/* Before it is shared: offers this protocol instead ("xmpp-client"). A client that names none is taken, too. */
void tls_server_set_alpn(struct tls_server *s, const char *protocol);
struct tls_server *tls_server_ref(struct tls_server *s);
void tls_server_unref(struct tls_server **s);
/* For connections to a backend or Redis: ca NULL takes the system's store; verify false accepts any certificate. */
struct tls_client *tls_client_new(const char *ca, bool verify, struct err *e);
/* Before it is shared: offers this protocol by ALPN. */
void tls_client_set_alpn(struct tls_client *c, const char *protocol);
struct tls_client *tls_client_ref(struct tls_client *c);
void tls_client_unref(struct tls_client **c);

/* Data path: OpenSSL on a non-blocking socket, buffers released while idle. A connection belongs to one thread. */
enum tls_want { TLS_OK, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };
struct tls *tls_accept(struct tls_server *s, int fd);
/* server_name: sent by SNI unless it is an address, and verified. */
struct tls *tls_connect(struct tls_client *c, int fd, const char *server_name);
void tls_free(struct tls **t);        /* sends close_notify if it can, without waiting */
void tls_close_notify(struct tls *t); /* as far as the socket takes it now */
enum tls_want tls_handshake(struct tls *t, struct err *e);
/* OK: *done > 0 bytes. A write that returned WANT_* must be repeated with the same or more bytes at the same content.
 */
enum tls_want tls_read(struct tls *t, void *p, size_t n, size_t *done, struct err *e);
enum tls_want tls_write(struct tls *t, const void *p, size_t n, size_t *done, struct err *e);
/* Bytes, decrypted or not, were taken from the socket and not yet read: it will not become readable for them. What
 * there is may be too little for a read. */
bool tls_has_pending(const struct tls *t);

/* stream.c's: a bufferevent that connects with TLS, and the text of its last error. */
struct bufferevent *tls_stream_new(struct event_base *base, struct tls_client *c, const char *server_name, int options);
/* The accepting side, for an HTTP server: takes its socket later (bufferevent_setfd). */
struct bufferevent *tls_stream_accept(struct event_base *base, struct tls_server *s, int options);
const char *tls_stream_error(struct bufferevent *bev, int socket_errno);

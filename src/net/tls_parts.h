/* Between the files of TLS: tls.c (contexts, streams of libevent) and tls_conn.c (the data path's connections). */
#pragma once

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "net/tls.h"

struct tls_server {
    SSL_CTX *ctx;
    char alpn[32]; /* length byte and name */
    atomic_uint refs;
};

struct tls_client {
    SSL_CTX *ctx;
    atomic_uint refs;
};

/* The oldest queued OpenSSL error as text; clears the queue. */
const char *tls_error_text(char out[256]);
/* A connection that is to verify this name; NULL: no memory. */
SSL *tls_client_ssl(struct tls_client *c, const char *server_name);

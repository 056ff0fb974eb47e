/* A connection of ours over TLS and OpenSSL's own at the other end of it, for the tests of net/tls*.c. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/conn.h"
#include "net/loop.h"

enum { TURNS = 200 };

/* The server's certificate and key in files; group setup and teardown of every program. */
const char *tls_rig_cert(void);
const char *tls_rig_key(void);
struct event_base *tls_rig_base(void);
int tls_rig_setup(void **state);
int tls_rig_teardown(void **state);

/* The server's side keeps what comes; `piece` is how much it reads at a time, once per turn. */
struct side {
    struct conn c;
    size_t piece;
    struct buf got;
    bool is_open, has_failed, has_ended;
};

struct pair {
    struct side s;
    SSL *client;
    int fd; /* the client's */
};

/* One turn of the loop that the server's side is in. */
void turn(void);
void pair_begin(struct pair *p, SSL_CTX *ctx);
/* With sockets of the caller's: the server's and the client's. */
void pair_begin_on(struct pair *p, SSL_CTX *ctx, const int fd[2]);
/* Ours is the client, towards a server of that name; `client` is OpenSSL's server here. */
void pair_begin_backend(struct pair *p, SSL_CTX *ctx, struct tls_client *as, const char *name);
void pair_handshake(struct pair *p);
void pair_end(struct pair *p);
SSL_CTX *client_new(int version);
void client_says(struct pair *p, const char *text);
void client_has(struct pair *p, const char *text);
/* Waits until the server has this and nothing more. */
void server_has(struct pair *p, const char *text);
void both_talk(struct pair *p);
void check_renegotiation_is_refused(struct pair *p);

/* The data path's socket: non-blocking, raw libevent events, optional TLS, and a buffer only while the peer is slow.
 * A conn is embedded in its owner; it never frees itself and never calls back from conn_write. */
#pragma once

#include <event2/event_struct.h>

#include "base/buf.h"
#include "net/addr.h"
#include "net/tls.h"

struct event_base;
struct conn;

struct conn_handlers {
    void (*on_open)(struct conn *c);     /* connected (and handshaken) */
    void (*on_readable)(struct conn *c); /* call conn_read until AGAIN or until the turn's share is used up */
    void (*on_drained)(struct conn *c);  /* everything queued was written */
    void (*on_failed)(struct conn *c, const char *why); /* connect, handshake or write failed; the conn is of no use */
};

enum conn_state {
    CONN_CLOSED,      /* no socket */
    CONN_CONNECTING,  /* waits for connect(2) */
    CONN_HANDSHAKING, /* waits for TLS */
    CONN_OPEN,
};

struct conn {
    int fd;
    uint8_t state;
    bool want_read;                           /* the owner wants bytes (back-pressure switches it off) */
    bool want_write;                          /* `out` is not empty, or connecting */
    bool tls_read_blocked, tls_write_blocked; /* TLS needs the other direction first */
    uint8_t armed;                            /* EV_READ | EV_WRITE as registered now */
    struct event ev;
    struct tls *tls;
    struct buf out;
    const struct conn_handlers *h;
};

enum conn_io { CONN_IO_OK, CONN_IO_AGAIN, CONN_IO_EOF, CONN_IO_FAILED };

void conn_init(struct conn *c, const struct conn_handlers *h);
/* Takes over an accepted socket; with a TLS context the handshake begins (on_open follows), else it is open at once and
 * on_open is not called. */
int conn_adopt(struct conn *c, struct event_base *base, int fd, struct tls_server *tls, struct err *e) MUST_CHECK;
/* Begins TLS as the server on an open plain connection of which every plain byte was read (PROXY header, STARTTLS). */
int conn_start_tls(struct conn *c, struct tls_server *tls, struct err *e) MUST_CHECK;
/* The same as the client (STARTTLS towards a server). */
int conn_start_tls_client(struct conn *c, struct tls_client *tls, const char *server_name, struct err *e) MUST_CHECK;
/* Starts connecting; on_open or on_failed follows, never before it returns. tls NULL: plain. */
int conn_connect(struct conn *c, struct event_base *base, const struct addr *to, struct tls_client *tls,
                 const char *server_name, struct err *e) MUST_CHECK;
/* Reads at most n bytes. OK: *done > 0. */
enum conn_io conn_read(struct conn *c, void *p, size_t n, size_t *done);
/* Bytes may wait inside TLS though the socket is not readable: the owner that stops reading early calls this, and
 * on_readable comes again in the next turn. */
void conn_read_again(struct conn *c);
/* Writes now what the socket takes, queues the rest (on_drained follows). -1: the connection is broken or closed. */
int conn_write(struct conn *c, const void *p, size_t n) MUST_CHECK;
static inline size_t conn_queued(const struct conn *c)
{
    return c->out.len;
}
/* Back-pressure: whether on_readable is wanted. */
void conn_set_reading(struct conn *c, bool on);
/* Ends the sending direction (close_notify and FIN); nothing may be queued. */
void conn_shutdown(struct conn *c);
void conn_close(struct conn *c);

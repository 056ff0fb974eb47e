#include "net/conn.h"

#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

static void on_event(evutil_socket_t fd, short what, void *arg);

/* Registers what is awaited now; the loop's changelist folds several changes of one turn into one system call. */
static void rearm(struct conn *c)
{
    uint8_t want = 0;
    if (c->state == CONN_OPEN) {
        if ((c->want_read && !c->tls_read_blocked) || c->tls_write_blocked)
            want |= EV_READ;
        if ((c->want_write && !c->tls_write_blocked) || c->tls_read_blocked)
            want |= EV_WRITE;
    } else if (c->state == CONN_CONNECTING) {
        want = EV_READ | (c->want_write ? EV_WRITE : 0);
    } else if (c->state == CONN_HANDSHAKING) {
        want = c->tls_write_blocked ? EV_WRITE : EV_READ;
    }
    if (want == c->armed)
        return;
    if (c->armed)
        event_del(&c->ev);
    c->armed = want;
    if (!want)
        return;
    event_assign(&c->ev, event_get_base(&c->ev), c->fd, (short)(want | EV_PERSIST), on_event, c);
    event_add(&c->ev, NULL);
}

void conn_init(struct conn *c, const struct conn_handlers *h)
{
    *c = (struct conn){.fd = -1, .h = h};
}

static void start(struct conn *c, struct event_base *base, int fd, enum conn_state state)
{
    c->fd = fd;
    c->state = (uint8_t)state;
    c->armed = 0;
    event_assign(&c->ev, base, fd, EV_PERSIST, on_event, c);
}

int conn_adopt(struct conn *c, struct event_base *base, int fd, struct tls_server *tls, struct err *e)
{
    start(c, base, fd, tls ? CONN_HANDSHAKING : CONN_OPEN);
    if (tls && !(c->tls = tls_accept(tls, fd))) {
        conn_close(c);
        return err_set(e, "TLS: cannot create a session");
    }
    c->want_read = true;
    rearm(c);
    return 0;
}

int conn_start_tls(struct conn *c, struct tls_server *tls, struct err *e)
{
    c->tls = tls_accept(tls, c->fd);
    if (!c->tls)
        return err_set(e, "TLS: cannot create a session");
    c->state = CONN_HANDSHAKING;
    rearm(c);
    return 0;
}

int conn_start_tls_client(struct conn *c, struct tls_client *tls, const char *server_name, struct err *e)
{
    c->tls = tls_connect(tls, c->fd, server_name);
    if (!c->tls)
        return err_set(e, "TLS: cannot create a session");
    c->state = CONN_HANDSHAKING;
    c->tls_write_blocked = true; /* the client speaks first: on_event begins as soon as the socket can be written */
    rearm(c);
    return 0;
}

/* A peer on this machine has answered before connect(2) returns. */
static bool is_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof(peer);
    return getpeername(fd, (struct sockaddr *)&peer, &n) == 0;
}

int conn_connect(struct conn *c, struct event_base *base, const struct addr *to, struct tls_client *tls,
                 const char *server_name, struct err *e)
{
    int fd = socket(to->any.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (to->any.sa.sa_family != AF_UNIX) {
        addr_set_no_delay(fd);
        addr_set_late_ack(fd);
    }
    if (connect(fd, &to->any.sa, to->len) < 0 && errno != EINPROGRESS) {
        err_sys(e, "connect");
        close(fd);
        return -1;
    }
    start(c, base, fd, CONN_CONNECTING);
    if (tls && !(c->tls = tls_connect(tls, fd, server_name))) {
        conn_close(c);
        return err_set(e, "TLS: cannot create a session");
    }
    c->want_read = true;
    c->want_write = !is_connected(fd);
    rearm(c);
    if (!c->want_write)
        event_active(&c->ev, EV_WRITE, 0);
    return 0;
}

enum conn_io conn_read(struct conn *c, void *p, size_t n, size_t *done)
{
    if (!c->tls) {
        ssize_t got = recv(c->fd, p, n, 0);
        if (got > 0) {
            *done = (size_t)got;
            return CONN_IO_OK;
        }
        if (got == 0)
            return CONN_IO_EOF;
        return errno == EAGAIN || errno == EINTR ? CONN_IO_AGAIN : CONN_IO_FAILED;
    }
    switch (tls_read(c->tls, p, n, done, NULL)) {
    case TLS_OK:
        return CONN_IO_OK;
    case TLS_WANT_READ:
        return CONN_IO_AGAIN;
    case TLS_WANT_WRITE:
        c->tls_read_blocked = true;
        rearm(c);
        return CONN_IO_AGAIN;
    case TLS_CLOSED:
        return CONN_IO_EOF;
    case TLS_FAILED:
        break;
    }
    return CONN_IO_FAILED;
}

void conn_read_again(struct conn *c)
{
    if (c->state == CONN_OPEN && c->want_read && c->tls && tls_has_pending(c->tls))
        event_active(&c->ev, EV_READ, 0);
}

/* One write: 0 with *done (0 when the socket is full), -1 broken. */
static int write_some(struct conn *c, const void *p, size_t n, size_t *done)
{
    *done = 0;
    if (!c->tls) {
        ssize_t put = send(c->fd, p, n, MSG_NOSIGNAL);
        if (put < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        *done = (size_t)put;
        return 0;
    }
    switch (tls_write(c->tls, p, n, done, NULL)) {
    case TLS_OK:
    case TLS_WANT_WRITE:
        return 0;
    case TLS_WANT_READ:
        c->tls_write_blocked = true;
        return 0;
    case TLS_CLOSED:
    case TLS_FAILED:
        break;
    }
    return -1;
}

int conn_write(struct conn *c, const void *p, size_t n)
{
    size_t done = 0;
    if (c->state == CONN_CLOSED)
        return -1;
    if (c->state == CONN_OPEN && !c->out.len && n) {
        if (write_some(c, p, n, &done) < 0)
            return -1;
        if (done == n)
            return 0;
    }
    buf_append(&c->out, (const uint8_t *)p + done, n - done);
    if (c->out.len) {
        c->want_write = true;
        rearm(c);
    }
    return 0;
}

static void fail(struct conn *c, const char *why)
{
    c->h->on_failed(c, why);
}

static void flush_out(struct conn *c)
{
    while (c->out.len) {
        size_t done;
        struct span s = buf_span(&c->out);
        if (write_some(c, s.p, s.n, &done) < 0) {
            fail(c, "write failed");
            return;
        }
        if (!done)
            return;
        buf_consume(&c->out, done);
    }
    c->want_write = false;
    rearm(c);
    c->h->on_drained(c);
}

static void handshake(struct conn *c)
{
    struct err e = {{0}};
    switch (tls_handshake(c->tls, &e)) {
    case TLS_OK:
        c->tls_write_blocked = false;
        c->state = CONN_OPEN;
        rearm(c);
        c->h->on_open(c);
        conn_read_again(c); /* the peer's first bytes may have come with the handshake */
        return;
    case TLS_WANT_READ:
        c->tls_write_blocked = false;
        rearm(c);
        return;
    case TLS_WANT_WRITE:
        c->tls_write_blocked = true;
        rearm(c);
        return;
    case TLS_CLOSED:
        fail(c, "closed during the TLS handshake");
        return;
    case TLS_FAILED:
        fail(c, e.text);
        return;
    }
}

/* A refused connection is readable as well, one that stands is not before the peer has spoken: only then is it worth
 * asking. */
static int connect_error(struct conn *c, short what)
{
    int problem = 0;
    socklen_t n = sizeof(problem);
    if ((what & EV_READ) && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &problem, &n) < 0)
        return errno;
    return problem;
}

static void on_connected(struct conn *c, short what)
{
    int problem = connect_error(c, what);
    if (problem) {
        fail(c, strerror(problem));
        return;
    }
    c->state = c->tls ? CONN_HANDSHAKING : CONN_OPEN;
    if (c->tls) {
        handshake(c);
        return;
    }
    c->want_write = c->out.len > 0;
    rearm(c);
    c->h->on_open(c);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *c = arg;
    if (c->state == CONN_CONNECTING) {
        on_connected(c, what);
        return;
    }
    if (c->state == CONN_HANDSHAKING) {
        handshake(c);
        return;
    }
    bool readable = (what & EV_READ) || (c->tls_read_blocked && (what & EV_WRITE));
    bool writable = (what & EV_WRITE) || (c->tls_write_blocked && (what & EV_READ));
    c->tls_read_blocked = c->tls_write_blocked = false;
    if (writable && c->out.len)
        flush_out(c);
    if (c->state == CONN_OPEN && readable && c->want_read)
        c->h->on_readable(c);
    if (c->state == CONN_OPEN)
        rearm(c);
}

void conn_set_reading(struct conn *c, bool on)
{
    if (c->want_read == on || c->state == CONN_CLOSED)
        return;
    c->want_read = on;
    rearm(c);
    if (on)
        conn_read_again(c);
}

void conn_shutdown(struct conn *c)
{
    if (c->state != CONN_OPEN)
        return;
    if (c->tls)
        tls_close_notify(c->tls);
    shutdown(c->fd, SHUT_WR);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    if (event_initialized(&c->ev))
        event_del(&c->ev); /* before close: the changelist must forget the descriptor first */
    c->armed = 0;
    c->state = CONN_CLOSED;
    tls_free(&c->tls);
    close(c->fd);
    c->fd = -1;
    buf_fini(&c->out);
}

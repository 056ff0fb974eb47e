/* The client's connection: PROXY header, TLS, the protocol's beginning, its end. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gate/session_parts.h"
#include "gate/xmpp.h"
#include "proto/proxy.h"

bool session_is_xmpp(const struct session *s)
{
    return profile_xmpp(s->entry->profile) && !profile_xmpp(s->entry->profile)->is_websocket;
}

void session_begin(struct session *s)
{
    if (session_is_xmpp(s)) {
        xmpp_begin(s);
        return;
    }
    session_set_state(s, SS_HEAD);
    session_set_deadline(s, s->w->snap->conf->timeouts.request_ms);
}

/* The header is taken from the socket as it comes, and not a byte more: behind it TLS may begin. DONE, BAD or MORE. */
static enum parse take_proxy_header(struct session *s, struct proxy_header *h)
{
    uint8_t peek[PROXY_HEADER_MAX];
    size_t had = s->cin.len;
    ssize_t n = recv(s->client.fd, peek, sizeof(peek), MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PARSE_MORE;
    if (n <= 0)
        return PARSE_BAD;
    buf_append(&s->cin, peek, (size_t)n);
    enum parse p = proxy_parse(buf_span(&s->cin), h);
    size_t mine = p == PARSE_DONE ? h->header_bytes - had : (size_t)n;
    if (p != PARSE_BAD && recv(s->client.fd, peek, mine, 0) != (ssize_t)mine)
        p = PARSE_BAD;
    if (p != PARSE_MORE)
        buf_fini(&s->cin);
    return p;
}

static void take_peer_address(struct session *s, const struct proxy_header *h)
{
    if (!h->has_address)
        return;
    struct addr a = {.any.sa.sa_family = h->is_v6 ? AF_INET6 : AF_INET};
    if (h->is_v6)
        memcpy(&a.any.in6.sin6_addr, h->addr, 16);
    else
        memcpy(&a.any.in.sin_addr, h->addr, 4);
    s->peer = addr_host(&a);
}

static void read_proxy_header(struct session *s)
{
    struct proxy_header h;
    enum parse p = take_proxy_header(s, &h);
    if (p == PARSE_MORE)
        return;
    if (p == PARSE_BAD) {
        session_end(s, END_PROTOCOL);
        return;
    }
    take_peer_address(s, &h);
    s->admitted = s->peer;
    s->is_addr_counted = gate_admit_address(s->w->gate, s->w->snap->conf, &s->admitted);
    if (!s->is_addr_counted) {
        counter_add(&s->w->count.sessions_refused, 1);
        session_end(s, END_LIMIT);
        return;
    }
    struct err e;
    if (!s->entry->tls || session_is_xmpp(s))
        session_begin(s);
    else if (conn_start_tls(&s->client, s->entry->tls, &e) == 0)
        session_set_state(s, SS_HANDSHAKE);
    else
        session_end(s, END_CLIENT_ERROR);
}

static void on_client_readable(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    if (s->state == SS_PROXY)
        read_proxy_header(s);
    if (s->state == SS_XMPP_OPEN && xmpp_takes_tls(s))
        return;
    if (s->state != SS_PROXY && s->state != SS_DEAD && s->client.state == CONN_OPEN)
        session_read_client(s);
}

static void on_client_open(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    s->w->now_ms = clock_tick_ms();
    session_begin(s);
    if (c->tls && tls_has_pending(c->tls)) /* the first request has come with the handshake */
        on_client_readable(c);
}

static void on_client_drained(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    if (s->state == SS_LINGER) {
        session_set_deadline(s, LINGER_MS);
        session_go_on_lingering(s);
        return;
    }
    conn_set_reading(&s->backend, true);
    session_feed_client(s);
}

static void on_client_failed(struct conn *c, const char *why)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    log_event(LOG_DEBUG, "client_failed", "session=%llx why=\"%s\"", (unsigned long long)s->id, why);
    session_client_gone(s, END_CLIENT_ERROR);
}

const struct conn_handlers session_client_handlers = {on_client_open, on_client_readable, on_client_drained,
                                                      on_client_failed};

void session_to_client(struct session *s, const void *p, size_t n)
{
    if (s->state == SS_DEAD || !n)
        return;
    counter_add(&s->w->count.bytes_in, n);
    if (conn_write(&s->client, p, n) < 0) {
        session_client_gone(s, END_CLIENT_ERROR);
    } else if ((int64_t)conn_queued(&s->client) > s->w->snap->conf->limits.buffer_bytes && s->state != SS_LINGER) {
        conn_set_reading(&s->backend, false);
        session_update_reading(s);
    }
}

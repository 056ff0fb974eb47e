#include "gate/session.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "gate/inspect.h"
#include "proto/proxy.h"

enum { READS_PER_TURN = 4, LINGER_MS = 2000 };

static const char *const state_names[] = {
#define X(id, name) [id] = name,
    SESSION_STATES(X)
#undef X
};

static const char *const end_names[] = {
#define X(id, name) [id] = name,
    END_REASONS(X)
#undef X
};

static const uint16_t legal_moves[] = {
    [SS_PROXY] = 1u << SS_HANDSHAKE | 1u << SS_HEAD | 1u << SS_DEAD,
    [SS_HANDSHAKE] = 1u << SS_HEAD | 1u << SS_DEAD,
    [SS_HEAD] = 1u << SS_CONNECT | 1u << SS_RELAY | 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_CONNECT] = 1u << SS_RELAY | 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_RELAY] = 1u << SS_HEAD | 1u << SS_WS | 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_WS] = 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_LINGER] = 1u << SS_DEAD,
    [SS_DEAD] = 0,
};

void session_set_state(struct session *s, enum session_state to)
{
    if (!(legal_moves[s->state] >> to & 1)) {
        log_event(LOG_ERROR, "illegal_state", "session=%llx from=%s to=%s", (unsigned long long)s->id,
                  state_names[s->state], state_names[to]);
        abort();
    }
    if (log_wants(LOG_DEBUG))
        log_event(LOG_DEBUG, "state", "session=%llx from=%s to=%s", (unsigned long long)s->id, state_names[s->state],
                  state_names[to]);
    s->state = (uint8_t)to;
}

void session_set_deadline(struct session *s, int64_t ms)
{
    s->deadline_ms = ms ? s->w->now_ms + ms : 0;
}

static void log_closing(struct session *s)
{
    char agent[LOG_ESC_MAX] = "-", host[ADDR_TEXT_MAX];
    if (session_agent(s).n)
        log_esc(session_agent(s), agent);
    log_event(LOG_INFO, "session_end",
              "session=%llx why=%s state=%s peer=%s listener=%s agent=%s requests=%llu out=%llu blocked=%llu "
              "rewritten=%llu warned=%llu in=%llu ms=%lld",
              (unsigned long long)s->id, end_names[s->end_why], state_names[s->state], addr_host_text(&s->peer, host),
              s->entry->conf->name, agent, (unsigned long long)s->requests, (unsigned long long)s->messages_out,
              (unsigned long long)s->blocked, (unsigned long long)s->rewritten, (unsigned long long)s->warned,
              (unsigned long long)s->messages_in, (long long)(clock_mono_ms() - s->started_ms));
}

void session_end(struct session *s, enum end_reason why)
{
    if (s->state == SS_DEAD)
        return;
    if (s->state != SS_LINGER)
        s->end_why = (uint8_t)why; /* else it stands already */
    log_closing(s);
    if (s->ws)
        unsent_give_back(s);
    if (s->is_seated) {
        node_seat_remove(s->w->gate->node, session_agent(s), (struct seat){s->w->index, s->id});
        inspect_presence(s, false);
    }
    session_set_state(s, SS_DEAD);
    if (s->server >= 0)
        upstream_done(s->entry->upstream, s->server);
    if (s->is_admitted)
        gate_leave(s->w->gate, &s->admitted);
    conn_close(&s->client);
    conn_close(&s->backend);
    worker_bury_session(s->w, s, s->id);
}

/* --- the agent --- */

struct span session_agent(const struct session *s)
{
    return s->ws ? buf_span(&s->ws->pc.uid) : span_of("", 0);
}

void session_seat(struct session *s)
{
    if (s->is_seated)
        return;
    s->is_seated = true;
    node_seat_add(s->w->gate->node, session_agent(s), (struct seat){s->w->index, s->id});
    inspect_presence(s, true);
}

bool session_notice(struct session *s, struct span conv, struct span text)
{
    return ws_notice(s, conv, text);
}

bool session_is_over_rate(struct session *s, uint64_t bytes)
{
    const struct conf *c = s->w->snap->conf;
    if (!c->limits.messages_per_s && !c->limits.bytes_per_s)
        return false;
    int64_t second = s->w->now_ms / 1000;
    if (s->second != second) {
        s->second = second;
        s->second_messages = s->second_bytes = 0;
    }
    if ((c->limits.messages_per_s && s->second_messages >= c->limits.messages_per_s) ||
        (c->limits.bytes_per_s && s->second_bytes >= c->limits.bytes_per_s)) {
        s->is_throttled = true;
        s->w->count.throttled++;
        conn_set_reading(&s->client, false);
        return true;
    }
    s->second_messages++;
    s->second_bytes += (uint32_t)MIN_OF(bytes, (uint64_t)UINT32_MAX / 2);
    return false;
}

/* --- bytes in --- */

static size_t use_client_bytes(struct session *s, struct span in)
{
    switch ((enum session_state)s->state) {
    case SS_HEAD:
    case SS_RELAY:
        return http_from_client(s, in);
    case SS_WS:
        return ws_from_client(s, in);
    case SS_LINGER:
        return in.n;
    case SS_XMPP_OPEN:
    case SS_XMPP:
    case SS_PROXY:
    case SS_HANDSHAKE:
    case SS_CONNECT:
    case SS_DEAD:
        break;
    }
    return 0;
}

static size_t use_backend_bytes(struct session *s, struct span in)
{
    if (s->state == SS_RELAY)
        return http_from_backend(s, in);
    if (s->state == SS_WS)
        return ws_from_backend(s, in);
    return in.n; /* lingering: nobody wants it any more */
}

/* Uses what it can of old and new bytes; the rest is kept in `hold`. */
static void feed(struct session *s, struct buf *hold, struct span fresh, size_t (*use)(struct session *, struct span))
{
    if (hold->len)
        buf_append_span(hold, fresh);
    struct span in = hold->len ? buf_span(hold) : fresh;
    size_t total = 0, used = 1;
    while (s->state != SS_DEAD && total < in.n && used) {
        used = use(s, span_from(in, total));
        total += used;
    }
    if (s->state == SS_DEAD)
        return;
    if (hold->len)
        buf_consume(hold, total);
    else
        buf_append_span(hold, span_from(in, total));
}

void session_feed_client(struct session *s)
{
    if (!s->is_throttled && !s->client_eof)
        conn_set_reading(&s->client, true);
    if (s->cin.len)
        feed(s, &s->cin, span_of("", 0), use_client_bytes);
}

static bool waits_for_backend(const struct session *s)
{
    return s->state == SS_CONNECT || (s->state == SS_RELAY && s->x->req_done);
}

static void read_side(struct session *s, struct conn *c, struct buf *hold, size_t (*use)(struct session *, struct span))
{
    struct worker *w = s->w;
    w->now_ms = clock_mono_ms();
    for (int i = 0; i < READS_PER_TURN && s->state != SS_DEAD && c->want_read; i++) {
        size_t got;
        enum conn_io io = conn_read(c, w->rbuf, READ_BYTES, &got);
        if (io == CONN_IO_AGAIN)
            return;
        if (io != CONN_IO_OK) {
            if (c == &s->backend)
                s->state == SS_WS ? ws_backend_ended(s) : http_backend_ended(s);
            else if (io == CONN_IO_EOF && waits_for_backend(s) && !s->x->is_websocket) {
                s->client_eof = true; /* a client that sent all and waits for the answer */
                conn_set_reading(c, false);
            } else
                session_end(s, END_CLIENT_CLOSED);
            return;
        }
        feed(s, hold, span_of(w->rbuf, got), use);
        if (s->state != SS_DEAD && c == &s->client && waits_for_backend(s) && s->cin.len)
            conn_set_reading(c, false); /* pipelined requests wait in the socket */
        if (s->state != SS_DEAD && got < READ_BYTES && !(c->tls && tls_pending(c->tls)))
            return;
    }
    if (s->state != SS_DEAD)
        conn_read_again(c);
}

/* --- client --- */

static void begin_http(struct session *s)
{
    session_set_state(s, SS_HEAD);
    session_set_deadline(s, s->w->snap->conf->timeouts.request_ms);
}

static void read_proxy_header(struct session *s)
{
    uint8_t peek[PROXY_HEADER_MAX];
    ssize_t n = recv(s->client.fd, peek, sizeof(peek), MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    struct proxy_header h;
    enum parse p = n <= 0 ? PARSE_BAD : proxy_parse(span_of(peek, (size_t)n), &h);
    if (p == PARSE_MORE)
        return;
    if (p == PARSE_BAD || recv(s->client.fd, peek, h.header_bytes, 0) != (ssize_t)h.header_bytes) {
        session_end(s, END_PROTOCOL);
        return;
    }
    if (h.has_address && h.is_v6) {
        s->peer.any.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(h.port)};
        memcpy(&s->peer.any.in6.sin6_addr, h.addr, 16);
    } else if (h.has_address) {
        s->peer.any.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(h.port)};
        memcpy(&s->peer.any.in.sin_addr, h.addr, 4);
    }
    struct err e;
    if (!s->entry->tls)
        begin_http(s);
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
    if (s->state != SS_PROXY && s->state != SS_DEAD && s->client.state == CONN_OPEN)
        read_side(s, c, &s->cin, use_client_bytes);
}

static void on_client_open(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    s->w->now_ms = clock_mono_ms();
    begin_http(s);
    on_client_readable(c); /* the first request may have come with the handshake */
}

static void on_client_drained(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    if (s->state == SS_LINGER) {
        conn_shutdown(c);
        return;
    }
    conn_set_reading(&s->backend, true);
}

static void on_client_failed(struct conn *c, const char *why)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    log_event(LOG_DEBUG, "client_failed", "session=%llx why=\"%s\"", (unsigned long long)s->id, why);
    session_end(s, END_CLIENT_ERROR);
}

static const struct conn_handlers client_handlers = {on_client_open, on_client_readable, on_client_drained,
                                                     on_client_failed};

void session_to_client(struct session *s, const void *p, size_t n)
{
    if (s->state == SS_DEAD || !n)
        return;
    s->w->count.bytes_in += n;
    if (conn_write(&s->client, p, n) < 0)
        session_end(s, END_CLIENT_ERROR);
    else if ((int64_t)conn_queued(&s->client) > s->w->snap->conf->limits.buffer_bytes && s->backend.state == CONN_OPEN)
        conn_set_reading(&s->backend, false);
}

/* --- backend --- */

static void on_backend_open(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    s->w->now_ms = clock_mono_ms();
    http_backend_open(s);
}

static void on_backend_readable(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    read_side(s, c, &s->bin, use_backend_bytes);
}

static void on_backend_drained(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    buf_fini(&s->unsent);
    if (!s->is_throttled && !s->client_eof)
        conn_set_reading(&s->client, true);
}

static void on_backend_failed(struct conn *c, const char *why)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    struct upstream *u = s->entry->upstream;
    s->w->count.backend_failures++;
    log_event(LOG_WARN, "backend_failed", "session=%llx upstream=%s server=%s why=\"%s\"", (unsigned long long)s->id,
              upstream_name(u), upstream_get_state(u, (size_t)s->server).server, why);
    if (s->state != SS_CONNECT) {
        s->state == SS_WS ? ws_backend_ended(s) : http_backend_ended(s);
        return;
    }
    upstream_report_failure(u, s->server);
    session_connect_backend(s);
}

static const struct conn_handlers backend_handlers = {on_backend_open, on_backend_readable, on_backend_drained,
                                                      on_backend_failed};

void session_to_backend(struct session *s, const void *p, size_t n)
{
    if (s->state == SS_DEAD || !n)
        return;
    if (conn_write(&s->backend, p, n) < 0) {
        s->state == SS_WS ? ws_backend_ended(s) : http_backend_ended(s);
        return;
    }
    s->w->count.bytes_out += n;
    if (s->ws)
        s->sent_bytes += n;
    if ((int64_t)conn_queued(&s->backend) > s->w->snap->conf->limits.buffer_bytes)
        conn_set_reading(&s->client, false);
}

void session_connect_backend(struct session *s)
{
    struct upstream *u = s->entry->upstream;
    conn_close(&s->backend);
    if (s->server >= 0)
        upstream_done(u, s->server);
    for (;;) {
        s->server = upstream_pick(u, s->x->tried);
        if (s->server < 0) {
            http_answer(s, 502, "no server of the upstream can be reached");
            return;
        }
        s->x->tried |= (uint64_t)1 << s->server;
        struct addr to = upstream_addr(u, s->server);
        struct err e;
        if (conn_connect(&s->backend, loop_base(s->w->loop), &to, upstream_tls(u), upstream_server_name(u, s->server),
                         &e) == 0)
            break;
        log_event(LOG_WARN, "backend_failed", "session=%llx upstream=%s why=\"%s\"", (unsigned long long)s->id,
                  upstream_name(u), e.text);
        upstream_report_failure(u, s->server);
        upstream_done(u, s->server);
    }
    session_set_deadline(s, s->w->snap->conf->timeouts.connect_ms);
}

/* --- life --- */

void session_accept(struct worker *w, size_t entry, int fd, const struct addr *peer)
{
    const struct snapshot *snap = w->snap;
    if (!gate_admit(w->gate, snap->conf, peer)) {
        w->count.sessions_refused++;
        close(fd);
        return;
    }
    struct session *s = xcalloc(1, sizeof(*s));
    s->w = w;
    s->snap = snapshot_ref(w->snap);
    s->entry = &snap->entry[entry];
    s->server = -1;
    s->peer = s->admitted = *peer;
    s->is_admitted = true;
    w->now_ms = s->started_ms = clock_mono_ms();
    s->id = worker_put_session(w, s);
    conn_init(&s->client, &client_handlers);
    conn_init(&s->backend, &backend_handlers);
    w->count.sessions++;
    session_set_deadline(s, snap->conf->timeouts.handshake_ms);
    const struct conf_listener *l = s->entry->conf;
    bool by_proxy = l->n_proxy_protocol_from && addr_in_cidr(peer, l->proxy_protocol_from, l->n_proxy_protocol_from);
    s->state = by_proxy ? SS_PROXY : s->entry->tls ? SS_HANDSHAKE : SS_HEAD;
    struct err e;
    if (conn_adopt(&s->client, loop_base(w->loop), fd, by_proxy ? NULL : s->entry->tls, &e) < 0)
        session_end(s, END_CLIENT_ERROR);
}

static void on_deadline(struct session *s)
{
    switch ((enum session_state)s->state) {
    case SS_HEAD:
        if (s->cin.len) {
            http_answer(s, 408, "the request head did not come in time");
            return;
        }
        break;
    case SS_CONNECT:
        upstream_report_failure(s->entry->upstream, s->server);
        session_connect_backend(s);
        return;
    case SS_RELAY:
        if (!s->x->has_answer_begun) {
            http_answer(s, 504, "the backend did not answer in time");
            return;
        }
        break;
    case SS_WS:
        ws_close(s, WS_CLOSE_GOING_AWAY, "idle", END_TIMEOUT);
        return;
    case SS_XMPP_OPEN:
    case SS_XMPP:
    case SS_PROXY:
    case SS_HANDSHAKE:
    case SS_LINGER:
    case SS_DEAD:
        break;
    }
    session_end(s, END_TIMEOUT);
}

void session_check_deadline(struct session *s, int64_t now_ms)
{
    if (s->is_throttled) {
        s->is_throttled = false;
        if (conn_queued(&s->backend) == 0)
            conn_set_reading(&s->client, true);
        session_feed_client(s);
    }
    if (s->state != SS_DEAD && s->deadline_ms && now_ms >= s->deadline_ms)
        on_deadline(s);
}

void session_drain(struct session *s)
{
    if (s->state == SS_WS)
        ws_close(s, WS_CLOSE_GOING_AWAY, "the gateway restarts", END_DRAIN);
    else if (s->state == SS_RELAY || s->state == SS_CONNECT)
        s->x->keep_client = false; /* ends after this exchange */
    else if (s->state != SS_LINGER)
        session_end(s, END_DRAIN);
}

#include "gate/session.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "gate/alias.h"
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/xmpp.h"
#include "proto/proxy.h"

enum { READS_PER_TURN = 4, LINGER_MS = 3000 };

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
    [SS_PROXY] = 1u << SS_HANDSHAKE | 1u << SS_HEAD | 1u << SS_XMPP_OPEN | 1u << SS_DEAD,
    [SS_HANDSHAKE] = 1u << SS_HEAD | 1u << SS_XMPP_OPEN | 1u << SS_DEAD,
    [SS_HEAD] = 1u << SS_CONNECT | 1u << SS_RELAY | 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_CONNECT] = 1u << SS_RELAY | 1u << SS_XMPP | 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_RELAY] = 1u << SS_HEAD | 1u << SS_CONNECT | 1u << SS_WS | 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_WS] = 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_XMPP_OPEN] = 1u << SS_HANDSHAKE | 1u << SS_CONNECT | 1u << SS_LINGER | 1u << SS_DEAD,
    [SS_XMPP] = 1u << SS_LINGER | 1u << SS_DEAD,
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
    s->stuck_bytes = conn_queued(&s->client) + conn_queued(&s->backend);
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
              s->entry->name, agent, (unsigned long long)s->requests, (unsigned long long)s->messages_out,
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
    if (s->ws || s->xmpp)
        unsent_give_back(s);
    if (s->is_seated) {
        node_seat_remove(s->w->gate->node, session_agent(s), (struct seat){s->w->index, s->id});
        inspect_presence(s, false);
    }
    session_set_state(s, SS_DEAD);
    if (s->server >= 0)
        upstream_done(s->entry->upstream, s->server);
    if (s->is_addr_counted)
        gate_leave_address(s->w->gate, &s->admitted);
    gate_leave(s->w->gate);
    conn_close(&s->client);
    conn_close(&s->backend);
    worker_bury_session(s->w, s, s->id);
}

/* --- the agent --- */

struct span session_agent(const struct session *s)
{
    return s->xmpp ? buf_span(&s->xmpp->agent) : s->ws ? buf_span(&s->ws->pc.uid) : span_of("", 0);
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
    char id[ALIAS_ID_MAX];
    if (s->w->gate->alias) /* from Redis, where it has another name */
        conv = alias_find(s->w->gate->alias, conv, id);
    return s->xmpp ? xmpp_notice(s, conv, text) : ws_notice(s, conv, text);
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
        counter_add(&s->w->count.throttled, 1);
        conn_set_reading(&s->client, false);
        return true;
    }
    s->second_messages++;
    s->second_bytes += (uint32_t)MIN_OF(bytes, (uint64_t)UINT32_MAX / 2);
    return false;
}

/* --- lingering --- */

void session_drop_backend(struct session *s)
{
    unsent_give_back(s);
    buf_fini(&s->unsent);
    conn_close(&s->backend);
    buf_reset(&s->bin); /* not freed: its bytes may be under our caller's eyes */
}

/* A side that is empty gets our FIN; its own end is awaited, so that no reset overtakes the last bytes. */
static void go_on_lingering(struct session *s)
{
    if (s->client.state == CONN_OPEN && !conn_queued(&s->client)) {
        conn_shutdown(&s->client);
        if (s->client_eof)
            conn_close(&s->client);
    }
    if (s->backend.state == CONN_OPEN && !conn_queued(&s->backend))
        conn_shutdown(&s->backend);
    if (s->client.state == CONN_CLOSED && s->backend.state == CONN_CLOSED)
        session_end(s, s->end_why);
}

void session_linger(struct session *s, enum end_reason why)
{
    s->end_why = (uint8_t)why;
    session_set_state(s, SS_LINGER);
    session_set_deadline(s, LINGER_MS);
    if (s->backend.state != CONN_OPEN)
        session_drop_backend(s);
    s->is_throttled = false;
    conn_set_reading(&s->client, !s->client_eof);
    conn_set_reading(&s->backend, true);
    go_on_lingering(s);
}

/* The client is gone; what it had sent in full still goes to the backend. */
static void client_gone(struct session *s, enum end_reason why)
{
    /* an XMPP server that is reset loses half a stanza, and some cannot resume the session then */
    bool has_work = s->backend.state == CONN_OPEN && (conn_queued(&s->backend) || s->state == SS_XMPP);
    bool is_chat = s->state == SS_WS || s->state == SS_XMPP;
    if (!has_work || (!is_chat && s->state != SS_LINGER)) {
        session_end(s, why);
        return;
    }
    conn_close(&s->client);
    if (is_chat)
        session_linger(s, why);
}

static void backend_gone(struct session *s)
{
    if (s->state == SS_LINGER) {
        session_drop_backend(s);
        go_on_lingering(s);
    } else if (s->state == SS_WS) {
        ws_backend_ended(s);
    } else if (s->xmpp) {
        xmpp_backend_ended(s);
    } else {
        http_backend_ended(s);
    }
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
        return xmpp_from_client(s, in);
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
    if (s->state == SS_XMPP)
        return xmpp_from_backend(s, in);
    if (s->state == SS_HEAD)
        http_backend_ended(s); /* an answer that nobody asked for must not be taken for the next one's */
    return in.n;
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

static bool waits_for_backend(const struct session *s)
{
    return s->state == SS_CONNECT || (s->state == SS_RELAY && s->x->req_done) ||
           (s->state == SS_XMPP && s->xmpp->waits);
}

/* Bytes for the client that it caused itself (refusals) come on top of what the backend may queue. A client that takes
 * none of them is not read any more. */
bool session_client_may_send(const struct session *s)
{
    const size_t mark = (size_t)s->w->snap->conf->limits.buffer_bytes;
    if (s->state == SS_LINGER)
        return !s->client_eof;
    return !s->is_throttled && !s->client_eof && !(s->cin.len && waits_for_backend(s)) &&
           conn_queued(&s->backend) <= mark && conn_queued(&s->client) <= 2 * mark && !ws_is_inject_full(s);
}

static void update_client_reading(struct session *s)
{
    if (s->state != SS_DEAD)
        conn_set_reading(&s->client, session_client_may_send(s));
}

void session_feed_client(struct session *s)
{
    if (s->cin.len)
        feed(s, &s->cin, span_of("", 0), use_client_bytes);
    update_client_reading(s);
}

/* The client sends no more: it may still want the rest of what it asked for. */
static void on_client_eof(struct session *s)
{
    bool wants_answer = s->x && waits_for_backend(s) && !s->x->is_websocket;
    bool wants_rest = (s->state == SS_HEAD || s->state == SS_LINGER) && conn_queued(&s->client);
    if (!wants_answer && !wants_rest) {
        client_gone(s, END_CLIENT_CLOSED);
        return;
    }
    s->client_eof = true;
    if (s->state == SS_HEAD)
        session_linger(s, END_CLIENT_CLOSED);
    update_client_reading(s);
}

static void read_side(struct session *s, struct conn *c, struct buf *hold, size_t (*use)(struct session *, struct span))
{
    struct worker *w = s->w;
    w->now_ms = clock_mono_ms();
    for (int i = 0; i < READS_PER_TURN && s->state != SS_DEAD && c->state == CONN_OPEN && c->want_read; i++) {
        size_t got;
        enum conn_io io = conn_read(c, w->rbuf, READ_BYTES, &got);
        if (io == CONN_IO_AGAIN)
            return;
        if (io != CONN_IO_OK) {
            if (c == &s->backend)
                backend_gone(s);
            else if (io == CONN_IO_EOF)
                on_client_eof(s);
            else
                client_gone(s, END_CLIENT_CLOSED);
            return;
        }
        feed(s, hold, span_of(w->rbuf, got), use);
        update_client_reading(s); /* pipelined requests, for one, wait in the socket */
        if (s->state == SS_DEAD || (got < READ_BYTES && !(c->tls && tls_pending(c->tls))))
            return;
    }
    if (s->state != SS_DEAD)
        conn_read_again(c);
}

/* --- client --- */

static bool is_xmpp(const struct session *s)
{
    return profile_xmpp(s->entry->profile) && !profile_xmpp(s->entry->profile)->is_websocket;
}

static void begin(struct session *s)
{
    if (is_xmpp(s)) {
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
    if (h->has_address && h->is_v6) {
        s->peer.any.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(h->port)};
        memcpy(&s->peer.any.in6.sin6_addr, h->addr, 16);
        s->peer.len = sizeof(s->peer.any.in6);
    } else if (h->has_address) {
        s->peer.any.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(h->port)};
        memcpy(&s->peer.any.in.sin_addr, h->addr, 4);
        s->peer.len = sizeof(s->peer.any.in);
    }
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
    if (!s->entry->tls || is_xmpp(s))
        begin(s);
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
        read_side(s, c, &s->cin, use_client_bytes);
}

static void on_client_open(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    s->w->now_ms = clock_mono_ms();
    begin(s);
    on_client_readable(c); /* the first request may have come with the handshake */
}

static void on_client_drained(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    if (s->state == SS_LINGER) {
        session_set_deadline(s, LINGER_MS);
        go_on_lingering(s);
        return;
    }
    conn_set_reading(&s->backend, true);
    session_feed_client(s);
}

static void on_client_failed(struct conn *c, const char *why)
{
    struct session *s = CONTAINER_OF(c, struct session, client);
    log_event(LOG_DEBUG, "client_failed", "session=%llx why=\"%s\"", (unsigned long long)s->id, why);
    client_gone(s, END_CLIENT_ERROR);
}

static const struct conn_handlers client_handlers = {on_client_open, on_client_readable, on_client_drained,
                                                     on_client_failed};

void session_to_client(struct session *s, const void *p, size_t n)
{
    if (s->state == SS_DEAD || !n)
        return;
    counter_add(&s->w->count.bytes_in, n);
    if (conn_write(&s->client, p, n) < 0) {
        client_gone(s, END_CLIENT_ERROR);
    } else if ((int64_t)conn_queued(&s->client) > s->w->snap->conf->limits.buffer_bytes && s->state != SS_LINGER) {
        conn_set_reading(&s->backend, false);
        update_client_reading(s);
    }
}

/* --- backend --- */

static void on_backend_open(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    s->w->now_ms = clock_mono_ms();
    if (s->xmpp)
        xmpp_backend_open(s);
    else
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
    if (s->state == SS_LINGER)
        go_on_lingering(s);
    else
        session_feed_client(s);
}

static void on_backend_failed(struct conn *c, const char *why)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    struct upstream *u = s->entry->upstream;
    counter_add(&s->w->count.backend_failures, 1);
    log_event(LOG_WARN, "backend_failed", "session=%llx upstream=%s server=%s why=\"%s\"", (unsigned long long)s->id,
              upstream_name(u), upstream_get_state(u, (size_t)s->server).server, why);
    if (s->state != SS_CONNECT) {
        backend_gone(s);
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
        backend_gone(s);
        return;
    }
    counter_add(&s->w->count.bytes_out, n);
    if (s->ws || s->xmpp)
        s->sent_bytes += n;
    if ((int64_t)conn_queued(&s->backend) > s->w->snap->conf->limits.buffer_bytes)
        update_client_reading(s);
}

static void answer_no_backend(struct session *s, int status, const char *why)
{
    if (s->xmpp)
        xmpp_no_backend(s);
    else
        http_answer(s, status, why);
}

void session_connect_backend(struct session *s)
{
    struct upstream *u = s->entry->upstream;
    conn_close(&s->backend);
    if (s->server >= 0)
        upstream_done(u, s->server);
    for (;;) {
        uint64_t *tried = s->xmpp ? &s->xmpp->tried : &s->x->tried;
        s->server = upstream_pick(u, *tried);
        if (s->server < 0) {
            answer_no_backend(s, 502, "no server of the upstream can be reached");
            return;
        }
        *tried |= (uint64_t)1 << s->server;
        struct addr to = upstream_addr(u, s->server);
        struct err e;
        struct tls_client *tls =
            is_xmpp(s) && profile_xmpp(s->entry->profile)->upstream_starttls ? NULL : upstream_tls(u);
        if (conn_connect(&s->backend, loop_base(s->w->loop), &to, tls, upstream_server_name(u, s->server), &e) == 0)
            break;
        bool is_our_trouble = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        log_event(LOG_WARN, "backend_failed", "session=%llx upstream=%s why=\"%s\"", (unsigned long long)s->id,
                  upstream_name(u), e.text);
        if (!is_our_trouble)
            upstream_report_failure(u, s->server);
        upstream_done(u, s->server);
        s->server = -1;
        if (is_our_trouble) { /* says nothing about the servers */
            answer_no_backend(s, 503, "the gateway has no free descriptor for a connection to the backend");
            return;
        }
    }
    session_set_deadline(s, s->w->snap->conf->timeouts.connect_ms);
}

/* --- life --- */

void session_accept(struct worker *w, size_t entry, int fd, const struct addr *peer)
{
    const struct snapshot *snap = w->snap;
    const struct conf_listener *l = &snap->conf->listener[entry];
    bool by_proxy = l->n_proxy_protocol_from && addr_in_cidr(peer, l->proxy_protocol_from, l->n_proxy_protocol_from);
    if (!gate_admit(w->gate, snap->conf)) {
        counter_add(&w->count.sessions_refused, 1);
        close(fd);
        return;
    }
    if (!by_proxy && !gate_admit_address(w->gate, snap->conf, peer)) {
        counter_add(&w->count.sessions_refused, 1);
        gate_leave(w->gate);
        close(fd);
        return;
    }
    struct session *s = xcalloc(1, sizeof(*s));
    s->w = w;
    s->entry = entry_ref(snap->entry[entry]);
    s->server = -1;
    s->peer = s->admitted = *peer;
    s->is_addr_counted = !by_proxy; /* else its header tells whom to count */
    w->now_ms = s->started_ms = clock_mono_ms();
    s->id = worker_put_session(w, s);
    conn_init(&s->client, &client_handlers);
    conn_init(&s->backend, &backend_handlers);
    counter_add(&w->count.sessions, 1);
    session_set_deadline(s, snap->conf->timeouts.handshake_ms);
    bool tls_first = !by_proxy && s->entry->tls && !is_xmpp(s); /* an XMPP client may ask for it later */
    s->state = by_proxy || is_xmpp(s) ? SS_PROXY : tls_first ? SS_HANDSHAKE : SS_HEAD;
    struct err e;
    if (conn_adopt(&s->client, loop_base(w->loop), fd, tls_first ? s->entry->tls : NULL, &e) < 0)
        session_end(s, END_CLIENT_ERROR);
    else if (!by_proxy && is_xmpp(s))
        begin(s);
}

/* A peer that takes our bytes slowly is not cut off while it takes them. */
static bool moves_on(struct session *s, int64_t more_ms)
{
    size_t queued = conn_queued(&s->client) + conn_queued(&s->backend);
    if (!queued || queued >= s->stuck_bytes)
        return false;
    session_set_deadline(s, more_ms);
    return true;
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
        if (s->x->has_answer_begun && moves_on(s, s->w->snap->conf->timeouts.idle_ms))
            return;
        if (!s->x->has_answer_begun && s->x->req_done) {
            http_answer(s, 504, "the backend did not answer in time");
            return;
        }
        if (!s->x->has_answer_begun) {
            http_answer(s, 408, "the request body did not come in time");
            return;
        }
        break;
    case SS_LINGER:
        if (moves_on(s, LINGER_MS))
            return;
        break;
    case SS_WS:
        ws_close(s, WS_CLOSE_GOING_AWAY, "idle", END_TIMEOUT);
        return;
    case SS_XMPP_OPEN:
    case SS_XMPP:
    case SS_PROXY:
    case SS_HANDSHAKE:
    case SS_DEAD:
        break;
    }
    session_end(s, END_TIMEOUT);
}

void session_check_deadline(struct session *s, int64_t now_ms)
{
    if (s->is_throttled) {
        s->is_throttled = false;
        session_feed_client(s);
    }
    if (s->state != SS_DEAD && s->deadline_ms && now_ms >= s->deadline_ms)
        on_deadline(s);
}

bool session_drain(struct session *s)
{
    if (s->state == SS_LINGER || (s->state == SS_HEAD && s->cin.len))
        return false; /* a request that has begun to come is answered; after that the connection ends */
    if (s->xmpp) {
        xmpp_drain(s);
        return true;
    }
    if (s->state == SS_RELAY || s->state == SS_CONNECT) {
        s->x->keep_client = false;
        return false;
    }
    if (s->state == SS_WS)
        ws_close(s, WS_CLOSE_GOING_AWAY, "the gateway restarts", END_DRAIN);
    else if (s->state == SS_HEAD && conn_queued(&s->client))
        session_linger(s, END_DRAIN);
    else
        session_end(s, END_DRAIN);
    return true;
}

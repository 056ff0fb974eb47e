#include "gate/session.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "gate/alias.h"
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/session_parts.h"
#include "gate/xmpp.h"

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
    if (!log_wants(LOG_INFO))
        return;
    char agent[LOG_ESC_MAX] = "-", host[ADDR_TEXT_MAX];
    if (session_agent(s).n)
        log_esc(session_agent(s), agent);
    log_event(LOG_INFO, "session_end",
              "session=%llx why=%s state=%s peer=%s listener=%s agent=%s requests=%llu out=%llu blocked=%llu "
              "rewritten=%llu warned=%llu in=%llu ms=%lld",
              (unsigned long long)s->id, end_names[s->end_why], state_names[s->state], host_text(&s->peer, host),
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
void session_go_on_lingering(struct session *s)
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
    session_go_on_lingering(s);
}

/* The client is gone; what it had sent in full still goes to the backend. */
void session_client_gone(struct session *s, enum end_reason why)
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

void session_backend_gone(struct session *s)
{
    if (s->state == SS_LINGER) {
        session_drop_backend(s);
        session_go_on_lingering(s);
    } else if (s->state == SS_WS) {
        ws_backend_ended(s);
    } else if (s->xmpp) {
        xmpp_backend_ended(s);
    } else {
        http_backend_ended(s);
    }
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
    struct host host = addr_host(peer);
    if (!by_proxy && !gate_admit_address(w->gate, snap->conf, &host)) {
        counter_add(&w->count.sessions_refused, 1);
        gate_leave(w->gate);
        close(fd);
        return;
    }
    struct session *s = xcalloc(1, sizeof(*s));
    s->w = w;
    s->entry = entry_ref(snap->entry[entry]);
    s->server = -1;
    s->peer = s->admitted = host;
    s->is_addr_counted = !by_proxy; /* else its header tells whom to count */
    w->now_ms = s->started_ms = clock_tick_ms();
    s->id = worker_put_session(w, s);
    conn_init(&s->client, &session_client_handlers);
    conn_init(&s->backend, &session_backend_handlers);
    counter_add(&w->count.sessions, 1);
    session_set_deadline(s, snap->conf->timeouts.handshake_ms);
    bool tls_first = !by_proxy && s->entry->tls && !session_is_xmpp(s); /* an XMPP client may ask for it later */
    s->state = by_proxy || session_is_xmpp(s) ? SS_PROXY : tls_first ? SS_HANDSHAKE : SS_HEAD;
    struct err e;
    if (conn_adopt(&s->client, loop_base(w->loop), fd, tls_first ? s->entry->tls : NULL, &e) < 0)
        session_end(s, END_CLIENT_ERROR);
    else if (!by_proxy && session_is_xmpp(s))
        session_begin(s);
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

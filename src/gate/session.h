/* A session: one client connection and the backend connection made for it. HTTP first (http_relay.c); after a WebSocket
 * handshake frames both ways (ws_out.c inspects, ws_in.c observes).
 *
 *   client ◀── conn client ──┐   cin: bytes that wait for the rest of a unit      ┌── conn backend ──▶ IM server
 *                            └──────────────── struct session ───────────────────┘   bin: the same                */
#pragma once

#include "gate/worker.h"
#include "net/conn.h"
#include "proto/http.h"
#include "proto/ws.h"

#define SESSION_STATES(X)                                                                                              \
    X(SS_PROXY, "proxy")         /* a PROXY header is awaited */                                                       \
    X(SS_HANDSHAKE, "handshake") /* the client's TLS handshake is awaited */                                           \
    X(SS_HEAD, "head")           /* a request head is awaited */                                                       \
    X(SS_CONNECT, "connect")     /* the backend connection is awaited; the head waits in `pending` */                  \
    X(SS_RELAY, "relay")         /* request body and response go through */                                            \
    X(SS_WS, "websocket")        /* frames both ways */                                                                \
    X(SS_XMPP_OPEN, "xmpp_open") /* the client's stream header, or its STARTTLS, is awaited */                         \
    X(SS_XMPP, "xmpp")           /* XMPP streams both ways */                                                          \
    X(SS_LINGER, "linger")       /* the last bytes go out to both sides, what still comes is thrown away */            \
    X(SS_DEAD, "dead")           /* ended; freed at the end of the turn */

enum session_state {
#define X(id, name) id,
    SESSION_STATES(X)
#undef X
};

/* Why a session ended: one closing line and one counter label each. */
#define END_REASONS(X)                                                                                                 \
    X(END_CLIENT_CLOSED, "client_closed")                                                                              \
    X(END_BACKEND_CLOSED, "backend_closed")                                                                            \
    X(END_DONE, "done")                                                                                                \
    X(END_CLIENT_ERROR, "client_error")                                                                                \
    X(END_BACKEND_ERROR, "backend_error")                                                                              \
    X(END_TIMEOUT, "timeout")                                                                                          \
    X(END_PROTOCOL, "protocol_error")                                                                                  \
    X(END_LIMIT, "limit")                                                                                              \
    X(END_DRAIN, "drain")

enum end_reason {
#define X(id, name) id,
    END_REASONS(X)
#undef X
        END_REASON_COUNT
};

/* One exchange of the HTTP phase. */
struct exchange {
    struct buf pending; /* the request head (and early body) until the backend is connected */
    struct http_body req, res;
    bool req_done, res_head_done, res_done;
    bool keep_client, keep_backend;
    bool may_retry;    /* sent over a used connection, safe to send again: `pending` is kept until the answer begins */
    bool is_old;       /* HTTP/1.0: no interim answers */
    bool is_head;      /* HEAD: the answer has no body */
    bool is_websocket; /* asks for an upgrade on a chat socket */
    bool has_answer_begun;
    int64_t body_until_ms; /* a body that trickles in more slowly than this is given up */
    int ws;                /* index of the profile's socket */
    uint8_t ws_opcode;
    uint64_t tried;   /* servers that did not answer, bits */
    struct buf query; /* of the handshake's target, for the profile */
};

/* The WebSocket phase. */
struct ws {
    struct profile_conn pc;
    uint8_t opcode;                     /* what carries messages here */
    bool client_closed, backend_closed; /* a close frame came from there */
    /* out: fragments of an unfinished client message */
    struct buf frag_wire, frag_plain;
    uint8_t frag_opcode;
    bool frag_open;
    /* in: the backend frame being relayed */
    uint64_t in_left; /* payload bytes still to come */
    bool in_open;     /* between the fragments of a message */
    bool in_watch;    /* the current message is being copied */
    bool in_is_control;
    bool is_walking_in; /* ws_from_backend is at work: what it passed may not be out yet */
    struct buf in_copy;
    struct buf inject; /* whole frames that wait for a gap between the backend's messages */
};

struct session {
    struct conn client, backend;
    struct worker *w;
    struct session *prev, *next;
    uint64_t id;
    struct entry *entry;
    int server; /* of the upstream; -1: none chosen */
    uint8_t state;
    bool is_addr_counted; /* `admitted` holds a place under limits.connections_per_address */
    bool client_eof, is_throttled;
    uint8_t end_why;
    struct host peer;     /* the client's address (by PROXY header where there is one) */
    struct host admitted; /* the address that the limits counted */
    struct buf cin, bin;
    size_t stuck_bytes;  /* queued on both sides when the deadline was set: fewer at the deadline is progress */
    struct exchange *x;  /* HTTP phase */
    struct ws *ws;       /* WebSocket phase */
    struct xmpp *xmpp;   /* XMPP, over TCP or WebSocket (xmpp.h) */
    bool is_seated;      /* the agent is in the node table */
    struct buf unsent;   /* messages recorded as delivered whose bytes still wait in our queue */
    uint64_t sent_bytes; /* handed to the backend's conn in the WebSocket or XMPP phase */
    /* rate limits: what went through in the current second */
    int64_t second;
    uint32_t second_messages, second_bytes;
    int64_t started_ms, deadline_ms; /* monotonic; 0: no deadline */
    uint64_t requests, messages_out, messages_in, blocked, rewritten, warned;
};

/* session.c, session_client.c, session_backend.c */
void session_accept(struct worker *w, size_t entry, int fd, const struct addr *peer);
/* Closes both sides now, writes the closing line; the memory goes at the end of the turn. Safe to call twice. */
void session_end(struct session *s, enum end_reason why);
/* Takes nothing new from either side; what is queued goes out as long as the peers take it, then both are closed. */
void session_linger(struct session *s, enum end_reason why);
/* One setter: traces, and refuses moves that are not in its table. */
void session_set_state(struct session *s, enum session_state to);
/* Whether more of the client's bytes may be used: there is room for what they cause, on both sides. */
bool session_client_may_send(const struct session *s);
/* Sends on, with back-pressure: when much is queued, the other side is not read any more. */
void session_to_client(struct session *s, const void *p, size_t n);
void session_to_backend(struct session *s, const void *p, size_t n);
/* What the client had sent and could not be used yet is looked at again (after a state change). */
void session_feed_client(struct session *s);
/* Connects to the next server of the upstream, or answers 502/503. */
void session_connect_backend(struct session *s);
void session_set_deadline(struct session *s, int64_t ms);
/* Called by the worker's sweep. */
void session_check_deadline(struct session *s, int64_t now_ms);
/* Ends politely: HTTP between exchanges at once, WebSocket with a close frame. False: it goes on for now (an exchange
 * is under way). */
bool session_drain(struct session *s);
/* Closes the backend connection; messages that never left our queue are given back. */
void session_drop_backend(struct session *s);
/* The agent's id; empty while it is not known. */
struct span session_agent(const struct session *s);
/* The agent is known now: into the node table, once. */
void session_seat(struct session *s);
/* A notice in a conversation; false: this client cannot show one. */
bool session_notice(struct session *s, struct span conv, struct span text);
/* Counts a message; true when the second's share is used up: reading stops until the sweep. */
bool session_is_over_rate(struct session *s, uint64_t bytes);

/* http_relay.c: each returns how many bytes it used. */
size_t http_from_client(struct session *s, struct span in);
size_t http_from_backend(struct session *s, struct span in);
void exchange_free(struct session *s);
void http_backend_open(struct session *s);
void http_backend_ended(struct session *s);
/* Answers the client locally and ends: status, JSON {"error":…}. */
void http_answer(struct session *s, int status, const char *why);

/* ws_out.c, ws_in.c */
void ws_start(struct session *s, struct span query);
void ws_free(struct ws **ws);
size_t ws_from_client(struct session *s, struct span in);
size_t ws_from_backend(struct session *s, struct span in);
/* The idle time begins anew; after a close frame of either side it is short and not extended. */
void ws_set_deadline(struct session *s);
void ws_set_deadline_closing(struct session *s);
/* A close frame to the client (and one to the backend), then the end. */
void ws_close(struct session *s, int code, const char *reason, enum end_reason why);
/* A whole frame for the client, as soon as no message of the backend is under way. */
void ws_inject(struct session *s, uint8_t opcode, struct span payload);
/* Would such a frame go out at once, behind all that the backend has sent? */
bool ws_may_inject(const struct session *s);
/* Whole messages as profile_refuse and profile_notice make them. */
void ws_inject_all(struct session *s, const struct buf *payloads, const size_t *len, size_t n);
void ws_backend_ended(struct session *s);
/* So much waits for a gap in the backend's messages that the client has to wait. */
bool ws_is_inject_full(const struct session *s);
bool ws_notice(struct session *s, struct span conv, struct span text);
/* The native refusal of a message that was kept, with another reason. False: the profile has none. */
bool ws_refuse_again(struct session *s, struct span payload, struct span reason);
/* A message of the client's kind that the gateway sends once more: judged, recorded, written. False: refused (the agent
 * knows), or the session has ended. */
bool ws_send_approved(struct session *s, struct span payload);

/* unsent.c: messages that were recorded as delivered but may never leave our queue. */
/* One of which `end` is the position behind its last byte in the stream to the backend. Between unsent_begin and
 * unsent_settle, which keeps it only when the backend is slow. */
void unsent_begin(struct session *s);
void unsent_note(struct session *s, const struct track_event *ev, uint64_t end);
void unsent_settle(struct session *s);
/* Corrects where the messages noted since unsent_mark end, when not the bytes that came were sent. */
size_t unsent_mark(const struct session *s);
void unsent_move(struct session *s, size_t mark, uint64_t end);
/* The backend's connection is gone: their rounds are opened again. */
void unsent_give_back(struct session *s);

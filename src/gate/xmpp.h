/* An XMPP session: two streams, over TCP or inside WebSocket messages (RFC 7395).
 *
 *   client ── out: elements inspected ──▶ server      what is not edited goes on in the very bytes that came
 *   client ◀── in: features, identity, messages ── server
 *
 * Over TCP: SS_XMPP_OPEN (the gateway's own STARTTLS, if the listener has a certificate) ─ SS_CONNECT ─ SS_XMPP. */
#pragma once

#include "gate/session.h"
#include "gate/xmpp_sm.h"
#include "proto/xmpp_stream.h"
#include "proto/xmpp_write.h"

struct xmpp_cuts;
struct xmpp_message;
struct xmpp_rooms;
struct judged;
struct unit;

struct xmpp {
    struct xmpp_stream *out, *in;
    bool is_framed;   /* over WebSocket */
    bool has_greeted; /* the client has a stream header */
    bool waits;       /* the server must answer first: SASL goes step by step */
    bool is_long_in;  /* in the middle of an element that is passed in parts */
    bool wants_restart;
    bool client_ended;          /* it has ended its stream */
    uint8_t upstream;           /* enum xmpp_upstream */
    struct buf jid;             /* full address, once bound */
    struct buf agent;           /* bare address, lower case */
    struct buf domain;          /* that the client wants to talk to */
    struct buf mechanism, user; /* of the login under way */
    struct buf bind_id;         /* of the bind request under way */
    struct buf inject;          /* stanzas that wait for the end of a long element */
    uint64_t tried;             /* servers that did not answer, bits */
    struct xmpp_sm sm;
    struct xmpp_rooms *rooms; /* NULL: none yet */
};

/* Of the connection to the server. */
enum xmpp_upstream {
    XMPP_UP_OPEN,     /* relayed */
    XMPP_UP_FEATURES, /* before STARTTLS: its header and features are awaited */
    XMPP_UP_PROCEED,  /* its <proceed/> */
    XMPP_UP_TLS,      /* the TLS handshake */
};

/* What becomes of an element. */
enum xmpp_fate {
    XMPP_AS_IS,    /* the bytes that came */
    XMPP_NOTHING,  /* nothing of it */
    XMPP_REPLACED, /* the bytes in the worker's `emitted` */
};

/* xmpp_open.c: over TCP, before the server is connected */
void xmpp_begin(struct session *s);
/* The client's first byte begins TLS: the handshake was started, or nothing can be read yet. */
bool xmpp_takes_tls(struct session *s);
size_t xmpp_open_stream(struct session *s, struct span in);
void xmpp_take_header(struct session *s, const struct xmpp_item *item);
void xmpp_backend_open(struct session *s);

/* xmpp_relay.c: the first two return how many bytes they used. */
size_t xmpp_from_client(struct session *s, struct span in);
size_t xmpp_from_backend(struct session *s, struct span in);
/* One line about a stream that is refused; `from` is one of the session's two. */
void xmpp_log_bad(struct session *s, const struct xmpp_stream *from, const struct xmpp_item *item);

/* xmpp_session.c */
void xmpp_backend_ended(struct session *s);
void xmpp_no_backend(struct session *s);
void xmpp_drain(struct session *s);
void xmpp_free(struct xmpp **x);
struct xmpp *xmpp_new(struct session *s, bool is_framed);
/* The gateway's own stream header, for a client that has none of the server. */
void xmpp_greet(struct session *s);
/* What is queued goes out, then both sides are closed. */
void xmpp_linger(struct session *s, enum end_reason why);
/* A stream error for the client and the end. */
void xmpp_fail(struct session *s, const char *condition, enum end_reason why);

/* xmpp_upstream.c: STARTTLS towards the server. */
void xmpp_upstream_begin(struct session *s);
size_t xmpp_upstream_take(struct session *s, struct span in);

/* xmpp_out.c */
enum xmpp_fate xmpp_take_out(struct session *s, const struct xmpp_item *item, uint64_t end);
/* What the rules see of a message; the spans live until the next inspect_reset. */
void xmpp_fill_unit(struct session *s, const struct xmpp_message *m, struct unit *u);

/* xmpp_edit.c */
/* The bare address as servers compare it; lives until the next inspect_reset. */
struct span xmpp_lower_bare(struct worker *w, struct span jid);
/* The element with the cuts made, in `emitted`; as it is when there are none; nothing of it when they cannot be made
 * (`ok` false: one of them was not). Frees the cuts. */
enum xmpp_fate xmpp_carry_out(struct session *s, const struct xmpp_item *item, struct xmpp_cuts *cuts, bool ok);
/* The edited stanza in `emitted`; false: it cannot be made. */
bool xmpp_edit(struct session *s, const struct xmpp_item *item, const struct xmpp_message *m, const struct judged *j);

/* xmpp_shown.c */
enum xmpp_fate xmpp_take_presence(struct session *s, const struct xmpp_item *item);
enum xmpp_fate xmpp_take_request(struct session *s, const struct xmpp_item *item);

/* xmpp_in.c */
enum xmpp_fate xmpp_take_in(struct session *s, const struct xmpp_item *item);

/* xmpp_observe.c */
void xmpp_observe(struct session *s, const struct xmpp_dom *d);

/* xmpp_ws.c: whole messages of a WebSocket. */
enum xmpp_fate xmpp_ws_out(struct session *s, struct span payload, uint64_t end);
enum xmpp_fate xmpp_ws_in(struct session *s, struct span payload);
/* A message of the server's is passed without being looked at; `begin`: its first XMPP_WS_NAME bytes. */
enum { XMPP_WS_NAME = 10 };
void xmpp_ws_pass(struct session *s, struct span begin);

/* xmpp_refuse.c */
/* What takes the place of a refused stanza. */
enum xmpp_fate xmpp_refuse(struct session *s, const struct xmpp_bounce *b, bool wants_answer);
/* The server's answer to a swapped stanza becomes the refusal. */
enum xmpp_fate xmpp_answer(struct session *s, const struct xmpp_dom *d);
/* A stanza of the gateway's own for the client, between two of the server's. */
void xmpp_inject(struct session *s, struct span stanza);
void xmpp_flush_injected(struct session *s);
/* False: this client's stream has no place for it now. */
bool xmpp_notice(struct session *s, struct span conv, struct span text);

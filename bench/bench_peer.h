/* One agent: connects, shakes hands, logs in, then sends and receives WebSocket messages; or, of an http target, sends
 * requests over one connection and receives their answers. */
#pragma once

#include "base/buf.h"
#include "bench_loop.h"
#include "bench_wire.h"
#include "proto/http.h"

/* Where agents connect to and what they say first; shared by all agents of a target. */
struct peer_target {
    struct url url;
    struct wire_tls *tls; /* for wss */
    const char *origin;   /* Origin header, or NULL */
    const char *login;    /* template, or NULL: none */
    const char *login_ok; /* part of the answer that ends the login */
    long first_agent;     /* number of the first agent */
    bool post;            /* http: the message is the body of a POST; else a GET without one */
};

enum peer_state {
    PEER_NONE,       /* not connected */
    PEER_CONNECTING, /* http: TCP's answer */
    PEER_TLS,        /* the TLS handshake */
    PEER_UPGRADING,  /* 101 */
    PEER_LOGIN,      /* the login's answer */
    PEER_OPEN,       /* messages */
    PEER_CLOSING,    /* the close frame's answer, or the end */
};

struct peer;
struct peer_calls {
    void (*on_open)(struct peer *p);
    /* A whole text or binary message, or an answer without its body (`status` tells); may send, must not end the peer.
     */
    void (*on_message)(struct peer *p, struct span payload);
    /* The connection ended (also after peer_close); `why` is never NULL. */
    void (*on_end)(struct peer *p, const char *why);
};

struct peer {
    struct source src;
    struct wire wire;
    struct loop *loop;
    const struct peer_target *target;
    const struct peer_calls *calls;
    void *owner;
    unsigned index;
    enum peer_state state;
    bool has_failed;           /* is to end at the next safe moment */
    int error;                 /* the errno of that, or 0 */
    struct buf in, out, parts; /* unparsed, unsent, fragments of a message */
    char key[25];
    int status; /* of the last answer */
    bool is_in_body;
    struct http_body body;
};

/* The backend refuses nothing, so an answer with the word is the gateway's. Chat text cannot hold it: there its
 * quotation marks are escaped. */
bool peer_is_refused(const struct peer *p, struct span payload);
/* Starts. Failures are reported by on_end, which may be called before this returns. */
void peer_start(struct peer *p, struct loop *l, const struct peer_target *t, const struct peer_calls *calls,
                unsigned index, void *owner);
/* Sends a text message, or a request. */
void peer_send(struct peer *p, struct span text);
/* Sends a close frame; on_end follows. */
void peer_close(struct peer *p);
/* Ends at once, without a call; with `reset` by RST, which leaves no port in TIME_WAIT. */
void peer_abort(struct peer *p, bool reset);

/* What the files of the XMPP backend share: bench_xmpp_backend.c has the connections, bench_xmpp_route.c what is said
 * on them. */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "bench_xmpp_backend.h"
#include "proto/xmpp_stream.h"

enum xmpp_conn_state {
    XC_LOGIN, /* SASL is awaited */
    XC_BIND,  /* has a user; its resource is awaited */
    XC_OPEN,  /* has an address */
    XC_LAST,  /* the last bytes have to go out, then it is over */
};

struct xmpp_conn {
    struct source src;
    struct xmpp_backend *backend;
    struct xmpp_conn *next, *prev;
    struct xmpp_conn *next_unsent; /* in the backend's list while is_unsent */
    struct xmpp_conn *waits_for;   /* it sends to this one, which has too much to read: nothing more is taken */
    enum xmpp_conn_state state;
    bool is_unsent;
    struct xmpp_stream *stream;
    struct buf in, out;          /* unparsed, not yet written */
    struct buf domain;           /* that the client wants to talk to */
    struct buf bare, full, from; /* addresses; from: the attribute as it stands in what others get */
};

struct xmpp_backend {
    struct source src;
    struct loop *loop;
    struct xmpp_conn *head, *unsent;
    struct map by_full, by_bare; /* struct xmpp_conn; of several with one bare address the one that came last */
    struct xmpp_pool pool;
    struct buf key, space; /* scratch */
    struct xmpp_backend_counts counts;
    bool is_paused; /* out of descriptors */
};

/* --- bench_xmpp_backend.c --- */

enum { XMPP_BACKLOG_BYTES = 1 << 20 };

/* Where to append what the connection is to get; it goes out at the end of the turn. */
struct buf *xmpp_conn_out(struct xmpp_conn *c);

/* --- bench_xmpp_route.c --- */

/* What a client has sent. */
void xmpp_route(struct xmpp_conn *c, enum xmpp_got got, const struct xmpp_item *item);
/* Its addresses are nobody's any more. */
void xmpp_route_forget(struct xmpp_conn *c);

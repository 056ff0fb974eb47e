/* An XMPP client of the load: connects, logs in with PLAIN, binds a resource, then sends what it is given and hands on
 * whole messages. It looks for what it needs in the bytes and parses nothing: the servers are what is measured. */
#pragma once

#include "base/buf.h"
#include "bench_loop.h"
#include "bench_wire.h"

struct xmpp_account {
    const char *domain, *password, *resource;
    char user[32];
};

struct xmpp_peer;
struct xmpp_peer_calls {
    /* A message, from behind what came before it to behind its end tag; once it is open. */
    void (*on_message)(struct xmpp_peer *p, struct span stanza);
    /* Gone, at any time; `why` ends in what the server said last. The peer is left to the caller. */
    void (*on_end)(struct xmpp_peer *p, const char *why);
};

struct xmpp_peer {
    struct source src;
    struct loop *loop;
    const struct xmpp_peer_calls *calls;
    struct xmpp_account account;
    unsigned step; /* of the login */
    bool is_open, has_ended;
    int64_t read_ns; /* when the last bytes were read */
    struct buf in, out;
};

/* Starts; -1 with err. The peer is zeroed but for its account. */
int xmpp_peer_start(struct xmpp_peer *p, struct loop *l, const struct endpoint *to, const struct xmpp_peer_calls *calls,
                    struct err *e) MUST_CHECK;
/* Sends what stands in `out`. */
void xmpp_peer_flush(struct xmpp_peer *p);
void xmpp_peer_fini(struct xmpp_peer *p);

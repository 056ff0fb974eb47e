/* An XMPP backend that needs nothing else, to measure what stands before it: streams (RFC 6120), SASL PLAIN with any
 * name and any password, resource binding, pings, and stanzas delivered by their address to whoever is connected. No
 * TLS, no presence, no roster, no store, no stream management. Elements go on in the bytes that came, with the sender's
 * address as their `from`. */
#pragma once

#include "bench_loop.h"
#include "bench_wire.h"

struct xmpp_backend;
/* Listens and serves from the loop; NULL with err. */
struct xmpp_backend *xmpp_backend_start(struct loop *l, const struct endpoint *at, struct err *e);
void xmpp_backend_stop(struct xmpp_backend **b);
/* Counted since the start. */
struct xmpp_backend_counts {
    uint64_t accepted, delivered, returned;
};
struct xmpp_backend_counts xmpp_backend_counts(const struct xmpp_backend *b);

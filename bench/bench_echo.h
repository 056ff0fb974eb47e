/* A backend that needs nothing else: answers the WebSocket handshake on any path, `{"type":"auth",…}` with
 * `{"type":"auth_ok",…}`, every other text or binary message with its own payload, unmasked; other HTTP requests with a
 * small page. */
#pragma once

#include "bench_loop.h"
#include "bench_wire.h"

struct echo;
/* Listens and serves from the loop; NULL with err. */
struct echo *echo_start(struct loop *l, const struct endpoint *at, struct err *e);
void echo_stop(struct echo **s);
/* Counted since the start. */
struct echo_counts {
    uint64_t accepted, messages, open;
};
struct echo_counts echo_counts(const struct echo *s);

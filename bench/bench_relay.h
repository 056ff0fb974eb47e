/* The plainest relay there is: every connection is joined to one of the backend, bytes go both ways, nothing is looked
 * at. It shows what any gateway costs at least on the machine at hand. */
#pragma once

#include "bench_loop.h"
#include "bench_wire.h"

struct relay;
/* Listens and relays to `to` from the loop; NULL with err. */
struct relay *relay_start(struct loop *l, const struct endpoint *at, const struct endpoint *to, struct err *e);
void relay_stop(struct relay **r);

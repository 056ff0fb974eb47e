/* Names to addresses without blocking the loop: getaddrinfo(3), which may wait for a name server for half a minute,
 * runs in one of a few threads of its own. */
#pragma once

#include "net/addr.h"
#include "net/loop.h"

enum { RESOLVE_ADDRS_MAX = 8 };

struct resolve;

/* n > 0: the addresses, best first, with the port. n == 0: `why` tells what is wrong. Valid during the call. */
typedef void (*resolve_fn)(void *ctx, const struct addr *list, size_t n, const char *why);

/* Starts a look-up of a name or a numeric address; fn is called once in the loop's thread, never before this returns,
 * unless it is cancelled. Call in the loop's thread. */
struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, resolve_fn fn, void *ctx);
/* fn is not called any more; sets the pointer to NULL. Needless inside of fn and behind it: the look-up is gone then.
 * Whoever frees the loop cancels first. NULL is fine. */
void resolve_cancel(struct resolve **r);

/* A numeric address, without any waiting. False: it is a name. */
bool resolve_numeric(const char *host, uint16_t port, struct addr *out) MUST_CHECK;

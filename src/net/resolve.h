/* Names to addresses without blocking the loop: getaddrinfo(3), which may wait for a name server for half a minute,
 * runs in one of a few threads of its own. */
#pragma once

#include "net/addr.h"
#include "net/loop.h"

enum { RESOLVE_ADDRS_MAX = 8, RESOLVE_WHY_MAX = 160 };

struct resolve;

/* n > 0: the addresses, best first, with the port. n == 0: `why` tells what is wrong. Valid during the call. */
typedef void (*resolve_fn)(void *ctx, const struct addr *list, size_t n, const char *why);

/* Starts a look-up of a name or a numeric address; fn is called once in the loop's thread, never before this returns,
 * unless it is cancelled. Call in the loop's thread. */
struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, resolve_fn fn, void *ctx);
/* fn is not called any more; sets the pointer to NULL. Needless inside of fn and behind it: the look-up is gone then.
 * Whoever frees the loop cancels first. NULL is fine. */
void resolve_cancel(struct resolve **r);

/* One of several names looked up together. */
struct resolve_wish {
    const char *host;
    uint16_t port;
    struct addr list[RESOLVE_ADDRS_MAX];
    size_t n; /* 0: not found, or no answer in time; why */
    char why[RESOLVE_WHY_MAX];
};
/* Waits until all are answered, but no longer than that: for start and reload. What comes later is dropped. */
void resolve_within(struct resolve_wish *wish, size_t n, int64_t limit_ms);

/* A numeric address, without any waiting. False: it is a name. */
bool resolve_numeric(const char *host, uint16_t port, struct addr *out) MUST_CHECK;

/* Accepting connections on one listening socket in one loop. */
#pragma once

#include "net/addr.h"
#include "net/loop.h"

struct listener;

/* Called for each accepted socket (non-blocking, close-on-exec); the callee owns it. */
typedef void (*listen_fn)(void *ctx, int fd, const struct addr *peer);

/* A listening socket for an address: with reuse_port each worker has its own (SO_REUSEPORT). */
int listen_socket(const struct addr *a, bool reuse_port, struct err *e) MUST_CHECK;
/* Takes over fd (dup it before for shared, inherited sockets). At most 64 connections are accepted per turn. When
 * descriptors run out, accepting pauses and is tried again every 200 ms; the waiting clients stay in the kernel's
 * queue. */
struct listener *listener_new(struct loop *l, int fd, listen_fn fn, void *ctx);
/* Asked before each accept: while it answers false, clients wait in the kernel's queue and are looked at every 200 ms.
 */
typedef bool (*listen_room_fn)(void *ctx);
void listener_set_room(struct listener *l, listen_room_fn has_room);
/* While paused nothing is accepted. */
void listener_pause(struct listener *l, bool paused);
void listener_free(struct listener **l);

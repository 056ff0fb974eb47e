/* The servers of one upstream: which one a new session goes to, and whether it is well. Shared by all threads (atomics
 * inside). Names are looked up by upstream_resolve and then by the checks, at every one while a server is down and once
 * a minute while it is well, in threads of their own; never on the message path. Of several addresses of a name the
 * next one is tried after every failed check. */
#pragma once

#include "net/addr.h"
#include "net/loop.h"
#include "net/tls.h"

struct upstream;

/* NULL and err when the TLS files are unusable. One reference. Servers with a name have no address yet and are not
 * picked. */
struct upstream *upstream_new(const struct conf_upstream *c, struct err *e);
/* Looks up the names that have no address, of all upstreams together that are not in `old` as well (those do it
 * themselves), for at most so long. A server whose name was not found takes the address that it has in one of `old`,
 * where there is one; else it is down until a check finds it. Any thread, before others know the new ones. */
void upstream_resolve(struct upstream *const *u, size_t n, struct upstream *const *old, size_t n_old, int64_t limit_ms);
struct upstream *upstream_ref(struct upstream *u);
void upstream_unref(struct upstream **u);
/* Starts checking in this loop (control thread); a server is down after `fall` failed TCP connects in a row, up after
 * `rise` good ones. The checks hold a reference until upstream_stop_checks. */
void upstream_start_checks(struct upstream *u, struct loop *l);
void upstream_stop_checks(struct upstream *u);

const char *upstream_name(const struct upstream *u);
size_t upstream_count(const struct upstream *u);
/* The well server with the fewest sessions that is not in `tried` (bits); when none is well, any that was not tried and
 * has an address; -1 when there is none. Counts a session until upstream_done. */
int upstream_pick(struct upstream *u, uint64_t tried);
void upstream_done(struct upstream *u, int server);
/* A session saw that the server does not answer: counted like a failed check. */
void upstream_report_failure(struct upstream *u, int server);
struct addr upstream_addr(struct upstream *u, int server);
/* TLS context (NULL: plain) and the name to verify. */
struct tls_client *upstream_tls(const struct upstream *u);
const char *upstream_server_name(const struct upstream *u, int server);

struct upstream_state {
    const char *server;
    bool is_up;
    unsigned sessions;
    uint64_t failures;
};
struct upstream_state upstream_get_state(const struct upstream *u, size_t server);
bool upstream_is_any_up(const struct upstream *u);

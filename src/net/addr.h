/* Socket addresses. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "conf/conf.h"

union addr_any {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

struct addr {
    union addr_any any;
    socklen_t len;
};

enum { ADDR_TEXT_MAX = 128 };

/* What is kept of a peer's address: the host, without the port. */
struct host {
    uint8_t addr[16]; /* IPv4 mapped; zeros for a Unix socket */
    bool is_unix;
};

/* Resolves a configured address, blocking for names: at start and reload only; net/resolve.h else. */
int addr_resolve(const struct conf_addr *from, bool is_passive, struct addr *out, struct err *e) MUST_CHECK;
/* "127.0.0.1", "::1", "unix". Without the port. */
const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT_MAX]);
struct host addr_host(const struct addr *a);
const char *host_text(const struct host *h, char out[ADDR_TEXT_MAX]);
/* Small messages leave at once. What a listening socket accepts inherits it; a Unix socket refuses, which is fine. */
void addr_set_no_delay(int fd);
/* Before connect: the last packet of its handshake goes out with the first bytes, which must follow soon. */
void addr_set_late_ack(int fd);
bool addr_is_same(const struct addr *a, const struct addr *b);
bool addr_in_cidr(const struct addr *a, const struct conf_cidr *list, size_t n);

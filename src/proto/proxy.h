/* PROXY protocol headers, version 1 and 2 (haproxy doc/proxy-protocol.txt): the client's address as a balancer saw it.
 */
#pragma once

#include "base/span.h"

enum { PROXY_HEADER_MAX = 536 };

struct proxy_header {
    bool has_address; /* false: LOCAL or UNKNOWN, the connection's own address stands */
    bool is_v6;
    uint8_t addr[16]; /* 4 or 16 bytes */
    uint16_t port;
    size_t header_bytes;
};

/* Reads a header from the front of `in`. BAD: not a PROXY header. */
enum parse proxy_parse(struct span in, struct proxy_header *out);

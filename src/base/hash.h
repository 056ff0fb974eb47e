/* Hashes: keyed for tables that peers can fill, checksums for files. */
#pragma once

#include "base/span.h"

/* SipHash-1-3 (Aumasson, Bernstein 2012) with a key drawn once per process: order of tables cannot be forced by a peer.
 */
uint64_t hash_keyed(struct span s);
/* FNV-1a, 64 bit: the same in every process, for shard numbers and content identifiers. Not for tables peers fill. */
uint64_t hash_stable(struct span s);
/* CRC-32C (Castagnoli, RFC 3720 B.4); start with crc = 0 and feed pieces one after the other. */
uint32_t hash_crc32c(uint32_t crc, struct span s);

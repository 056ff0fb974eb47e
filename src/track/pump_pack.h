/* Records of one shard as the script `apply` takes them: frames one behind the other, each 6 bytes number, 2 bytes
 * length, the encoded event (numbers big-endian); and the conversations whose state it will want, each once. Some are
 * read with one command then, and the script reads the others as it meets them. */
#pragma once

#include "base/buf.h"

enum { PACK_MAX = 256, PACK_SLOTS = 1024 };

struct pack {
    struct buf frames;
    size_t n, n_convs;
    struct span conv[PACK_MAX]; /* into the records */
    uint16_t slot[PACK_SLOTS];  /* hash to conversation + 1 */
};

/* Keeps the memory. */
void pack_reset(struct pack *p);
void pack_fini(struct pack *p);
/* At most PACK_MAX times. The record is copied, its time moved to Redis's clock (event_shift); it must stay until the
 * pack was sent. What is longer than any event goes as an empty record. */
void pack_add(struct pack *p, int64_t number, struct span record, int64_t offset_ms);

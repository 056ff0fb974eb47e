/* How a ring lies in its file; shared by ring.c (appending, reading) and ring_file.c (opening, recovery). */
#pragma once

#include <stdatomic.h>

#include "track/ring.h"

#define RING_MAGIC "cgring1\n"
enum { RING_PAGE = 4096, RING_ALIGN = 8, RECORD_HEAD = 40 };

/* What never changes, with a checksum of its own. */
struct ring_fixed {
    char magic[8]; /* written last: a file without it was never used */
    uint32_t version, n_shards;
    uint64_t head_bytes, capacity;
    uint64_t salt; /* of the records' checksums: nothing inside a payload can pass for a record of this file */
    int64_t created_ms;
    uint32_t crc;
};

/* Each counter has one writer and a cache line of its own. */
struct ring_counters {
    _Alignas(64) _Atomic uint64_t head;   /* writer: end of the last whole record */
    _Atomic uint64_t lost, owed;          /* writer: refused events; those not yet told by a gap event */
    _Atomic uint64_t gaps;                /* writer: gap events */
    _Alignas(64) _Atomic uint64_t tail;   /* reader */
    _Atomic uint64_t confirmed;           /* reader */
    _Alignas(64) _Atomic uint32_t active; /* reader: which of the two identities holds */
};

struct ring_identity {
    char id[RING_ID_LEN];
    uint64_t inode; /* of the file that the id was drawn for: a copy must not count under the same name */
    uint64_t base[];
};

enum record_kind { RECORD_EVENT = 1, RECORD_FILLER = 2 };

/* A filler's checksum covers its head alone. Where fewer than RECORD_HEAD bytes are left before the end of the space,
 * nothing is written and both sides go on at its start. */
struct record {
    uint32_t crc; /* over all that follows, with the padding to RING_ALIGN */
    uint32_t len; /* payload bytes */
    uint64_t pos; /* its own position: an old record at this place is not taken for a new one */
    uint64_t seq;
    int64_t at_ms;
    uint16_t shard, kind;
    uint32_t zero;
    uint8_t payload[];
};
_Static_assert(sizeof(struct record) == RECORD_HEAD, "record layout");
_Static_assert(sizeof(struct ring_fixed) <= 256, "fixed head");

struct ring {
    uint8_t *map, *space;
    size_t map_bytes;
    struct ring_fixed *fixed;
    struct ring_counters *count;
    _Atomic uint64_t *next_seq;
    struct ring_identity *identity[2];
    /* the writer's own */
    uint64_t head, tail_seen;
    /* constant while open */
    uint64_t capacity;
    unsigned n_shards;
    uint32_t crc_seed;
    uint64_t damaged_bytes;
    int64_t keep_ms;
    int fd;
    uint64_t inode;
    char *path;
    char id[RING_ID_LEN + 1]; /* reader: the active identity's */
};

enum { RING_VERSION = 1 };
#define RING_SIZE_MAX ((uint64_t)64 << 30)

/* Bytes before the records. */
static inline uint64_t ring_head_bytes(unsigned n_shards)
{
    uint64_t n = RING_PAGE + 8ull * n_shards + 2 * (sizeof(struct ring_identity) + 8ull * n_shards);
    return (n + RING_PAGE - 1) & ~(uint64_t)(RING_PAGE - 1);
}
/* Is this the fixed head of a ring that can be read? `path` is for the error. */
int ring_check_fixed(const struct ring_fixed *f, ssize_t n, const char *path, struct err *e) MUST_CHECK;

static inline size_t record_size(size_t len)
{
    return (RECORD_HEAD + len + RING_ALIGN - 1) & ~(size_t)(RING_ALIGN - 1);
}

static inline struct record *record_at(const struct ring *r, uint64_t pos)
{
    return (struct record *)(r->space + pos % r->capacity);
}

uint32_t record_crc(const struct ring *r, const struct record *rec);
/* Makes n bytes at pos (within the space's end, at least RECORD_HEAD) one filler. */
void record_write_filler(struct ring *r, uint64_t pos, size_t n);

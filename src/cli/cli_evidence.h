/* chatgate cases export, chatgate cases verify (docs/evidence.md). */
#pragma once

#include "base/buf.h"
#include "track/redis.h"

int evidence_export(int argc, char **argv);
int evidence_heads(int argc, char **argv);
int evidence_verify(int argc, char **argv);

/* What an export holds, for the file and for the page. */
struct evidence_case {
    const char *id;
    struct redis_reply *of;     /* answer of `read case`: time, case, history rows */
    struct redis_reply **entry; /* rows of lua/said.lua */
    size_t n_entries;
    struct redis_reply **seal; /* {seal, signature} */
    size_t n_seals;
    uint64_t from, to; /* numbers of the first and last entry; 0: none */
    uint64_t newest;   /* number of the newest entry that the store had */
    int64_t exported_ms;
    const char *by, *key_id;
};
/* The readable page; `digest` is the SHA-256 of the evidence file. */
void evidence_write_page(struct buf *out, const struct evidence_case *c, const char *digest);

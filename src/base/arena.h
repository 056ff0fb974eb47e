/* Bump allocation: many small objects, freed together. */
#pragma once

#include "base/span.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head; /* newest chunk first */
    size_t used_bytes;        /* handed out since the last reset */
};

/* Zeroed memory, aligned for any object; never fails. */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull));
/* A copy with a NUL behind it. */
char *arena_strdup(struct arena *a, struct span s) __attribute__((returns_nonnull));
/* Forgets all objects, keeps the largest chunk for reuse. */
void arena_reset(struct arena *a);
void arena_fini(struct arena *a);

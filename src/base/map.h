/* Hash table from byte strings to pointers: open addressing, keyed hash, keys copied. Not locked. */
#pragma once

#include "base/span.h"

struct map_slot;

struct map {
    struct map_slot *slot;
    size_t cap, len; /* cap is 0 or a power of two */
};

/* The value, or NULL. */
void *map_get(const struct map *m, struct span key);
/* Sets the value (not NULL); returns the value that was there before, or NULL. */
void *map_put(struct map *m, struct span key, void *value);
/* Removes the key; returns its value, or NULL. */
void *map_del(struct map *m, struct span key);
/* Walks all entries in no particular order: start with *pos = 0, false at the end. The map must not change meanwhile.
 */
bool map_next(const struct map *m, size_t *pos, struct span *key, void **value);
/* Frees the table, not the values. */
void map_fini(struct map *m);

/* Sorting without memory (inside of src/rule): qsort of the C library allocates, which the message path must not. */
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { SORT_ITEM_BYTES_MAX = 128 };

/* Shell's sort with Ciura's gaps; fast on what is nearly sorted. Not stable. */
static inline void sort_in_place(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    static const uint16_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    uint8_t *base = items, held[SORT_ITEM_BYTES_MAX];
    assert(size <= sizeof(held));
    if (n < 2)
        return;
    for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++)
        for (size_t i = gaps[g]; i < n; i++) {
            size_t k = i;
            if (compare(base + (i - gaps[g]) * size, base + i * size) <= 0)
                continue;
            memcpy(held, base + i * size, size);
            for (; k >= gaps[g] && compare(base + (k - gaps[g]) * size, held) > 0; k -= gaps[g])
                memcpy(base + k * size, base + (k - gaps[g]) * size, size);
            memcpy(base + k * size, held, size);
        }
}

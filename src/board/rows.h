/* Rows of all shards' answers, sieved and sorted. */
#pragma once

#include "board/model.h"

/* Whether a row is wanted; `ctx` as given. */
typedef bool (*row_fits_fn)(const void *ctx, const struct redis_reply *row);
/* For qsort over `const struct redis_reply *`. */
typedef int (*row_order_fn)(const void *a, const void *b);

/* The rows behind the first item of every shard's answer that fit, in order; the list is freed by the caller, its rows
 * are the gathering's. */
const struct redis_reply **rows_of(const struct gather *g, row_fits_fn fits, const void *ctx, row_order_fn order,
                                   size_t *n);

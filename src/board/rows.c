#include "board/rows.h"

#include <stdlib.h>

#include "base/xalloc.h"

const struct redis_reply **rows_of(const struct gather *g, row_fits_fn fits, const void *ctx, row_order_fn order,
                                   size_t *n)
{
    size_t all = 0;
    *n = 0;
    for (unsigned s = 0; s < g->n; s++)
        all += g->reply[s]->n;
    const struct redis_reply **row = xcalloc(all + 1, sizeof(const struct redis_reply *));
    for (unsigned s = 0; s < g->n; s++)
        for (size_t i = 1; i < g->reply[s]->n; i++)
            if (fits(ctx, redis_item(g->reply[s], i)))
                row[(*n)++] = redis_item(g->reply[s], i);
    qsort(row, *n, sizeof(const struct redis_reply *), order);
    return row;
}

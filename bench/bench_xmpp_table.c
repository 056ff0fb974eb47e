#include "bench_xmpp_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int by_value(const void *a, const void *c)
{
    double x = *(const double *)a, y = *(const double *)c;
    return (x > y) - (x < y);
}

static void print_spread(double *v, unsigned n, int digits)
{
    qsort(v, n, sizeof(*v), by_value);
    printf(" %.*f [%.*f-%.*f] |", digits, v[n / 2], digits, v[0], digits, v[n - 1]);
}

#define COLUMN(expression, digits)                                                                                     \
    do {                                                                                                               \
        double v[XMPP_ROUNDS_MAX];                                                                                     \
        for (unsigned r = 0; r < t->n_rounds; r++)                                                                     \
            v[r] = (expression);                                                                                       \
        print_spread(v, t->n_rounds, digits);                                                                          \
    } while (0)

void xmpp_table_print_open(const struct xmpp_table *t)
{
    const struct figures *ref = t->row[t->reference].open;
    printf(", median of %u rounds [lowest-highest]:\n\n", t->n_rounds);
    printf("| target | p50 us | added to %s | p99 us | CPU us/msg | added | %% sent late | lost |\n",
           t->row[t->reference].name);
    printf("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (const struct xmpp_row *row = t->row; row < t->row + t->n_rows; row++) {
        printf("| %s |", row->name);
        COLUMN(row->open[r].p50_us, 0);
        COLUMN(row->open[r].p50_us - ref[r].p50_us, 0);
        COLUMN(row->open[r].p99_us, 0);
        COLUMN(row->open[r].cpu_us, 1);
        COLUMN(row->open[r].cpu_us - ref[r].cpu_us, 1);
        COLUMN(row->open[r].late, 1);
        COLUMN(row->open[r].lost, 0);
        printf("\n");
    }
    printf("\n");
}

void xmpp_table_print_closed(const struct xmpp_table *t)
{
    const struct figures *ref = t->row[t->reference].closed;
    printf(", median of %u rounds [lowest-highest]:\n\n", t->n_rounds);
    printf("| target | messages/s | ratio to %s | p50 us | CPU us/msg | added | lost | refused | disordered |\n",
           t->row[t->reference].name);
    printf("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (const struct xmpp_row *row = t->row; row < t->row + t->n_rows; row++) {
        printf("| %s |", row->name);
        COLUMN(row->closed[r].per_s, 0);
        COLUMN(row->closed[r].per_s / ref[r].per_s, 2);
        COLUMN(row->closed[r].p50_us, 0);
        COLUMN(row->closed[r].cpu_us, 2);
        COLUMN(row->closed[r].cpu_us - ref[r].cpu_us, 2);
        COLUMN(row->closed[r].lost, 0);
        printf(" %" PRIu64 " | %" PRIu64 " |\n", row->refused, row->disordered);
    }
}

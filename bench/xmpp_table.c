#include "xmpp_table.h"

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
        double v[ROUNDS_MAX];                                                                                          \
        for (unsigned r = 0; r < n_rounds; r++)                                                                        \
            v[r] = (expression);                                                                                       \
        print_spread(v, n_rounds, digits);                                                                             \
    } while (0)

void xmpp_table_print(const struct xmpp_row *rows, unsigned n_rows, unsigned n_rounds)
{
    const struct xmpp_row *first = &rows[0];
    printf("\nAt a fixed rate, median of %u rounds [lowest-highest]:\n\n", n_rounds);
    printf("| target | p50 us | added to %s | p99 us | CPU us/msg | added | %% sent late | lost |\n", first->name);
    printf("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (const struct xmpp_row *t = rows; t < rows + n_rows; t++) {
        printf("| %s |", t->name);
        COLUMN(t->open[r].p50_us, 0);
        COLUMN(t->open[r].p50_us - first->open[r].p50_us, 0);
        COLUMN(t->open[r].p99_us, 0);
        COLUMN(t->open[r].cpu_us, 0);
        COLUMN(t->open[r].cpu_us - first->open[r].cpu_us, 0);
        COLUMN(t->open[r].late, 1);
        COLUMN(t->open[r].lost, 0);
        printf("\n");
    }
    printf("\nWith outstanding messages:\n\n");
    printf("| target | messages/s | ratio to %s | p50 us | CPU us/msg | lost | refused | disordered |\n", first->name);
    printf("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (const struct xmpp_row *t = rows; t < rows + n_rows; t++) {
        printf("| %s |", t->name);
        COLUMN(t->closed[r].per_s, 0);
        COLUMN(t->closed[r].per_s / first->closed[r].per_s, 2);
        COLUMN(t->closed[r].p50_us, 0);
        COLUMN(t->closed[r].cpu_us, 0);
        COLUMN(t->closed[r].lost, 0);
        printf(" %" PRIu64 " | %" PRIu64 " |\n", t->refused, t->disordered);
    }
}

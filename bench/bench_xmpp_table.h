/* What xmpp-load prints. */
#pragma once

#include <stdint.h>

enum { XMPP_ROUNDS_MAX = 21, XMPP_ROWS_MAX = 8 };

struct figures {
    double per_s, p50_us, p99_us, cpu_us, lost, late;
};

/* A target: what each round at a fixed rate (open) and with outstanding messages (closed) gave. */
struct xmpp_row {
    const char *name;
    struct figures open[XMPP_ROUNDS_MAX], closed[XMPP_ROUNDS_MAX];
    uint64_t refused, disordered;
};

/* Medians of the rounds [lowest-highest]; differences and ratios are taken inside a round, to the row `reference`. */
struct xmpp_table {
    const struct xmpp_row *row;
    unsigned n_rows, n_rounds, reference;
};
void xmpp_table_print_open(const struct xmpp_table *t);
void xmpp_table_print_closed(const struct xmpp_table *t);

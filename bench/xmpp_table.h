/* What xmpp_load prints. */
#pragma once

#include <stdint.h>

enum { ROUNDS_MAX = 21 };

struct figures {
    double per_s, p50_us, p99_us, cpu_us, lost, late;
};

/* A target: what each round at a fixed rate (open) and with outstanding messages (closed) gave. */
struct xmpp_row {
    const char *name;
    struct figures open[ROUNDS_MAX], closed[ROUNDS_MAX];
    uint64_t refused, disordered;
};

/* Two tables: medians of the rounds [lowest-highest]; differences and ratios are taken inside a round, to the first
 * row. */
void xmpp_table_print(const struct xmpp_row *rows, unsigned n_rows, unsigned n_rounds);

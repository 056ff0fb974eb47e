/* Results of several targets over several rounds: medians with their range, and ratios taken inside each round. */
#pragma once

#include "base/json_out.h"
#include "bench_target.h"

enum { METRICS_MAX = 24, ROUNDS_MAX = 1000 };

struct metric {
    const char *key;  /* in JSON and CSV, with the unit */
    const char *head; /* in the table */
    int digits;       /* behind the point */
    bool has_ratio;   /* a ratio to the reference means something */
    bool is_fault;    /* shown in the table only when it is not zero everywhere */
};

/* value[(round * n_targets + target) * n_metrics + metric]; NAN: not known. */
struct report {
    const char *command;
    const struct common *common;
    const struct metric *metric;
    size_t n_metrics;
    long rounds; /* that are complete */
    double *value;
    size_t reference; /* target that ratios are taken to */
};

struct report *report_new(const char *command, const struct common *c, const struct metric *m, size_t n, long rounds);
void report_free(struct report **r);
double *report_cell(struct report *r, long round, size_t target);

struct spread {
    double median, min, max;
    size_t n;
};
/* Of one metric over the rounds, itself or as a ratio to the reference of the same round; unknown values left out. */
struct spread report_spread(const struct report *r, size_t target, size_t metric, bool as_ratio);

/* Tables on standard output. */
void report_print(const struct report *r);
/* Files named by --json and --csv; -1: told on standard error. */
int report_write(const struct report *r, int argc, char **argv);

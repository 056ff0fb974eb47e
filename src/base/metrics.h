/* Writing the Prometheus text format (version 0.0.4) into a buffer. Names are given without the prefix "chatgate_". */
#pragma once

#include "base/buf.h"
#include "base/hist.h"

struct metrics_label {
    const char *name;  /* letters, digits, underscore */
    struct span value; /* any bytes: escaped, invalid UTF-8 replaced, cut at METRICS_LABEL_MAX bytes */
};

enum { METRICS_LABEL_MAX = 128 };

/* HELP and TYPE of a family; all its values follow before the next family begins. type: "counter", "gauge",
 * "histogram". */
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);
/* One value. labels may be NULL when n_labels is 0. Whole numbers are printed exactly up to 2^53. */
void metrics_value(struct buf *out, const char *name, const struct metrics_label *labels, size_t n_labels,
                   double value);
/* The _bucket, _sum and _count lines of a histogram. Upper bounds are given in the samples' unit, rising, and printed
 * multiplied by `scale` (1e-6: samples in microseconds, metric in seconds); +Inf is added. A bound counts the histogram
 * buckets that lie wholly at or below it (relative error below 0.8 %). */
void metrics_histogram(struct buf *out, const char *name, const struct metrics_label *labels, size_t n_labels,
                       const struct hist *h, const uint64_t *bound, size_t n_bounds, double scale);

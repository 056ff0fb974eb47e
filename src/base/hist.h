/* Log-linear histogram (as HdrHistogram: 64 linear steps per power of two): values 0 to 2^40, quantiles less than
 * 1.6 % above the true value. Mergeable by adding counts. */
#pragma once

#include "base/attr.h"

enum { HIST_SUB_BITS = 6, HIST_MAX_BITS = 40, HIST_BUCKETS = (HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS };

struct hist {
    uint64_t count, sum, max;
    uint64_t bucket[HIST_BUCKETS];
};

/* By one thread; another may merge from it at any time. */
void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);
/* The value at or below which the fraction q (0 to 1) of all samples lies; 0 when there are none: look at count first.
 */
uint64_t hist_quantile(const struct hist *h, double q);
/* Of n values in order, which one is the quantile: from 1 to n (nearest rank). */
uint64_t hist_rank(uint64_t n, double q);
/* Bucket of a value, and the highest value of a bucket; the same numbers stand in the Redis schema. */
unsigned hist_index(uint64_t value);
uint64_t hist_upper(unsigned index);

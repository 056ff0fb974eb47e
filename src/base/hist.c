#include "base/hist.h"

unsigned hist_index(uint64_t value)
{
    const uint64_t limit = ((uint64_t)1 << HIST_MAX_BITS) - 1;
    if (value > limit)
        value = limit;
    if (value < (1u << HIST_SUB_BITS))
        return (unsigned)value;
    unsigned bits = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = bits - HIST_SUB_BITS;
    return ((shift + 1) << HIST_SUB_BITS) + (unsigned)((value >> shift) & ((1u << HIST_SUB_BITS) - 1));
}

uint64_t hist_upper(unsigned index)
{
    if (index < (1u << HIST_SUB_BITS))
        return index;
    unsigned shift = (index >> HIST_SUB_BITS) - 1;
    uint64_t step = (index & ((1u << HIST_SUB_BITS) - 1)) + (1u << HIST_SUB_BITS);
    return ((step + 1) << shift) - 1;
}

/* One thread writes, others may merge from it meanwhile: whole numbers, no common moment. */
static void add(uint64_t *p, uint64_t n)
{
    __atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static uint64_t get(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

void hist_add(struct hist *h, uint64_t value)
{
    add(&h->bucket[hist_index(value)], 1);
    add(&h->count, 1);
    add(&h->sum, value);
    if (value > get(&h->max))
        __atomic_store_n(&h->max, value, __ATOMIC_RELAXED);
}

void hist_merge(struct hist *into, const struct hist *from)
{
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        into->bucket[i] += get(&from->bucket[i]);
    into->count += get(&from->count);
    into->sum += get(&from->sum);
    into->max = MAX_OF(into->max, get(&from->max));
}

uint64_t hist_rank(uint64_t n, double q)
{
    uint64_t rank = (uint64_t)(q * (double)n + 0.999999); /* up: q of the values are at most the one with this rank */
    return MAX_OF(MIN_OF(rank, n), 1u);
}

uint64_t hist_quantile(const struct hist *h, double q)
{
    uint64_t want = hist_rank(h->count, q), seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= want)
            return MIN_OF(hist_upper(i), h->max);
    }
    return h->max;
}

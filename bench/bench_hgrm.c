#include "bench_hgrm.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { TICKS_PER_HALVING = 5 };

static double us(uint64_t ns)
{
    return (double)ns / 1000;
}

/* So many steps from here to half way to 1, then as many to half of the rest, and so on. */
static double next_percentile(double q)
{
    double halvings = floor(log2(1 / (1 - q))) + 1;
    return q + 1 / (TICKS_PER_HALVING * exp2(halvings));
}

static void put_line(FILE *f, double value, double q, uint64_t count)
{
    if (q < 1)
        fprintf(f, "%12.3f %2.12f %10llu %14.2f\n", value, q, (unsigned long long)count, 1 / (1 - q));
    else
        fprintf(f, "%12.3f %2.12f %10llu\n", value, q, (unsigned long long)count);
}

static void put_percentiles(FILE *f, const struct hist *h)
{
    uint64_t seen = 0;
    double q = 0;
    for (unsigned i = 0; i < HIST_BUCKETS && h->count; i++) {
        seen += h->bucket[i];
        double reached = (double)seen / (double)h->count;
        if (!h->bucket[i])
            continue;
        for (; seen < h->count && q <= reached; q = next_percentile(q))
            put_line(f, us(hist_upper(i)), q, seen);
        if (seen == h->count)
            break;
    }
    put_line(f, us(h->max), 1, h->count);
}

int hgrm_write(const char *dir, const char *name, const struct hist *h)
{
    char path[4096];
    if (mkdir(dir, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "%s: %s\n", dir, strerror(errno));
        return -1;
    }
    snprintf(path, sizeof(path), "%s/%s.hgrm", dir, name);
    FILE *f = fopen(path, "we");
    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    fprintf(f, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    put_percentiles(f, h);
    double mean = h->count ? us(h->sum) / (double)h->count : 0;
    fprintf(f, "#[Mean    = %12.3f, unit           = us]\n#[Max     = %12.3f, Total count    = %12llu]\n", mean,
            us(h->max), (unsigned long long)h->count);
    if (fclose(f) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}

#include "contest.h"

#include <time.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum { COLD_BYTES = 4 << 20, COLD_STRIDE = 16 };

static volatile unsigned sink;

void texts_add(struct texts *t, const char *text, size_t n)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 1024;
        t->text = xrealloc(t->text, t->cap * sizeof(*t->text));
        t->bytes = xrealloc(t->bytes, t->cap * sizeof(*t->bytes));
    }
    t->text[t->n] = xmemdup0(text, n);
    t->bytes[t->n++] = n;
}

void texts_read(struct texts *t, const char *path, size_t max, size_t min_bytes, const char *without)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    if (!f) {
        perror(path);
        exit(2);
    }
    while (t->n < max && getline(&line, &cap, f) > 0) {
        size_t n = strcspn(line, "\r\n#");
        line[n] = '\0';
        if (n >= min_bytes && !strpbrk(line, without) && utf8_is_valid(span_of(line, n)))
            texts_add(t, line, n);
    }
    free(line);
    fclose(f);
}

void texts_fini(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->text[i]);
    free(t->text);
    free(t->bytes);
    *t = (struct texts){0};
}

uint64_t contest_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void walk_cold(void)
{
    static uint8_t cold[COLD_BYTES];
    unsigned sum = 0;
    for (size_t i = 0; i < COLD_BYTES; i += 64)
        sum += cold[i]++;
    sink = sum;
}

static double pass_hot(struct contender *c, size_t n_texts)
{
    size_t step = MAX_OF(c->stride, 1u), n = 0;
    c->hits = 0;
    uint64_t start = contest_now_ns();
    for (size_t i = 0; i < n_texts; i += step, n++)
        c->hits += c->run(c->ctx, i);
    return (double)(contest_now_ns() - start) / (double)n;
}

static double pass_cold(struct contender *c, size_t n_texts)
{
    size_t step = MAX_OF(c->stride, (unsigned)COLD_STRIDE), n = 0;
    uint64_t spent = 0;
    for (size_t i = 0; i < n_texts; i += step, n++) {
        walk_cold();
        uint64_t start = contest_now_ns();
        (void)c->run(c->ctx, i);
        spent += contest_now_ns() - start;
    }
    return (double)spent / (double)n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), by_value);
    return v[n / 2];
}

void contest(struct contender *c, size_t n, size_t n_texts, int rounds)
{
    double(*hot)[CONTEST_ROUNDS_MAX] = xcalloc(n, sizeof(*hot)),
    (*cold)[CONTEST_ROUNDS_MAX] = xcalloc(n, sizeof(*cold));
    rounds = MIN_OF(MAX_OF(rounds, 1), (int)CONTEST_ROUNDS_MAX);
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < n; i++) {
            hot[i][r] = pass_hot(&c[i], n_texts);
            cold[i][r] = pass_cold(&c[i], n_texts);
        }
    for (size_t i = 0; i < n; i++) {
        c[i].hot_ns = median(hot[i], rounds);
        c[i].cold_ns = median(cold[i], rounds);
    }
    free(hot);
    free(cold);
}

void contest_print(struct contender *c, size_t n)
{
    printf("  %-40s %9s %6s %9s %6s %9s %6s %8s %s\n", "", "hot ns", "ratio", "cold ns", "ratio", "build ms", "ratio",
           "KB", "hits");
    for (size_t i = 0; i < n; i++) {
        char kb[24] = "-";
        if (c[i].bytes)
            snprintf(kb, sizeof(kb), "%zu", c[i].bytes / 1024);
        printf("  %-40s %9.0f %6.2f %9.0f %6.2f %9.1f %6.3f %8s %llu%s\n", c[i].name, c[i].hot_ns,
               c[0].hot_ns / c[i].hot_ns, c[i].cold_ns, c[0].cold_ns / c[i].cold_ns, c[i].build_ms,
               c[i].build_ms > 0 ? c[0].build_ms / c[i].build_ms : 0, kb, (unsigned long long)c[i].hits,
               c[i].stride > 1 ? " (of some of the texts)" : "");
        if (c[i].free)
            c[i].free(c[i].ctx);
    }
}

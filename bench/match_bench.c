/* Word matching: the rules' own filter on code points against Hyperscan's literals, on the same texts and words, in
 * alternating rounds of one run. Usage: match_bench TEXTS [ROUNDS]; TEXTS holds one message a line. Words share
 * pieces with the texts, so that prefixes and suffixes are often seen and words seldom. "cold": 4 MB of other memory is
 * walked before each message. */
#include <hs.h>
#include <time.h>

#include "base/map.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/match.h"

enum { LINES_MAX = 4000, CHARS_MAX = 400, COLD_BYTES = 4 << 20, ROUNDS_MAX = 31 };

struct line {
    uint32_t *cp;
    uint32_t n;
    char *text;
    size_t bytes;
};

static struct line *line;
static size_t n_lines;
static uint64_t seed = 88172645463325252u, hits;
static uint8_t *cold;
static volatile unsigned sink;

static uint32_t draw(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % n;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void read_lines(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        perror(path);
        exit(2);
    }
    line = xcalloc(LINES_MAX, sizeof(*line));
    char *buf = NULL;
    size_t cap = 0;
    ssize_t got;
    while (n_lines < LINES_MAX && (got = getline(&buf, &cap, f)) > 0) {
        struct line *l = &line[n_lines];
        uint32_t units[CHARS_MAX];
        *l = (struct line){0};
        for (size_t at = 0; at < (size_t)got && buf[at] != '\n' && l->n < CHARS_MAX;) {
            unsigned k = utf8_decode((const uint8_t *)buf + at, (size_t)got - at, &units[l->n]);
            if (!k)
                break;
            l->n++;
            at += k;
        }
        if (l->n < 6)
            continue;
        l->cp = xmalloc(l->n * sizeof(*l->cp)); /* both forms lie as densely: no side pays for the other's memory */
        memcpy(l->cp, units, l->n * sizeof(*l->cp));
        n_lines++;
    }
    free(buf);
    fclose(f);
    for (size_t i = 0; i < n_lines; i++) {
        uint8_t utf8[CHARS_MAX * 4];
        line[i].bytes = 0;
        for (uint32_t k = 0; k < line[i].n; k++)
            line[i].bytes += utf8_encode(line[i].cp[k], utf8 + line[i].bytes);
        line[i].text = xmemdup0(utf8, line[i].bytes);
    }
}

static uint32_t draw_unit(void)
{
    const struct line *l = &line[draw((uint32_t)n_lines)];
    return l->cp[draw(l->n)];
}

/* 2 to 6 characters; seven of ten share a piece of 2 to 4 with the texts, somewhere in the word; one of 200 is from
 * them as a whole. */
static uint32_t draw_word(uint32_t *unit, uint32_t i)
{
    uint32_t len = 2 + draw(5), piece = 0, at = 0;
    for (uint32_t k = 0; k < len; k++)
        unit[k] = draw_unit();
    if (i % 200 == 0)
        piece = len;
    else if (len > 2 && draw(10) < 7)
        piece = MIN_OF(2 + draw(3), len - 1), at = draw(len - piece + 1);
    const struct line *l = &line[draw((uint32_t)n_lines)];
    if (piece && piece <= l->n)
        memcpy(unit + at, l->cp + draw(l->n - piece + 1), piece * sizeof(*unit));
    return len;
}

static void draw_words(uint32_t (*unit)[6], struct match_word *words, uint32_t n)
{
    struct map known = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = draw_word(unit[i], i);
        if (map_put(&known, span_of(unit[i], len * sizeof(uint32_t)), unit)) { /* Hyperscan reports equal words once */
            i--;
            continue;
        }
        words[i] = (struct match_word){unit[i], len, i};
    }
    map_fini(&known);
}

static int on_own(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    (void)arg, (void)id, (void)from, (void)n;
    hits++;
    return 0;
}

static int on_hs(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
    (void)id, (void)from, (void)to, (void)flags, (void)arg;
    hits++;
    return 0;
}

static hs_database_t *build_hs(const struct match_word *words, uint32_t n)
{
    char **pattern = xcalloc(n, sizeof(char *));
    size_t *length = xcalloc(n, sizeof(size_t));
    unsigned *flags = xcalloc(n, sizeof(unsigned)), *ids = xcalloc(n, sizeof(unsigned));
    for (uint32_t i = 0; i < n; i++) {
        pattern[i] = xcalloc(1, 32);
        for (uint32_t k = 0; k < words[i].n; k++)
            length[i] += utf8_encode(words[i].unit[k], (uint8_t *)pattern[i] + length[i]);
        ids[i] = i;
    }
    hs_database_t *db = NULL;
    hs_compile_error_t *error = NULL;
    if (hs_compile_lit_multi((const char *const *)pattern, flags, ids, length, n, HS_MODE_BLOCK, NULL, &db, &error) !=
        HS_SUCCESS) {
        fprintf(stderr, "hyperscan: %s\n", error->message);
        exit(2);
    }
    for (uint32_t i = 0; i < n; i++)
        free(pattern[i]);
    free(pattern), free(length), free(flags), free(ids);
    return db;
}

static void walk_cold(void)
{
    unsigned sum = 0;
    for (size_t i = 0; i < COLD_BYTES; i += 64)
        sum += cold[i]++;
    sink = sum;
}

/* ns a message. */
static double pass(const struct match *m, const hs_database_t *db, hs_scratch_t *scratch, bool is_cold)
{
    uint64_t spent = 0, n = 0;
    for (size_t i = 0; i < n_lines; i += is_cold ? 8 : 1, n++) {
        if (is_cold)
            walk_cold();
        uint64_t start = is_cold || i == 0 ? now_ns() : 0;
        if (m)
            (void)match_scan(m, line[i].cp, line[i].n, on_own, NULL);
        else
            (void)hs_scan(db, line[i].text, (unsigned)line[i].bytes, 0, scratch, on_hs, NULL);
        if (is_cold)
            spent += now_ns() - start;
        else if (i == 0)
            spent = start;
    }
    return (double)(is_cold ? spent : now_ns() - spent) / (double)n;
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

static void compare(uint32_t n_words, int rounds)
{
    uint32_t(*unit)[6] = xcalloc(n_words, sizeof(*unit));
    struct match_word *words = xcalloc(n_words, sizeof(*words));
    double own[ROUNDS_MAX], hs[ROUNDS_MAX], own_cold[ROUNDS_MAX], hs_cold[ROUNDS_MAX];
    draw_words(unit, words, n_words);
    uint64_t t0 = now_ns();
    struct match *m = match_new(words, n_words);
    uint64_t t1 = now_ns();
    hs_database_t *db = build_hs(words, n_words);
    uint64_t t2 = now_ns();
    hs_scratch_t *scratch = NULL;
    size_t db_bytes = 0;
    if (hs_alloc_scratch(db, &scratch) != HS_SUCCESS || hs_database_size(db, &db_bytes) != HS_SUCCESS)
        exit(2);
    uint64_t own_hits = 0, hs_hits = 0;
    for (int r = 0; r < rounds; r++) {
        hits = 0, own[r] = pass(m, NULL, NULL, false), own_hits = hits;
        hits = 0, hs[r] = pass(NULL, db, scratch, false), hs_hits = hits;
        own_cold[r] = pass(m, NULL, NULL, true);
        hs_cold[r] = pass(NULL, db, scratch, true);
    }
    if (own_hits != hs_hits)
        printf("HITS DIFFER: %llu and %llu\n", (unsigned long long)own_hits, (unsigned long long)hs_hits);
    double a = median(own, rounds), b = median(hs, rounds), c = median(own_cold, rounds), d = median(hs_cold, rounds);
    printf("%6u words  hot %5.0f / %5.0f ns = %.2f   cold %5.0f / %5.0f ns = %.2f   build %.1f / %.0f ms = %.3f   "
           "tables %zu / %zu KB   %llu hits\n",
           n_words, a, b, a / b, c, d, c / d, (double)(t1 - t0) / 1e6, (double)(t2 - t1) / 1e6,
           (double)(t1 - t0) / (double)(t2 - t1), match_bytes(m) / 1024, db_bytes / 1024, (unsigned long long)own_hits);
    match_free(&m);
    hs_free_scratch(scratch);
    hs_free_database(db);
    free(unit);
    free(words);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {100, 1000, 10000, 50000};
    if (argc < 2) {
        fprintf(stderr, "usage: match_bench TEXTS [ROUNDS]\n");
        return 2;
    }
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 7;
    read_lines(argv[1]);
    cold = xcalloc(1, COLD_BYTES);
    double chars = 0;
    for (size_t i = 0; i < n_lines; i++)
        chars += line[i].n;
    printf("own filter / Hyperscan literals; %zu lines of %.1f characters; medians of %ld rounds\n", n_lines,
           chars / (double)n_lines, rounds);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        compare(sizes[i], (int)MIN_OF(MAX_OF(rounds, 1L), (long)ROUNDS_MAX));
    return 0;
}

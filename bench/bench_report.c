#include "bench_report.h"

#include <errno.h>
#include <math.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/xalloc.h"

struct report *report_new(const char *command, const struct common *c, const struct metric *m, size_t n, long rounds)
{
    struct report *r = xcalloc(1, sizeof(*r));
    *r = (struct report){.command = command, .common = c, .metric = m, .n_metrics = n};
    size_t cells = (size_t)rounds * c->n_targets * n;
    r->value = xcalloc(cells, sizeof(*r->value));
    for (size_t i = 0; i < cells; i++)
        r->value[i] = NAN;
    return r;
}

void report_free(struct report **r)
{
    if (!*r)
        return;
    free((*r)->value);
    free(*r);
    *r = NULL;
}

double *report_cell(struct report *r, long round, size_t target)
{
    return r->value + ((size_t)round * r->common->n_targets + target) * r->n_metrics;
}

static double value_at(const struct report *r, long round, size_t target, size_t metric)
{
    return r->value[((size_t)round * r->common->n_targets + target) * r->n_metrics + metric];
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread report_spread(const struct report *r, size_t target, size_t metric, bool as_ratio)
{
    double v[ROUNDS_MAX];
    struct spread s = {NAN, NAN, NAN, 0};
    for (long k = 0; k < r->rounds; k++) {
        double x = value_at(r, k, target, metric);
        if (as_ratio)
            x /= value_at(r, k, r->reference, metric);
        if (isfinite(x))
            v[s.n++] = x;
    }
    if (!s.n)
        return s;
    qsort(v, s.n, sizeof(v[0]), by_value);
    s.min = v[0];
    s.max = v[s.n - 1];
    s.median = s.n % 2 ? v[s.n / 2] : (v[s.n / 2 - 1] + v[s.n / 2]) / 2;
    return s;
}

/* "median [min-max]" or "-"; one value alone stands without a range. */
static void put_cell(char *out, size_t cap, struct spread s, int digits)
{
    if (!s.n)
        snprintf(out, cap, "-");
    else if (s.n == 1)
        snprintf(out, cap, "%.*f", digits, s.median);
    else
        snprintf(out, cap, "%.*f [%.*f-%.*f]", digits, s.median, digits, s.min, digits, s.max);
}

static bool is_shown(const struct report *r, size_t metric, bool as_ratio)
{
    if (as_ratio && !r->metric[metric].has_ratio)
        return false;
    for (size_t t = 0; t < r->common->n_targets; t++) {
        struct spread s = report_spread(r, t, metric, false);
        if (s.n && (s.max > 0 || !r->metric[metric].is_fault))
            return true;
    }
    return false;
}

static void print_table(const struct report *r, bool as_ratio)
{
    char text[96];
    printf("| target |");
    for (size_t m = 0; m < r->n_metrics; m++)
        if (is_shown(r, m, as_ratio))
            printf(" %s |", r->metric[m].head);
    printf("\n| --- |");
    for (size_t m = 0; m < r->n_metrics; m++)
        if (is_shown(r, m, as_ratio))
            printf(" --- |");
    printf("\n");
    for (size_t t = 0; t < r->common->n_targets; t++) {
        printf("| %s |", r->common->target[t].name);
        for (size_t m = 0; m < r->n_metrics; m++) {
            if (!is_shown(r, m, as_ratio))
                continue;
            put_cell(text, sizeof(text), report_spread(r, t, m, as_ratio), as_ratio ? 2 : r->metric[m].digits);
            printf(" %s |", text);
        }
        printf("\n");
    }
}

void report_print(const struct report *r)
{
    printf("\n%ld round%s; median of the rounds [lowest-highest]\n\n", r->rounds, r->rounds == 1 ? "" : "s");
    print_table(r, false);
    if (r->common->n_targets > 1) {
        printf("\nratios to %s, taken inside each round\n\n", r->common->target[r->reference].name);
        print_table(r, true);
    }
    fflush(stdout);
}

static void put_number(struct json_out *j, const char *key, double v)
{
    json_key(j, key);
    if (isfinite(v) && v == floor(v) && fabs(v) < 1e15)
        json_int(j, (int64_t)v); /* counts, to the last message */
    else if (isfinite(v))
        json_dbl(j, v);
    else
        json_null(j);
}

static void put_spread(struct json_out *j, const char *key, struct spread s)
{
    json_key(j, key);
    json_obj(j);
    put_number(j, "median", s.median);
    put_number(j, "min", s.min);
    put_number(j, "max", s.max);
    json_obj_end(j);
}

static void put_target(const struct report *r, struct json_out *j, size_t t)
{
    json_obj(j);
    json_key(j, "name"), json_str(j, r->common->target[t].name);
    json_key(j, "summary"), json_obj(j);
    for (size_t m = 0; m < r->n_metrics; m++)
        put_spread(j, r->metric[m].key, report_spread(r, t, m, false));
    json_obj_end(j);
    json_key(j, "ratio"), json_obj(j);
    for (size_t m = 0; m < r->n_metrics; m++)
        if (r->metric[m].has_ratio)
            put_spread(j, r->metric[m].key, report_spread(r, t, m, true));
    json_obj_end(j);
    json_key(j, "rounds"), json_arr(j);
    for (long k = 0; k < r->rounds; k++) {
        json_obj(j);
        for (size_t m = 0; m < r->n_metrics; m++)
            put_number(j, r->metric[m].key, value_at(r, k, t, m));
        json_obj_end(j);
    }
    json_arr_end(j);
    json_obj_end(j);
}

static void put_json(const struct report *r, struct buf *b, int argc, char **argv)
{
    char when[CLOCK_RFC3339_MAX];
    struct utsname u;
    struct json_out j = {.buf = b};
    uname(&u);
    json_obj(&j);
    json_key(&j, "command"), json_arr(&j);
    json_str(&j, r->command);
    for (int i = 1; i < argc; i++)
        json_str(&j, argv[i]);
    json_arr_end(&j);
    json_key(&j, "version"), json_str(&j, CHATGATE_VERSION);
    json_key(&j, "at"), json_str(&j, clock_rfc3339_ms(clock_wall_ms(), when));
    json_key(&j, "machine"), json_str(&j, u.machine);
    json_key(&j, "kernel"), json_str(&j, u.release);
    json_key(&j, "reference"), json_str(&j, r->common->target[r->reference].name);
    json_key(&j, "targets"), json_arr(&j);
    for (size_t t = 0; t < r->common->n_targets; t++)
        put_target(r, &j, t);
    json_arr_end(&j);
    json_obj_end(&j);
    buf_append_str(b, "\n");
}

static void put_csv(const struct report *r, struct buf *b)
{
    buf_append_str(b, "target,round");
    for (size_t m = 0; m < r->n_metrics; m++)
        buf_printf(b, ",%s", r->metric[m].key);
    buf_append_str(b, "\n");
    for (long k = 0; k < r->rounds; k++)
        for (size_t t = 0; t < r->common->n_targets; t++) {
            buf_printf(b, "%s,%ld", r->common->target[t].name, k + 1);
            for (size_t m = 0; m < r->n_metrics; m++) {
                double v = value_at(r, k, t, m);
                buf_append_str(b, ",");
                if (isfinite(v))
                    buf_printf(b, "%.9g", v);
            }
            buf_append_str(b, "\n");
        }
}

static int write_file(const char *path, const struct buf *b)
{
    FILE *f = fopen(path, "we");
    bool ok = f && fwrite(buf_span(b).p, 1, b->len, f) == b->len;
    ok = f && fclose(f) == 0 && ok;
    if (!ok)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return ok ? 0 : -1;
}

int report_write(const struct report *r, int argc, char **argv)
{
    struct buf b = {0};
    int rc = 0;
    if (r->common->json) {
        put_json(r, &b, argc, argv);
        rc |= write_file(r->common->json, &b);
    }
    buf_reset(&b);
    if (r->common->csv) {
        put_csv(r, &b);
        rc |= write_file(r->common->csv, &b);
    }
    buf_fini(&b);
    return rc;
}

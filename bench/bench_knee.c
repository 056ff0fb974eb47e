/* `chatgate-bench knee`: the highest rate that a target holds, found by rising steps and then by halving the gap. */
#include <math.h>

#include "base/xalloc.h"
#include "bench_main.h"
#include "bench_report.h"
#include "bench_slot.h"

enum knee_metric { M_KNEE, M_P50, M_P99, M_CPU, M_COUNT };

static const struct metric metrics[M_COUNT] = {
    [M_KNEE] = {"knee_msgs_per_s", "highest rate held, msg/s", 0, true, false},
    [M_P50] = {"p50_us", "p50 us there", 1, true, false},
    [M_P99] = {"p99_us", "p99 us there", 0, true, false},
    [M_CPU] = {"cpu_us_per_msg", "CPU us/msg there", 2, true, false},
};

struct knee {
    struct common c;
    struct load_plan plan;
    const char *corpus, *reference;
    double from, to, step, limit_ms;
    long halvings, rounds;
};

static double p99_us(const struct slot_result *r)
{
    return r->latency_ns.count ? (double)hist_quantile(&r->latency_ns, 0.99) / 1000 : NAN;
}

static bool is_held(const struct knee *k, const struct slot_result *r)
{
    return !r->lost && !r->unsent && !r->ended && p99_us(r) <= k->limit_ms * 1000;
}

/* One step; a second try tells a passing stall of the machine from a limit. 1 held, 0 not, -1 trouble. */
static int try_rate(struct knee *k, const struct target *t, double rate, double *best, struct slot_result *r)
{
    char label[96];
    snprintf(label, sizeof(label), "%s at %.0f msg/s", t->name, rate);
    k->plan.rate = rate;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (slot_run(&k->c, t, &k->plan, label, r) < 0 || loop_is_interrupted()) {
            fprintf(stderr, "%s: %s\n", label, r->trouble);
            return -1;
        }
        bool held = is_held(k, r);
        printf("%-32s %9.0f answered/s  p99 %9.1f us  lost %llu  %s%s\n", label, r->rate, p99_us(r),
               (unsigned long long)r->lost, held ? "held" : "not held",
               r->late > r->sent / 20 ? "  (the load generator was late)" : "");
        fflush(stdout);
        if (!held)
            continue;
        best[M_KNEE] = rate;
        best[M_P50] = (double)hist_quantile(&r->latency_ns, 0.5) / 1000;
        best[M_P99] = p99_us(r);
        best[M_CPU] = r->cpu_ns_per_message < 0 ? NAN : r->cpu_ns_per_message / 1000;
        return 1;
    }
    return 0;
}

static int find(struct knee *k, const struct target *t, double *best, struct slot_result *r)
{
    double low = 0, high = 0, rate = k->from;
    int held = 1;
    while (rate <= k->to && (held = try_rate(k, t, rate, best, r)) > 0) {
        low = rate;
        rate *= k->step;
    }
    if (held < 0)
        return -1;
    if (held || !low) {
        fprintf(stderr, held ? "%s: holds --to %g, the highest rate tried\n" : "%s: does not hold --from %g\n", t->name,
                held ? k->to : k->from);
        return 0;
    }
    high = rate;
    for (long i = 0; i < k->halvings; i++) {
        double middle = (low + high) / 2;
        held = try_rate(k, t, middle, best, r);
        if (held < 0)
            return -1;
        *(held ? &low : &high) = middle;
    }
    return 0;
}

static int knee_all(struct knee *k, int argc, char **argv)
{
    struct err e;
    if (common_start(&k->c) || common_check_descriptors(&k->c, k->plan.conns) < 0)
        return 2;
    if (k->corpus ? texts_load(&k->plan.texts, k->corpus, &e) < 0 : (texts_set(&k->plan.texts, TEXT_DEFAULT_TEXT), 0)) {
        fprintf(stderr, "--corpus: %s\n", e.text);
        return 2;
    }
    struct report *report = report_new("knee", &k->c, metrics, M_COUNT, k->rounds);
    struct slot_result *r = xcalloc(1, sizeof(*r));
    int rc = common_reference(&k->c, k->reference, &report->reference);
    for (long round = 0; round < k->rounds && rc == 0; round++) {
        for (size_t t = 0; t < k->c.n_targets && rc == 0; t++)
            rc = find(k, &k->c.target[t], report_cell(report, round, t), r);
        if (rc == 0)
            report->rounds = round + 1;
    }
    if (report->rounds) {
        report_print(report);
        rc |= report_write(report, argc, argv);
    }
    free(r);
    report_free(&report);
    return rc ? 1 : 0;
}

int bench_knee(int argc, char **argv)
{
    struct knee k = {
        .c = {COMMON_DEFAULTS},
        .plan = {.conns = 200, .convs = 1000, .warm_s = 0.5, .secs = 2, .drain_s = 3, .message = TEXT_DEFAULT_MESSAGE},
        .from = 2000,
        .to = 200000,
        .step = 1.4,
        .limit_ms = 10,
        .halvings = 3,
        .rounds = 1};
    const struct opt table[] = {
        COMMON_OPTS(k.c){"reference", OPT_TEXT, &k.reference, 0, 0, "NAME",
                         "target that ratios are taken to (the first)"},
        {"conns", OPT_INT, &k.plan.conns, 1, 100000, "N", "agents (200)"},
        {"from", OPT_NUMBER, &k.from, 1, 1e7, "R", "first rate, messages a second (2000)"},
        {"to", OPT_NUMBER, &k.to, 1, 1e7, "R", "no higher than this (200000)"},
        {"step", OPT_NUMBER, &k.step, 1.01, 10, "F", "factor from step to step (1.4)"},
        {"halvings", OPT_INT, &k.halvings, 0, 20, "N", "times the last gap is halved (3)"},
        {"limit-ms", OPT_NUMBER, &k.limit_ms, 0.01, 60000, "MS", "a rate is held while p99 stays below (10)"},
        {"secs", OPT_NUMBER, &k.plan.secs, 0.1, 3600, "S", "measured seconds per step (2)"},
        {"warm", OPT_NUMBER, &k.plan.warm_s, 0, 3600, "S", "seconds before each step, not measured (0.5)"},
        {"rounds", OPT_INT, &k.rounds, 1, ROUNDS_MAX, "N", "rounds over all targets (1)"},
        {"message", OPT_TEXT, &k.plan.message, 0, 0, "TEXT", "template with {id} {text} {n}"},
        {"corpus", OPT_TEXT, &k.corpus, 0, 0, "FILE", "texts to send, one per line"},
        {0},
    };
    int rc = opt_read(table,
                      "chatgate-bench knee --target NAME=URL [--target …] [options]\n"
                      "The highest rate that each target holds: nothing lost, p99 below the limit.\n",
                      argc, argv);
    if (rc)
        return rc == 1 ? 0 : rc;
    rc = knee_all(&k, argc, argv);
    common_stop(&k.c);
    texts_fini(&k.plan.texts);
    return rc;
}

/* `chatgate-bench load`: messages at a fixed rate (or in a closed loop) against several targets in alternating rounds.
 */
#include <math.h>

#include "base/xalloc.h"
#include "bench_hgrm.h"
#include "bench_main.h"
#include "bench_report.h"
#include "bench_slot.h"

enum load_metric {
    M_RATE,
    M_P50,
    M_P90,
    M_P99,
    M_P999,
    M_P9999,
    M_MAX,
    M_ADDED,
    M_CPU,
    M_ANSWERED,
    M_REFUSED,
    M_REFUSED_P50,
    M_LOST,
    M_DOUBLED,
    M_DISORDERED,
    M_UNSENT,
    M_LATE,
    M_STRAY,
    M_ENDED,
    M_COUNT
};

static const struct metric metrics[M_COUNT] = {
    [M_RATE] = {"msgs_per_s", "msg/s", 0, true, false},
    [M_P50] = {"p50_us", "p50 us", 1, true, false},
    [M_P90] = {"p90_us", "p90 us", 1, true, false},
    [M_P99] = {"p99_us", "p99 us", 0, true, false},
    [M_P999] = {"p999_us", "p99.9 us", 0, true, false},
    [M_P9999] = {"p9999_us", "p99.99 us", 0, true, false},
    [M_MAX] = {"max_us", "max us", 0, false, false},
    [M_ADDED] = {"added_p50_us", "added p50 us", 1, true, false},
    [M_CPU] = {"cpu_us_per_msg", "CPU us/msg", 2, true, false},
    [M_ANSWERED] = {"answered", "answered", 0, false, false},
    [M_REFUSED] = {"refused", "refused", 0, false, true},
    [M_REFUSED_P50] = {"refused_p50_us", "refused p50 us", 1, true, false},
    [M_LOST] = {"lost", "lost", 0, false, false},
    [M_DOUBLED] = {"doubled", "doubled", 0, false, true},
    [M_DISORDERED] = {"disordered", "out of order", 0, false, true},
    [M_UNSENT] = {"unsent", "unsent", 0, false, true},
    [M_LATE] = {"late", "sent late", 0, false, true},
    [M_STRAY] = {"stray", "other frames", 0, false, true},
    [M_ENDED] = {"ended", "connections lost", 0, false, true},
};

struct load {
    struct common c;
    struct load_plan plan;
    const char *corpus, *hits, *sizes, *direct, *reference, *hgrm;
    long rounds;
    struct hist *all; /* per target, over all rounds, for --hgrm */
};

static double us(const struct hist *h, double q)
{
    return h->count ? (double)hist_quantile(h, q) / 1000 : NAN;
}

static void fill_cell(double *v, const struct slot_result *r)
{
    const struct hist *h = &r->latency_ns;
    v[M_RATE] = r->rate;
    v[M_P50] = us(h, 0.5);
    v[M_P90] = us(h, 0.9);
    v[M_P99] = us(h, 0.99);
    v[M_P999] = us(h, 0.999);
    v[M_P9999] = h->count >= 1000000 ? us(h, 0.9999) : NAN;
    v[M_MAX] = h->count ? (double)h->max / 1000 : NAN;
    v[M_CPU] = r->cpu_ns_per_message < 0 ? NAN : r->cpu_ns_per_message / 1000;
    v[M_ANSWERED] = (double)r->answered;
    v[M_REFUSED] = (double)r->refused;
    v[M_STRAY] = (double)r->stray;
    v[M_REFUSED_P50] = us(&r->refused_ns, 0.5);
    v[M_LOST] = (double)r->lost;
    v[M_DOUBLED] = (double)r->doubled;
    v[M_DISORDERED] = (double)r->disordered;
    v[M_UNSENT] = (double)r->unsent;
    v[M_LATE] = (double)r->late;
    v[M_ENDED] = (double)r->ended;
}

/* What a proxy adds to the median of the target that has none. */
static void fill_added(struct report *r, long round, size_t direct)
{
    double base = report_cell(r, round, direct)[M_P50];
    for (size_t t = 0; t < r->common->n_targets; t++)
        if (t != direct)
            report_cell(r, round, t)[M_ADDED] = report_cell(r, round, t)[M_P50] - base;
}

static void print_slot(const char *label, const struct slot_result *r)
{
    printf("%-40s %9.0f msg/s  p50 %8.1f  p99 %8.1f us", label, r->rate, us(&r->latency_ns, 0.5),
           us(&r->latency_ns, 0.99));
    if (r->cpu_ns_per_message >= 0)
        printf("  CPU %6.2f us/msg", r->cpu_ns_per_message / 1000);
    printf("  lost %llu\n", (unsigned long long)r->lost);
}

/* The order turns by one each round, so that no target is always measured behind the same other. */
static int run_round(struct load *l, struct report *report, long round, struct slot_result *r)
{
    char label[96];
    for (size_t k = 0; k < l->c.n_targets; k++) {
        size_t t = (k + (size_t)round) % l->c.n_targets;
        snprintf(label, sizeof(label), "round %ld of %ld, %s", round + 1, l->rounds, l->c.target[t].name);
        int rc = slot_run(&l->c, &l->c.target[t], &l->plan, label, r);
        if (loop_is_interrupted())
            return 1;
        if (r->trouble[0])
            fprintf(stderr, "%s: %s\n", label, r->trouble);
        if (r->refusal[0] && !l->hits)
            fprintf(stderr, "%s: refused: %s\n", label, r->refusal);
        if (rc < 0)
            return -1;
        fill_cell(report_cell(report, round, t), r);
        hist_merge(&l->all[t], &r->latency_ns);
        print_slot(label, r);
        fflush(stdout);
    }
    return 0;
}

static int run_rounds(struct load *l, struct report *report, const size_t *direct)
{
    struct slot_result *r = xcalloc(1, sizeof(*r));
    int rc = 0;
    for (long round = 0; round < l->rounds && rc == 0; round++) {
        rc = run_round(l, report, round, r);
        if (rc == 0) {
            if (direct)
                fill_added(report, round, *direct);
            report->rounds = round + 1;
        }
    }
    free(r);
    return rc;
}

static int read_sizes(struct load_plan *p, const char *text)
{
    for (const char *at = text; at && *at;) {
        char *end;
        long v = strtol(at, &end, 10);
        if (end == at || v < 1 || v > 1000000 || p->n_sizes == SIZES_MAX || (*end && *end != ',')) {
            fprintf(stderr, "--size: found '%.40s', allowed are up to %d numbers from 1 to 1000000 with commas\n", text,
                    SIZES_MAX);
            return 2;
        }
        p->size[p->n_sizes++] = (size_t)v;
        at = *end ? end + 1 : end;
    }
    return 0;
}

static int read_texts(struct load *l)
{
    struct err e;
    if (l->corpus ? texts_load(&l->plan.texts, l->corpus, &e) < 0 : (texts_set(&l->plan.texts, TEXT_DEFAULT_TEXT), 0)) {
        fprintf(stderr, "--corpus: %s\n", e.text);
        return 2;
    }
    if (l->hits && texts_load(&l->plan.hits, l->hits, &e) < 0) {
        fprintf(stderr, "--hits: %s\n", e.text);
        return 2;
    }
    if (l->plan.hit_rate > 0 && !l->hits) {
        fprintf(stderr, "--hit-rate: needs --hits FILE with the texts to mix in\n");
        return 2;
    }
    if (!strstr(l->plan.message, "\"{id}\"")) {
        fprintf(stderr, "--message: needs \"{id}\" in quotation marks, by which answers are known again\n");
        return 2;
    }
    return read_sizes(&l->plan, l->sizes);
}

static const char usage[] =
    "chatgate-bench load --target NAME=URL [--target …] [options]\n"
    "Agents send messages and time their echo; latency counts from the moment a message was due. Targets alternate\n"
    "inside each round; ratios are taken to the first target (or --reference) in the same round.\n";

static int write_hgrm(const struct load *l)
{
    int rc = 0;
    for (size_t t = 0; l->hgrm && t < l->c.n_targets; t++)
        rc |= hgrm_write(l->hgrm, l->c.target[t].name, &l->all[t]);
    return rc;
}

static int load_all(struct load *l, int argc, char **argv)
{
    int rc = common_start(&l->c);
    if (!rc)
        rc = read_texts(l);
    if (!rc && common_check_descriptors(&l->c, l->plan.conns) < 0)
        rc = 2;
    size_t direct = 0, ref = 0;
    if (rc || common_reference(&l->c, l->direct, &direct) < 0 || common_reference(&l->c, l->reference, &ref) < 0)
        return 2;
    struct report *report = report_new("load", &l->c, metrics, M_COUNT, l->rounds);
    report->reference = ref;
    l->all = xcalloc(l->c.n_targets, sizeof(*l->all));
    rc = run_rounds(l, report, l->direct ? &direct : NULL);
    if (report->rounds) {
        report_print(report);
        rc = report_write(report, argc, argv) < 0 || write_hgrm(l) < 0 ? 1 : rc;
    }
    free(l->all);
    report_free(&report);
    return rc ? 1 : 0;
}

int bench_load(int argc, char **argv)
{
    struct load l = {.c = {COMMON_DEFAULTS},
                     .plan = {.conns = 200,
                              .convs = 1000,
                              .rate = 5000,
                              .warm_s = 1,
                              .secs = 5,
                              .drain_s = 3,
                              .message = TEXT_DEFAULT_MESSAGE},
                     .rounds = 5};
    const struct opt table[] = {
        COMMON_OPTS(l.c){"reference", OPT_TEXT, &l.reference, 0, 0, "NAME",
                         "target that ratios are taken to (the first)"},
        {"direct", OPT_TEXT, &l.direct, 0, 0, "NAME", "target without a proxy, to show what the others add"},
        {"conns", OPT_INT, &l.plan.conns, 1, 100000, "N", "agents (200)"},
        {"rate", OPT_NUMBER, &l.plan.rate, 0.1, 1e7, "R", "messages a second over all agents (5000)"},
        {"closed", OPT_INT, &l.plan.closed, 0, 1000, "N", "closed loop instead: N messages outstanding per agent"},
        {"secs", OPT_NUMBER, &l.plan.secs, 0.1, 86400, "S", "measured seconds per target and round (5)"},
        {"warm", OPT_NUMBER, &l.plan.warm_s, 0, 3600, "S", "seconds before, not measured (1)"},
        {"drain", OPT_NUMBER, &l.plan.drain_s, 0, 600, "S", "longest wait for the last answers (3)"},
        {"rounds", OPT_INT, &l.rounds, 1, ROUNDS_MAX, "N", "rounds (5)"},
        {"message", OPT_TEXT, &l.plan.message, 0, 0, "TEXT", "template with {id} {text} {n} {c}"},
        {"convs", OPT_INT, &l.plan.convs, 1, 1e9, "N", "conversations that {c} goes through in turn (1000)"},
        {"first-id", OPT_INT, &l.plan.first_id, 1, 1e9, "N", "number in the first message's id (drawn for each run)"},
        {"corpus", OPT_TEXT, &l.corpus, 0, 0, "FILE", "texts to send, one per line"},
        {"size", OPT_TEXT, &l.sizes, 0, 0, "N[,N...]", "repeat the text until messages have about N bytes, in turn"},
        {"hits", OPT_TEXT, &l.hits, 0, 0, "FILE", "texts that the gateway is to refuse or rewrite"},
        {"hgrm", OPT_TEXT, &l.hgrm, 0, 0, "DIR", "write each target's latencies there as NAME.hgrm (HdrHistogram)"},
        {"hit-rate", OPT_NUMBER, &l.plan.hit_rate, 0, 1, "F", "share of messages taken from --hits"},
        {0},
    };
    int rc = opt_read(table, usage, argc, argv);
    if (rc)
        return rc == 1 ? 0 : rc;
    rc = load_all(&l, argc, argv);
    common_stop(&l.c);
    texts_fini(&l.plan.texts);
    texts_fini(&l.plan.hits);
    return rc;
}

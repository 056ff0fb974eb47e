/* `chatgate-bench idle`: connects and logs in many agents that then say nothing, and looks at the memory. */
#include <math.h>

#include "base/xalloc.h"
#include "bench_main.h"
#include "bench_report.h"
#include "bench_text.h"

enum idle_metric { M_RSS, M_RSS_MB, M_PEAK, M_SLAB, M_OPEN, M_CPU, M_ENDED, M_COUNT };

static const struct metric metrics[M_COUNT] = {
    [M_RSS] = {"rss_kb_per_conn", "RSS kB per connection", 2, true, false},
    [M_RSS_MB] = {"rss_mb", "RSS MB in all", 1, false, false},
    [M_PEAK] = {"rss_peak_mb", "highest RSS MB", 1, false, false},
    [M_SLAB] = {"slab_kb_per_conn", "kernel slab kB per connection", 1, false, false},
    [M_OPEN] = {"open_s", "seconds until all were logged in", 2, true, false},
    [M_CPU] = {"cpu_ms_per_s", "CPU ms/s while idle", 2, false, false},
    [M_ENDED] = {"ended", "connections lost", 0, false, true},
};

struct idle {
    struct common c;
    long conns, rounds, opening;
    double secs;
    const char *reference;
    unsigned n_open, n_started, ended;
    bool is_closing;
    char trouble[160];
};

static void on_open(struct peer *p)
{
    struct idle *s = p->owner;
    s->n_open++;
}

static void on_message(struct peer *p, struct span payload)
{
    (void)p, (void)payload; /* a notice or a keepalive of the backend */
}

static void on_end(struct peer *p, const char *why)
{
    struct idle *s = p->owner;
    if (!s->is_closing) {
        s->ended++;
        if (!s->trouble[0])
            snprintf(s->trouble, sizeof(s->trouble), "agent %u: %.120s", p->index, why);
    }
    s->n_started--;
}

static const struct peer_calls calls = {on_open, on_message, on_end};

static void turn_for(struct idle *s, double secs)
{
    int64_t until = now_ns() + (int64_t)(secs * 1e9);
    while (now_ns() < until && !loop_is_interrupted())
        loop_turn(s->c.loop, until);
}

static bool open_all(struct idle *s, struct peer *peer, const struct target *t)
{
    unsigned next = 0, conns = (unsigned)s->conns;
    int64_t limit = now_ns() + INT64_C(120000000000);
    while (s->n_open < conns && !s->ended && now_ns() < limit && !loop_is_interrupted()) {
        while (next < conns && next - s->n_open < (unsigned)s->opening && !s->ended) {
            s->n_started++;
            peer_start(&peer[next], s->c.loop, &t->peer, &calls, next, s);
            next++;
        }
        loop_turn(s->c.loop, now_ns() + 100000000);
        progress("%s: %u of %u agents connected", t->name, s->n_open, conns);
    }
    return s->n_open == conns;
}

static void close_all(struct idle *s, struct peer *peer)
{
    int64_t limit = now_ns() + INT64_C(10000000000);
    s->is_closing = true;
    for (long i = 0; i < s->conns; i++) {
        peer_close(&peer[i]);
        if (i % 100 == 99)
            loop_turn(s->c.loop, now_ns());
    }
    while (s->n_started && now_ns() < limit)
        loop_turn(s->c.loop, now_ns() + 100000000);
    for (long i = 0; i < s->conns; i++)
        peer_abort(&peer[i], true);
    progress_end();
}

static double minus(int64_t after, int64_t before)
{
    return after < 0 || before < 0 ? NAN : (double)(after - before);
}

static int measure(struct idle *s, const struct target *t, double *v)
{
    s->n_open = s->n_started = s->ended = 0;
    s->is_closing = false;
    s->trouble[0] = 0;
    struct peer *peer = xcalloc((size_t)s->conns, sizeof(*peer));
    int64_t rss = procs_rss_bytes(&t->procs), slab = machine_slab_bytes();
    int64_t began = now_ns();
    bool ok = open_all(s, peer, t);
    if (ok) {
        v[M_OPEN] = (double)(now_ns() - began) / 1e9;
        turn_for(s, 1);
        int64_t cpu = procs_cpu_ns(&t->procs), from = now_ns();
        turn_for(s, s->secs);
        double n = (double)s->conns, secs = (double)(now_ns() - from) / 1e9;
        v[M_RSS] = minus(procs_rss_bytes(&t->procs), rss) / n / 1024;
        v[M_RSS_MB] = minus(procs_rss_bytes(&t->procs), 0) / 1048576;
        v[M_PEAK] = minus(procs_rss_peak_bytes(&t->procs), 0) / 1048576;
        v[M_SLAB] = minus(machine_slab_bytes(), slab) / n / 1024;
        v[M_CPU] = minus(procs_cpu_ns(&t->procs), cpu) / 1e6 / secs;
        v[M_ENDED] = s->ended;
    }
    close_all(s, peer);
    free(peer);
    if (s->trouble[0])
        fprintf(stderr, "%s: %s\n", t->name, s->trouble);
    else if (!ok)
        fprintf(stderr, "%s: agents did not connect in time\n", t->name);
    return ok && !loop_is_interrupted() ? 0 : -1;
}

static int idle_all(struct idle *s, int argc, char **argv)
{
    if (common_start(&s->c) || common_check_descriptors(&s->c, s->conns) < 0)
        return 2;
    struct report *r = report_new("idle", &s->c, metrics, M_COUNT, s->rounds);
    int rc = common_reference(&s->c, s->reference, &r->reference);
    for (long round = 0; round < s->rounds && rc == 0; round++) {
        for (size_t t = 0; t < s->c.n_targets && rc == 0; t++)
            rc = measure(s, &s->c.target[t], report_cell(r, round, t));
        if (rc == 0)
            r->rounds = round + 1;
    }
    if (r->rounds) {
        report_print(r);
        rc |= report_write(r, argc, argv);
    }
    report_free(&r);
    return rc ? 1 : 0;
}

int bench_idle(int argc, char **argv)
{
    struct idle s = {.c = {COMMON_DEFAULTS}, .conns = 1000, .rounds = 1, .opening = 64, .secs = 2};
    const struct opt table[] = {
        COMMON_OPTS(s.c){"conns", OPT_INT, &s.conns, 1, 100000, "N", "agents (1000)"},
        {"opening", OPT_INT, &s.opening, 1, 100000, "N",
         "connections under way at a time (64); as many as --conns: a storm"},
        {"secs", OPT_NUMBER, &s.secs, 0.1, 86400, "S", "seconds of silence (2)"},
        {"reference", OPT_TEXT, &s.reference, 0, 0, "NAME", "target that ratios are taken to (the first)"},
        {"rounds", OPT_INT, &s.rounds, 1, ROUNDS_MAX, "N", "rounds (1); only the first sees a process without history"},
        {0},
    };
    int rc = opt_read(table,
                      "chatgate-bench idle --target NAME=URL --pid NAME=PID [--conns N]\n"
                      "Memory of the named processes before and after N agents connected and fell silent.\n",
                      argc, argv);
    if (rc)
        return rc == 1 ? 0 : rc;
    rc = idle_all(&s, argc, argv);
    common_stop(&s.c);
    return rc;
}

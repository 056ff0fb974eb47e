/* `chatgate-bench rate`: connect, (TLS,) upgrade, log in, one message and its answer, reset; over and over. */
#include <math.h>

#include "base/hist.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "bench_main.h"
#include "bench_report.h"
#include "bench_text.h"

enum rate_metric { M_RATE, M_P50, M_P99, M_CPU, M_FAILED, M_COUNT };

static const struct metric metrics[M_COUNT] = {
    [M_RATE] = {"conns_per_s", "connections/s", 0, true, false},
    [M_P50] = {"p50_us", "connect to answer p50 us", 0, true, false},
    [M_P99] = {"p99_us", "p99 us", 0, true, false},
    [M_CPU] = {"cpu_us_per_conn", "CPU us each", 1, true, false},
    [M_FAILED] = {"failed", "failed", 0, false, true},
};

struct rate {
    struct common c;
    long conc, rounds;
    double warm_s, secs;
    const char *message, *reference;
    struct peer *peer;
    int64_t *since;
    bool *is_over;
    uint64_t n_done, n_failed, next_agent, next_id;
    struct hist took_ns;
    char trouble[160];
};

static void on_open(struct peer *p)
{
    struct rate *s = p->owner;
    struct buf b = {0};
    struct text_fill fill = {.seq = s->next_id++, .agent = p->index, .text = span_str(TEXT_DEFAULT_TEXT)};
    text_build(&b, s->message, &fill);
    peer_send(p, buf_span(&b));
    buf_fini(&b);
}

static size_t place_of(const struct rate *s, const struct peer *p)
{
    return (size_t)(p - s->peer);
}

static void on_message(struct peer *p, struct span payload)
{
    struct rate *s = p->owner;
    uint64_t seq;
    if (!p->target->url.is_http && !text_find_id(payload, &seq))
        return;
    if (peer_is_refused(p, payload)) { /* costs a gateway other things than a message that goes through */
        s->n_failed++;
        snprintf(s->trouble, sizeof(s->trouble), "the message was refused");
    } else {
        s->n_done++;
        hist_add(&s->took_ns, (uint64_t)MAX_OF(now_ns() - s->since[place_of(s, p)], 0));
    }
    s->is_over[place_of(s, p)] = true;
    peer_abort(p, true);
}

static void on_end(struct peer *p, const char *why)
{
    struct rate *s = p->owner;
    s->n_failed++;
    s->is_over[place_of(s, p)] = true;
    if (!s->trouble[0])
        snprintf(s->trouble, sizeof(s->trouble), "%.150s", why);
}

static const struct peer_calls calls = {on_open, on_message, on_end};

/* Keeps `conc` connections under way until then. After a failure a place rests for a turn, so that a dead target is not
 * hammered. */
static void run_until(struct rate *s, const struct target *t, int64_t until)
{
    while (now_ns() < until && !loop_is_interrupted()) {
        uint64_t failed = s->n_failed;
        for (size_t i = 0; i < (size_t)s->conc && s->n_failed == failed; i++) {
            if (!s->is_over[i])
                continue;
            s->is_over[i] = false;
            s->since[i] = now_ns();
            peer_start(&s->peer[i], s->c.loop, &t->peer, &calls, (unsigned)(s->next_agent++ % 100000), s);
        }
        loop_turn(s->c.loop, MIN_OF(until, now_ns() + 10000000));
        progress("%s: %llu connections", t->name, (unsigned long long)s->n_done);
    }
}

static int measure(struct rate *s, const struct target *t, double *v)
{
    for (long i = 0; i < s->conc; i++)
        s->is_over[i] = true;
    s->trouble[0] = 0;
    run_until(s, t, now_ns() + (int64_t)(s->warm_s * 1e9));
    s->n_done = s->n_failed = 0;
    s->took_ns = (struct hist){0};
    int64_t cpu = procs_cpu_ns(&t->procs), from = now_ns();
    run_until(s, t, from + (int64_t)(s->secs * 1e9));
    int64_t cpu_after = procs_cpu_ns(&t->procs);
    double n = (double)s->n_done;
    v[M_RATE] = n / ((double)(now_ns() - from) / 1e9);
    v[M_FAILED] = (double)s->n_failed;
    if (s->n_done) {
        v[M_P50] = (double)hist_quantile(&s->took_ns, 0.5) / 1000;
        v[M_P99] = (double)hist_quantile(&s->took_ns, 0.99) / 1000;
        v[M_CPU] = cpu < 0 || cpu_after < 0 ? NAN : (double)(cpu_after - cpu) / n / 1000;
    }
    for (long i = 0; i < s->conc; i++)
        peer_abort(&s->peer[i], true);
    loop_turn(s->c.loop, now_ns() + 10000000);
    progress_end();
    if (s->trouble[0])
        fprintf(stderr, "%s: %s\n", t->name, s->trouble);
    return s->n_done && !loop_is_interrupted() ? 0 : -1;
}

static int rate_all(struct rate *s, int argc, char **argv)
{
    if (common_start(&s->c) || common_check_descriptors(&s->c, s->conc) < 0)
        return 2;
    struct report *r = report_new("rate", &s->c, metrics, M_COUNT, s->rounds);
    int rc = common_reference(&s->c, s->reference, &r->reference);
    s->next_id = rand_u64();
    s->peer = xcalloc((size_t)s->conc, sizeof(*s->peer));
    s->since = xcalloc((size_t)s->conc, sizeof(*s->since));
    s->is_over = xcalloc((size_t)s->conc, sizeof(*s->is_over));
    for (long round = 0; round < s->rounds && rc == 0; round++) {
        for (size_t k = 0; k < s->c.n_targets && rc == 0; k++) {
            size_t t = (k + (size_t)round) % s->c.n_targets;
            rc = measure(s, &s->c.target[t], report_cell(r, round, t));
        }
        if (rc == 0)
            r->rounds = round + 1;
    }
    if (r->rounds) {
        report_print(r);
        rc |= report_write(r, argc, argv);
    }
    report_free(&r);
    free(s->peer);
    free(s->since);
    free(s->is_over);
    return rc ? 1 : 0;
}

int bench_rate(int argc, char **argv)
{
    struct rate s = {
        .c = {COMMON_DEFAULTS}, .conc = 64, .rounds = 3, .warm_s = 0.5, .secs = 2, .message = TEXT_DEFAULT_MESSAGE};
    const struct opt table[] = {
        COMMON_OPTS(s.c){"conc", OPT_INT, &s.conc, 1, 10000, "N", "connections under way at a time (64)"},
        {"secs", OPT_NUMBER, &s.secs, 0.1, 86400, "S", "measured seconds per target and round (2)"},
        {"warm", OPT_NUMBER, &s.warm_s, 0, 3600, "S", "seconds before, not measured (0.5)"},
        {"reference", OPT_TEXT, &s.reference, 0, 0, "NAME", "target that ratios are taken to (the first)"},
        {"rounds", OPT_INT, &s.rounds, 1, ROUNDS_MAX, "N", "rounds (3)"},
        {"message", OPT_TEXT, &s.message, 0, 0, "TEXT", "template with {id} {text} {n}"},
        {0},
    };
    int rc = opt_read(table,
                      "chatgate-bench rate --target NAME=URL [--conc N]\n"
                      "New connections a second: connect, TLS, upgrade, log in, one message, reset.\n",
                      argc, argv);
    if (rc)
        return rc == 1 ? 0 : rc;
    rc = rate_all(&s, argc, argv);
    common_stop(&s.c);
    return rc;
}

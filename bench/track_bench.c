/* What an event costs Redis: run time of a redis-server of its own (INFO cpu, user and system) per event for the script
 * `apply` with records as the pump sends them, beside a plain script of six writes (HSET, 2 HINCRBY, ZADD, ZINCRBY,
 * XADD; 2,000 agents, pipelines of 16), both in alternating rounds of one run. Usage: track_bench [--rounds N]
 * [--events N] [--only MIX] [--redis-server PATH]; prints medians and ratios. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "track/event.h"
#include "track/pump_pack.h"
#include "track/schema.h"
#include "track/script.h"
#include "track_rig.h"

enum { ROUNDS_MAX = 31, ARGS_MAX = 512, BATCH_MAX = 256, SMALL = 64, SIX_PIPELINE = 16 };

static const char six_writes[] =
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) redis.call('HINCRBY', KEYS[2], ARGV[1], 1)"
    "redis.call('HINCRBY', KEYS[3], ARGV[1], ARGV[3]) redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])"
    "redis.call('ZINCRBY', KEYS[5], 1, ARGV[1])"
    "redis.call('XADD', KEYS[6], 'MAXLEN', '~', 100000, '*', 'a', ARGV[1], 't', ARGV[2], 'd', ARGV[3]) return 1";

static const struct mix {
    const char *name;
    unsigned conversations, agents, batch, pipeline;
} mixes[] = {
    {"one hot conversation, 64 a call", 1, 1, 64, 1},
    {"20 conversations of 4 agents, 64 a call", 20, 4, 64, 1},
    {"1,000 conversations of 50 agents, 64 a call", 1000, 50, 64, 1},
    {"20 conversations of 4 agents, 256 a call", 20, 4, 256, 1},
    {"1,000 conversations of 50 agents, 256 a call", 1000, 50, 256, 1},
    {"1,000 conversations of 50 agents, 8 a call", 1000, 50, 8, 4},
    {"1,000 conversations of 50 agents, 1 a call", 1000, 50, 1, 16},
};

static char sha[48], six_sha[48];

/* ---- load ---- */

static uint64_t state = 1;

static unsigned pick(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

struct texts {
    char mid[24], conv[40], customer[24], agent[24], team[16], shop[16];
};

/* A customer writes once or twice, the agent answers; one message in ten hits a rule. */
static size_t make_record(const struct mix *m, unsigned long i, int64_t at_ms, uint8_t out[EVENT_ENCODED_MAX])
{
    struct texts t;
    unsigned conv = pick(m->conversations), agent = conv % m->agents;
    bool is_in = pick(5) < 3;
    snprintf(t.mid, sizeof(t.mid), "%08x%09lx", pick(1u << 31), i);
    snprintf(t.customer, sizeof(t.customer), "customer-%06u", conv);
    snprintf(t.conv, sizeof(t.conv), "room-%06u-agent-%03u", conv, agent);
    snprintf(t.agent, sizeof(t.agent), "agent-%03u", agent);
    snprintf(t.team, sizeof(t.team), "team-%u", agent % 8);
    snprintf(t.shop, sizeof(t.shop), "shop-%u", agent % 3);
    struct track_event ev = {
        .kind = is_in ? EV_INCOMING : EV_OUTGOING,
        .at_ms = at_ms,
        .agent = span_str(t.agent),
        .team = span_str(t.team),
        .shop = span_str(t.shop),
        .conv = span_str(t.conv),
        .customer = span_str(t.customer),
        .mid = span_str(t.mid),
        .sender = is_in ? span_str(t.customer) : span_of("", 0),
        .action = is_in || pick(20) ? 0 : 1 + (uint8_t)pick(2),
        .is_delivered = !is_in,
        .is_human = !is_in,
        .is_live = is_in,
        .is_ack_only = !is_in && pick(4) == 0,
        .rules = pick(10) ? span_of("", 0) : span_str("tone.vague_words"),
        .rules_version = span_str("0123456789abcdef"),
        .text_hash = state,
    };
    return event_encode(&ev, out);
}

struct call {
    struct span arg[ARGS_MAX];
    size_t n;
    uint8_t record[BATCH_MAX][EVENT_ENCODED_MAX];
    struct pack pack;
    struct schema_keys keys;
    char n_keys[8], schema[8], busy[8];
};

static void fill_call(struct call *c, const struct mix *m, unsigned long first, int64_t start_ms)
{
    struct span fixed[] = {span_str("EVALSHA"), span_str(sha), span_str(c->n_keys)};
    size_t n = 0;
    for (; n < 3; n++)
        c->arg[n] = fixed[n];
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++)
        c->arg[n++] = c->keys.span[i];
    snprintf(c->schema, sizeof(c->schema), "%d", SCHEMA_VERSION);
    pack_reset(&c->pack, 1);
    for (unsigned i = 0; i < m->batch; i++) {
        unsigned long number = first + i;
        size_t len = make_record(m, number, start_ms + (int64_t)number, c->record[i]);
        pack_add(&c->pack, (int64_t)number, span_of(c->record[i], len), 0);
    }
    struct span head[] = {
        span_str(c->schema), span_str("ring"), span_str("0"), span_str("node"), buf_span(&c->pack.frames),
        span_str("UTC 0"),   span_str(""),     span_str("1"), span_str("")};
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        c->arg[n++] = head[i];
    c->arg[n++] = pack_figures(&c->pack);
    snprintf(c->busy, sizeof(c->busy), "%zu", pack_convs(&c->pack, c->arg + n + 1));
    c->arg[n++] = span_str(c->busy);
    c->n = n + c->pack.n_convs;
}

static void drain(struct server *s, unsigned replies, const char *want)
{
    char text[64];
    server_flush(s);
    for (; replies; replies--) {
        server_read(s, text, sizeof(text));
        if (strcmp(text, want) != 0) {
            fprintf(stderr, "track_bench: the script answers %s\n", text);
            exit(1);
        }
    }
}

static double run_mix(struct server *s, const struct mix *m, unsigned long events)
{
    static struct call c;
    char text[64];
    int64_t start_ms = clock_wall_ms() - (int64_t)events * 3; /* an event each millisecond, all in the past */
    double before = 0;
    unsigned long warm = events / 2, done = 0;
    unsigned waiting = 0;
    server_ask(s, text, sizeof(text), "FLUSHALL", NULL, NULL);
    schema_apply_keys(0, &c.keys);
    snprintf(c.n_keys, sizeof(c.n_keys), "%d", SCHEMA_KEY_COUNT);
    while (done < events + warm) {
        if (!before && done >= warm) {
            drain(s, waiting, "OK");
            waiting = 0;
            before = server_cpu_us(s);
            warm = done;
        }
        fill_call(&c, m, done + 1, start_ms);
        server_put(s, c.arg, c.n);
        done += m->batch;
        if (++waiting == m->pipeline) {
            drain(s, waiting, "OK");
            waiting = 0;
        }
    }
    drain(s, waiting, "OK");
    return (server_cpu_us(s) - before) / (double)(done - warm);
}

static void send_six(struct server *s, unsigned long events)
{
    char agent[16], at[24], ms[16];
    for (unsigned long i = 1; i <= events; i++) {
        snprintf(agent, sizeof(agent), "agent-%05u", pick(2000));
        snprintf(at, sizeof(at), "%" PRId64, clock_wall_ms());
        snprintf(ms, sizeof(ms), "%u", pick(100000));
        struct span arg[] = {span_str("EVALSHA"), span_str(six_sha), span_str("6"), span_str("h"),
                             span_str("c"),       span_str("d"),     span_str("z"), span_str("y"),
                             span_str("x"),       span_str(agent),   span_str(at),  span_str(ms)};
        server_put(s, arg, ARRAY_LEN(arg));
        if (i % SIX_PIPELINE == 0 || i == events)
            drain(s, (unsigned)(i % SIX_PIPELINE ? i % SIX_PIPELINE : SIX_PIPELINE), "1");
    }
}

static double run_six(struct server *s, unsigned long events)
{
    char text[64];
    server_ask(s, text, sizeof(text), "FLUSHALL", NULL, NULL);
    send_six(s, events / 2);
    double before = server_cpu_us(s);
    send_six(s, events);
    return (server_cpu_us(s) - before) / (double)events;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_row(const char *name, double *us, double *ratio, size_t n)
{
    qsort(us, n, sizeof(*us), by_value);
    qsort(ratio, n, sizeof(*ratio), by_value);
    printf("| %s | %.1f [%.1f-%.1f] | %.2f [%.2f-%.2f] |\n", name, us[n / 2], us[0], us[n - 1], ratio[n / 2], ratio[0],
           ratio[n - 1]);
}

static void run_all(struct server *s, size_t rounds, unsigned long events, const char *only, bool is_alone)
{
    static double six[ROUNDS_MAX], ones[ROUNDS_MAX], us[ARRAY_LEN(mixes)][ROUNDS_MAX],
        ratio[ARRAY_LEN(mixes)][ROUNDS_MAX];
    for (size_t r = 0; r < rounds; r++) {
        six[r] = is_alone ? 1 : run_six(s, events);
        ones[r] = 1;
        for (size_t i = 0; i < ARRAY_LEN(mixes); i++) {
            if (only && !strstr(mixes[i].name, only))
                continue;
            us[i][r] = run_mix(s, &mixes[i], events);
            ratio[i][r] = us[i][r] / six[r];
        }
    }
    printf("| %zu rounds of %lu events | Redis CPU us per event | ratio to six writes |\n| --- | --- | --- |\n", rounds,
           events);
    print_row("script of six writes, pipeline 16", six, ones, rounds);
    for (size_t i = 0; i < ARRAY_LEN(mixes); i++)
        if (!only || strstr(mixes[i].name, only))
            print_row(mixes[i].name, us[i], ratio[i], rounds);
}

int main(int argc, char **argv)
{
    unsigned long rounds = 5, events = 16384;
    const char *only = NULL, *program = "redis-server";
    bool is_alone = false;
    static struct server s;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        is_alone |= strcmp(argv[i], "--alone") == 0;
        if (strcmp(argv[i], "--rounds") == 0)
            rounds = strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--events") == 0)
            events = strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--only") == 0 || strcmp(argv[i], "--alone") == 0)
            only = value;
        else if (strcmp(argv[i], "--redis-server") == 0)
            program = value;
        else
            rounds = 0;
    }
    if (rounds < 1 || rounds > ROUNDS_MAX || events < SMALL || events > 10000000) {
        fprintf(stderr,
                "usage: track_bench [--rounds 1..%d] [--events %d..10000000] [--only MIX] [--redis-server PATH]\n",
                ROUNDS_MAX, SMALL);
        return 2;
    }
    server_start(&s, program);
    server_load(&s, script_text("apply"), sha);
    server_load(&s, six_writes, six_sha);
    run_all(&s, rounds, events, only, is_alone);
    server_stop(&s);
    return 0;
}

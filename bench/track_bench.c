/* What an event costs Redis: run time of a redis-server of its own (INFO cpu, user and system) per event for the script
 * `apply` with records as the pump sends them, beside a plain script of six writes (HSET, 2 HINCRBY, ZADD, ZINCRBY,
 * XADD; 2,000 agents, pipelines of 16), both in alternating rounds of one run. Usage: track_bench [--rounds N]
 * [--events N] [--only MIX] [--redis-server PATH]; prints medians and ratios. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "track/event.h"
#include "track/schema.h"
#include "track/script.h"

enum { ROUNDS_MAX = 31, ARGS_MAX = 256, BATCH_MAX = 64, SMALL = 64, SIX_PIPELINE = 16 };

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
    {"1,000 conversations of 50 agents, 8 a call", 1000, 50, 8, 4},
    {"1,000 conversations of 50 agents, 1 a call", 1000, 50, 1, 16},
};

struct server {
    char dir[64], sock[96], sha[48];
    char six_sha[48];
    pid_t pid;
    int fd;
    uint8_t in[1 << 16];
    size_t from, to;
    struct buf out;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "track_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the wire ---- */

static void put_args(struct server *s, const struct span *arg, size_t n)
{
    char head[32];
    buf_append(&s->out, head, (size_t)snprintf(head, sizeof(head), "*%zu\r\n", n));
    for (size_t i = 0; i < n; i++) {
        buf_append(&s->out, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", arg[i].n));
        buf_append(&s->out, arg[i].p, arg[i].n);
        buf_append(&s->out, "\r\n", 2);
    }
}

static void flush(struct server *s)
{
    struct span rest = buf_span(&s->out);
    while (rest.n) {
        ssize_t n = write(s->fd, rest.p, rest.n);
        if (n < 0)
            die("write to redis-server");
        rest = span_from(rest, (size_t)n);
    }
    buf_reset(&s->out);
}

static void read_more(struct server *s)
{
    if (s->from == s->to)
        s->from = s->to = 0;
    ssize_t n = read(s->fd, s->in + s->to, sizeof(s->in) - s->to);
    if (n <= 0)
        die("read from redis-server");
    s->to += (size_t)n;
}

static char *read_line(struct server *s)
{
    for (;;) {
        uint8_t *end = memmem(s->in + s->from, s->to - s->from, "\r\n", 2);
        if (end) {
            char *line = (char *)s->in + s->from;
            *end = '\0';
            s->from = (size_t)(end - s->in) + 2;
            return line;
        }
        read_more(s);
    }
}

/* Reads one reply; the last text in it goes to `text`. An error ends the program. */
static void read_reply(struct server *s, char *text, size_t cap)
{
    char *line = read_line(s);
    long n = strtol(line + 1, NULL, 10);
    if (line[0] == '-') {
        fprintf(stderr, "track_bench: redis-server answers %s\n", line);
        exit(1);
    } else if (line[0] == '*') {
        for (long i = 0; i < n; i++)
            read_reply(s, text, cap);
    } else if (line[0] == '$' && n >= 0) {
        while (s->to - s->from < (size_t)n + 2)
            read_more(s);
        snprintf(text, cap, "%.*s", (int)n, (char *)s->in + s->from);
        s->from += (size_t)n + 2;
    } else {
        snprintf(text, cap, "%s", line + 1);
    }
}

static void ask(struct server *s, char *text, size_t cap, const char *a, const char *b, const char *c)
{
    const char *all[] = {a, b, c};
    struct span arg[3];
    size_t n = 0;
    for (; n < 3 && all[n]; n++)
        arg[n] = span_str(all[n]);
    put_args(s, arg, n);
    flush(s);
    read_reply(s, text, cap);
}

/* ---- the server ---- */

static bool dial(struct server *s)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, s->sock, strlen(s->sock) + 1);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(s->fd, (struct sockaddr *)&un, sizeof(un)) == 0)
        return true;
    close(s->fd);
    return false;
}

static void start(struct server *s, const char *program)
{
    snprintf(s->dir, sizeof(s->dir), P_tmpdir "/cg-bench-XXXXXX");
    if (!mkdtemp(s->dir))
        die("mkdtemp");
    snprintf(s->sock, sizeof(s->sock), "%s/redis.sock", s->dir);
    s->pid = fork();
    if (s->pid == 0) {
        execlp(program, program, "--port", "0", "--unixsocket", s->sock, "--dir", s->dir, "--save", "", "--logfile",
               "/dev/null", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; !dial(s); i++) {
        if (i > 2000 || waitpid(s->pid, NULL, WNOHANG) != 0)
            die(program);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    ask(s, s->sha, sizeof(s->sha), "SCRIPT", "LOAD", script_text("apply"));
    ask(s, s->six_sha, sizeof(s->six_sha), "SCRIPT", "LOAD", six_writes);
}

static void stop(struct server *s)
{
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    close(s->fd);
    unlink(s->sock);
    rmdir(s->dir);
    buf_fini(&s->out);
}

static double cpu_us(struct server *s)
{
    static char info[8192];
    ask(s, info, sizeof(info), "INFO", "cpu", NULL);
    const char *sys = strstr(info, "used_cpu_sys:"), *user = strstr(info, "used_cpu_user:");
    if (!sys || !user)
        die("INFO cpu");
    return 1e6 * (strtod(sys + 13, NULL) + strtod(user + 14, NULL));
}

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
    char number[BATCH_MAX][24];
    uint8_t record[BATCH_MAX][EVENT_ENCODED_MAX];
    struct schema_keys keys;
    char n_keys[8], n_records[8], schema[8];
};

static void fill_call(struct server *s, struct call *c, const struct mix *m, unsigned long first, int64_t start_ms)
{
    struct span fixed[] = {span_str("EVALSHA"), span_str(s->sha), span_str(c->n_keys)};
    size_t n = 0;
    for (; n < 3; n++)
        c->arg[n] = fixed[n];
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++)
        c->arg[n++] = c->keys.span[i];
    snprintf(c->schema, sizeof(c->schema), "%d", SCHEMA_VERSION);
    snprintf(c->n_records, sizeof(c->n_records), "%u", m->batch);
    struct span head[] = {span_str(c->schema), span_str("ring"), span_str("0"), span_str("node"),
                          span_str(c->n_records)};
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        c->arg[n++] = head[i];
    for (unsigned i = 0; i < m->batch; i++) {
        unsigned long number = first + i;
        size_t len = make_record(m, number, start_ms + (int64_t)number, c->record[i]);
        snprintf(c->number[i], sizeof(c->number[i]), "%lu", number);
        c->arg[n++] = span_str(c->number[i]);
        c->arg[n++] = span_of(c->record[i], len);
    }
    c->n = n;
}

static void drain(struct server *s, unsigned replies, const char *want)
{
    char text[64];
    flush(s);
    for (; replies; replies--) {
        read_reply(s, text, sizeof(text));
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
    ask(s, text, sizeof(text), "FLUSHALL", NULL, NULL);
    schema_apply_keys(0, &c.keys);
    snprintf(c.n_keys, sizeof(c.n_keys), "%d", SCHEMA_KEY_COUNT);
    while (done < events + warm) {
        if (!before && done >= warm) {
            drain(s, waiting, "OK");
            waiting = 0;
            before = cpu_us(s);
            warm = done;
        }
        fill_call(s, &c, m, done + 1, start_ms);
        put_args(s, c.arg, c.n);
        done += m->batch;
        if (++waiting == m->pipeline) {
            drain(s, waiting, "OK");
            waiting = 0;
        }
    }
    drain(s, waiting, "OK");
    return (cpu_us(s) - before) / (double)(done - warm);
}

static void send_six(struct server *s, unsigned long events)
{
    char agent[16], at[24], ms[16];
    for (unsigned long i = 1; i <= events; i++) {
        snprintf(agent, sizeof(agent), "agent-%05u", pick(2000));
        snprintf(at, sizeof(at), "%" PRId64, clock_wall_ms());
        snprintf(ms, sizeof(ms), "%u", pick(100000));
        struct span arg[] = {span_str("EVALSHA"), span_str(s->six_sha), span_str("6"), span_str("h"),
                             span_str("c"),       span_str("d"),        span_str("z"), span_str("y"),
                             span_str("x"),       span_str(agent),      span_str(at),  span_str(ms)};
        put_args(s, arg, ARRAY_LEN(arg));
        if (i % SIX_PIPELINE == 0 || i == events)
            drain(s, (unsigned)(i % SIX_PIPELINE ? i % SIX_PIPELINE : SIX_PIPELINE), "1");
    }
}

static double run_six(struct server *s, unsigned long events)
{
    char text[64];
    ask(s, text, sizeof(text), "FLUSHALL", NULL, NULL);
    send_six(s, events / 2);
    double before = cpu_us(s);
    send_six(s, events);
    return (cpu_us(s) - before) / (double)events;
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

static void run_all(struct server *s, size_t rounds, unsigned long events, const char *only)
{
    static double six[ROUNDS_MAX], ones[ROUNDS_MAX], us[ARRAY_LEN(mixes)][ROUNDS_MAX],
        ratio[ARRAY_LEN(mixes)][ROUNDS_MAX];
    for (size_t r = 0; r < rounds; r++) {
        six[r] = run_six(s, events);
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
    unsigned long rounds = 5, events = 20000;
    const char *only = NULL, *program = "redis-server";
    static struct server s;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--rounds") == 0)
            rounds = strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--events") == 0)
            events = strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--only") == 0)
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
    start(&s, program);
    run_all(&s, rounds, events, only);
    stop(&s);
    return 0;
}

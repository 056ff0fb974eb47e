/* chatgate-bench xmpp-load: messages over XMPP, agents to customers, through several targets in turn. */
#include "base/hist.h"
#include "base/xalloc.h"
#include "bench_main.h"
#include "bench_opt.h"
#include "bench_proc.h"
#include "bench_xmpp_backend.h"
#include "bench_xmpp_peer.h"
#include "bench_xmpp_table.h"
#include "proto/xmpp_write.h"

enum { WINDOW = 8192, TEXTS_MAX = 1000, LOGIN_S = 60, GRACE_S = 5 };

struct pair {
    struct target *target;
    struct xmpp_peer agent, customer;
    struct buf head;        /* of each message, up to its number */
    uint32_t n, sent, came; /* sent, came: numbers of messages */
    uint32_t first;         /* of this measurement: earlier ones that come late belong to none */
    int64_t due_ns[WINDOW]; /* by number */
};

struct target {
    char name[32], resource[16];
    struct xmpp_row row;
    struct endpoint agents, customers;
    struct procs procs;
    struct pair *pair;
};

/* One run at a time: the command's state. */
static struct {
    struct opt_list target_opts, pid_opts;
    const char *reference, *texts, *domain, *password, *backend;
    long pairs, rounds, outstanding, core;
    double rate, secs;

    struct target target[XMPP_ROWS_MAX];
    size_t n_targets;
    struct buf text[TEXTS_MAX]; /* what stands behind the number: the rest of the message */
    size_t n_texts;
    struct loop *loop;
    struct hist hist;
    const struct target *measured;
    uint64_t came, refused;
    bool has_failed;
} b = {.domain = "localhost",
       .password = "bench",
       .pairs = 20,
       .rounds = 3,
       .outstanding = 8,
       .rate = 500,
       .secs = 2,
       .core = -1};

/* --- messages --- */

static void put_message(struct pair *p, int64_t due)
{
    static const char digits[] = "0123456789abcdef";
    char id[8];
    uint32_t number = p->sent++;
    p->due_ns[number % WINDOW] = due;
    for (int i = 0; i < 8; i++)
        id[i] = digits[number >> (28 - 4 * i) & 15];
    buf_append_span(&p->agent.out, buf_span(&p->head));
    buf_append(&p->agent.out, id, sizeof(id));
    buf_append_span(&p->agent.out, buf_span(&b.text[(number + p->n) % b.n_texts]));
}

static void on_customer_message(struct xmpp_peer *peer, struct span stanza)
{
    static const char attr[] = " id="; /* then a quotation mark, and "m" */
    struct pair *p = CONTAINER_OF(peer, struct pair, customer);
    const char *id = memmem(stanza.p, stanza.n, attr, sizeof(attr) - 1);
    if (!id || (const char *)stanza.p + stanza.n - id < 16 || id[5] != 'm')
        return;
    uint32_t number = (uint32_t)strtoul(id + 6, NULL, 16); /* a quotation mark ends it */
    if (p->target != b.measured || number - p->first >= p->sent - p->first)
        return;
    p->target->row.disordered += number != p->came;
    p->came = number + 1;
    b.came++;
    hist_add(&b.hist, (uint64_t)(peer->read_ns - p->due_ns[number % WINDOW]));
}

/* What an agent gets is what the gateway or the server makes of a refusal. */
static void on_agent_message(struct xmpp_peer *peer, struct span stanza)
{
    (void)stanza;
    b.refused += CONTAINER_OF(peer, struct pair, agent)->target == b.measured;
}

static void on_end(struct xmpp_peer *peer, const char *why)
{
    if (!b.has_failed)
        fprintf(stderr, "xmpp-load: %s at %s: %.300s\n", peer->account.user, peer->account.resource, why);
    b.has_failed = true;
}

/* --- a measurement --- */

static int64_t begin(struct target *t)
{
    memset(&b.hist, 0, sizeof(b.hist));
    b.measured = t;
    b.came = b.refused = 0;
    for (long i = 0; i < b.pairs; i++)
        t->pair[i].first = t->pair[i].came = t->pair[i].sent;
    return now_ns();
}

static bool goes_on(void)
{
    return !b.has_failed && !loop_is_interrupted();
}

static void finish(struct target *t, struct figures *f, uint64_t sent, int64_t began, int64_t cpu)
{
    int64_t until = now_ns() + GRACE_S * INT64_C(1000000000);
    while (b.came + b.refused < sent && now_ns() < until && goes_on())
        loop_turn(b.loop, now_ns() + 10000000);
    double took = (double)(now_ns() - began) / 1e9;
    f->per_s = (double)b.came / took;
    f->p50_us = (double)hist_quantile(&b.hist, 0.5) / 1000;
    f->p99_us = (double)hist_quantile(&b.hist, 0.99) / 1000;
    f->cpu_us = b.came && t->procs.n ? (double)(procs_cpu_ns(&t->procs) - cpu) / 1000 / (double)b.came : 0;
    f->lost = (double)(sent - b.came - b.refused);
    t->row.refused += b.refused;
}

static void measure_open(struct target *t, struct figures *f)
{
    int64_t cpu = procs_cpu_ns(&t->procs), began = begin(t);
    uint64_t total = (uint64_t)(b.rate * b.secs), sent = 0, late = 0;
    while (sent < total && goes_on()) {
        int64_t due = began + (int64_t)((double)sent / b.rate * 1e9), now = now_ns();
        if (now < due) {
            loop_turn(b.loop, due);
            continue;
        }
        late += now - due > 1000000;
        struct pair *p = &t->pair[sent++ % (uint64_t)b.pairs];
        put_message(p, due);
        xmpp_peer_flush(&p->agent);
    }
    finish(t, f, sent, began, cpu);
    f->late = sent ? 100.0 * (double)late / (double)sent : 0;
}

/* Half of the outstanding messages go at once when the other half has come: what is measured is how many messages pass,
 * not how many wake-ups they take. */
static void measure_closed(struct target *t, struct figures *f)
{
    uint32_t many = (uint32_t)b.outstanding;
    int64_t cpu = procs_cpu_ns(&t->procs), began = begin(t), until = began + (int64_t)(b.secs * 1e9), now;
    uint64_t sent = 0;
    while ((now = now_ns()) < until && goes_on()) {
        for (long i = 0; i < b.pairs; i++) {
            struct pair *p = &t->pair[i];
            if (p->sent - p->came > many / 2)
                continue;
            for (; p->sent - p->came < many; sent++)
                put_message(p, now);
            xmpp_peer_flush(&p->agent);
        }
        loop_turn(b.loop, now + 1000000);
    }
    finish(t, f, sent, began, cpu);
}

/* --- logins --- */

static int start_peer(struct target *t, struct xmpp_peer *p, bool is_agent, long n)
{
    static const struct xmpp_peer_calls agent_calls = {.on_message = on_agent_message, .on_end = on_end};
    static const struct xmpp_peer_calls customer_calls = {.on_message = on_customer_message, .on_end = on_end};
    struct err e;
    p->account = (struct xmpp_account){.domain = b.domain, .password = b.password, .resource = t->resource};
    snprintf(p->account.user, sizeof(p->account.user), "%c%ld", is_agent ? 'a' : 'c', n);
    if (xmpp_peer_start(p, b.loop, is_agent ? &t->agents : &t->customers, is_agent ? &agent_calls : &customer_calls,
                        &e) == 0)
        return 0;
    fprintf(stderr, "xmpp-load: %s: %s\n", t->name, e.text);
    return -1;
}

static bool wait_open(const struct xmpp_peer *p)
{
    int64_t until = now_ns() + LOGIN_S * INT64_C(1000000000);
    while (!p->is_open && goes_on() && now_ns() < until)
        loop_turn(b.loop, now_ns() + 100000000);
    if (!p->is_open && !b.has_failed)
        fprintf(stderr, "xmpp-load: %s at %s: no login within %d s\n", p->account.user, p->account.resource, LOGIN_S);
    return p->is_open;
}

static int log_in(struct target *t)
{
    t->pair = xcalloc((size_t)b.pairs, sizeof(*t->pair));
    for (long i = 0; i < b.pairs; i++) {
        struct pair *p = &t->pair[i];
        p->target = t;
        p->n = (uint32_t)i;
        buf_printf(&p->head, "<message to='c%ld@%s/%s' type='chat' id='m", i, b.domain, t->resource);
        if (start_peer(t, &p->customer, false, i) < 0 || start_peer(t, &p->agent, true, i) < 0)
            return -1;
    }
    for (long i = 0; i < b.pairs; i++)
        if (!wait_open(&t->pair[i].customer) || !wait_open(&t->pair[i].agent))
            return -1;
    return 0;
}

/* --- options --- */

static struct target *target_named(const char *name, size_t n)
{
    for (size_t i = 0; i < b.n_targets; i++)
        if (strlen(b.target[i].name) == n && strncmp(b.target[i].name, name, n) == 0)
            return &b.target[i];
    return NULL;
}

/* NAME=AGENTS[,CUSTOMERS]: customers are at the same address unless another one is said. */
static int add_target(const char *item)
{
    struct target *t = &b.target[b.n_targets];
    struct err e = {"NAME=ADDR:PORT[,CUSTOMERS' ADDR:PORT] is wanted, names of at most 31 bytes, 8 targets"};
    char agents[300];
    size_t n;
    const char *at = opt_named(item, &n), *comma = at ? strchr(at, ',') : NULL;
    size_t n_agents = !at ? 0 : comma ? (size_t)(comma - at) : strlen(at);
    bool is_fit = at && n < sizeof(t->name) && n_agents < sizeof(agents) && b.n_targets < XMPP_ROWS_MAX;
    if (is_fit) {
        snprintf(t->name, sizeof(t->name), "%.*s", (int)n, item);
        snprintf(t->resource, sizeof(t->resource), "b%zu", b.n_targets++);
        snprintf(agents, sizeof(agents), "%.*s", (int)n_agents, at);
        t->row.name = t->name;
        is_fit = endpoint_parse(&t->agents, agents, &e) == 0 &&
                 endpoint_parse(&t->customers, comma ? comma + 1 : agents, &e) == 0;
    }
    if (!is_fit)
        fprintf(stderr, "--target %s: %s\n", item, e.text);
    return is_fit ? 0 : -1;
}

static int add_pids(const char *item)
{
    size_t n;
    const char *pids = opt_named(item, &n);
    struct target *t = pids ? target_named(item, n) : NULL;
    if (t && procs_parse(&t->procs, pids) == 0)
        return 0;
    fprintf(stderr, "--pid %s: NAME=PID[,PID] with the name of a target is wanted\n", item);
    return -1;
}

static void add_text(const char *line)
{
    struct buf *t = &b.text[b.n_texts++];
    buf_append_str(t, "'><body>");
    xmpp_escape(t, span_str(line));
    buf_append_str(t, "</body></message>");
}

static int load_texts(const char *path)
{
    char line[4000];
    FILE *f = path ? fopen(path, "r") : NULL;
    if (path && !f) {
        perror(path);
        return -1;
    }
    while (f && b.n_texts < TEXTS_MAX && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line)
            add_text(line);
    }
    if (f)
        fclose(f);
    if (!b.n_texts)
        add_text("您好这款衬衫有黑色和白色两种您看看喜欢哪一种呢");
    return 0;
}

static int read_options(int argc, char **argv)
{
    static const char usage[] =
        "chatgate-bench xmpp-load --target NAME=ADDR:PORT[,ADDR:PORT] [--target …] [options]\n"
        "Agents a0, a1, … send messages to customers c0, c1, …, who log in at the second address. The accounts must "
        "be\n"
        "there. Targets alternate inside each round; differences and ratios are taken to the first target (or\n"
        "--reference) in the same round.\n";
    const struct opt table[] = {
        {"target", OPT_LIST, &b.target_opts, 0, 0, "NAME=ADDR,ADDR", "where agents connect to, and their customers"},
        {"pid", OPT_LIST, &b.pid_opts, 0, 0, "NAME=PID[,PID]", "processes of a target, for CPU time"},
        {"reference", OPT_TEXT, &b.reference, 0, 0, "NAME", "target that ratios are taken to (the first)"},
        {"pairs", OPT_INT, &b.pairs, 1, 10000, "N", "agents, each with a customer (20)"},
        {"rate", OPT_NUMBER, &b.rate, 0, 1e7, "R", "messages a second over all agents (500); 0: no fixed rate"},
        {"outstanding", OPT_INT, &b.outstanding, 1, WINDOW / 2, "N", "then: so many outstanding per agent (8)"},
        {"secs", OPT_NUMBER, &b.secs, 0.1, 86400, "S", "seconds for each of the two, target and round (2)"},
        {"rounds", OPT_INT, &b.rounds, 1, XMPP_ROUNDS_MAX, "N", "rounds (3)"},
        {"corpus", OPT_TEXT, &b.texts, 0, 0, "FILE", "texts to send, one per line"},
        {"domain", OPT_TEXT, &b.domain, 0, 0, "NAME", "of the accounts (localhost)"},
        {"password", OPT_TEXT, &b.password, 0, 0, "TEXT", "of all accounts (bench)"},
        {"backend", OPT_TEXT, &b.backend, 0, 0, "ADDR:PORT", "also run the XMPP backend there, in this process"},
        {"core", OPT_INT, &b.core, -1, 1023, "N", "run on this core only"},
        {0},
    };
    int rc = opt_read(table, usage, argc, argv);
    if (rc)
        return rc;
    for (size_t i = 0; i < b.target_opts.n; i++)
        if (add_target(b.target_opts.item[i]) < 0)
            return 2;
    for (size_t i = 0; i < b.pid_opts.n; i++)
        if (add_pids(b.pid_opts.item[i]) < 0)
            return 2;
    if (!b.n_targets || (b.reference && !target_named(b.reference, strlen(b.reference)))) {
        fprintf(stderr, b.n_targets ? "--reference: no target of that name\n" : "--target is missing\n");
        return 2;
    }
    return load_texts(b.texts) < 0 ? 2 : 0;
}

/* --- all of it --- */

static bool run_rounds(void)
{
    for (size_t i = 0; i < b.n_targets; i++)
        if (log_in(&b.target[i]) < 0)
            return false;
    for (long r = 0; r < b.rounds && goes_on(); r++)
        for (size_t i = 0; i < b.n_targets; i++) { /* the order turns by one each round */
            struct target *t = &b.target[(i + (size_t)r) % b.n_targets];
            if (b.rate > 0)
                measure_open(t, &t->row.open[r]);
            measure_closed(t, &t->row.closed[r]);
        }
    return goes_on();
}

static void print(void)
{
    struct xmpp_row rows[XMPP_ROWS_MAX];
    const struct target *reference = b.reference ? target_named(b.reference, strlen(b.reference)) : b.target;
    for (size_t i = 0; i < b.n_targets; i++)
        rows[i] = b.target[i].row;
    struct xmpp_table t = {.row = rows,
                           .n_rows = (unsigned)b.n_targets,
                           .n_rounds = (unsigned)b.rounds,
                           .reference = (unsigned)(reference - b.target)};
    if (b.rate > 0) {
        printf("%.0f messages a second over %ld agents", b.rate, b.pairs);
        xmpp_table_print_open(&t);
    }
    printf("%ld agents with %ld outstanding messages each", b.pairs, b.outstanding);
    xmpp_table_print_closed(&t);
}

static void stop(struct xmpp_backend **backend)
{
    for (size_t i = 0; i < b.n_targets; i++) {
        for (long k = 0; b.target[i].pair && k < b.pairs; k++) {
            xmpp_peer_fini(&b.target[i].pair[k].agent);
            xmpp_peer_fini(&b.target[i].pair[k].customer);
            buf_fini(&b.target[i].pair[k].head);
        }
        free(b.target[i].pair);
    }
    for (size_t i = 0; i < b.n_texts; i++)
        buf_fini(&b.text[i]);
    xmpp_backend_stop(backend);
    loop_free(&b.loop);
}

int bench_xmpp_load(int argc, char **argv)
{
    int rc = read_options(argc, argv);
    if (rc)
        return rc == 1 ? 0 : rc;
    struct err e;
    struct endpoint at;
    struct xmpp_backend *backend = NULL;
    b.loop = server_loop(b.core);
    bool is_fit = b.loop != NULL;
    if (is_fit && b.backend &&
        (endpoint_parse(&at, b.backend, &e) < 0 || !(backend = xmpp_backend_start(b.loop, &at, &e)))) {
        fprintf(stderr, "--backend: %s\n", e.text);
        is_fit = false;
    }
    bool is_done = is_fit && run_rounds();
    if (is_done)
        print();
    stop(&backend);
    return is_done ? 0 : is_fit ? 1 : 2;
}

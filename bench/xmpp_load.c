/* Messages over XMPP, agents to customers, through several targets in turn:
 *
 *   xmpp_load --texts bench/texts.txt --target direct=5222/5222 --target gate=5322/5222 --pid direct=11 --pid
 * gate=11,12
 *
 * A target is a port that agents connect to and one for its customers, both on 127.0.0.1. Accounts a0 … and c0 … at
 * localhost, all with the password "bench", must be there. Each round measures every target at a fixed rate (latency
 * from when a message was due until its customer has it) and with some outstanding messages per agent (messages a
 * second). Printed are medians of the rounds [lowest-highest]; differences and ratios are taken inside a round, to the
 * first target. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hist.h"
#include "base/xalloc.h"
#include "bench_proc.h"
#include "xmpp_table.h"

enum { TARGETS_MAX = 8, WINDOW = 8192, TEXTS_MAX = 1000, READ_MAX = 65536, GRACE_S = 5 };

struct link {
    int fd;
    struct pair *pair;
    bool is_agent;
    struct buf in, out;
};

struct pair {
    struct target *target;
    unsigned n;
    struct link agent, customer;
    uint32_t sent, came;     /* numbers of messages */
    uint64_t due_ns[WINDOW]; /* by number */
};

struct target {
    struct xmpp_row row;
    int agent_port, customer_port;
    struct procs procs;
    struct pair *pair;
};

static struct {
    struct target target[TARGETS_MAX];
    unsigned n_targets, pairs, rounds, outstanding;
    double rate, secs;
    char *text[TEXTS_MAX];
    size_t n_texts;
    int epoll;
    struct hist hist;
    uint64_t came, refused;
} b = {.pairs = 20, .rounds = 3, .outstanding = 8, .rate = 500, .secs = 2};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what, const char *more)
{
    fprintf(stderr, "xmpp_load: %s: %s\n", what, more);
    exit(1);
}

/* --- connections --- */

static void write_now(int fd, const char *text)
{
    size_t n = strlen(text);
    if (write(fd, text, n) != (ssize_t)n)
        die("write", strerror(errno));
}

static void read_until(struct link *l, const char *what)
{
    while (!strstr(buf_cstr(&l->in), what)) {
        uint8_t *at = buf_reserve(&l->in, READ_MAX);
        ssize_t n = read(l->fd, at, READ_MAX);
        if (n <= 0)
            die(what, "was not sent at login");
        buf_commit(&l->in, (size_t)n);
    }
    buf_reset(&l->in);
}

static void base64(const char *in, size_t n, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)(uint8_t)in[i] << 16;
        v |= i + 1 < n ? (uint32_t)(uint8_t)in[i + 1] << 8 : 0;
        v |= i + 2 < n ? (uint32_t)(uint8_t)in[i + 2] : 0;
        *out++ = letters[v >> 18];
        *out++ = letters[v >> 12 & 63];
        *out++ = i + 1 < n ? letters[v >> 6 & 63] : '=';
        *out++ = i + 2 < n ? letters[v & 63] : '=';
    }
    *out = '\0';
}

static void log_in(struct link *l, int port)
{
    static const char header[] =
        "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'>";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char plain[64], coded[96], text[300];
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("connect", strerror(errno));
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    write_now(l->fd, header);
    read_until(l, "</stream:features>");
    int n = snprintf(plain, sizeof(plain), "%c%c%u%cbench", 0, l->is_agent ? 'a' : 'c', l->pair->n, 0);
    base64(plain, (size_t)n, coded);
    snprintf(text, sizeof(text), "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>", coded);
    write_now(l->fd, text);
    read_until(l, "<success");
    write_now(l->fd, header);
    read_until(l, "</stream:features>");
    snprintf(
        text, sizeof(text),
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>b%td</resource></bind></iq>",
        l->pair->target - b.target);
    write_now(l->fd, text);
    read_until(l, "</iq>");
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
    if (fcntl(l->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(b.epoll, EPOLL_CTL_ADD, l->fd, &ev) < 0)
        die("epoll_ctl", strerror(errno));
}

static void log_in_all(struct target *t)
{
    t->pair = xcalloc(b.pairs, sizeof(*t->pair));
    for (unsigned i = 0; i < b.pairs; i++) {
        struct pair *p = &t->pair[i];
        p->target = t;
        p->n = i;
        p->agent = (struct link){.pair = p, .is_agent = true};
        p->customer = (struct link){.pair = p};
        log_in(&p->customer, t->customer_port);
        log_in(&p->agent, t->agent_port);
    }
}

/* --- messages --- */

static void flush(struct link *l)
{
    while (l->out.len) {
        ssize_t n = write(l->fd, l->out.data + l->out.start, l->out.len);
        if (n < 0 && errno != EAGAIN)
            die("write", strerror(errno));
        if (n < 0)
            break;
        buf_consume(&l->out, (size_t)n);
    }
    struct epoll_event ev = {.events = EPOLLIN | (l->out.len ? EPOLLOUT : 0u), .data.ptr = l};
    epoll_ctl(b.epoll, EPOLL_CTL_MOD, l->fd, &ev);
}

static void send_one(struct pair *p, uint64_t due)
{
    uint32_t number = p->sent++;
    p->due_ns[number % WINDOW] = due;
    buf_printf(&p->agent.out,
               "<message to='c%u@localhost/b%td' type='chat' id='m%" PRIu32 "'><body>%s</body></message>", p->n,
               p->target - b.target, number, b.text[(number + p->n) % b.n_texts]);
    flush(&p->agent);
}

static void take_message(struct link *l, const char *from, const char *to)
{
    struct pair *p = l->pair;
    const char *id = strstr(from, " id='m");
    id = id ? id : strstr(from, " id=\"m");
    if (l->is_agent || !id || id > to) {
        b.refused += l->is_agent;
        return;
    }
    uint32_t number = (uint32_t)strtoul(id + 6, NULL, 10);
    p->target->row.disordered += number != p->came;
    p->came = number + 1;
    b.came++;
    hist_add(&b.hist, now_ns() - p->due_ns[number % WINDOW]);
}

static void take_bytes(struct link *l)
{
    uint8_t *at = buf_reserve(&l->in, READ_MAX + 1);
    ssize_t n = read(l->fd, at, READ_MAX);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        die(l->pair->target->row.name, "closed a connection");
    buf_commit(&l->in, (size_t)n);
    for (;;) {
        const char *all = buf_cstr(&l->in), *end = strstr(all, "</message>");
        if (!end)
            return;
        const char *begin = strstr(all, "<message");
        if (begin && begin < end)
            take_message(l, begin, end);
        buf_consume(&l->in, (size_t)(end + 10 - all));
    }
}

static void turn(uint64_t wait_ns)
{
    struct epoll_event ev[64];
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000u), .tv_nsec = (long)(wait_ns % 1000000000u)};
    int n = epoll_pwait2(b.epoll, ev, 64, &wait, NULL);
    for (int i = 0; i < n; i++) {
        struct link *l = ev[i].data.ptr;
        if (ev[i].events & EPOLLOUT)
            flush(l);
        if (ev[i].events & ~(unsigned)EPOLLOUT)
            take_bytes(l);
    }
}

/* --- a measurement --- */

static uint64_t begin(struct target *t)
{
    memset(&b.hist, 0, sizeof(b.hist));
    b.came = b.refused = 0;
    for (unsigned i = 0; i < b.pairs; i++)
        t->pair[i].came = t->pair[i].sent;
    return now_ns();
}

static void finish(struct target *t, struct figures *f, uint64_t sent, uint64_t began, int64_t cpu)
{
    uint64_t until = now_ns() + GRACE_S * 1000000000ull;
    while (b.came + b.refused < sent && now_ns() < until)
        turn(10000000);
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
    int64_t cpu = procs_cpu_ns(&t->procs);
    uint64_t began = begin(t), total = (uint64_t)(b.rate * b.secs), sent = 0, late = 0;
    while (sent < total) {
        uint64_t due = began + (uint64_t)((double)sent / b.rate * 1e9), now = now_ns();
        if (now < due) {
            turn(due - now);
            continue;
        }
        late += now - due > 1000000;
        send_one(&t->pair[sent % b.pairs], due);
        sent++;
    }
    finish(t, f, sent, began, cpu);
    f->late = 100.0 * (double)late / (double)sent;
}

static void measure_closed(struct target *t, struct figures *f)
{
    int64_t cpu = procs_cpu_ns(&t->procs);
    uint64_t began = begin(t), until = began + (uint64_t)(b.secs * 1e9), sent = 0;
    while (now_ns() < until) {
        for (unsigned i = 0; i < b.pairs; i++)
            for (struct pair *p = &t->pair[i]; p->sent - p->came < b.outstanding; sent++)
                send_one(p, now_ns());
        turn(1000000);
    }
    finish(t, f, sent, began, cpu);
}

/* --- options --- */

static struct target *target_named(const char *name, size_t n)
{
    for (unsigned i = 0; i < b.n_targets; i++)
        if (strlen(b.target[i].row.name) == n && strncmp(b.target[i].row.name, name, n) == 0)
            return &b.target[i];
    return NULL;
}

static void add_target(char *text)
{
    struct target *t = &b.target[b.n_targets++];
    char *ports = strchr(text, '=');
    if (b.n_targets > TARGETS_MAX || !ports || sscanf(ports + 1, "%d/%d", &t->agent_port, &t->customer_port) != 2)
        die("--target", "NAME=PORT/CUSTOMERS-PORT is wanted, 8 at most");
    *ports = '\0';
    t->row.name = text;
}

static void add_pids(const char *text)
{
    const char *pids = strchr(text, '=');
    struct target *t = pids ? target_named(text, (size_t)(pids - text)) : NULL;
    if (!t || procs_parse(&t->procs, pids + 1) < 0)
        die("--pid", "NAME=PID,PID behind that --target is wanted");
}

static void load_texts(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[4000];
    if (!f)
        die(path, strerror(errno));
    while (b.n_texts < TEXTS_MAX && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && !strpbrk(line, "<&"))
            b.text[b.n_texts++] = xstrdup(line);
    }
    fclose(f);
    if (!b.n_texts)
        die(path, "has no text");
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"target", 1, NULL, 't'},      {"pid", 1, NULL, 'p'},   {"pairs", 1, NULL, 'n'},
        {"rounds", 1, NULL, 'r'},      {"rate", 1, NULL, 'R'},  {"secs", 1, NULL, 's'},
        {"outstanding", 1, NULL, 'o'}, {"texts", 1, NULL, 'x'}, {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long n = optarg ? strtoul(optarg, NULL, 10) : 0;
        switch (c) {
        case 't':
            add_target(optarg);
            break;
        case 'p':
            add_pids(optarg);
            break;
        case 'n':
            b.pairs = (unsigned)n;
            break;
        case 'r':
            b.rounds = (unsigned)MIN_OF(n, (unsigned long)ROUNDS_MAX);
            break;
        case 'R':
            b.rate = strtod(optarg, NULL);
            break;
        case 's':
            b.secs = strtod(optarg, NULL);
            break;
        case 'o':
            b.outstanding = (unsigned)MIN_OF(n, (unsigned long)WINDOW / 2);
            break;
        case 'x':
            load_texts(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (!b.n_targets || !b.n_texts || !b.pairs || !b.rounds || b.rate <= 0 || b.secs <= 0)
        die("options", "--texts and a --target are wanted, numbers must be above 0");
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    b.epoll = epoll_create1(0);
    for (unsigned i = 0; i < b.n_targets; i++)
        log_in_all(&b.target[i]);
    for (unsigned r = 0; r < b.rounds; r++)
        for (unsigned i = 0; i < b.n_targets; i++) { /* the order turns by one each round */
            struct target *t = &b.target[(i + r) % b.n_targets];
            measure_open(t, &t->row.open[r]);
            measure_closed(t, &t->row.closed[r]);
        }
    printf("%.0f messages a second over %u agents, then %u outstanding messages per agent\n", b.rate, b.pairs,
           b.outstanding);
    struct xmpp_row rows[TARGETS_MAX];
    for (unsigned i = 0; i < b.n_targets; i++)
        rows[i] = b.target[i].row;
    xmpp_table_print(rows, b.n_targets, b.rounds);
    return 0;
}

#include "track_rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "track_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the wire ---- */

void server_put(struct server *s, const struct span *arg, size_t n)
{
    char head[32];
    buf_append(&s->out, head, (size_t)snprintf(head, sizeof(head), "*%zu\r\n", n));
    for (size_t i = 0; i < n; i++) {
        buf_append(&s->out, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", arg[i].n));
        buf_append(&s->out, arg[i].p, arg[i].n);
        buf_append(&s->out, "\r\n", 2);
    }
}

void server_flush(struct server *s)
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

void server_read(struct server *s, char *text, size_t cap)
{
    char *line = read_line(s);
    long n = strtol(line + 1, NULL, 10);
    if (line[0] == '-') {
        fprintf(stderr, "track_bench: redis-server answers %s\n", line);
        exit(1);
    } else if (line[0] == '*') {
        for (long i = 0; i < n; i++)
            server_read(s, text, cap);
    } else if (line[0] == '$' && n >= 0) {
        while (s->to - s->from < (size_t)n + 2)
            read_more(s);
        snprintf(text, cap, "%.*s", (int)n, (char *)s->in + s->from);
        s->from += (size_t)n + 2;
    } else {
        snprintf(text, cap, "%s", line + 1);
    }
}

void server_ask(struct server *s, char *text, size_t cap, const char *a, const char *b, const char *c)
{
    const char *all[] = {a, b, c};
    struct span arg[3];
    size_t n = 0;
    for (; n < 3 && all[n]; n++)
        arg[n] = span_str(all[n]);
    server_put(s, arg, n);
    server_flush(s);
    server_read(s, text, cap);
}

/* ---- the server ---- */

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A port that nobody has now. */
static unsigned free_port(void)
{
    struct sockaddr_in in = loopback(0);
    socklen_t n = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&in, sizeof(in)) != 0 || getsockname(fd, (struct sockaddr *)&in, &n) != 0)
        die("bind to 127.0.0.1");
    close(fd);
    return ntohs(in.sin_port);
}

static bool dial(struct server *s)
{
    struct sockaddr_in in = loopback((unsigned)strtoul(s->port, NULL, 10));
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(s->fd, (struct sockaddr *)&in, sizeof(in)) == 0)
        return true;
    close(s->fd);
    return false;
}

/* A machine with one core has no other. */
static void sit_on(unsigned core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        sched_setaffinity(0, sizeof(set), &set);
}

void server_start(struct server *s, const char *program)
{
    snprintf(s->dir, sizeof(s->dir), P_tmpdir "/cg-bench-XXXXXX");
    if (!mkdtemp(s->dir))
        die("mkdtemp");
    snprintf(s->port, sizeof(s->port), "%u", free_port());
    s->pid = fork();
    if (s->pid == 0) {
        sit_on(0);
        execlp(program, program, "--bind", "127.0.0.1", "--port", s->port, "--dir", s->dir, "--save", "", "--logfile",
               "/dev/null", (char *)NULL);
        _exit(127);
    }
    sit_on(1);
    for (int i = 0; !dial(s); i++) {
        if (i > 4000 || waitpid(s->pid, NULL, WNOHANG) != 0)
            die(program);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

void server_stop(struct server *s)
{
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    close(s->fd);
    rmdir(s->dir);
    buf_fini(&s->out);
}

void server_load(struct server *s, const char *script, char sha[48])
{
    server_ask(s, sha, 48, "SCRIPT", "LOAD", script);
}

double server_cpu_us(struct server *s)
{
    static char info[8192];
    server_ask(s, info, sizeof(info), "INFO", "cpu", NULL);
    const char *sys = strstr(info, "used_cpu_sys:"), *user = strstr(info, "used_cpu_user:");
    if (!sys || !user)
        die("INFO cpu");
    return 1e6 * (strtod(sys + 13, NULL) + strtod(user + 14, NULL));
}

#include "bench_target.h"

#include <stdarg.h>
#include <unistd.h>

#include "bench_echo.h"
#include "bench_text.h"

static int add_target(struct common *c, const char *item)
{
    struct err e;
    size_t n;
    const char *url = opt_named(item, &n);
    if (c->n_targets == TARGETS_MAX || !url || n >= NAME_MAX_BYTES) {
        fprintf(stderr, "--target '%.100s': expected NAME=URL, the name at most %d bytes, at most %d targets\n", item,
                NAME_MAX_BYTES - 1, TARGETS_MAX);
        return 2;
    }
    struct target *t = &c->target[c->n_targets++];
    snprintf(t->name, sizeof(t->name), "%.*s", (int)n, item);
    if (url_parse(&t->peer.url, url, &e) < 0) {
        fprintf(stderr, "--target %s: %s\n", t->name, e.text);
        return 2;
    }
    if (t->peer.url.is_tls && !(t->peer.tls = wire_tls_new(c->ca, !c->insecure, t->peer.url.name, &e))) {
        fprintf(stderr, "--target %s: %s\n", t->name, e.text);
        return 2;
    }
    t->peer.origin = c->origin;
    t->peer.login = c->no_login ? NULL : c->login;
    t->peer.login_ok = c->login_ok;
    t->peer.post = c->post;
    t->peer.first_agent = c->first_agent;
    return 0;
}

static int add_pid(struct common *c, const char *item)
{
    size_t n;
    const char *pids = opt_named(item, &n);
    for (size_t i = 0; pids && i < c->n_targets; i++) {
        struct target *t = &c->target[i];
        if (strlen(t->name) != n || memcmp(t->name, item, n) != 0)
            continue;
        if (procs_parse(&t->procs, pids) == 0 && procs_cpu_ns(&t->procs) >= 0)
            return 0;
        fprintf(stderr, "--pid '%.100s': not running, or not PID[,PID…]\n", item);
        return 2;
    }
    fprintf(stderr, "--pid '%.100s': expected NAME=PID with the name of a --target\n", item);
    return 2;
}

static int start_echo(struct common *c)
{
    struct endpoint at;
    struct err e;
    if (!c->echo)
        return 0;
    if (endpoint_parse(&at, c->echo, &e) == 0 && (c->echo_backend = echo_start(c->loop, &at, &e)))
        return 0;
    fprintf(stderr, "--echo: %s\n", e.text);
    return 2;
}

int common_start(struct common *c)
{
    if (!c->target_opts.n) {
        fprintf(stderr, "no --target (--help lists the options)\n");
        return 2;
    }
    for (size_t i = 0; i < c->target_opts.n; i++)
        if (add_target(c, c->target_opts.item[i]))
            return 2;
    for (size_t i = 0; i < c->pid_opts.n; i++)
        if (add_pid(c, c->pid_opts.item[i]))
            return 2;
    if (c->core >= 0 && pin_to_core(c->core) < 0) {
        fprintf(stderr, "--core: this machine has no core %ld for us\n", c->core);
        return 2;
    }
    loop_catch_signals();
    c->loop = loop_new();
    return start_echo(c);
}

void common_stop(struct common *c)
{
    echo_stop(&c->echo_backend);
    loop_free(&c->loop);
    for (size_t i = 0; i < c->n_targets; i++)
        wire_tls_free(&c->target[i].peer.tls);
}

int common_check_descriptors(const struct common *c, long conns)
{
    enum { OTHERS = 32 };
    long limit = raise_descriptor_limit(), need = conns * (c->echo ? 2 : 1) + OTHERS;
    if (limit >= need)
        return 0;
    fprintf(stderr, "%ld connections need %ld descriptors%s, this process may have %ld\n", conns, need,
            c->echo ? " (two each with --echo)" : "", limit);
    return -1;
}

int common_reference(const struct common *c, const char *name, size_t *at)
{
    *at = 0;
    for (size_t i = 0; name && i < c->n_targets; i++)
        if (strcmp(c->target[i].name, name) == 0) {
            *at = i;
            return 0;
        }
    if (name)
        fprintf(stderr, "%s: no --target has that name\n", name);
    return name ? -1 : 0;
}

static bool progress_shown;

void progress(const char *fmt, ...)
{
    static int is_tty = -1;
    if (is_tty < 0)
        is_tty = isatty(STDERR_FILENO);
    if (!is_tty)
        return;
    va_list ap;
    va_start(ap, fmt);
    fputc('\r', stderr);
    vfprintf(stderr, fmt, ap);
    fputs("\033[K", stderr);
    va_end(ap);
    progress_shown = true;
}

void progress_end(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

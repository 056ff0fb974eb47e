/* Targets of a run and the options that load, idle and rate share. */
#pragma once

#include "bench_opt.h"
#include "bench_peer.h"
#include "bench_proc.h"

enum { TARGETS_MAX = 16, NAME_MAX_BYTES = 32 };

struct target {
    char name[NAME_MAX_BYTES];
    struct peer_target peer;
    struct procs procs;
};

struct common {
    struct opt_list target_opts, pid_opts;
    const char *login, *login_ok, *origin, *ca, *echo, *json, *csv;
    bool no_login, insecure, post;
    long core, first_agent;
    /* made of them */
    struct target target[TARGETS_MAX];
    size_t n_targets;
    struct loop *loop;
    struct echo *echo_backend;
};

/* Rows of an option table for the fields above. */
#define COMMON_OPTS(c)                                                                                                 \
    {"target",                                                                                                         \
     OPT_LIST,                                                                                                         \
     &(c).target_opts,                                                                                                 \
     0,                                                                                                                \
     0,                                                                                                                \
     "NAME=URL",                                                                                                       \
     "ws://HOST:PORT/PATH, wss://…, ws+unix:/SOCKET:/PATH, http://… or https://…; several are compared"},              \
        {"pid", OPT_LIST, &(c).pid_opts, 0, 0, "NAME=PID[,PID]", "processes of a target, for CPU time and memory"},    \
        {"login", OPT_TEXT, &(c).login, 0, 0, "TEXT", "first message of each agent; {n} is its number"},               \
        {"login-ok", OPT_TEXT, &(c).login_ok, 0, 0, "TEXT", "part of the answer that ends the login"},                 \
        {"no-login", OPT_FLAG, &(c).no_login, 0, 0, NULL, "agents send messages at once"},                             \
        {"first-agent", OPT_INT, &(c).first_agent, 0, 1e9, "N", "number of the first agent (0)"},                      \
        {"post", OPT_FLAG, &(c).post, 0, 0, NULL, "http: POST the message; else GET without a body"},                  \
        {"origin", OPT_TEXT, &(c).origin, 0, 0, "URL", "Origin header of the handshake"},                              \
        {"ca", OPT_TEXT, &(c).ca, 0, 0, "FILE", "certificates to trust for wss (the system's)"},                       \
        {"insecure", OPT_FLAG, &(c).insecure, 0, 0, NULL, "accept any certificate"},                                   \
        {"echo", OPT_TEXT, &(c).echo, 0, 0, "ADDR:PORT", "also run the echo backend there, in this process"},          \
        {"core", OPT_INT, &(c).core, -1, 1023, "N", "run on this core only"},                                          \
        {"json", OPT_TEXT, &(c).json, 0, 0, "FILE", "write the results as JSON"},                                      \
        {"csv", OPT_TEXT, &(c).csv, 0, 0, "FILE", "write one line per target and round"},

#define COMMON_DEFAULTS .login = TEXT_DEFAULT_LOGIN, .login_ok = "\"auth_ok\"", .core = -1

/* Makes targets, loop, echo backend out of the options; tells errors on standard error. 0 or 2. */
int common_start(struct common *c);
void common_stop(struct common *c);
/* Descriptors this process needs for `conns` agents at a time; -1 and a line on standard error when it may not. */
int common_check_descriptors(const struct common *c, long conns);

/* The place of the target of that name (NULL: the first, 0) in *at; -1 and a line on standard error when there is none.
 */
int common_reference(const struct common *c, const char *name, size_t *at);

/* A line that is written over while something runs, only on a terminal. */
void progress(const char *fmt, ...) PRINTF_LIKE(1, 2);
void progress_end(void);

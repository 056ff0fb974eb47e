/* chatgate-bench: loads a chat backend, with or without gateways in front of it, and compares them. */
#include "bench_main.h"

#include "base/attr.h"
#include "bench_echo.h"
#include "bench_opt.h"
#include "bench_proc.h"
#include "bench_relay.h"
#include "bench_xmpp_backend.h"

struct loop *server_loop(long core)
{
    if (core >= 0 && pin_to_core(core) < 0) {
        fprintf(stderr, "--core: this machine has no core %ld for us\n", core);
        return NULL;
    }
    raise_descriptor_limit();
    loop_catch_signals();
    return loop_new();
}

static void serve(struct loop *loop)
{
    while (!loop_is_interrupted())
        loop_turn(loop, now_ns() + INT64_C(1000000000));
}

int bench_echo(int argc, char **argv)
{
    const char *listen = NULL;
    long core = -1;
    bool quiet = false;
    const struct opt table[] = {
        {"listen", OPT_TEXT, &listen, 0, 0, "ADDR:PORT", "or unix:PATH"},
        {"core", OPT_INT, &core, -1, 1023, "N", "run on this core only"},
        {"quiet", OPT_FLAG, &quiet, 0, 0, NULL, "no line at start and end"},
        {0},
    };
    int rc = opt_read(table,
                      "chatgate-bench echo --listen ADDR:PORT\n"
                      "A WebSocket backend that answers each message with its own payload.\n",
                      argc, argv);
    if (rc)
        return rc == 1 ? 0 : rc;
    struct endpoint at;
    struct err e = {"needs --listen ADDR:PORT"};
    struct loop *loop = server_loop(core);
    struct echo *s = loop && listen && endpoint_parse(&at, listen, &e) == 0 ? echo_start(loop, &at, &e) : NULL;
    if (!s) {
        fprintf(stderr, "echo: %s%s%s\n", listen ? listen : "", listen ? ": " : "", e.text);
        if (loop)
            loop_free(&loop);
        return 2;
    }
    if (!quiet)
        fprintf(stderr, "echo backend on %s\n", listen);
    serve(loop);
    struct echo_counts n = echo_counts(s);
    if (!quiet)
        fprintf(stderr, "%llu connections, %llu messages\n", (unsigned long long)n.accepted,
                (unsigned long long)n.messages);
    echo_stop(&s);
    loop_free(&loop);
    return 0;
}

int bench_xmpp_backend(int argc, char **argv)
{
    const char *listen = NULL;
    long core = -1;
    bool quiet = false;
    const struct opt table[] = {
        {"listen", OPT_TEXT, &listen, 0, 0, "ADDR:PORT", "or unix:PATH"},
        {"core", OPT_INT, &core, -1, 1023, "N", "run on this core only"},
        {"quiet", OPT_FLAG, &quiet, 0, 0, NULL, "no line at start and end"},
        {0},
    };
    int rc =
        opt_read(table,
                 "chatgate-bench xmpp-backend --listen ADDR:PORT\n"
                 "An XMPP server for measurements: lets everybody in by PLAIN, delivers stanzas by their address to\n"
                 "whoever is connected, and does nothing else.\n",
                 argc, argv);
    if (rc)
        return rc == 1 ? 0 : rc;
    struct endpoint at;
    struct err e = {"needs --listen ADDR:PORT"};
    struct loop *loop = server_loop(core);
    bool is_fit = loop && listen && endpoint_parse(&at, listen, &e) == 0;
    struct xmpp_backend *b = is_fit ? xmpp_backend_start(loop, &at, &e) : NULL;
    if (!b) {
        fprintf(stderr, "xmpp-backend: %s%s%s\n", listen ? listen : "", listen ? ": " : "", e.text);
    } else {
        if (!quiet)
            fprintf(stderr, "XMPP backend on %s\n", listen);
        serve(loop);
        struct xmpp_backend_counts n = xmpp_backend_counts(b);
        if (!quiet)
            fprintf(stderr, "%llu connections, %llu stanzas delivered, %llu returned\n", (unsigned long long)n.accepted,
                    (unsigned long long)n.delivered, (unsigned long long)n.returned);
    }
    int status = b ? 0 : 2;
    xmpp_backend_stop(&b);
    loop_free(&loop);
    return status;
}

int bench_relay(int argc, char **argv)
{
    const char *listen = NULL, *to = NULL;
    long core = -1;
    const struct opt table[] = {
        {"listen", OPT_TEXT, &listen, 0, 0, "ADDR:PORT", "or unix:PATH"},
        {"to", OPT_TEXT, &to, 0, 0, "ADDR:PORT", "the backend"},
        {"core", OPT_INT, &core, -1, 1023, "N", "run on this core only"},
        {0},
    };
    int rc = opt_read(table,
                      "chatgate-bench relay --listen ADDR:PORT --to ADDR:PORT\n"
                      "Copies bytes both ways and looks at nothing: what a relay costs at least.\n",
                      argc, argv);
    if (rc)
        return rc == 1 ? 0 : rc;
    struct endpoint at, backend;
    struct err e = {"needs --listen ADDR:PORT and --to ADDR:PORT"};
    struct loop *loop = server_loop(core);
    bool is_fit = loop && listen && to && endpoint_parse(&at, listen, &e) == 0 && endpoint_parse(&backend, to, &e) == 0;
    struct relay *r = is_fit ? relay_start(loop, &at, &backend, &e) : NULL;
    if (!r)
        fprintf(stderr, "relay: %s%s%s\n", listen ? listen : "", listen ? ": " : "", e.text);
    else
        serve(loop);
    relay_stop(&r);
    if (loop)
        loop_free(&loop);
    return is_fit && loop_is_interrupted() ? 0 : 2;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"echo", bench_echo, "a backend that answers each message with itself"},
    {"relay", bench_relay, "a relay that looks at nothing, to compare with"},
    {"load", bench_load, "messages at a fixed rate or in a closed loop: latency, CPU, losses"},
    {"idle", bench_idle, "memory per idle connection"},
    {"rate", bench_rate, "new connections a second"},
    {"knee", bench_knee, "the highest rate that a target holds"},
    {"xmpp-load", bench_xmpp_load, "messages over XMPP, at a fixed rate and as many as go"},
    {"xmpp-backend", bench_xmpp_backend, "an XMPP backend that only delivers"},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("chatgate-bench %s\n", CHATGATE_VERSION);
        return 0;
    }
    bool is_help = argc > 1 && strcmp(argv[1], "--help") == 0;
    FILE *out = is_help ? stdout : stderr;
    if (argc > 1 && !is_help)
        fprintf(out, "unknown command \"%s\"\n", argv[1]);
    fprintf(out, "chatgate-bench COMMAND [options]; COMMAND --help lists them\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
    return is_help ? 0 : 2;
}

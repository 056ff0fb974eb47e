/* chatgated: options, start and stop order, nothing else. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "gate/inherit.h"

struct daemon {
    struct loop *loop;
    struct gate *gate;
    struct admin *admin;
};

static const char usage[] = "usage: chatgated [--config FILE]\n"
                            "  -c, --config FILE        configuration (default: %s)\n"
                            "      --clock-offset-ms N  shift the wall clock (tests)\n"
                            "      --version            print the version\n"
                            "`chatgate check --config FILE` says whether a configuration is fit.\n";

/* --- what the operator can ask for --- */

static void op_status(void *ctx, struct json_out *j)
{
    struct daemon *d = ctx;
    gate_report_status(d->gate, j);
}

/* Who asked for a reload. */
struct asked {
    admin_reloaded_fn done;
    void *ctx;
};

static void on_reloaded(void *ctx, int rc, const struct err_list *errs)
{
    struct asked *a = ctx;
    inherit_notify("READY=1");
    a->done(a->ctx, rc, errs);
    free(a);
}

static void op_reload(void *ctx, admin_reloaded_fn done, void *done_ctx)
{
    struct daemon *d = ctx;
    struct asked *a = xmalloc(sizeof(*a));
    *a = (struct asked){done, done_ctx};
    inherit_notify("RELOADING=1");
    gate_reload(d->gate, on_reloaded, a);
}

static void op_drain(void *ctx)
{
    struct daemon *d = ctx;
    inherit_notify("STOPPING=1");
    gate_drain(d->gate);
}

static int op_set_mode(void *ctx, const char *mode, int64_t for_ms, struct err *e)
{
    struct daemon *d = ctx;
    for (int m = MODE_ENFORCE; m <= MODE_BYPASS; m++) {
        if (strcmp(mode, mode_name((enum mode)m)) == 0) {
            gate_set_mode(d->gate, (enum mode)m, for_ms);
            return 0;
        }
    }
    return err_set(e, "mode \"%.40s\": must be enforce, observe or bypass", mode);
}

static void op_metrics(void *ctx, struct buf *out)
{
    struct daemon *d = ctx;
    gate_report_metrics(d->gate, out);
}

static bool op_is_ready(void *ctx, const char **why)
{
    struct daemon *d = ctx;
    return gate_is_ready(d->gate, why);
}

static const struct admin_ops ops = {op_status, op_reload, op_drain, op_set_mode, op_metrics, op_is_ready};

/* --- signals --- */

static void log_reload(void *ctx, int rc, const struct err_list *errs)
{
    (void)ctx;
    for (size_t i = 0; rc < 0 && i < errs->n; i++)
        log_event(LOG_ERROR, "reload_error", "at=\"%s\"", log_text(errs->line[i], (char[LOG_TEXT_MAX]){0}));
}

static void on_hangup(evutil_socket_t sig, short what, void *ctx)
{
    (void)sig, (void)what;
    op_reload(ctx, log_reload, NULL);
}

static void on_terminate(evutil_socket_t sig, short what, void *ctx)
{
    (void)sig, (void)what;
    struct daemon *d = ctx;
    if (d->gate->is_draining) /* asked twice: at once */
        loop_stop(d->loop);
    op_drain(ctx);
}

static int serve(struct daemon *d, const char *config)
{
    struct err_list errs = {0};
    struct err e;
    d->gate = gate_start(config, d->loop, &errs);
    for (size_t i = 0; i < errs.n; i++)
        fprintf(stderr, "%s\n", errs.line[i]);
    err_list_fini(&errs);
    if (!d->gate)
        return 1;
    d->admin = admin_start(d->loop, d->gate->snap->conf, &ops, d, &e);
    if (!d->admin) {
        fprintf(stderr, "%s\n", e.text);
        gate_stop(&d->gate);
        return 1;
    }
    struct event *signals[] = {
        evsignal_new(loop_base(d->loop), SIGHUP, on_hangup, d),
        evsignal_new(loop_base(d->loop), SIGTERM, on_terminate, d),
        evsignal_new(loop_base(d->loop), SIGINT, on_terminate, d),
    };
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        event_add(signals[i], NULL);
    log_event(LOG_INFO, "ready", "admin_port=%u", admin_http_port(d->admin));
    inherit_notify("READY=1");
    loop_run(d->loop);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        event_free(signals[i]);
    gate_end_reload(d->gate);
    admin_stop(&d->admin);
    gate_stop(&d->gate);
    log_event(LOG_INFO, "stopped", "ok=1");
    return 0;
}

static void print_usage(FILE *to)
{
    fprintf(to, usage, conf_default_path());
}

static int set_clock_offset(const char *text)
{
    char *end;
    errno = 0;
    long long ms = strtoll(text, &end, 10);
    if (end == text || *end || errno) {
        fprintf(stderr, "chatgated: --clock-offset-ms: is \"%s\", must be a whole number of milliseconds\n", text);
        return -1;
    }
    clock_set_wall_offset_ms(ms);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"clock-offset-ms", required_argument, NULL, 'o'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *config = conf_default_path();
    for (int o; (o = getopt_long(argc, argv, "c:vh", options, NULL)) != -1;) {
        switch (o) {
        case 'c':
            config = optarg;
            break;
        case 'o':
            if (set_clock_offset(optarg) < 0)
                return 2;
            break;
        case 'v':
            puts("chatgated " CHATGATE_VERSION);
            return 0;
        default:
            print_usage(o == 'h' ? stdout : stderr);
            return o == 'h' ? 0 : 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "chatgated: unexpected argument \"%s\"\n", argv[optind]);
        print_usage(stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct daemon d = {.loop = loop_new()};
    int rc = serve(&d, config);
    loop_free(&d.loop);
    return rc;
}

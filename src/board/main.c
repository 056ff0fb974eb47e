/* chatgate-board: the supervisors' dashboard. Options, start and stop order. */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/http.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "board/accounts.h"
#include "board/metrics_board.h"
#include "board/web.h"
#include "net/tls.h"

enum { CHECK_MS = 2000 };

static const char usage[] = "usage: chatgate-board [--config FILE]\n"
                            "       chatgate-board passwd USER …   (chatgate-board passwd --help)\n"
                            "       chatgate-board token NAME …    (chatgate-board token --help)\n"
                            "  -c, --config FILE   configuration (default: /etc/chatgate/board.yaml)\n"
                            "      --check         read configuration, users and tokens, report all problems, end\n"
                            "      --keys          list the configuration's keys\n"
                            "      --version       print the version\n";

static void print_errors(struct err_list *errs)
{
    for (size_t i = 0; i < errs->n; i++)
        fprintf(stderr, "%s\n", errs->line[i]);
    err_list_fini(errs);
}

/* --- serving --- */

static int64_t mark_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return -1;
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec + (int64_t)st.st_ino + st.st_size;
}

static void log_errors(const char *event, struct err_list *errs)
{
    for (size_t i = 0; i < errs->n; i++)
        log_event(LOG_ERROR, event, "at=\"%s\"", errs->line[i]);
    err_list_fini(errs);
}

/* The files are read again when they change; a bad one changes nothing. */
static void check_users(struct board *b)
{
    int64_t mark = mark_of(b->set->users);
    if (mark == b->users_mark)
        return;
    struct err_list errs = {0};
    struct users *users = users_load(b->set->users, &errs);
    b->users_mark = mark;
    log_errors("users_error", &errs);
    if (!users)
        return;
    users_free(&b->users);
    b->users = users;
    log_event(LOG_INFO, "users", "count=%zu", users->n);
}

static void check_tokens(struct board *b)
{
    int64_t mark = mark_of(b->set->tokens);
    if (mark == b->tokens_mark)
        return;
    struct err_list errs = {0};
    struct tokens *tokens = tokens_load(b->set->tokens, &errs);
    b->tokens_mark = mark;
    log_errors("tokens_error", &errs);
    if (!tokens)
        return;
    tokens_free(&b->tokens);
    b->tokens = tokens;
    log_event(LOG_INFO, "tokens", "count=%zu", tokens_count(tokens));
}

static void on_check(void *ctx)
{
    struct board *b = ctx;
    logins_sweep(&b->logins, clock_mono_ms());
    check_users(b);
    check_tokens(b);
}

static void on_signal(evutil_socket_t sig, short what, void *ctx)
{
    (void)sig, (void)what;
    struct board *b = ctx;
    loop_stop(b->loop);
}

static void on_publish(void *ctx)
{
    struct board *b = ctx;
    if (b->live.n)
        model_keep(b->model);
    live_publish(b);
}

static int open_redis(struct board *b, struct tls_client **tls, struct err *e)
{
    const struct settings *s = b->set;
    if (s->redis.tls.is_on && !(*tls = tls_client_new(s->redis.tls.ca, s->redis.tls.verify, e)))
        return -1;
    struct redis_options o = redis_options_from(&s->redis);
    o.client_name = "chatgate-board";
    o.tls = *tls;
    b->redis = redis_new(b->loop, &o);
    b->model = model_new(b->loop, b->redis, s, on_publish, b);
    return 0;
}

static void run(struct board *b)
{
    struct event *signals[] = {evsignal_new(loop_base(b->loop), SIGTERM, on_signal, b),
                               evsignal_new(loop_base(b->loop), SIGINT, on_signal, b)};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        event_add(signals[i], NULL);
    b->timer = timer_new(b->loop, on_check, b);
    timer_start(b->timer, CHECK_MS, true);
    log_event(LOG_INFO, "ready", "address=%s port=%u metrics_port=%u tls=%d users=%zu", b->set->listen.text, b->port,
              b->metrics ? http_admin_port(b->metrics) : 0, b->tls != NULL, b->users->n);
    loop_run(b->loop);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        event_free(signals[i]);
    timer_free(&b->timer);
}

static bool is_ready(void *ctx, const char **why)
{
    (void)ctx, (void)why;
    return true; /* it serves; without Redis the pages say so */
}

static int open_metrics(struct board *b, struct err *e)
{
    static const struct admin_ops ops = {.metrics = board_metrics, .is_ready = is_ready};
    if (!b->set->metrics.text)
        return 0;
    b->metrics = http_admin_start(b->loop, &b->set->metrics, &ops, b, e);
    return b->metrics ? 0 : err_prefix(e, "metrics");
}

/* Requests that wait for a password or for Redis are answered before their connections go. */
static void stop(struct board *b, struct tls_client **tls)
{
    live_end_all(b);
    password_checker_free(&b->checker);
    if (b->redis)
        redis_free(&b->redis);
    http_admin_stop(&b->metrics);
    web_stop(b);
    model_free(&b->model);
    logins_fini(&b->logins);
    tls_client_unref(tls);
}

static int serve(struct board *b)
{
    const struct settings *set = b->set;
    struct tls_client *tls = NULL;
    struct err e;
    b->loop = loop_new();
    b->logins = (struct logins){
        .idle_ms = set->idle_ms, .life_ms = set->life_ms, .lock_tries = set->lock_tries, .lock_ms = set->lock_ms};
    b->checker = password_checker_new(b->loop);
    int rc = open_redis(b, &tls, &e) || web_start(b, &e) || open_metrics(b, &e);
    if (rc)
        fprintf(stderr, "%s\n", e.text);
    else
        run(b);
    stop(b, &tls);
    loop_free(&b->loop);
    log_event(LOG_INFO, "stopped", "ok=%d", !rc);
    return rc ? 1 : 0;
}

static void load(struct board *b, const char *config, struct err_list *errs)
{
    b->set = settings_load(config, errs);
    if (!b->set)
        return;
    b->users_mark = mark_of(b->set->users);
    b->tokens_mark = mark_of(b->set->tokens);
    b->users = users_load(b->set->users, errs);
    b->tokens = tokens_load(b->set->tokens, errs);
}

/* What a start would find out later. */
static void check_tls(const struct settings *s, const char *config, struct err_list *errs)
{
    struct err e;
    struct tls_server *server = s->tls.is_on ? tls_server_new(s->tls.certificate, s->tls.key, &e) : NULL;
    if (s->tls.is_on && !server)
        err_list_add(errs, "%s: tls: %s", config, e.text);
    bool to_redis = s->redis.tls.is_on;
    struct tls_client *client = to_redis ? tls_client_new(s->redis.tls.ca, s->redis.tls.verify, &e) : NULL;
    if (to_redis && !client)
        err_list_add(errs, "%s: redis.tls: %s", config, e.text);
    if (server)
        tls_server_unref(&server);
    tls_client_unref(&client);
}

static int start(const char *config, bool is_check)
{
    struct err_list errs = {0};
    struct board b = {0};
    load(&b, config, &errs);
    if (b.set)
        check_tls(b.set, config, &errs);
    int rc = b.users && b.tokens && !errs.n ? 0 : 1;
    print_errors(&errs);
    if (rc == 0) {
        log_set_level(b.set->log_level);
        if (b.set->timezone)
            setenv("TZ", b.set->timezone, 1);
        tzset();
    }
    if (rc == 0 && !is_check)
        rc = serve(&b);
    users_free(&b.users);
    tokens_free(&b.tokens);
    settings_free(&b.set);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'}, {"keys", no_argument, NULL, 'y'},
        {"version", no_argument, NULL, 'v'},      {"help", no_argument, NULL, 'h'},  {NULL, 0, NULL, 0}};
    const char *config = CHATGATE_BOARD_CONF_FILE;
    bool is_check = false;
    if (argc > 1 && strcmp(argv[1], "passwd") == 0)
        return accounts_passwd(argc - 1, argv + 1, config);
    if (argc > 1 && strcmp(argv[1], "token") == 0)
        return accounts_token(argc - 1, argv + 1, config);
    for (int o; (o = getopt_long(argc, argv, "c:vh", options, NULL)) != -1;) {
        switch (o) {
        case 'c':
            config = optarg;
            break;
        case 'k':
            is_check = true;
            break;
        case 'y':
            settings_print_keys();
            return 0;
        case 'v':
            puts("chatgate-board " CHATGATE_VERSION);
            return 0;
        default:
            fputs(usage, o == 'h' ? stdout : stderr);
            return o == 'h' ? 0 : 2;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    return start(config, is_check);
}

/* chatgate-board: the supervisors' dashboard. Options, start and stop order, the command passwd. */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "admin/http.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "board/metrics_board.h"
#include "board/web.h"
#include "net/tls.h"

enum { CHECK_MS = 2000, LINE_MAX_BYTES = PASSWORD_MAX + 2 };

static const char usage[] =
    "usage: chatgate-board [--config FILE]\n"
    "       chatgate-board passwd USER [--role viewer|supervisor|admin] [--teams A,B|*] [--shops A,B|*]\n"
    "                             [--keep-password | --delete] [--users FILE | --config FILE]\n"
    "  -c, --config FILE   configuration (default: /etc/chatgate/board.yaml)\n"
    "      --check         read configuration and users, report all problems, end\n"
    "      --keys          list the configuration's keys\n"
    "      --version       print the version\n"
    "`passwd` reads the password twice from the terminal, or once from standard input.\n";

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

/* The users file is read again when it changes; a bad one changes nothing. */
static void on_check(void *ctx)
{
    struct board *b = ctx;
    int64_t mark = mark_of(b->set->users);
    logins_sweep(&b->logins, clock_mono_ms());
    if (mark == b->users_mark)
        return;
    struct err_list errs = {0};
    struct users *users = users_load(b->set->users, &errs);
    b->users_mark = mark;
    for (size_t i = 0; i < errs.n; i++)
        log_event(LOG_ERROR, "users_error", "at=\"%s\"", errs.line[i]);
    err_list_fini(&errs);
    if (!users)
        return;
    users_free(&b->users);
    b->users = users;
    log_event(LOG_INFO, "users", "count=%zu", users->n);
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

static int serve(struct settings *set, struct users *users, int64_t users_mark)
{
    struct tls_client *tls = NULL;
    struct err e;
    struct board b = {.loop = loop_new(), .set = set, .users = users, .users_mark = users_mark};
    b.logins = (struct logins){
        .idle_ms = set->idle_ms, .life_ms = set->life_ms, .lock_tries = set->lock_tries, .lock_ms = set->lock_ms};
    b.checker = password_checker_new(b.loop);
    int rc = open_redis(&b, &tls, &e) || web_start(&b, &e) || open_metrics(&b, &e);
    if (rc)
        fprintf(stderr, "%s\n", e.text);
    else
        run(&b);
    stop(&b, &tls);
    users_free(&b.users);
    loop_free(&b.loop);
    log_event(LOG_INFO, "stopped", "ok=%d", !rc);
    return rc ? 1 : 0;
}

static int start(const char *config, bool is_check)
{
    struct err_list errs = {0};
    struct settings *set = settings_load(config, &errs);
    int64_t mark = set ? mark_of(set->users) : 0;
    struct users *users = set ? users_load(set->users, &errs) : NULL;
    int rc = users ? 0 : 1;
    print_errors(&errs);
    if (rc == 0) {
        log_set_level(set->log_level);
        if (set->timezone)
            setenv("TZ", set->timezone, 1);
        tzset();
    }
    if (rc == 0 && !is_check)
        rc = serve(set, users, mark); /* frees the users */
    else
        users_free(&users);
    settings_free(&set);
    return rc;
}

/* --- passwd --- */

static int read_line(char out[LINE_MAX_BYTES], const char *prompt)
{
    bool is_terminal = isatty(STDIN_FILENO);
    struct termios old, quiet;
    if (is_terminal && tcgetattr(STDIN_FILENO, &old) == 0) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs(prompt, stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool is_read = fgets(out, LINE_MAX_BYTES, stdin) != NULL;
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputs("\n", stderr);
    }
    if (is_read)
        out[strcspn(out, "\r\n")] = '\0';
    return is_read ? 0 : -1;
}

static int read_password(char hash[PASSWORD_HASH_MAX], struct err *e)
{
    char first[LINE_MAX_BYTES] = "", second[LINE_MAX_BYTES] = "";
    int rc = 0;
    if (read_line(first, "password: "))
        rc = err_set(e, "no password on standard input");
    else if (isatty(STDIN_FILENO) && (read_line(second, "once more: ") || strcmp(first, second) != 0))
        rc = err_set(e, "the two passwords differ");
    else if (strlen(first) < PASSWORD_MIN || strlen(first) > PASSWORD_MAX)
        rc = err_set(e, "the password must have %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
    else
        rc = password_hash(first, hash, e);
    explicit_bzero(first, sizeof(first));
    explicit_bzero(second, sizeof(second));
    return rc;
}

static int change_user(const char *path, struct user_change *c, bool keep, struct err *e)
{
    char hash[PASSWORD_HASH_MAX];
    enum role role;
    if (!user_name_fits(span_str(c->name)))
        return err_set(e, "the name must be 1 to %d letters, digits, `.`, `-`, `_`, `@`", USER_NAME_MAX);
    if (c->role && !role_from_name(span_str(c->role), &role))
        return err_set(e, "the role is \"%s\", must be viewer, supervisor or admin", c->role);
    if ((c->teams && strpbrk(c->teams, ":\n")) || (c->shops && strpbrk(c->shops, ":\n")))
        return err_set(e, "names of teams and shops must not contain `:`");
    if (!c->is_gone && !keep) {
        if (read_password(hash, e))
            return -1;
        c->hash = hash;
    }
    return users_write(path, c, e);
}

static int run_passwd(int argc, char **argv, const char *config)
{
    static const struct option options[] = {
        {"role", required_argument, NULL, 'r'},   {"teams", required_argument, NULL, 't'},
        {"shops", required_argument, NULL, 's'},  {"users", required_argument, NULL, 'u'},
        {"config", required_argument, NULL, 'c'}, {"keep-password", no_argument, NULL, 'k'},
        {"delete", no_argument, NULL, 'd'},       {NULL, 0, NULL, 0}};
    struct user_change c = {0};
    const char *users = NULL;
    bool keep = false;
    optind = 1;
    for (int o; (o = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        switch (o) {
        case 'r':
            c.role = optarg;
            break;
        case 't':
            c.teams = optarg;
            break;
        case 's':
            c.shops = optarg;
            break;
        case 'u':
            users = optarg;
            break;
        case 'c':
            config = optarg;
            break;
        case 'k':
            keep = true;
            break;
        case 'd':
            c.is_gone = true;
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }
    c.name = argv[optind];
    struct err_list errs = {0};
    struct err e;
    struct settings *set = users ? NULL : settings_load(config, &errs);
    print_errors(&errs);
    int rc = 1;
    if (!users && !set)
        return rc;
    if (change_user(users ? users : set->users, &c, keep, &e))
        fprintf(stderr, "%s\n", e.text);
    else
        rc = 0;
    settings_free(&set);
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
        return run_passwd(argc - 1, argv + 1, config);
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

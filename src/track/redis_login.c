#include <fcntl.h>
#include <unistd.h>

#include "track/redis_link.h"

enum { PASSWORD_MAX = 4096 };

/* The first line's end is cut off, as editors leave it. */
static int read_password(const char *path, char out[PASSWORD_MAX], struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, PASSWORD_MAX);
    if (n < 0)
        err_sys(e, "password file %s", path);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return -1;
    if (n == PASSWORD_MAX)
        return err_set(e, "password file %s: longer than %d bytes", path, PASSWORD_MAX - 1);
    out[n] = 0;
    out[strcspn(out, "\r\n")] = 0;
    return 0;
}

static void finish_greeting(struct redis *r)
{
    if (r->state != LINK_GREETING || r->want_drop || --r->greetings)
        return;
    link_is_up(r);
}

/* A login that Redis refuses will be refused at once again: wait the longest. */
static void on_greeting(void *ctx, const struct redis_reply *reply)
{
    struct redis *r = ctx;
    if (r->state == LINK_GREETING && reply->kind == REDIS_ERROR) {
        char why[180], text[160];
        snprintf(why, sizeof(why), "login refused: %s", redis_text(reply, text));
        if (!redis_has_code(reply, "LOADING"))
            r->backoff_ms = BACKOFF_MAX_MS;
        link_drop_soon(r, why);
    }
    finish_greeting(r);
}

static void on_loaded(void *ctx, const struct redis_reply *reply)
{
    struct redis_script *s = ctx;
    if (reply->kind == REDIS_TEXT && reply->text.n == sizeof(s->sha) - 1)
        memcpy(s->sha, reply->text.p, sizeof(s->sha) - 1);
    else if (reply->kind == REDIS_ERROR && !redis_has_code(reply, "LINK") && !redis_has_code(reply, "TIMEOUT"))
        log_event(LOG_ERROR, "redis_script_refused", "why=\"%s\"", redis_text(reply, (char[160]){0}));
}

static void greet(struct redis *r, redis_fn fn, void *ctx, size_t argc, const struct span *argv)
{
    struct pending *p = link_pending_new(fn, ctx);
    char *wire = wire_format(argc, argv, &p->bytes);
    link_send(r, p, wire);
    free(wire);
}

void login_load_script(struct redis *r, struct redis_script *s)
{
    struct span argv[] = {span_str("SCRIPT"), span_str("LOAD"), span_str(s->text)};
    greet(r, on_loaded, s, 3, argv);
}

static int send_auth(struct redis *r, struct err *e)
{
    if (!r->password_file)
        return 0;
    char password[PASSWORD_MAX];
    if (read_password(r->password_file, password, e) < 0)
        return -1;
    struct span argv[3] = {span_str("AUTH")};
    size_t argc = 1;
    if (r->username)
        argv[argc++] = span_str(r->username);
    argv[argc++] = span_str(password);
    r->greetings++;
    greet(r, on_greeting, r, argc, argv);
    explicit_bzero(password, sizeof(password));
    return 0;
}

/* PING comes last: with its answer all before it was answered. (A script that Redis refuses shows at its first use.) */
void login_begin(struct redis *r)
{
    struct err e;
    r->greetings = 0;
    if (send_auth(r, &e) < 0) {
        link_drop_soon(r, e.text);
        return;
    }
    struct span name[] = {span_str("CLIENT"), span_str("SETNAME"), span_str(r->client_name)};
    if (r->client_name)
        greet(r, NULL, NULL, 3, name);
    for (size_t i = 0; i < r->n_scripts; i++)
        login_load_script(r, &r->script[i]);
    struct span ping[] = {span_str("PING")};
    r->greetings++;
    greet(r, on_greeting, r, 1, ping);
}

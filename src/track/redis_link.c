#include "track/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "track/redis_wire.h"

enum {
    ON_UP_MAX = 8,
    SCRIPTS_MAX = 32,
    IN_FLIGHT_MAX = 65536,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    PASSWORD_MAX = 4096,
    ARGS_STR_MAX = 64,
};
#define IN_FLIGHT_BYTES_MAX ((size_t)64 << 20)

/* ---- the link ---- */

#define LINK_STATES(X)                                                                                                 \
    X(LINK_WAITING, "waiting")       /* for the next attempt, or for ever when it is being freed */                    \
    X(LINK_CONNECTING, "connecting") /* for the stream to open */                                                      \
    X(LINK_GREETING, "greeting")     /* for the answers to login and script loading */                                 \
    X(LINK_UP, "up")

enum link_state {
#define X(id, name) id,
    LINK_STATES(X)
#undef X
};

struct redis_script {
    const char *text;
    char sha[41]; /* "" before the first load */
};

/* A command from its issue to its callback. */
struct pending {
    redis_fn fn;
    void *ctx;
    struct pending *next;
    int64_t sent_ms;
    size_t bytes;
    char *repeat; /* scripts: the formatted EVALSHA, sent again once after NOSCRIPT */
    struct redis_script *script;
    const char *refusal; /* in the list of refused ones: why */
};

struct pending_list {
    struct pending *first, **last;
    size_t n, bytes;
};

/*  commands ──▶ awaiting (in wire order) ──reply──▶ callback
 *      └ no link ▶ refused ──next turn──▶ callback           */
struct redis {
    struct loop *loop;
    struct redis_options o;
    char *host, *username, *password_file, *client_name, *server_name;
    enum link_state state;
    struct stream *stream;
    struct wire *wire;
    struct pending_list awaiting, refused;
    struct timer *retry, *refuse, *watch, *notify;
    int64_t backoff_ms;
    bool is_busy, want_drop; /* inside on_data; the link is to be dropped at its end */
    char drop_why[200], last_error[200];
    uint64_t connects;
    unsigned greetings; /* answers still awaited while greeting */
    struct redis_script script[SCRIPTS_MAX];
    size_t n_scripts;
    loop_fn up_fn[ON_UP_MAX];
    void *up_ctx[ON_UP_MAX];
    bool up_is_due[ON_UP_MAX];
    size_t n_up;
    struct log_limit limit;
};

static void list_push(struct pending_list *l, struct pending *p)
{
    if (!l->first)
        l->last = &l->first;
    p->next = NULL;
    *l->last = p;
    l->last = &p->next;
    l->n++;
    l->bytes += p->bytes;
}

static struct pending *list_pop(struct pending_list *l)
{
    struct pending *p = l->first;
    if (p) {
        l->first = p->next;
        l->n--;
        l->bytes -= p->bytes;
    }
    return p;
}

static void set_state(struct redis *r, enum link_state to)
{
    static const char *const names[] = {
#define X(id, name) name,
        LINK_STATES(X)
#undef X
    };
    static const uint8_t legal[] = {
        [LINK_WAITING] = 1 << LINK_CONNECTING | 1 << LINK_WAITING,
        [LINK_CONNECTING] = 1 << LINK_GREETING | 1 << LINK_WAITING,
        [LINK_GREETING] = 1 << LINK_UP | 1 << LINK_WAITING,
        [LINK_UP] = 1 << LINK_WAITING,
    };
    if (!(legal[r->state] & 1 << to))
        abort();
    log_event(LOG_DEBUG, "redis_state", "host=%s from=%s to=%s", r->host, names[r->state], names[to]);
    r->state = to;
}

static void end_pending(struct pending *p, const struct redis_reply *reply)
{
    if (p->fn)
        p->fn(p->ctx, reply);
    free(p->repeat);
    free(p);
}

static void end_with_error(struct pending *p, const char *text)
{
    struct redis_reply reply = {.kind = REDIS_ERROR, .text = span_str(text)};
    end_pending(p, &reply);
}

/* Takes the list as it is now: what callbacks add is for a later turn. */
static void end_list(struct pending_list *l, const char *text)
{
    struct pending *p = l->first;
    *l = (struct pending_list){0};
    while (p) {
        struct pending *next = p->next;
        end_with_error(p, text ? text : p->refusal);
        p = next;
    }
}

static void on_refuse(void *ctx)
{
    struct redis *r = ctx;
    end_list(&r->refused, NULL);
}

static void refuse(struct redis *r, struct pending *p, const char *why)
{
    p->refusal = why;
    list_push(&r->refused, p);
    timer_start(r->refuse, 0, false);
}

static void close_stream(struct redis *r)
{
    stream_close(&r->stream);
    wire_free(&r->wire);
    timer_stop(r->watch);
}

/* Half to the whole of the back-off, so that the gateways of a cluster do not come back all at once. */
static void drop_link(struct redis *r, const char *why, bool is_timeout)
{
    bool was_up = r->state == LINK_UP;
    snprintf(r->last_error, sizeof(r->last_error), "%s", why);
    log_event_limited(&r->limit, LOG_WARN, was_up ? "redis_lost" : "redis_unreachable", "host=%s port=%u why=\"%s\"",
                      r->host, r->o.port, why);
    close_stream(r);
    set_state(r, LINK_WAITING);
    r->want_drop = false;
    int64_t wait = r->backoff_ms / 2 + (int64_t)(rand_u64() % (uint64_t)(r->backoff_ms / 2 + 1));
    r->backoff_ms = MIN_OF(2 * r->backoff_ms, BACKOFF_MAX_MS);
    timer_start(r->retry, wait, false);
    char text[240];
    snprintf(text, sizeof(text), "%s %s", is_timeout ? "TIMEOUT" : "LINK", why);
    end_list(&r->awaiting, text);
}

/* In the middle of a callback the link is dropped only when the callback has returned. */
static void drop_soon(struct redis *r, const char *why)
{
    if (r->state == LINK_WAITING)
        return;
    if (!r->is_busy) {
        drop_link(r, why, false);
        return;
    }
    r->want_drop = true;
    snprintf(r->drop_why, sizeof(r->drop_why), "%s", why);
}

/* ---- sending ---- */

static void send_bytes(struct redis *r, struct pending *p, const char *wire)
{
    p->sent_ms = clock_mono_ms();
    list_push(&r->awaiting, p);
    stream_write(r->stream, wire, p->bytes);
}

static struct pending *pending_new(redis_fn fn, void *ctx)
{
    struct pending *p = xcalloc(1, sizeof(*p));
    p->fn = fn;
    p->ctx = ctx;
    return p;
}

static const char *why_not(const struct redis *r)
{
    if (r->state != LINK_UP || r->want_drop)
        return "LINK not connected to Redis";
    if (r->awaiting.n >= IN_FLIGHT_MAX || r->awaiting.bytes >= IN_FLIGHT_BYTES_MAX)
        return "BUSY too many commands wait for an answer";
    return NULL;
}

void redis_command(struct redis *r, redis_fn fn, void *ctx, size_t argc, const struct span *argv)
{
    struct pending *p = pending_new(fn, ctx);
    const char *no = why_not(r);
    if (no) {
        refuse(r, p, no);
        return;
    }
    char *wire = wire_format(argc, argv, &p->bytes);
    send_bytes(r, p, wire);
    free(wire);
}

static size_t collect_args(va_list ap, struct span argv[ARGS_STR_MAX])
{
    size_t argc = 0;
    for (const char *s; (s = va_arg(ap, const char *));) {
        if (argc == ARGS_STR_MAX)
            abort();
        argv[argc++] = span_str(s);
    }
    return argc;
}

void redis_command_str(struct redis *r, redis_fn fn, void *ctx, ...)
{
    struct span argv[ARGS_STR_MAX];
    va_list ap;
    va_start(ap, ctx);
    size_t argc = collect_args(ap, argv);
    va_end(ap);
    redis_command(r, fn, ctx, argc, argv);
}

void redis_eval(struct redis *r, redis_fn fn, void *ctx, const struct redis_script *s, size_t n_keys,
                const struct span *keys, size_t n_args, const struct span *args)
{
    struct pending *p = pending_new(fn, ctx);
    const char *no = why_not(r);
    if (no) {
        refuse(r, p, no);
        return;
    }
    p->repeat = wire_format_script("EVALSHA", s->sha, n_keys, keys, n_args, args, &p->bytes);
    p->script = &r->script[s - r->script];
    send_bytes(r, p, p->repeat);
}

void redis_eval_text(struct redis *r, redis_fn fn, void *ctx, const char *text, size_t n_keys, const struct span *keys,
                     size_t n_args, const struct span *args)
{
    struct pending *p = pending_new(fn, ctx);
    const char *no = why_not(r);
    if (no) {
        refuse(r, p, no);
        return;
    }
    char *wire = wire_format_script("EVAL", text, n_keys, keys, n_args, args, &p->bytes);
    send_bytes(r, p, wire);
    free(wire);
}

/* ---- login ---- */

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

static void on_up_due(void *ctx)
{
    struct redis *r = ctx;
    for (size_t i = 0; i < r->n_up && r->state == LINK_UP; i++) {
        if (r->up_is_due[i]) {
            r->up_is_due[i] = false;
            r->up_fn[i](r->up_ctx[i]);
        }
    }
}

static void finish_greeting(struct redis *r)
{
    if (r->state != LINK_GREETING || r->want_drop || --r->greetings)
        return;
    set_state(r, LINK_UP);
    r->backoff_ms = BACKOFF_MIN_MS;
    r->connects++;
    log_event(LOG_INFO, "redis_up", "host=%s port=%u", r->host, r->o.port);
    for (size_t i = 0; i < r->n_up; i++)
        r->up_is_due[i] = true;
    timer_start(r->notify, 0, false);
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
        drop_soon(r, why);
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
    struct pending *p = pending_new(fn, ctx);
    char *wire = wire_format(argc, argv, &p->bytes);
    send_bytes(r, p, wire);
    free(wire);
}

static void load_script(struct redis *r, struct redis_script *s)
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
static void on_open(void *ctx)
{
    struct redis *r = ctx;
    struct err e;
    set_state(r, LINK_GREETING);
    r->wire = wire_new();
    r->greetings = 0;
    timer_start(r->watch, MAX_OF(r->o.timeout_ms / 4, 10), true);
    if (send_auth(r, &e) < 0) {
        drop_soon(r, e.text);
        return;
    }
    struct span name[] = {span_str("CLIENT"), span_str("SETNAME"), span_str(r->client_name)};
    if (r->client_name)
        greet(r, NULL, NULL, 3, name);
    for (size_t i = 0; i < r->n_scripts; i++)
        load_script(r, &r->script[i]);
    struct span ping[] = {span_str("PING")};
    r->greetings++;
    greet(r, on_greeting, r, 1, ping);
}

/* ---- receiving ---- */

static void repeat_script(struct redis *r, struct pending *p)
{
    char *wire = p->repeat;
    p->repeat = NULL;
    load_script(r, p->script);
    send_bytes(r, p, wire);
    free(wire);
}

static void take_reply(struct redis *r, struct redis_reply *reply)
{
    struct pending *p = list_pop(&r->awaiting);
    if (!p)
        drop_soon(r, "an answer to nothing");
    else if (p->repeat && redis_has_code(reply, "NOSCRIPT") && !r->want_drop)
        repeat_script(r, p);
    else
        end_pending(p, reply);
    redis_reply_free(reply);
}

static size_t on_data(void *ctx, struct span in)
{
    struct redis *r = ctx;
    struct redis_reply *reply;
    struct err e;
    int rc = 0;
    r->is_busy = true;
    wire_feed(r->wire, in);
    while (!r->want_drop && (rc = wire_next(r->wire, &reply, &e)) > 0)
        take_reply(r, reply);
    if (rc < 0 && !r->want_drop)
        drop_soon(r, e.text);
    r->is_busy = false;
    if (r->want_drop)
        drop_link(r, r->drop_why, false);
    return in.n;
}

static void on_end(void *ctx, const char *why)
{
    struct redis *r = ctx;
    char text[200];
    snprintf(text, sizeof(text), "%s", why);
    drop_link(r, text, false);
}

static void on_watch(void *ctx)
{
    struct redis *r = ctx;
    const struct pending *oldest = r->awaiting.first;
    if (!oldest || clock_mono_ms() - oldest->sent_ms < r->o.timeout_ms)
        return;
    char why[80];
    snprintf(why, sizeof(why), "no answer within %" PRId64 " ms", r->o.timeout_ms);
    drop_link(r, why, true);
}

static void on_retry(void *ctx)
{
    static const struct stream_handlers handlers = {on_open, on_data, on_end};
    struct redis *r = ctx;
    struct stream_options o = {.host = r->host,
                               .port = r->o.port,
                               .connect_timeout_ms = r->o.timeout_ms,
                               .tls = r->o.tls,
                               .server_name = r->server_name};
    struct err e;
    set_state(r, LINK_CONNECTING);
    r->stream = stream_open(r->loop, &o, &handlers, r, &e);
    if (!r->stream)
        drop_link(r, e.text, false);
}

/* ---- life ---- */

static char *copy_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

struct redis *redis_new(struct loop *l, const struct redis_options *o)
{
    struct redis *r = xcalloc(1, sizeof(*r));
    r->loop = l;
    r->o = *o;
    r->host = xstrdup(o->host);
    r->username = copy_or_null(o->username);
    r->password_file = copy_or_null(o->password_file);
    r->client_name = copy_or_null(o->client_name);
    r->server_name = copy_or_null(o->server_name);
    if (r->o.timeout_ms <= 0)
        r->o.timeout_ms = 1000;
    r->backoff_ms = BACKOFF_MIN_MS;
    r->retry = timer_new(l, on_retry, r);
    r->refuse = timer_new(l, on_refuse, r);
    r->watch = timer_new(l, on_watch, r);
    r->notify = timer_new(l, on_up_due, r);
    timer_start(r->retry, 0, false);
    return r;
}

void redis_free(struct redis **rp)
{
    struct redis *r = *rp;
    if (!r)
        return;
    close_stream(r);
    r->state = LINK_WAITING;
    while (r->awaiting.first || r->refused.first) { /* a callback may issue again; that ends, too */
        end_list(&r->awaiting, "LINK closed");
        end_list(&r->refused, "LINK closed");
    }
    timer_free(&r->retry);
    timer_free(&r->refuse);
    timer_free(&r->watch);
    timer_free(&r->notify);
    free(r->host);
    free(r->username);
    free(r->password_file);
    free(r->client_name);
    free(r->server_name);
    free(r);
    *rp = NULL;
}

void redis_on_up(struct redis *r, loop_fn fn, void *ctx)
{
    if (r->n_up == ON_UP_MAX)
        abort();
    r->up_fn[r->n_up] = fn;
    r->up_ctx[r->n_up] = ctx;
    r->up_is_due[r->n_up++] = r->state == LINK_UP;
    if (r->state == LINK_UP)
        timer_start(r->notify, 0, false);
}

bool redis_is_up(const struct redis *r)
{
    return r->state == LINK_UP && !r->want_drop;
}

size_t redis_in_flight(const struct redis *r)
{
    return r->awaiting.n;
}

size_t redis_in_flight_bytes(const struct redis *r)
{
    return r->awaiting.bytes;
}

void redis_reconnect(struct redis *r, const char *why)
{
    drop_soon(r, why);
}

const char *redis_last_error(const struct redis *r)
{
    return r->last_error;
}

uint64_t redis_connects(const struct redis *r)
{
    return r->connects;
}

struct redis_script *redis_script_add(struct redis *r, const char *text)
{
    if (r->n_scripts == SCRIPTS_MAX)
        abort();
    struct redis_script *s = &r->script[r->n_scripts++];
    s->text = text;
    if (r->state >= LINK_GREETING && !r->want_drop)
        load_script(r, s);
    return s;
}

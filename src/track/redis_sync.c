/* The link, waited for: a loop of its own that runs until the answer is there. */
#include <inttypes.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "track/redis.h"

enum { ARGS_STR_MAX = 64, RETRY_MS = 50 };

struct redis_sync {
    struct loop *loop;
    struct redis *link;
    struct timer *limit;
    struct redis_reply *reply;
    int64_t timeout_ms;
};

static void on_done(void *ctx)
{
    struct redis_sync *s = ctx;
    loop_stop(s->loop);
}

static void on_reply(void *ctx, const struct redis_reply *reply)
{
    struct redis_sync *s = ctx;
    s->reply = redis_reply_copy(reply);
    loop_stop(s->loop);
}

/* Runs until the timer fires or something stops the loop. */
static void run_for(struct redis_sync *s, int64_t ms)
{
    timer_start(s->limit, MAX_OF(ms, 1), false);
    loop_run(s->loop);
    timer_stop(s->limit);
}

struct redis_sync *redis_sync_open(const struct redis_options *o, struct err *e)
{
    struct redis_sync *s = xcalloc(1, sizeof(*s));
    s->loop = loop_new();
    s->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : 1000;
    s->link = redis_new(s->loop, o);
    s->limit = timer_new(s->loop, on_done, s);
    redis_on_up(s->link, on_done, s);
    int64_t until = clock_mono_ms() + s->timeout_ms;
    while (!redis_is_whole(s->link) && clock_mono_ms() < until)
        run_for(s, until - clock_mono_ms());
    if (!redis_is_up(s->link)) {
        const char *why = redis_last_error(s->link);
        err_set(e, "Redis at %s: not connected within %" PRId64 " ms: %s", redis_where(s->link), s->timeout_ms,
                *why ? why : "no answer");
        redis_sync_close(&s);
    }
    return s;
}

void redis_sync_close(struct redis_sync **sp)
{
    struct redis_sync *s = *sp;
    if (!s)
        return;
    redis_free(&s->link);
    timer_free(&s->limit);
    loop_free(&s->loop);
    redis_reply_free(s->reply);
    free(s);
    *sp = NULL;
}

/* One question, to be asked as often as it takes. */
struct call {
    const char *script; /* NULL: a command */
    size_t n_keys, n_args;
    const struct span *keys, *args;
    ssize_t master; /* -1: the one of the key */
};

static void issue(struct redis_sync *s, const struct call *c)
{
    if (c->script)
        redis_eval_text(s->link, on_reply, s, c->script, c->n_keys, c->keys, c->n_args, c->args);
    else if (c->master >= 0)
        redis_command_at(s->link, (size_t)c->master, on_reply, s, c->n_args, c->args);
    else
        redis_command(s->link, on_reply, s, c->n_args, c->args);
}

/* Errors that say that nothing was done, and that it may go better soon. */
static bool is_passing(const struct redis_reply *reply)
{
    static const char *const codes[] = {"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "READONLY"};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (redis_has_code(reply, codes[i]))
            return true;
    return redis_is_error(reply) && span_starts(reply->text, span_str("LINK not connected"));
}

/* Every command ends, by the link's own time-out at the latest, so this loop does. */
static const struct redis_reply *ask(struct redis_sync *s, const struct call *c, struct err *e)
{
    int64_t until = clock_mono_ms() + s->timeout_ms;
    do {
        if (s->reply)
            run_for(s, RETRY_MS);
        redis_reply_free(s->reply);
        s->reply = NULL;
        issue(s, c);
        while (!s->reply) /* a stop that was meant for an earlier wait may end a run */
            loop_run(s->loop);
    } while (is_passing(s->reply) && clock_mono_ms() < until);
    if (!redis_has_code(s->reply, "LINK") && !redis_has_code(s->reply, "TIMEOUT"))
        return s->reply;
    const char *why = redis_last_error(s->link);
    err_set(e, "Redis at %s: %.*s%s%s", redis_where(s->link), (int)s->reply->text.n, (const char *)s->reply->text.p,
            is_passing(s->reply) && *why ? ": " : "", is_passing(s->reply) ? why : "");
    return NULL;
}

static void forget_reply(struct redis_sync *s)
{
    redis_reply_free(s->reply);
    s->reply = NULL;
}

static size_t collect_args(va_list ap, struct span argv[ARGS_STR_MAX])
{
    size_t argc = 0;
    for (const char *arg; (arg = va_arg(ap, const char *));) {
        if (argc == ARGS_STR_MAX)
            abort();
        argv[argc++] = span_str(arg);
    }
    return argc;
}

const struct redis_reply *redis_sync_command(struct redis_sync *s, size_t argc, const struct span *argv, struct err *e)
{
    forget_reply(s);
    return ask(s, &(struct call){.n_args = argc, .args = argv, .master = -1}, e);
}

const struct redis_reply *redis_sync_command_str(struct redis_sync *s, struct err *e, ...)
{
    struct span argv[ARGS_STR_MAX];
    va_list ap;
    va_start(ap, e);
    size_t argc = collect_args(ap, argv);
    va_end(ap);
    return redis_sync_command(s, argc, argv, e);
}

size_t redis_sync_masters(const struct redis_sync *s)
{
    return redis_masters(s->link);
}

const char *redis_sync_master_name(const struct redis_sync *s, size_t master, char out[80])
{
    return redis_master_name(s->link, master, out);
}

const struct redis_reply *redis_sync_at_str(struct redis_sync *s, size_t master, struct err *e, ...)
{
    struct span argv[ARGS_STR_MAX];
    va_list ap;
    va_start(ap, e);
    size_t argc = collect_args(ap, argv);
    va_end(ap);
    forget_reply(s);
    return ask(s, &(struct call){.n_args = argc, .args = argv, .master = (ssize_t)master}, e);
}

const struct redis_reply *redis_sync_eval(struct redis_sync *s, const char *text, size_t n_keys,
                                          const struct span *keys, size_t n_args, const struct span *args,
                                          struct err *e)
{
    forget_reply(s);
    return ask(
        s, &(struct call){.script = text, .n_keys = n_keys, .keys = keys, .n_args = n_args, .args = args, .master = -1},
        e);
}

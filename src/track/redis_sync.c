/* The link, waited for: a loop of its own that runs until the answer is there. */
#include <inttypes.h>
#include <stdarg.h>

#include "base/xalloc.h"
#include "track/redis.h"

enum { ARGS_STR_MAX = 64 };

struct redis_sync {
    struct loop *loop;
    struct redis *link;
    struct timer *limit;
    struct redis_reply *reply;
    int64_t timeout_ms;
    char *where;
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

struct redis_sync *redis_sync_open(const struct redis_options *o, struct err *e)
{
    struct redis_sync *s = xcalloc(1, sizeof(*s));
    s->loop = loop_new();
    s->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : 1000;
    s->where = o->host[0] == '/' ? xstrdup(o->host) : xasprintf("%s:%u", o->host, o->port);
    s->link = redis_new(s->loop, o);
    s->limit = timer_new(s->loop, on_done, s);
    redis_on_up(s->link, on_done, s);
    timer_start(s->limit, s->timeout_ms, false);
    loop_run(s->loop);
    timer_stop(s->limit);
    if (!redis_is_up(s->link)) {
        const char *why = redis_last_error(s->link);
        err_set(e, "Redis at %s: not connected within %" PRId64 " ms: %s", s->where, s->timeout_ms,
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
    free(s->where);
    free(s);
    *sp = NULL;
}

/* Every command ends, by the link's own time-out at the latest, so this loop does. */
static const struct redis_reply *wait_for_reply(struct redis_sync *s, struct err *e)
{
    while (!s->reply) /* a stop that was meant for an earlier wait may end a run */
        loop_run(s->loop);
    if (!redis_has_code(s->reply, "LINK") && !redis_has_code(s->reply, "TIMEOUT"))
        return s->reply;
    err_set(e, "Redis at %s: %.*s", s->where, (int)s->reply->text.n, (const char *)s->reply->text.p);
    return NULL;
}

static void forget_reply(struct redis_sync *s)
{
    redis_reply_free(s->reply);
    s->reply = NULL;
}

const struct redis_reply *redis_sync_command(struct redis_sync *s, size_t argc, const struct span *argv, struct err *e)
{
    forget_reply(s);
    redis_command(s->link, on_reply, s, argc, argv);
    return wait_for_reply(s, e);
}

const struct redis_reply *redis_sync_command_str(struct redis_sync *s, struct err *e, ...)
{
    struct span argv[ARGS_STR_MAX];
    size_t argc = 0;
    va_list ap;
    va_start(ap, e);
    for (const char *arg; (arg = va_arg(ap, const char *));) {
        if (argc == ARGS_STR_MAX)
            abort();
        argv[argc++] = span_str(arg);
    }
    va_end(ap);
    return redis_sync_command(s, argc, argv, e);
}

const struct redis_reply *redis_sync_eval(struct redis_sync *s, const char *text, size_t n_keys,
                                          const struct span *keys, size_t n_args, const struct span *args,
                                          struct err *e)
{
    forget_reply(s);
    redis_eval_text(s->link, on_reply, s, text, n_keys, keys, n_args, args);
    return wait_for_reply(s, e);
}

#include <stdarg.h>

#include "base/xalloc.h"
#include "track/redis_link.h"

enum { ARGS_STR_MAX = 64 };

struct pending *link_pending_new(redis_fn fn, void *ctx)
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
    struct pending *p = link_pending_new(fn, ctx);
    const char *no = why_not(r);
    if (no) {
        link_refuse(r, p, no);
        return;
    }
    char *wire = wire_format(argc, argv, &p->bytes);
    link_send(r, p, wire);
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
    struct pending *p = link_pending_new(fn, ctx);
    const char *no = why_not(r);
    if (no) {
        link_refuse(r, p, no);
        return;
    }
    p->repeat = wire_format_script("EVALSHA", s->sha, n_keys, keys, n_args, args, &p->bytes);
    p->script = &r->script[s - r->script];
    link_send(r, p, p->repeat);
}

void redis_eval_text(struct redis *r, redis_fn fn, void *ctx, const char *text, size_t n_keys, const struct span *keys,
                     size_t n_args, const struct span *args)
{
    struct pending *p = link_pending_new(fn, ctx);
    const char *no = why_not(r);
    if (no) {
        link_refuse(r, p, no);
        return;
    }
    char *wire = wire_format_script("EVAL", text, n_keys, keys, n_args, args, &p->bytes);
    link_send(r, p, wire);
    free(wire);
}

/* Commands on their way to the master that serves their key. */
#include <inttypes.h>
#include <stdarg.h>

#include "base/xalloc.h"
#include "track/redis_route.h"

enum { ARGS_STR_MAX = 64 };

/* Takes `wire`. */
static void send_on(struct redis *r, struct link *l, struct pending *p, char *wire)
{
    const char *no = route_why_not(l);
    if (no) {
        free(wire);
        route_refuse(r, p, no);
        return;
    }
    if (p->script || r->topology == TOPOLOGY_CLUSTER)
        p->wire = wire;
    link_send(l, p, wire);
    if (!p->wire)
        free(wire);
}

void redis_command(struct redis *r, redis_fn fn, void *ctx, size_t argc, const struct span *argv)
{
    struct pending *p = link_pending_new(fn, ctx);
    char *wire = wire_format(argc, argv, &p->bytes);
    if (r->topology == TOPOLOGY_CLUSTER)
        p->slot = slot_of_command(argc, argv);
    send_on(r, route_link(r, p->slot), p, wire);
}

static struct link *nth_link(const struct redis *r, size_t n)
{
    struct link *l = r->links;
    while (l && n--)
        l = l->next;
    return l;
}

const char *redis_master_name(const struct redis *r, size_t master, char out[80])
{
    const struct link *l = nth_link(r, master);
    if (!l || !l->host)
        snprintf(out, 80, "?");
    else if (l->host[0] == '/')
        snprintf(out, 80, "%.79s", l->host);
    else
        snprintf(out, 80, "%.70s:%u", l->host, l->port);
    return out;
}

/* Without a slot: whoever answers MOVED is not followed. */
void redis_command_at(struct redis *r, size_t master, redis_fn fn, void *ctx, size_t argc, const struct span *argv)
{
    struct pending *p = link_pending_new(fn, ctx);
    char *wire = wire_format(argc, argv, &p->bytes);
    send_on(r, nth_link(r, master), p, wire);
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

void redis_command_at_str(struct redis *r, size_t master, redis_fn fn, void *ctx, ...)
{
    struct span argv[ARGS_STR_MAX];
    va_list ap;
    va_start(ap, ctx);
    size_t argc = collect_args(ap, argv);
    va_end(ap);
    redis_command_at(r, master, fn, ctx, argc, argv);
}

void redis_wait(struct redis *r, redis_fn fn, void *ctx, struct span key, unsigned replicas, int64_t ms)
{
    struct pending *p = link_pending_new(fn, ctx);
    char n[16], limit[24];
    snprintf(n, sizeof(n), "%u", replicas);
    snprintf(limit, sizeof(limit), "%" PRId64, ms);
    struct span argv[] = {span_str("WAIT"), span_str(n), span_str(limit)};
    char *wire = wire_format(ARRAY_LEN(argv), argv, &p->bytes);
    if (r->topology == TOPOLOGY_CLUSTER)
        p->slot = (int)redis_slot(key);
    send_on(r, route_link(r, p->slot), p, wire);
}

static void send_script(struct redis *r, struct pending *p, const char *verb, const char *script, size_t n_keys,
                        const struct span *keys, size_t n_args, const struct span *args)
{
    char *wire = wire_format_script(verb, script, n_keys, keys, n_args, args, &p->bytes);
    if (r->topology == TOPOLOGY_CLUSTER && n_keys)
        p->slot = (int)redis_slot(keys[0]);
    send_on(r, route_link(r, p->slot), p, wire);
}

void redis_eval(struct redis *r, redis_fn fn, void *ctx, const struct redis_script *s, size_t n_keys,
                const struct span *keys, size_t n_args, const struct span *args)
{
    struct pending *p = link_pending_new(fn, ctx);
    p->script = &r->script[s - r->script];
    send_script(r, p, "EVALSHA", s->sha, n_keys, keys, n_args, args);
}

void redis_eval_text(struct redis *r, redis_fn fn, void *ctx, const char *text, size_t n_keys, const struct span *keys,
                     size_t n_args, const struct span *args)
{
    send_script(r, link_pending_new(fn, ctx), "EVAL", text, n_keys, keys, n_args, args);
}

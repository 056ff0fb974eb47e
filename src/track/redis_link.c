#include "track/redis_link.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "track/redis_route.h"

enum { HEALTH_MS = 2000 };

/* ---- commands on their way ---- */

void list_push(struct pending_list *l, struct pending *p)
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

void pending_end(struct pending *p, const struct redis_reply *reply)
{
    if (p->fn)
        p->fn(p->ctx, reply);
    free(p->wire);
    free(p);
}

void list_end(struct pending_list *l, const char *text)
{
    struct pending *p = l->first;
    *l = (struct pending_list){0};
    while (p) {
        struct pending *next = p->next;
        struct redis_reply reply = {.kind = REDIS_ERROR, .text = span_str(text ? text : p->refusal)};
        pending_end(p, &reply);
        p = next;
    }
}

struct pending *link_pending_new(redis_fn fn, void *ctx)
{
    struct pending *p = xcalloc(1, sizeof(*p));
    p->fn = fn;
    p->ctx = ctx;
    p->slot = SLOT_ANY;
    return p;
}

void link_send(struct link *l, struct pending *p, const char *wire)
{
    p->sent_ms = clock_mono_ms();
    list_push(&l->awaiting, p);
    stream_write(l->stream, wire, p->bytes);
}

void link_command(struct link *l, redis_fn fn, void *ctx, size_t argc, const struct span *argv)
{
    struct pending *p = link_pending_new(fn, ctx);
    char *wire = wire_format(argc, argv, &p->bytes);
    link_send(l, p, wire);
    free(wire);
}

/* ---- states ---- */

void link_set_state(struct link *l, enum link_state to)
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
    if (!(legal[l->state] & 1 << to))
        abort();
    log_event(LOG_DEBUG, "redis_state", "host=%s port=%u from=%s to=%s", l->host ? l->host : "?", l->port,
              names[l->state], names[to]);
    l->state = to;
}

static void close_stream(struct link *l)
{
    stream_close(&l->stream);
    wire_free(&l->wire);
    timer_stop(l->watch);
    timer_stop(l->health);
}

/* Half to the whole of the back-off, so that the gateways of a cluster do not come back all at once. */
static void drop_link(struct link *l, const char *why, bool is_timeout)
{
    struct redis *r = l->owner;
    bool was_up = l->state == LINK_UP;
    if (!l->is_dead && !l->is_leaving) {
        snprintf(r->last_error, sizeof(r->last_error), "%s", why);
        log_event_limited(&r->limit, LOG_WARN, was_up ? "redis_lost" : "redis_unreachable",
                          "host=%s port=%u why=\"%s\"", l->host, l->port, why);
    }
    close_stream(l);
    link_set_state(l, LINK_WAITING);
    l->want_drop = l->is_leaving = false;
    int64_t wait = l->backoff_ms / 2 + (int64_t)(rand_u64() % (uint64_t)(l->backoff_ms / 2 + 1));
    l->backoff_ms = MIN_OF(2 * l->backoff_ms, BACKOFF_MAX_MS);
    if (!l->is_dead)
        timer_start(l->retry, wait, false);
    char text[240];
    snprintf(text, sizeof(text), "%s %s", is_timeout ? "TIMEOUT" : "LINK", why);
    list_end(&l->awaiting, text);
    if (!l->is_dead)
        route_link_lost(l, why);
}

/* In the middle of a callback the link is dropped only when the callback has returned. */
void link_drop_soon(struct link *l, const char *why)
{
    if (l->state == LINK_WAITING)
        return;
    if (!l->is_busy) {
        char text[200];
        snprintf(text, sizeof(text), "%s", why);
        drop_link(l, text, false);
        return;
    }
    l->want_drop = true;
    snprintf(l->drop_why, sizeof(l->drop_why), "%s", why);
}

void link_is_up(struct link *l)
{
    link_set_state(l, LINK_UP);
    l->backoff_ms = BACKOFF_MIN_MS;
    timer_start(l->health, HEALTH_MS, true);
    route_link_up(l);
}

/* ---- receiving ---- */

static void on_open(void *ctx)
{
    struct link *l = ctx;
    link_set_state(l, LINK_GREETING);
    l->wire = wire_new();
    timer_start(l->watch, MAX_OF(l->owner->timeout_ms / 4, 10), true);
    login_begin(l);
}

/* Scripts: loaded and sent again. Wherever it went is where it ends. */
static bool repeat_script(struct link *l, struct pending *p, const struct redis_reply *reply)
{
    if (!p->script || p->hops || l->want_drop || !redis_has_code(reply, "NOSCRIPT"))
        return false;
    p->hops++;
    login_load_script(l, p->script);
    link_send(l, p, p->wire);
    return true;
}

static void take_reply(struct link *l, struct redis_reply *reply)
{
    if (l->role == LINK_SENTINEL && sentinel_take_push(l, reply)) {
        redis_reply_free(reply);
        return;
    }
    struct pending *p = list_pop(&l->awaiting);
    if (!p)
        link_drop_soon(l, "an answer to nothing");
    else if (!repeat_script(l, p, reply) && !route_take_over(l, p, reply))
        pending_end(p, reply);
    redis_reply_free(reply);
}

static size_t on_data(void *ctx, struct span in)
{
    struct link *l = ctx;
    struct redis_reply *reply;
    struct err e;
    int rc = 0;
    l->is_busy = true;
    wire_feed(l->wire, in);
    while (!l->want_drop && (rc = wire_next(l->wire, &reply, &e)) > 0)
        take_reply(l, reply);
    if (rc < 0 && !l->want_drop)
        link_drop_soon(l, e.text);
    l->is_busy = false;
    if (l->want_drop)
        drop_link(l, l->drop_why, false);
    return in.n;
}

static void on_end(void *ctx, const char *why)
{
    struct link *l = ctx;
    char text[200];
    snprintf(text, sizeof(text), "%s", why);
    drop_link(l, text, false);
}

static void on_watch(void *ctx)
{
    struct link *l = ctx;
    const struct pending *oldest = l->awaiting.first;
    if (!oldest || clock_mono_ms() - oldest->sent_ms < l->owner->timeout_ms)
        return;
    char why[80];
    snprintf(why, sizeof(why), "no answer within %" PRId64 " ms", l->owner->timeout_ms);
    drop_link(l, why, true);
}

/* ---- connecting ---- */

static void connect_now(struct link *l)
{
    static const struct stream_handlers handlers = {on_open, on_data, on_end};
    const struct redis *r = l->owner;
    struct stream_options o = {.host = l->host,
                               .port = l->port,
                               .connect_timeout_ms = r->timeout_ms,
                               .tls = r->tls,
                               .server_name = r->server_name};
    struct err e;
    timer_stop(l->retry);
    link_set_state(l, LINK_CONNECTING);
    l->stream = stream_open(r->loop, &o, &handlers, l, &e);
    if (!l->stream)
        drop_link(l, e.text, false);
}

static void on_retry(void *ctx)
{
    struct link *l = ctx;
    if (route_choose_address(l))
        connect_now(l);
}

void link_dial(struct link *l, const char *host, uint16_t port)
{
    char *copy = xstrdup(host);
    free(l->host);
    l->host = copy;
    l->port = port;
    if (l->state == LINK_WAITING)
        connect_now(l);
}

/* ---- life ---- */

struct link *link_new(struct redis *owner, enum link_role role, const char *host, uint16_t port)
{
    struct link *l = xcalloc(1, sizeof(*l));
    l->owner = owner;
    l->role = role;
    l->host = host ? xstrdup(host) : NULL;
    l->port = port;
    l->backoff_ms = BACKOFF_MIN_MS;
    l->retry = timer_new(owner->loop, on_retry, l);
    l->watch = timer_new(owner->loop, on_watch, l);
    l->health = timer_new(owner->loop, login_on_health, l);
    if (host)
        timer_start(l->retry, 0, false);
    return l;
}

void link_dispose(struct link *l)
{
    l->is_dead = true;
    timer_stop(l->retry);
    l->next = l->owner->dead;
    l->owner->dead = l;
    timer_start(l->owner->bury, 0, false);
    link_drop_soon(l, "the server is no longer one of ours");
}

void link_free(struct link *l)
{
    close_stream(l);
    l->state = LINK_WAITING;
    while (l->awaiting.first) /* a callback may issue again; that ends, too */
        list_end(&l->awaiting, "LINK closed");
    timer_free(&l->retry);
    timer_free(&l->watch);
    timer_free(&l->health);
    free(l->host);
    free(l);
}

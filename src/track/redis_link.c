#include "track/redis_link.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"

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

void link_set_state(struct redis *r, enum link_state to)
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

void link_refuse(struct redis *r, struct pending *p, const char *why)
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
    link_set_state(r, LINK_WAITING);
    r->want_drop = false;
    int64_t wait = r->backoff_ms / 2 + (int64_t)(rand_u64() % (uint64_t)(r->backoff_ms / 2 + 1));
    r->backoff_ms = MIN_OF(2 * r->backoff_ms, BACKOFF_MAX_MS);
    timer_start(r->retry, wait, false);
    char text[240];
    snprintf(text, sizeof(text), "%s %s", is_timeout ? "TIMEOUT" : "LINK", why);
    end_list(&r->awaiting, text);
}

/* In the middle of a callback the link is dropped only when the callback has returned. */
void link_drop_soon(struct redis *r, const char *why)
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

/* ---- up ---- */

void link_send(struct redis *r, struct pending *p, const char *wire)
{
    p->sent_ms = clock_mono_ms();
    list_push(&r->awaiting, p);
    stream_write(r->stream, wire, p->bytes);
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

void link_is_up(struct redis *r)
{
    link_set_state(r, LINK_UP);
    r->backoff_ms = BACKOFF_MIN_MS;
    r->connects++;
    log_event(LOG_INFO, "redis_up", "host=%s port=%u", r->host, r->o.port);
    for (size_t i = 0; i < r->n_up; i++)
        r->up_is_due[i] = true;
    timer_start(r->notify, 0, false);
}

/* ---- receiving ---- */

static void on_open(void *ctx)
{
    struct redis *r = ctx;
    link_set_state(r, LINK_GREETING);
    r->wire = wire_new();
    timer_start(r->watch, MAX_OF(r->o.timeout_ms / 4, 10), true);
    login_begin(r);
}

static void repeat_script(struct redis *r, struct pending *p)
{
    char *wire = p->repeat;
    p->repeat = NULL;
    login_load_script(r, p->script);
    link_send(r, p, wire);
    free(wire);
}

static void take_reply(struct redis *r, struct redis_reply *reply)
{
    struct pending *p = list_pop(&r->awaiting);
    if (!p)
        link_drop_soon(r, "an answer to nothing");
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
        link_drop_soon(r, e.text);
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
    link_set_state(r, LINK_CONNECTING);
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
    link_drop_soon(r, why);
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
        login_load_script(r, s);
    return s;
}

#include "track/redis_route.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/xalloc.h"

/* ---- which link ---- */

static struct link *any_link(const struct redis *r)
{
    for (struct link *l = r->links; l; l = l->next)
        if (link_takes_commands(l))
            return l;
    return r->links;
}

struct link *route_link(const struct redis *r, int slot)
{
    if (r->topology != TOPOLOGY_CLUSTER)
        return r->links;
    return slot == SLOT_ANY ? any_link(r) : r->slot[slot];
}

const char *route_why_not(const struct link *l)
{
    if (!link_takes_commands(l))
        return "LINK not connected to Redis";
    if (l->awaiting.n >= IN_FLIGHT_MAX || l->awaiting.bytes >= IN_FLIGHT_BYTES_MAX)
        return "BUSY too many commands wait for an answer";
    return NULL;
}

static void on_refuse(void *ctx)
{
    struct redis *r = ctx;
    list_end(&r->refused, NULL);
}

void route_refuse(struct redis *r, struct pending *p, const char *why)
{
    p->refusal = why;
    list_push(&r->refused, p);
    timer_start(r->refuse, 0, false);
}

/* ---- what links tell ---- */

static void on_notify(void *ctx)
{
    struct redis *r = ctx;
    for (size_t i = 0; i < r->n_up && redis_is_up(r); i++) {
        if (r->up_is_due[i]) {
            r->up_is_due[i] = false;
            r->up_fn[i](r->up_ctx[i]);
        }
    }
}

void route_changed(struct redis *r)
{
    for (size_t i = 0; i < r->n_up; i++)
        r->up_is_due[i] = true;
    timer_start(r->notify, 0, false);
}

void route_link_up(struct link *l)
{
    struct redis *r = l->owner;
    if (l->role == LINK_SENTINEL) {
        sentinel_is_up(l);
        return;
    }
    if (r->topology == TOPOLOGY_CLUSTER)
        cluster_link_up(l);
    if (l->role != LINK_DATA)
        return;
    r->connects++;
    log_event(LOG_INFO, "redis_up", "host=%s port=%u", l->host, l->port);
    route_changed(r);
}

void route_link_lost(struct link *l, const char *why)
{
    (void)why;
    if (l->owner->topology == TOPOLOGY_CLUSTER)
        cluster_link_lost(l);
}

/* The next Sentinel, or the next node that may know the Cluster. */
static void choose_place(struct link *l)
{
    struct redis *r = l->owner;
    const struct place *p = &r->place[r->at_place++ % r->n_places];
    free(l->host);
    l->host = xstrdup(p->host);
    l->port = p->port;
}

bool route_choose_address(struct link *l)
{
    struct redis *r = l->owner;
    if (l->role != LINK_DATA)
        choose_place(l);
    else if (r->topology == TOPOLOGY_SENTINEL)
        sentinel_ask(r);
    return l->role != LINK_DATA || r->topology != TOPOLOGY_SENTINEL;
}

/* MOVED is followed at most three times; a master that turned out to be none is left behind. */
bool route_take_over(struct link *l, struct pending *p, const struct redis_reply *reply)
{
    if (reply->kind != REDIS_ERROR || l->role != LINK_DATA)
        return false;
    struct redis *r = l->owner;
    if (redis_has_code(reply, "READONLY"))
        link_drop_soon(l, "the server became a replica (READONLY)");
    if (r->topology != TOPOLOGY_CLUSTER)
        return false;
    if (redis_has_code(reply, "CLUSTERDOWN"))
        cluster_want_map(r);
    if (!redis_has_code(reply, "MOVED") || p->slot == SLOT_ANY)
        return false;
    struct link *to = cluster_moved(l, p->slot, reply);
    if (p->hops >= 3 || !p->wire || route_why_not(to))
        return false;
    p->hops++;
    link_send(to, p, p->wire);
    return true;
}

/* ---- life ---- */

static void on_bury(void *ctx)
{
    struct redis *r = ctx;
    while (r->dead) {
        struct link *l = r->dead;
        r->dead = l->next;
        link_free(l);
    }
}

static char *copy_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

static void copy_places(struct redis *r, const struct conf_addr *addr, size_t n)
{
    r->place = xcalloc(n, sizeof(*r->place));
    r->n_places = n;
    for (size_t i = 0; i < n; i++)
        r->place[i] = (struct place){xstrdup(addr[i].host), addr[i].port};
}

static void find_servers(struct redis *r, const struct redis_options *o)
{
    if (o->master_name) {
        r->topology = TOPOLOGY_SENTINEL;
        r->master_name = xstrdup(o->master_name);
        r->sentinel_username = copy_or_null(o->sentinel_username);
        r->sentinel_password_file = copy_or_null(o->sentinel_password_file);
        copy_places(r, o->sentinel, o->n_sentinels);
        snprintf(r->where, sizeof(r->where), "master %.80s of the Sentinels", o->master_name);
        sentinel_start(r);
    } else if (o->n_cluster) {
        r->topology = TOPOLOGY_CLUSTER;
        copy_places(r, o->cluster, o->n_cluster);
        snprintf(r->where, sizeof(r->where), "Cluster of %.80s:%u", r->place[0].host, r->place[0].port);
        cluster_start(r);
    } else {
        if (o->host[0] == '/')
            snprintf(r->where, sizeof(r->where), "%.110s", o->host);
        else
            snprintf(r->where, sizeof(r->where), "%.100s:%u", o->host, o->port);
        r->links = link_new(r, LINK_DATA, o->host, o->port);
    }
}

struct redis *redis_new(struct loop *l, const struct redis_options *o)
{
    struct redis *r = xcalloc(1, sizeof(*r));
    r->loop = l;
    r->username = copy_or_null(o->username);
    r->password_file = copy_or_null(o->password_file);
    r->client_name = copy_or_null(o->client_name);
    r->server_name = copy_or_null(o->server_name);
    r->tls = o->tls;
    r->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : 1000;
    r->refuse = timer_new(l, on_refuse, r);
    r->notify = timer_new(l, on_notify, r);
    r->bury = timer_new(l, on_bury, r);
    find_servers(r, o);
    return r;
}

/* Callbacks may issue commands again: without a master those are refused, and end, too. */
static void end_links(struct redis *r)
{
    struct link *links = r->links;
    r->links = NULL;
    if (r->slot)
        memset(r->slot, 0, SLOT_COUNT * sizeof(struct link *));
    while (links) {
        struct link *l = links;
        links = l->next;
        link_free(l);
    }
    if (r->guide)
        link_free(r->guide);
    r->guide = NULL;
    on_bury(r);
    while (r->refused.first)
        list_end(&r->refused, "LINK closed");
}

void redis_free(struct redis **rp)
{
    struct redis *r = *rp;
    if (!r)
        return;
    end_links(r);
    timer_free(&r->refuse);
    timer_free(&r->notify);
    timer_free(&r->bury);
    timer_free(&r->map);
    for (size_t i = 0; i < r->n_places; i++)
        free(r->place[i].host);
    free(r->place);
    free(r->slot);
    free(r->master_name);
    free(r->sentinel_username);
    free(r->sentinel_password_file);
    free(r->username);
    free(r->password_file);
    free(r->client_name);
    free(r->server_name);
    free(r);
    *rp = NULL;
}

/* ---- state ---- */

void redis_on_up(struct redis *r, loop_fn fn, void *ctx)
{
    if (r->n_up == ON_UP_MAX)
        abort();
    r->up_fn[r->n_up] = fn;
    r->up_ctx[r->n_up] = ctx;
    r->up_is_due[r->n_up++] = redis_is_up(r);
    if (redis_is_up(r))
        timer_start(r->notify, 0, false);
}

bool redis_is_up(const struct redis *r)
{
    return link_takes_commands(any_link(r));
}

bool redis_is_whole(const struct redis *r)
{
    if (r->topology == TOPOLOGY_CLUSTER && (!r->has_map || r->n_unserved))
        return false;
    for (const struct link *l = r->links; l; l = l->next)
        if (!link_takes_commands(l))
            return false;
    return r->links;
}

size_t redis_in_flight(const struct redis *r)
{
    size_t n = 0;
    for (const struct link *l = r->links; l; l = l->next)
        n += l->awaiting.n;
    return n;
}

bool redis_can_send(const struct redis *r, unsigned slot, size_t most_bytes)
{
    const struct link *l = route_link(r, (int)slot);
    return link_takes_commands(l) && l->awaiting.bytes <= most_bytes;
}

int64_t redis_clock_offset_ms(const struct redis *r, unsigned slot)
{
    const struct link *l = route_link(r, (int)slot);
    return l ? l->offset_ms : 0;
}

int64_t redis_clock_offset_worst_ms(const struct redis *r)
{
    int64_t worst = 0;
    for (const struct link *l = r->links; l; l = l->next)
        if (llabs(l->offset_ms) > llabs(worst))
            worst = l->offset_ms;
    return worst;
}

void redis_reconnect(struct redis *r, const char *why)
{
    for (struct link *l = r->links; l; l = l->next)
        link_drop_soon(l, why);
}

const char *redis_last_error(const struct redis *r)
{
    return r->last_error;
}

uint64_t redis_connects(const struct redis *r)
{
    return r->connects;
}

const char *redis_where(const struct redis *r)
{
    return r->where;
}

size_t redis_masters(const struct redis *r)
{
    size_t n = 0;
    for (const struct link *l = r->links; l; l = l->next)
        n++;
    return n;
}

struct redis_script *redis_script_add(struct redis *r, const char *text)
{
    if (r->n_scripts == SCRIPTS_MAX)
        abort();
    struct redis_script *s = &r->script[r->n_scripts++];
    s->text = text;
    for (struct link *l = r->links; l; l = l->next)
        if (l->state >= LINK_GREETING && !l->want_drop)
            login_load_script(l, s);
    return s;
}

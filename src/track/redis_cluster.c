/* Who serves which slot? One link per master that has slots. The map is asked from any of them (at first from a scout,
 * to the configured nodes in turn), again after MOVED, CLUSTERDOWN and a lost link, and every few seconds. */
#include <inttypes.h>

#include "base/xalloc.h"
#include "track/redis_route.h"

enum { MAP_SOON_MS = 50, MAP_RETRY_MS = 300, MAP_CALM_MS = 5000, OLD_MAPS_MAX = 20, HOST_BYTES = 256 };

static void on_map_timer(void *ctx);

static void start_scout(struct redis *r)
{
    if (!r->guide)
        r->guide =
            link_new(r, LINK_SCOUT, r->place[r->at_place % r->n_places].host, r->place[r->at_place % r->n_places].port);
}

void cluster_start(struct redis *r)
{
    r->slot = xcalloc(SLOT_COUNT, sizeof(struct link *));
    r->n_unserved = SLOT_COUNT;
    r->map = timer_new(r->loop, on_map_timer, r);
    start_scout(r);
}

/* ---- links ---- */

static struct link *find_link(struct redis *r, const char *host, uint16_t port)
{
    size_t n = 0;
    for (struct link *l = r->links; l; l = l->next, n++)
        if (l->port == port && strcmp(l->host, host) == 0)
            return l;
    if (n >= MASTERS_MAX)
        return NULL;
    struct link *l = link_new(r, LINK_DATA, host, port);
    l->next = r->links;
    r->links = l;
    return l;
}

static void drop_unused(struct redis *r)
{
    for (struct link **at = &r->links; *at;) {
        struct link *l = *at;
        if (l->n_slots) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        log_event(LOG_INFO, "redis_master_left", "host=%s port=%u", l->host, l->port);
        link_dispose(l);
    }
}

/* ---- the map ---- */

/* An empty or missing host means the one that was asked. */
static struct link *link_of_node(struct redis *r, const struct link *asked, const struct redis_reply *node)
{
    char host[HOST_BYTES];
    struct span name = redis_item(node, 0)->text;
    int64_t port;
    if (!redis_get_int(redis_item(node, 1), &port) || port < 1 || port > UINT16_MAX || name.n >= sizeof(host))
        return NULL;
    memcpy(host, name.p ? (const char *)name.p : "", name.n);
    host[name.n] = 0;
    return find_link(r, name.n && !span_is(name, "?") ? host : asked->host, (uint16_t)port);
}

/* Answers of CLUSTER SLOTS: {first, last, {host, port, …} of the master, …} per range. False: unreadable. */
static bool read_map(struct redis *r, const struct link *asked, const struct redis_reply *reply, struct link **map)
{
    for (size_t i = 0; i < reply->n; i++) {
        const struct redis_reply *range = reply->item[i];
        int64_t first, last;
        if (!redis_get_int(redis_item(range, 0), &first) || !redis_get_int(redis_item(range, 1), &last) || first < 0 ||
            last >= SLOT_COUNT || first > last)
            return false;
        struct link *l = link_of_node(r, asked, redis_item(range, 2));
        if (!l)
            return false;
        for (int64_t s = first; s <= last; s++)
            map[s] = l;
    }
    return reply->n > 0;
}

static void count_slots(struct redis *r)
{
    r->n_unserved = 0;
    for (struct link *l = r->links; l; l = l->next)
        l->n_slots = 0;
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        if (r->slot[s])
            r->slot[s]->n_slots++;
        else
            r->n_unserved++;
    }
}

static void use_map(struct redis *r, struct link **map)
{
    bool is_other = memcmp(map, r->slot, SLOT_COUNT * sizeof(*map)) != 0;
    free(r->slot);
    r->slot = map;
    r->has_map = true;
    count_slots(r);
    if (is_other)
        log_event(LOG_INFO, "redis_map", "masters=%zu unserved_slots=%u", redis_masters(r), r->n_unserved);
    drop_unused(r);
    if (is_other)
        route_changed(r);
    if (r->guide) {
        link_dispose(r->guide);
        r->guide = NULL;
    }
}

/* A node that the others have cut off tells of an older epoch than was seen; when all of them do, the Cluster was made
 * anew. */
static bool is_old_map(struct redis *r)
{
    if (r->told_epoch < r->epoch && ++r->n_old_maps < OLD_MAPS_MAX)
        return true;
    r->n_old_maps = 0;
    r->epoch = r->told_epoch;
    return false;
}

static void on_info(void *ctx, const struct redis_reply *reply)
{
    struct link *l = ctx;
    uint64_t epoch;
    if (reply->kind == REDIS_TEXT && span_u64(redis_info_field(reply->text, "cluster_current_epoch"), &epoch))
        l->owner->told_epoch = epoch;
}

static void on_slots(void *ctx, const struct redis_reply *reply)
{
    struct link *asked = ctx;
    struct redis *r = asked->owner;
    r->is_map_asked = false;
    struct link **map = xcalloc(SLOT_COUNT, sizeof(struct link *));
    bool is_used = false;
    if (asked->is_dead) {
        ; /* what it says is of the past */
    } else if (reply->kind == REDIS_ARRAY && read_map(r, asked, reply, map)) {
        is_used = !is_old_map(r);
    } else if (redis_is_error(reply) && !redis_has_code(reply, "LINK") && !redis_has_code(reply, "TIMEOUT")) {
        char text[160];
        snprintf(r->last_error, sizeof(r->last_error), "CLUSTER SLOTS: %s", redis_text(reply, text));
        log_event_limited(&r->limit, LOG_WARN, "redis_no_map", "host=%s port=%u why=\"%s\"", asked->host, asked->port,
                          r->last_error);
    }
    if (is_used)
        use_map(r, map);
    else
        free(map);
    if (r->guide && asked == r->guide) {
        r->guide->backoff_ms = MAP_RETRY_MS;
        link_drop_soon(r->guide, "it does not know the Cluster's slots");
    }
    bool is_calm = is_used && redis_is_whole(r) && !r->is_map_wanted;
    timer_start(r->map, is_calm ? MAP_CALM_MS : r->is_map_wanted ? MAP_SOON_MS : MAP_RETRY_MS, false);
    r->is_map_wanted = false;
}

/* Another master each time: one of them may be cut off. */
static struct link *next_link(struct redis *r)
{
    size_t n = redis_masters(r);
    for (size_t i = 0; i < n; i++) {
        size_t at = r->at_link++ % n;
        struct link *l = r->links;
        while (at--)
            l = l->next;
        if (link_takes_commands(l))
            return l;
    }
    return NULL;
}

static void ask_map(struct link *l)
{
    struct span info[] = {span_str("CLUSTER"), span_str("INFO")}, slots[] = {span_str("CLUSTER"), span_str("SLOTS")};
    l->owner->is_map_asked = true;
    link_command(l, on_info, l, 2, info);
    link_command(l, on_slots, l, 2, slots);
}

static void on_map_timer(void *ctx)
{
    struct redis *r = ctx;
    if (r->is_map_asked)
        return; /* its answer starts the timer again */
    struct link *l = next_link(r);
    if (l)
        ask_map(l);
    else
        start_scout(r);
}

void cluster_want_map(struct redis *r)
{
    if (r->is_map_asked)
        r->is_map_wanted = true;
    else
        timer_start(r->map, MAP_SOON_MS, false);
}

void cluster_link_up(struct link *l)
{
    if (l->role == LINK_SCOUT && !l->owner->is_map_asked)
        ask_map(l);
}

void cluster_link_lost(struct link *l)
{
    if (l->role == LINK_DATA)
        cluster_want_map(l->owner);
}

/* "MOVED 3999 127.0.0.1:6381" */
struct link *cluster_moved(struct link *from, int slot, const struct redis_reply *error)
{
    struct redis *r = from->owner;
    char text[HOST_BYTES + 40];
    cluster_want_map(r);
    if (error->text.n >= sizeof(text))
        return NULL;
    memcpy(text, error->text.p, error->text.n);
    text[error->text.n] = 0;
    char *host = strchr(text + strlen("MOVED "), ' '), *colon = host ? strrchr(host, ':') : NULL;
    uint64_t port;
    if (!colon || !span_u64(span_str(colon + 1), &port) || port < 1 || port > UINT16_MAX)
        return NULL;
    *colon = 0;
    struct link *to = find_link(r, host[1] ? host + 1 : from->host, (uint16_t)port);
    if (to && to != r->slot[slot]) {
        r->slot[slot] = to;
        count_slots(r);
        route_changed(r);
    }
    return to;
}

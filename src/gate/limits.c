/* How many connections one address may hold, counted for the whole node. */
#include "base/map.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "gate/limits.h"

struct addr_limit {
    pthread_mutex_t lock;
    struct map count; /* 16 address bytes -> number, as a pointer */
};

struct addr_limit *addr_limit_new(void)
{
    struct addr_limit *a = xcalloc(1, sizeof(*a));
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void addr_limit_free(struct addr_limit **a)
{
    if (!*a)
        return;
    map_fini(&(*a)->count);
    pthread_mutex_destroy(&(*a)->lock);
    free(*a);
    *a = NULL;
}

bool gate_admit(struct gate *g, const struct conf *conf)
{
    bool ok = atomic_fetch_add(&g->connections, 1) < (unsigned)conf->limits.connections;
    if (!ok)
        atomic_fetch_sub(&g->connections, 1);
    return ok;
}

bool gate_has_room(struct gate *g)
{
    return atomic_load_explicit(&g->connections, memory_order_relaxed) < g->descriptor_sessions;
}

void gate_leave(struct gate *g)
{
    atomic_fetch_sub(&g->connections, 1);
}

bool gate_admit_address(struct gate *g, const struct conf *conf, const struct host *peer)
{
    struct span key = span_of(peer->addr, sizeof(peer->addr));
    struct addr_limit *a = g->addr_limit;
    pthread_mutex_lock(&a->lock);
    uintptr_t n = (uintptr_t)map_get(&a->count, key);
    bool is_free = !conf->limits.connections_per_address || peer->is_unix; /* no address to count */
    bool ok = is_free || n < (uintptr_t)conf->limits.connections_per_address;
    if (ok)
        map_put(&a->count, key, (void *)(n + 1));
    pthread_mutex_unlock(&a->lock);
    return ok;
}

void gate_leave_address(struct gate *g, const struct host *peer)
{
    struct span key = span_of(peer->addr, sizeof(peer->addr));
    struct addr_limit *a = g->addr_limit;
    pthread_mutex_lock(&a->lock);
    uintptr_t n = (uintptr_t)map_get(&a->count, key);
    if (n > 1)
        map_put(&a->count, key, (void *)(n - 1));
    else
        map_del(&a->count, key);
    pthread_mutex_unlock(&a->lock);
}

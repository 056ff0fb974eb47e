/* The addresses of an upstream's servers: of their names, looked up at the start, again while a server is down, and now
 * and then. */
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/upstream_parts.h"

enum { LOOK_AGAIN_MS = 60000 };

static void set_list(struct server *s, const struct addr *list, size_t n, size_t at)
{
    memcpy(s->list, list, n * sizeof(*list));
    s->n_list = n;
    s->at = at;
    s->looked_up_ms = clock_mono_ms();
    atomic_store(&s->has_addr, n > 0);
}

int upstream_set_plain_addr(struct server *s, struct err *e)
{
    struct addr a;
    if (!s->conf.path && !resolve_numeric(s->conf.host, s->conf.port, &a))
        return 0;
    if (s->conf.path && addr_resolve(&s->conf, false, &a, e) < 0)
        return -1;
    set_list(s, &a, 1, 0);
    return 0;
}

/* The server's address in an older upstream; false: it had none. */
static bool take_old(struct server *s, struct upstream *const *old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++)
        for (size_t k = 0; old[i] && k < old[i]->n; k++) {
            struct server *o = &old[i]->server[k];
            if (!atomic_load(&o->has_addr) || strcmp(o->conf.text, s->conf.text) != 0)
                continue;
            struct addr a = upstream_addr(old[i], (int)k);
            set_list(s, &a, 1, 0);
            return true;
        }
    return false;
}

/* Upstreams that were kept are in use, and look for their names themselves. */
static bool is_kept(const struct upstream *u, struct upstream *const *old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++)
        if (old[i] == u)
            return true;
    return false;
}

/* New servers without an address, into `of` when it is not NULL; how many there are. */
static size_t list_nameless(struct upstream *const *u, size_t n, struct upstream *const *old, size_t n_old,
                            struct server **of)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; u[i] && !is_kept(u[i], old, n_old) && k < u[i]->n; k++) {
            struct server *s = &u[i]->server[k];
            if (atomic_load(&s->has_addr))
                continue;
            if (of)
                of[found] = s;
            found++;
        }
    return found;
}

void upstream_resolve(struct upstream *const *u, size_t n, struct upstream *const *old, size_t n_old, int64_t limit_ms)
{
    size_t n_wishes = list_nameless(u, n, old, n_old, NULL);
    if (!n_wishes)
        return;
    struct resolve_wish *wish = xcalloc(n_wishes, sizeof(*wish));
    struct server **of = xcalloc(n_wishes, sizeof(struct server *));
    list_nameless(u, n, old, n_old, of);
    for (size_t i = 0; i < n_wishes; i++)
        wish[i] = (struct resolve_wish){.host = of[i]->conf.host, .port = of[i]->conf.port};
    resolve_within(wish, n_wishes, limit_ms);
    for (size_t i = 0; i < n_wishes; i++) {
        if (wish[i].n)
            set_list(of[i], wish[i].list, wish[i].n, 0);
        else if (!take_old(of[i], old, n_old))
            upstream_set_up(of[i], false, wish[i].why);
    }
    free(wish);
    free(of);
}

void upstream_try_next_addr(struct server *s)
{
    pthread_mutex_lock(&s->owner->lock);
    if (s->n_list > 1)
        s->at = (s->at + 1) % s->n_list;
    pthread_mutex_unlock(&s->owner->lock);
}

static void on_found(void *ctx, const struct addr *list, size_t n, const char *why)
{
    struct server *s = ctx;
    bool was_nameless = !atomic_load(&s->has_addr);
    size_t at = 0;
    s->look_up = NULL;
    if (!n) { /* an old address goes on being checked */
        s->looked_up_ms = clock_mono_ms();
        if (was_nameless)
            upstream_note_failure(s, why);
        return;
    }
    pthread_mutex_lock(&s->owner->lock);
    while (s->n_list && at < n && !addr_is_same(&list[at], &s->list[s->at]))
        at++;
    bool is_moved = s->n_list && at == n;
    set_list(s, list, n, at % n);
    pthread_mutex_unlock(&s->owner->lock);
    if (is_moved)
        log_event(LOG_INFO, "upstream_moved", "upstream=%s server=%s", s->owner->name, s->conf.text);
    if (was_nameless)
        upstream_check(s);
}

void upstream_look_again(struct server *s)
{
    bool is_due = !atomic_load(&s->is_up) || clock_mono_ms() - s->looked_up_ms >= LOOK_AGAIN_MS;
    if (!s->look_up && s->conf.host && is_due)
        s->look_up = resolve_start(s->owner->loop, s->conf.host, s->conf.port, on_found, s);
}

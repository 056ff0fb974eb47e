#include "net/upstream.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/resolve.h"

struct server {
    struct conf_addr conf;
    char *tls_name;
    struct addr list[RESOLVE_ADDRS_MAX]; /* of its name; the one in use is list[at]. Guarded by upstream.lock */
    size_t n_list, at;
    atomic_bool has_addr, is_up;
    atomic_uint sessions;
    atomic_uint_fast64_t failures;
    atomic_uint failed_in_a_row;
    unsigned good_in_a_row; /* control thread */
    struct event *check;    /* a check in progress; NULL: none */
    int check_fd;
    struct resolve *look_up; /* of its name; NULL: none under way */
    int64_t looked_up_ms;    /* monotonic */
    struct upstream *owner;
};

struct upstream {
    char *name;
    atomic_uint refs;
    pthread_mutex_t lock;
    struct server *server;
    size_t n;
    struct tls_client *tls;
    int64_t interval_ms, timeout_ms;
    unsigned fall, rise;
    struct loop *loop;
    struct timer *round;
};

enum { LOOK_AGAIN_MS = 60000 };

static void set_list(struct server *s, const struct addr *list, size_t n, size_t at)
{
    memcpy(s->list, list, n * sizeof(*list));
    s->n_list = n;
    s->at = at;
    s->looked_up_ms = clock_mono_ms();
    atomic_store(&s->has_addr, n > 0);
}

/* Whatever needs no name server. */
static int set_plain_addr(struct server *s, struct err *e)
{
    struct addr a;
    if (!s->conf.path && !resolve_numeric(s->conf.host, s->conf.port, &a))
        return 0;
    if (s->conf.path && addr_resolve(&s->conf, false, &a, e) < 0)
        return -1;
    set_list(s, &a, 1, 0);
    return 0;
}

struct upstream *upstream_new(const struct conf_upstream *c, struct err *e)
{
    struct upstream *u = xcalloc(1, sizeof(*u));
    atomic_init(&u->refs, 1);
    pthread_mutex_init(&u->lock, NULL);
    u->name = xstrdup(c->name);
    u->n = c->n_servers;
    u->server = xcalloc(u->n, sizeof(*u->server));
    u->interval_ms = c->health_interval_ms;
    u->timeout_ms = c->health_timeout_ms;
    u->fall = (unsigned)c->health_fall;
    u->rise = (unsigned)c->health_rise;
    for (size_t i = 0; i < u->n; i++) {
        struct server *s = &u->server[i];
        const struct conf_addr *a = &c->server[i];
        *s = (struct server){.owner = u, .check_fd = -1};
        s->conf.text = xstrdup(a->text);
        s->conf.host = a->host ? xstrdup(a->host) : NULL;
        s->conf.path = a->path ? xstrdup(a->path) : NULL;
        s->conf.port = a->port;
        s->tls_name = xstrdup(c->tls.server_name ? c->tls.server_name : a->host ? a->host : "localhost");
        atomic_init(&s->is_up, true); /* innocent until proven otherwise: a restart must not refuse anybody */
    }
    for (size_t i = 0; i < u->n; i++) {
        if (set_plain_addr(&u->server[i], e) < 0) {
            err_prefix(e, "upstream %s", u->name);
            upstream_unref(&u);
            return NULL;
        }
    }
    if (c->tls.is_on && !(u->tls = tls_client_new(c->tls.ca, c->tls.verify, e))) {
        err_prefix(e, "upstream %s", u->name);
        upstream_unref(&u);
    }
    return u;
}

struct upstream *upstream_ref(struct upstream *u)
{
    atomic_fetch_add(&u->refs, 1);
    return u;
}

void upstream_unref(struct upstream **up)
{
    struct upstream *u = *up;
    *up = NULL;
    if (!u || atomic_fetch_sub(&u->refs, 1) != 1)
        return;
    for (size_t i = 0; i < u->n; i++) {
        free(u->server[i].conf.text);
        free(u->server[i].conf.host);
        free(u->server[i].conf.path);
        free(u->server[i].tls_name);
    }
    tls_client_unref(&u->tls);
    pthread_mutex_destroy(&u->lock);
    free(u->server);
    free(u->name);
    free(u);
}

static void set_up(struct server *s, bool up, const char *why)
{
    if (atomic_exchange(&s->is_up, up) != up)
        log_event(up ? LOG_INFO : LOG_WARN, up ? "upstream_up" : "upstream_down", "upstream=%s server=%s why=\"%s\"",
                  s->owner->name, s->conf.text, why);
}

/* --- names --- */

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

static size_t count_nameless(struct upstream *const *u, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; u[i] && k < u[i]->n; k++)
            found += !atomic_load(&u[i]->server[k].has_addr);
    return found;
}

void upstream_resolve(struct upstream *const *u, size_t n, struct upstream *const *old, size_t n_old, int64_t limit_ms)
{
    size_t n_wishes = 0, most = count_nameless(u, n);
    if (!most)
        return;
    struct resolve_wish *wish = xcalloc(most, sizeof(*wish));
    struct server **of = xcalloc(most, sizeof(struct server *));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; u[i] && k < u[i]->n; k++) {
            struct server *s = &u[i]->server[k];
            if (atomic_load(&s->has_addr))
                continue;
            of[n_wishes] = s;
            wish[n_wishes++] = (struct resolve_wish){.host = s->conf.host, .port = s->conf.port};
        }
    resolve_within(wish, n_wishes, limit_ms);
    for (size_t i = 0; i < n_wishes; i++) {
        pthread_mutex_lock(&of[i]->owner->lock); /* it may be in use already, and looked up elsewhere */
        if (wish[i].n)
            set_list(of[i], wish[i].list, wish[i].n, 0);
        pthread_mutex_unlock(&of[i]->owner->lock);
        if (wish[i].n)
            continue;
        if (!take_old(of[i], old, n_old))
            set_up(of[i], false, wish[i].why);
    }
    free(wish);
    free(of);
}

/* The next of its name's addresses, if it has several. */
static void try_next_addr(struct server *s)
{
    pthread_mutex_lock(&s->owner->lock);
    if (s->n_list > 1)
        s->at = (s->at + 1) % s->n_list;
    pthread_mutex_unlock(&s->owner->lock);
}

/* --- checks --- */

static void note_failure(struct server *s, const char *why)
{
    atomic_fetch_add(&s->failures, 1);
    if (atomic_fetch_add(&s->failed_in_a_row, 1) + 1 >= s->owner->fall)
        set_up(s, false, why);
}

static void finish_check(struct server *s)
{
    event_free(s->check);
    close(s->check_fd);
    s->check = NULL;
    s->check_fd = -1;
}

static void on_checked(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    int problem = (what & EV_TIMEOUT) ? ETIMEDOUT : 0;
    socklen_t n = sizeof(problem);
    if (!problem && getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &n) < 0)
        problem = errno;
    finish_check(s);
    if (problem) {
        s->good_in_a_row = 0;
        note_failure(s, strerror(problem));
        try_next_addr(s);
    } else if (++s->good_in_a_row >= s->owner->rise) {
        atomic_store(&s->failed_in_a_row, 0);
        set_up(s, true, "checks pass");
    }
}

static void start_check(struct server *s);

static void on_found(void *ctx, const struct addr *list, size_t n, const char *why)
{
    struct server *s = ctx;
    bool was_nameless = !atomic_load(&s->has_addr);
    size_t at = 0;
    s->look_up = NULL;
    if (!n) { /* an old address goes on being checked */
        s->looked_up_ms = clock_mono_ms();
        if (was_nameless)
            note_failure(s, why);
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
        start_check(s);
}

/* Names may move to another address: looked up again while a server is down, and now and then. The answer is for the
 * next check. */
static void resolve_again(struct server *s)
{
    bool is_due = !atomic_load(&s->is_up) || clock_mono_ms() - s->looked_up_ms >= LOOK_AGAIN_MS;
    if (!s->look_up && s->conf.host && is_due)
        s->look_up = resolve_start(s->owner->loop, s->conf.host, s->conf.port, on_found, s);
}

static void start_check(struct server *s)
{
    if (s->check || !atomic_load(&s->has_addr))
        return;
    const struct addr a = s->list[s->at]; /* written by this thread alone */
    int fd = socket(a.any.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return; /* our own trouble says nothing about the server */
    if (connect(fd, &a.any.sa, a.len) < 0 && errno != EINPROGRESS) {
        s->good_in_a_row = 0;
        note_failure(s, strerror(errno));
        try_next_addr(s);
        close(fd);
        return;
    }
    const struct timeval limit = {.tv_sec = s->owner->timeout_ms / 1000, .tv_usec = s->owner->timeout_ms % 1000 * 1000};
    s->check_fd = fd;
    s->check = event_new(loop_base(s->owner->loop), fd, EV_WRITE, on_checked, s);
    event_add(s->check, &limit);
}

static void on_round(void *arg)
{
    struct upstream *u = arg;
    for (size_t i = 0; i < u->n; i++) {
        if (!u->server[i].check)
            resolve_again(&u->server[i]);
        start_check(&u->server[i]);
    }
}

void upstream_start_checks(struct upstream *u, struct loop *l)
{
    upstream_ref(u);
    u->loop = l;
    u->round = timer_new(l, on_round, u);
    timer_start(u->round, u->interval_ms, true);
    on_round(u);
}

void upstream_stop_checks(struct upstream *u)
{
    if (!u->round)
        return;
    timer_free(&u->round);
    for (size_t i = 0; i < u->n; i++) {
        resolve_cancel(&u->server[i].look_up);
        if (u->server[i].check)
            finish_check(&u->server[i]);
    }
    upstream_unref(&u);
}

const char *upstream_name(const struct upstream *u)
{
    return u->name;
}

size_t upstream_count(const struct upstream *u)
{
    return u->n;
}

static int pick(struct upstream *u, uint64_t tried, bool only_up)
{
    int best = -1;
    unsigned fewest = UINT32_MAX;
    for (size_t i = 0; i < u->n && i < 64; i++) {
        if ((tried >> i & 1) || !atomic_load(&u->server[i].has_addr) || (only_up && !atomic_load(&u->server[i].is_up)))
            continue;
        unsigned n = atomic_load_explicit(&u->server[i].sessions, memory_order_relaxed);
        if (n < fewest) {
            fewest = n;
            best = (int)i;
        }
    }
    return best;
}

int upstream_pick(struct upstream *u, uint64_t tried)
{
    int i = pick(u, tried, true);
    if (i < 0)
        i = pick(u, tried, false);
    if (i >= 0)
        atomic_fetch_add(&u->server[i].sessions, 1);
    return i;
}

void upstream_done(struct upstream *u, int server)
{
    atomic_fetch_sub(&u->server[server].sessions, 1);
}

void upstream_report_failure(struct upstream *u, int server)
{
    note_failure(&u->server[server], "a session could not connect");
}

struct addr upstream_addr(struct upstream *u, int server)
{
    pthread_mutex_lock(&u->lock);
    struct addr a = u->server[server].list[u->server[server].at];
    pthread_mutex_unlock(&u->lock);
    return a;
}

struct tls_client *upstream_tls(const struct upstream *u)
{
    return u->tls;
}

const char *upstream_server_name(const struct upstream *u, int server)
{
    return u->server[server].tls_name;
}

struct upstream_state upstream_get_state(const struct upstream *u, size_t i)
{
    const struct server *s = &u->server[i];
    return (struct upstream_state){.server = s->conf.text,
                                   .is_up = atomic_load(&s->is_up),
                                   .sessions = atomic_load(&s->sessions),
                                   .failures = atomic_load(&s->failures)};
}

bool upstream_is_any_up(const struct upstream *u)
{
    for (size_t i = 0; i < u->n; i++)
        if (atomic_load(&u->server[i].is_up))
            return true;
    return false;
}

#include "net/upstream.h"

#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/upstream_parts.h"

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
        if (upstream_set_plain_addr(&u->server[i], e) < 0) {
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

void upstream_set_up(struct server *s, bool up, const char *why)
{
    if (atomic_exchange(&s->is_up, up) != up)
        log_event(up ? LOG_INFO : LOG_WARN, up ? "upstream_up" : "upstream_down", "upstream=%s server=%s why=\"%s\"",
                  s->owner->name, s->conf.text, why);
}

/* --- checks --- */

void upstream_note_failure(struct server *s, const char *why)
{
    atomic_fetch_add(&s->failures, 1);
    if (atomic_fetch_add(&s->failed_in_a_row, 1) + 1 >= s->owner->fall)
        upstream_set_up(s, false, why);
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
        upstream_note_failure(s, strerror(problem));
        upstream_try_next_addr(s);
    } else if (++s->good_in_a_row >= s->owner->rise) {
        atomic_store(&s->failed_in_a_row, 0);
        upstream_set_up(s, true, "checks pass");
    }
}

void upstream_check(struct server *s)
{
    if (s->check || !atomic_load(&s->has_addr))
        return;
    const struct addr a = s->list[s->at]; /* written by this thread alone */
    int fd = socket(a.any.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return; /* our own trouble says nothing about the server */
    if (connect(fd, &a.any.sa, a.len) < 0 && errno != EINPROGRESS) {
        s->good_in_a_row = 0;
        upstream_note_failure(s, strerror(errno));
        upstream_try_next_addr(s);
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
            upstream_look_again(&u->server[i]);
        upstream_check(&u->server[i]);
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
    upstream_note_failure(&u->server[server], "a session could not connect");
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

/* The backend's connection: choosing a server, connecting, its failures. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gate/session_parts.h"
#include "gate/xmpp.h"

static void on_backend_open(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    s->w->now_ms = clock_tick_ms();
    if (s->xmpp)
        xmpp_backend_open(s);
    else
        http_backend_open(s);
}

static void on_backend_readable(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    session_read_backend(s);
}

static void on_backend_drained(struct conn *c)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    buf_fini(&s->unsent);
    if (s->state == SS_LINGER)
        session_go_on_lingering(s);
    else
        session_feed_client(s);
}

static void on_backend_failed(struct conn *c, const char *why)
{
    struct session *s = CONTAINER_OF(c, struct session, backend);
    struct upstream *u = s->entry->upstream;
    counter_add(&s->w->count.backend_failures, 1);
    log_event(LOG_WARN, "backend_failed", "session=%llx upstream=%s server=%s why=\"%s\"", (unsigned long long)s->id,
              upstream_name(u), upstream_get_state(u, (size_t)s->server).server, why);
    if (s->state != SS_CONNECT) {
        session_backend_gone(s);
        return;
    }
    upstream_report_failure(u, s->server);
    session_connect_backend(s);
}

const struct conn_handlers session_backend_handlers = {on_backend_open, on_backend_readable, on_backend_drained,
                                                       on_backend_failed};

void session_to_backend(struct session *s, const void *p, size_t n)
{
    if (s->state == SS_DEAD || !n)
        return;
    if (conn_write(&s->backend, p, n) < 0) {
        session_backend_gone(s);
        return;
    }
    counter_add(&s->w->count.bytes_out, n);
    if (s->ws || s->xmpp)
        s->sent_bytes += n;
    if ((int64_t)conn_queued(&s->backend) > s->w->snap->conf->limits.buffer_bytes)
        session_update_reading(s);
}

static void answer_no_backend(struct session *s, int status, const char *why)
{
    if (s->xmpp)
        xmpp_no_backend(s);
    else
        http_answer(s, status, why);
}

void session_connect_backend(struct session *s)
{
    struct upstream *u = s->entry->upstream;
    conn_close(&s->backend);
    if (s->server >= 0)
        upstream_done(u, s->server);
    for (;;) {
        uint64_t *tried = s->xmpp ? &s->xmpp->tried : &s->x->tried;
        s->server = upstream_pick(u, *tried);
        if (s->server < 0) {
            answer_no_backend(s, 502, "no server of the upstream can be reached");
            return;
        }
        *tried |= (uint64_t)1 << s->server;
        struct addr to = upstream_addr(u, s->server);
        struct err e;
        struct tls_client *tls =
            session_is_xmpp(s) && profile_xmpp(s->entry->profile)->upstream_starttls ? NULL : upstream_tls(u);
        if (conn_connect(&s->backend, loop_base(s->w->loop), &to, tls, upstream_server_name(u, s->server), &e) == 0)
            break;
        bool is_our_trouble = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        log_event(LOG_WARN, "backend_failed", "session=%llx upstream=%s why=\"%s\"", (unsigned long long)s->id,
                  upstream_name(u), e.text);
        if (!is_our_trouble)
            upstream_report_failure(u, s->server);
        upstream_done(u, s->server);
        s->server = -1;
        if (is_our_trouble) { /* says nothing about the servers */
            answer_no_backend(s, 503, "the gateway has no free descriptor for a connection to the backend");
            return;
        }
    }
    session_set_deadline(s, s->w->snap->conf->timeouts.connect_ms);
}

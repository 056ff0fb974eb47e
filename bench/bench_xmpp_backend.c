#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "bench_xmpp_parts.h"

enum { READ_BYTES = 65536, ELEMENT_MAX_BYTES = 256 * 1024, ACCEPTS_PER_TURN = 64 };

static void watch(struct xmpp_conn *c)
{
    bool may_read = !c->waits_for && c->out.len < XMPP_BACKLOG_BYTES && c->state != XC_LAST;
    loop_set(c->backend->loop, &c->src, (may_read ? EPOLLIN : 0u) | (c->out.len ? EPOLLOUT : 0u));
}

/* Who had to wait for this one goes on. */
static void let_go(struct xmpp_conn *c)
{
    for (struct xmpp_conn *o = c->backend->head; o; o = o->next)
        if (o->waits_for == c) {
            o->waits_for = NULL;
            watch(o);
        }
}

static void conn_end(struct xmpp_conn *c)
{
    struct xmpp_backend *b = c->backend;
    xmpp_route_forget(c);
    let_go(c);
    for (struct xmpp_conn **at = &b->unsent; c->is_unsent && *at; at = &(*at)->next_unsent)
        if (*at == c) {
            *at = c->next_unsent;
            break;
        }
    loop_remove(b->loop, &c->src);
    *(c->prev ? &c->prev->next : &b->head) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    xmpp_stream_free(&c->stream);
    struct buf *all[] = {&c->in, &c->out, &c->domain, &c->bare, &c->full, &c->from};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_fini(all[i]);
    free(c);
    if (b->is_paused) {
        b->is_paused = false;
        loop_set(b->loop, &b->src, EPOLLIN);
    }
}

struct buf *xmpp_conn_out(struct xmpp_conn *c)
{
    if (!c->is_unsent) {
        c->is_unsent = true;
        c->next_unsent = c->backend->unsent;
        c->backend->unsent = c;
    }
    return &c->out;
}

/* False: the connection is over and freed. */
static bool flush(struct xmpp_conn *c)
{
    bool was_full = c->out.len >= XMPP_BACKLOG_BYTES;
    size_t done = 0;
    while (done < c->out.len) {
        ssize_t n = send(c->src.fd, buf_span(&c->out).p + done, c->out.len - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            conn_end(c);
            return false;
        }
        if (n < 0)
            break;
        done += (size_t)n;
    }
    if (done < c->out.len)
        buf_consume(&c->out, done);
    else
        buf_reset(&c->out);
    if (!c->out.len && c->state == XC_LAST) {
        conn_end(c);
        return false;
    }
    if (was_full && c->out.len < XMPP_BACKLOG_BYTES)
        let_go(c);
    watch(c);
    return true;
}

static void flush_all(struct xmpp_backend *b)
{
    while (b->unsent) {
        struct xmpp_conn *c = b->unsent;
        b->unsent = c->next_unsent;
        c->is_unsent = false;
        flush(c);
    }
}

/* Takes the whole items at the front; the bytes used. */
static size_t feed(struct xmpp_conn *c, const uint8_t *p, size_t n)
{
    size_t at = 0;
    while (c->state != XC_LAST && at < n) {
        struct xmpp_item item;
        enum xmpp_got got = xmpp_next(c->stream, span_of(p + at, n - at), &item);
        if (got == XMPP_MORE)
            break;
        at += item.raw.n;
        xmpp_route(c, got, &item);
    }
    xmpp_stream_rest(c->stream);
    return at;
}

static void on_readable(struct xmpp_conn *c)
{
    static uint8_t shared[READ_BYTES];
    struct xmpp_backend *b = c->backend;
    ssize_t n = recv(c->src.fd, shared, sizeof(shared), 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            conn_end(c);
        return;
    }
    if (c->in.len) {
        buf_append(&c->in, shared, (size_t)n);
        buf_consume(&c->in, feed(c, buf_span(&c->in).p, c->in.len));
    } else {
        size_t used = feed(c, shared, (size_t)n);
        buf_append(&c->in, shared + used, (size_t)n - used);
    }
    watch(c);
    flush_all(b);
}

static void on_conn_ready(struct source *src, uint32_t ready)
{
    struct xmpp_conn *c = CONTAINER_OF(src, struct xmpp_conn, src);
    if ((ready & EPOLLOUT) && !flush(c))
        return;
    if (ready & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(c);
}

static void start_conn(struct xmpp_backend *b, int fd)
{
    static const struct xmpp_stream_options options = {.max_bytes = ELEMENT_MAX_BYTES};
    struct xmpp_conn *c = xcalloc(1, sizeof(*c));
    c->backend = b;
    c->src.fd = fd;
    c->src.on_ready = on_conn_ready;
    c->stream = xmpp_stream_new(&b->pool, &options);
    c->next = b->head;
    if (b->head)
        b->head->prev = c;
    b->head = c;
    b->counts.accepted++;
    loop_add(b->loop, &c->src, EPOLLIN);
}

static void on_listener_ready(struct source *src, uint32_t ready)
{
    struct xmpp_backend *b = CONTAINER_OF(src, struct xmpp_backend, src);
    (void)ready;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(b->src.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if ((errno == EMFILE || errno == ENFILE) && b->head) {
                b->is_paused = true; /* until a connection ends */
                loop_set(b->loop, &b->src, 0);
            }
            return;
        }
        start_conn(b, fd);
    }
}

struct xmpp_backend *xmpp_backend_start(struct loop *l, const struct endpoint *at, struct err *e)
{
    int fd = wire_listen(at, e);
    if (fd < 0)
        return NULL;
    struct xmpp_backend *b = xcalloc(1, sizeof(*b));
    b->loop = l;
    b->src.fd = fd;
    b->src.on_ready = on_listener_ready;
    loop_add(l, &b->src, EPOLLIN);
    return b;
}

void xmpp_backend_stop(struct xmpp_backend **bp)
{
    struct xmpp_backend *b = *bp;
    if (!b)
        return;
    while (b->head)
        conn_end(b->head);
    loop_remove(b->loop, &b->src);
    map_fini(&b->by_full);
    map_fini(&b->by_bare);
    xmpp_pool_fini(&b->pool);
    buf_fini(&b->key);
    buf_fini(&b->space);
    free(b);
    *bp = NULL;
}

struct xmpp_backend_counts xmpp_backend_counts(const struct xmpp_backend *b)
{
    return b->counts;
}

#include "bench_relay.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"

enum { READ_BYTES = 65536, BACKLOG_BYTES = 1 << 20, ACCEPTS_PER_TURN = 64 };

struct pair;
struct half {
    struct source src;
    struct pair *pair;
    struct half *other;
    struct buf out;    /* what the socket did not take */
    bool is_connected; /* the backend's half: once connect(2) is done */
};

struct pair {
    struct relay *relay;
    struct pair *prev, *next;
    struct half client, backend;
};

struct relay {
    struct source src;
    struct loop *loop;
    struct endpoint to;
    struct pair *head;
    unsigned n_accepted;
};

static void pair_end(struct pair *p)
{
    struct relay *r = p->relay;
    loop_remove(r->loop, &p->client.src);
    loop_remove(r->loop, &p->backend.src);
    buf_fini(&p->client.out);
    buf_fini(&p->backend.out);
    if (p->prev)
        p->prev->next = p->next;
    else
        r->head = p->next;
    if (p->next)
        p->next->prev = p->prev;
    free(p);
}

/* Who reads: not while the other side has too much to write; who writes: while something is left. */
static void watch(struct half *h)
{
    struct loop *l = h->pair->relay->loop;
    bool may_read = h->other->out.len < BACKLOG_BYTES, has_rest = h->out.len || !h->is_connected;
    loop_set(l, &h->src, (may_read ? EPOLLIN : 0u) | (has_rest ? EPOLLOUT : 0u));
}

/* False: the pair is gone. */
static bool put(struct half *h, const uint8_t *p, size_t n)
{
    ssize_t done = 0;
    if (h->is_connected && !h->out.len) {
        done = send(h->src.fd, p, n, MSG_NOSIGNAL);
        if (done == (ssize_t)n)
            return true;
        if (done < 0 && errno != EAGAIN && errno != EINTR) {
            pair_end(h->pair);
            return false;
        }
    }
    done = MAX_OF(done, 0);
    buf_append(&h->out, p + done, n - (size_t)done);
    watch(h);
    watch(h->other);
    return true;
}

static bool flush(struct half *h)
{
    h->is_connected = true;
    while (h->out.len) {
        ssize_t n = send(h->src.fd, buf_span(&h->out).p, h->out.len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) {
            pair_end(h->pair);
            return false;
        }
        buf_consume(&h->out, (size_t)n);
    }
    watch(h);
    watch(h->other);
    return true;
}

static void on_ready(struct source *src, uint32_t ready)
{
    static uint8_t shared[READ_BYTES];
    struct half *h = CONTAINER_OF(src, struct half, src);
    if ((ready & EPOLLOUT) && !flush(h))
        return;
    if (!(ready & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t n = recv(h->src.fd, shared, sizeof(shared), 0);
    if (n > 0)
        put(h->other, shared, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        pair_end(h->pair);
}

static void start_pair(struct relay *r, int fd)
{
    struct err e;
    int to = wire_connect(&r->to, r->n_accepted++, &e);
    if (to < 0) {
        close(fd);
        return;
    }
    struct pair *p = xcalloc(1, sizeof(*p));
    p->relay = r;
    p->client =
        (struct half){.src = {.fd = fd, .on_ready = on_ready}, .pair = p, .other = &p->backend, .is_connected = true};
    p->backend = (struct half){.src = {.fd = to, .on_ready = on_ready}, .pair = p, .other = &p->client};
    p->next = r->head;
    if (r->head)
        r->head->prev = p;
    r->head = p;
    loop_add(r->loop, &p->client.src, EPOLLIN);
    loop_add(r->loop, &p->backend.src, EPOLLIN | EPOLLOUT);
}

static void on_listener_ready(struct source *src, uint32_t ready)
{
    struct relay *r = CONTAINER_OF(src, struct relay, src);
    (void)ready;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(r->src.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        start_pair(r, fd);
    }
}

struct relay *relay_start(struct loop *l, const struct endpoint *at, const struct endpoint *to, struct err *e)
{
    int fd = wire_listen(at, e);
    if (fd < 0)
        return NULL;
    struct relay *r = xcalloc(1, sizeof(*r));
    *r = (struct relay){.loop = l, .to = *to, .src = {.fd = fd, .on_ready = on_listener_ready}};
    loop_add(l, &r->src, EPOLLIN);
    return r;
}

void relay_stop(struct relay **r)
{
    if (!*r)
        return;
    while ((*r)->head)
        pair_end((*r)->head);
    loop_remove((*r)->loop, &(*r)->src);
    free(*r);
    *r = NULL;
}

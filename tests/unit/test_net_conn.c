/* The data path's socket over a socket pair: partial writes, draining, back-pressure, both ends of the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/loop.h"

struct rig {
    struct conn c;
    struct loop *loop;
    int peer, drained, failed, readable, opened;
};

static struct rig *rig_of(struct conn *c)
{
    return (struct rig *)((char *)c - offsetof(struct rig, c));
}

static void on_open(struct conn *c)
{
    struct addr peer = {.len = sizeof(peer.any)};
    bool stands = getpeername(c->fd, &peer.any.sa, &peer.len) == 0;
    rig_of(c)->opened += stands ? 1 : 100; /* tests want 1 */
}

static void on_readable(struct conn *c)
{
    rig_of(c)->readable++;
}

static void on_drained(struct conn *c)
{
    rig_of(c)->drained++;
}

static void on_failed(struct conn *c, const char *why)
{
    (void)why;
    rig_of(c)->failed++;
    conn_close(c);
}

static const struct conn_handlers handlers = {on_open, on_readable, on_drained, on_failed};

static void turn(struct rig *r)
{
    event_base_loop(loop_base(r->loop), EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    struct err e;
    r->loop = loop_new();
    r->peer = pair[1];
    conn_init(&r->c, &handlers);
    *state = r;
    return conn_adopt(&r->c, loop_base(r->loop), pair[0], NULL, &e);
}

static int teardown(void **state)
{
    struct rig *r = *state;
    conn_close(&r->c);
    conn_close(&r->c); /* twice is allowed */
    if (r->peer >= 0)
        close(r->peer);
    loop_free(&r->loop);
    free(r);
    return 0;
}

/* More than the socket takes: the rest waits, goes out in order as the peer reads, and is reported once. */
static void test_partial_writes(void **state)
{
    struct rig *r = *state;
    enum { BYTES = 3000000 };
    uint8_t *data = malloc(BYTES), *got = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t at = 0; at < BYTES; at += 100000)
        assert_int_equal(conn_write(&r->c, data + at, 100000), 0);
    assert_true(conn_queued(&r->c) > 0);
    size_t n = 0;
    while (n < BYTES) {
        ssize_t k = read(r->peer, got + n, BYTES - n);
        if (k > 0)
            n += (size_t)k;
        turn(r);
    }
    assert_memory_equal(data, got, BYTES);
    assert_int_equal(r->drained, 1);
    assert_int_equal(conn_queued(&r->c), 0);
    free(data);
    free(got);
}

static void test_back_pressure(void **state)
{
    struct rig *r = *state;
    conn_set_reading(&r->c, false);
    assert_int_equal(write(r->peer, "abc", 3), 3);
    for (int i = 0; i < 3; i++)
        turn(r);
    assert_int_equal(r->readable, 0);
    conn_set_reading(&r->c, true);
    turn(r);
    assert_int_equal(r->readable, 1);
    char b[8];
    size_t n;
    assert_int_equal(conn_read(&r->c, b, sizeof(b), &n), CONN_IO_OK);
    assert_int_equal(n, 3);
    assert_int_equal(conn_read(&r->c, b, sizeof(b), &n), CONN_IO_AGAIN);
}

static void test_shutdown_ends_one_direction(void **state)
{
    struct rig *r = *state;
    char b[8];
    size_t n;
    assert_int_equal(conn_write(&r->c, "bye", 3), 0);
    conn_shutdown(&r->c);
    assert_int_equal(read(r->peer, b, sizeof(b)), 3);
    assert_int_equal(read(r->peer, b, sizeof(b)), 0);
    assert_int_equal(write(r->peer, "more", 4), 4); /* the other direction lives */
    assert_int_equal(conn_read(&r->c, b, sizeof(b), &n), CONN_IO_OK);
    close(r->peer);
    r->peer = -1;
    assert_int_equal(conn_read(&r->c, b, sizeof(b), &n), CONN_IO_EOF);
}

static void test_a_broken_connection(void **state)
{
    struct rig *r = *state;
    uint8_t data[100000] = {0};
    while (!conn_queued(&r->c))
        assert_int_equal(conn_write(&r->c, data, sizeof(data)), 0);
    close(r->peer);
    r->peer = -1;
    turn(r);
    assert_int_equal(r->failed, 1);
    assert_int_equal(conn_write(&r->c, "x", 1), -1); /* closed: nothing is kept for nobody */
    assert_int_equal(conn_queued(&r->c), 0);
}

/* --- connecting --- */

static struct addr loopback(void)
{
    struct addr a = {.len = sizeof(a.any.in)};
    a.any.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return a;
}

static struct addr unix_path(const char *folder)
{
    struct addr a = {.len = sizeof(a.any.un), .any.un.sun_family = AF_UNIX};
    snprintf(a.any.un.sun_path, sizeof(a.any.un.sun_path), "%s/s", folder);
    return a;
}

static int bound(struct addr *a)
{
    int s = socket(a->any.sa.sa_family, SOCK_STREAM, 0);
    assert_int_equal(bind(s, &a->any.sa, a->len), 0);
    if (a->any.sa.sa_family == AF_INET)
        getsockname(s, &a->any.sa, &a->len);
    return s;
}

static void begin_connect(struct rig *other, struct rig *r, const struct addr *a)
{
    struct err e;
    *other = (struct rig){.loop = r->loop, .peer = -1};
    conn_init(&other->c, &handlers);
    assert_int_equal(conn_connect(&other->c, loop_base(r->loop), a, NULL, "x", &e), 0);
    assert_int_equal(other->opened + other->failed, 0); /* not before it returns */
}

static void await_connect(struct rig *other)
{
    const struct timeval limit = {.tv_sec = 60};
    event_base_loopexit(loop_base(other->loop), &limit);
    while (!other->opened && !other->failed && !event_base_got_exit(loop_base(other->loop)))
        event_base_loop(loop_base(other->loop), EVLOOP_ONCE);
}

static void check_talk(struct rig *other, const char *early)
{
    char b[16];
    size_t n;
    assert_int_equal(conn_write(&other->c, "head", 4), 0);
    while (conn_queued(&other->c))
        event_base_loop(loop_base(other->loop), EVLOOP_ONCE);
    assert_int_equal(recv(other->peer, b, strlen(early), MSG_WAITALL), strlen(early));
    assert_memory_equal(b, early, strlen(early));
    assert_int_equal(recv(other->peer, b, 4, MSG_WAITALL), 4);
    assert_int_equal(write(other->peer, "answer", 6), 6);
    while (!other->readable)
        event_base_loop(loop_base(other->loop), EVLOOP_ONCE);
    assert_int_equal(conn_read(&other->c, b, sizeof(b), &n), CONN_IO_OK);
    assert_int_equal(n, 6);
    assert_int_equal(other->opened, 1);
    assert_int_equal(other->failed, 0);
}

static void end_connect(struct rig *other, int s)
{
    conn_close(&other->c);
    close(other->peer);
    close(s);
}

/* A server on this machine: nothing is waited for, and bytes that were queued before come first. */
static void test_connect_here(void **state)
{
    struct rig *r = *state, other;
    for (int early = 0; early < 2; early++) {
        struct addr a = loopback();
        int s = bound(&a), on = 0;
        socklen_t len = sizeof(on);
        assert_int_equal(listen(s, 5), 0);
        begin_connect(&other, r, &a);
        if (early)
            assert_int_equal(conn_write(&other.c, "early", 5), 0);
        await_connect(&other);
        assert_int_equal(other.opened, 1);
        assert_int_equal(getsockopt(other.c.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
        assert_int_equal(on, 1);
        assert_int_equal(conn_write(&other.c, "!", 1), 0); /* the handshake's last packet may come with it */
        other.peer = accept(s, NULL, NULL);
        check_talk(&other, early ? "early!" : "!");
        end_connect(&other, s);
    }
}

static void test_connect_unix(void **state)
{
    struct rig *r = *state, other;
    char folder[] = "connXXXXXX";
    assert_non_null(mkdtemp(folder));
    struct addr a = unix_path(folder);
    int s = bound(&a);
    struct err e;
    conn_init(&other.c, &handlers);
    assert_int_equal(conn_connect(&other.c, loop_base(r->loop), &a, NULL, "x", &e), -1); /* nobody listens */
    assert_int_equal(listen(s, 5), 0);
    begin_connect(&other, r, &a);
    await_connect(&other);
    assert_int_equal(other.opened, 1);
    other.peer = accept(s, NULL, NULL);
    check_talk(&other, "");
    end_connect(&other, s);
    unlink(a.any.un.sun_path);
    rmdir(folder);
}

/* The server has spoken before we look: that is no failure, and its bytes are there. */
static void test_connect_to_who_speaks_first(void **state)
{
    struct rig *r = *state, other;
    struct addr a = loopback();
    int s = bound(&a);
    char b[8];
    size_t n;
    assert_int_equal(listen(s, 5), 0);
    begin_connect(&other, r, &a);
    int peer = accept(s, NULL, NULL);
    assert_int_equal(write(peer, "hello", 5), 5);
    await_connect(&other);
    assert_int_equal(other.opened, 1);
    assert_int_equal(other.failed, 0);
    while (!other.readable)
        event_base_loop(loop_base(r->loop), EVLOOP_ONCE);
    assert_int_equal(conn_read(&other.c, b, sizeof(b), &n), CONN_IO_OK);
    assert_int_equal(n, 5);
    other.peer = peer;
    end_connect(&other, s);
}

/* A server too busy to answer at once: its queue is full, the connection stands when the kernel asks again. */
static void test_connect_late(void **state)
{
    struct rig *r = *state, first, late;
    struct addr a = loopback();
    int s = bound(&a);
    assert_int_equal(listen(s, 0), 0);
    begin_connect(&first, r, &a);
    await_connect(&first);
    assert_int_equal(conn_write(&first.c, "x", 1), 0); /* until then the queue may not count it */
    begin_connect(&late, r, &a);
    turn(&late);
    first.peer = accept(s, NULL, NULL);
    await_connect(&late);
    assert_int_equal(late.opened, 1);
    assert_int_equal(conn_write(&late.c, "!", 1), 0);
    late.peer = accept(s, NULL, NULL);
    check_talk(&late, "!");
    end_connect(&first, -1);
    end_connect(&late, s);
}

static void test_connect_refused(void **state)
{
    struct rig *r = *state, other;
    struct addr a = loopback(); /* a port that is taken and on which nobody listens */
    int s = bound(&a);
    begin_connect(&other, r, &a);
    assert_int_equal(conn_write(&other.c, "early", 5), 0); /* waits for the connection */
    assert_int_equal(other.failed, 0);
    await_connect(&other);
    assert_int_equal(other.failed, 1);
    assert_int_equal(other.opened, 0);
    begin_connect(&other, r, &a); /* and with nothing to write */
    await_connect(&other);
    assert_int_equal(other.failed, 1);
    assert_int_equal(other.opened, 0);
    close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_partial_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back_pressure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shutdown_ends_one_direction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_here, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_unix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_to_who_speaks_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

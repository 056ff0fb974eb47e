/* Buffered client connections: never a call before stream_open returns, closing under a callback, refusal, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"

struct rig {
    struct loop *loop;
    struct stream *s;
    int server;
    uint16_t port;
    int opened, ended, calls;
    char got[64], why[200];
    size_t n;
    bool close_in_open, close_in_data, is_set_up;
    size_t flood; /* bytes written once it is open */
    int64_t connect_timeout_ms;
};

static void on_open(void *ctx)
{
    struct rig *r = ctx;
    assert_true(r->is_set_up);
    r->opened++;
    stream_write(r->s, "hello", 5);
    for (size_t n = 0; n < r->flood; n += sizeof(r->got))
        stream_write(r->s, r->got, sizeof(r->got));
    if (r->close_in_open) {
        stream_close(&r->s);
        loop_stop(r->loop);
    }
}

/* Takes bytes by twos: what is left comes again. */
static size_t on_data(void *ctx, struct span in)
{
    struct rig *r = ctx;
    r->calls++;
    if (r->close_in_data) {
        stream_close(&r->s);
        loop_stop(r->loop);
        return 0;
    }
    size_t use = in.n >= 2 ? 2 : 0;
    memcpy(r->got + r->n, in.p, use);
    r->n += use;
    return use;
}

static void on_end(void *ctx, const char *why)
{
    struct rig *r = ctx;
    assert_true(r->is_set_up);
    r->ended++;
    snprintf(r->why, sizeof(r->why), "%s", why);
    stream_close(&r->s);
    loop_stop(r->loop);
}

static const struct stream_handlers handlers = {on_open, on_data, on_end};

static void start(struct rig *r, bool is_listening)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    r->server = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(r->server, (struct sockaddr *)&a, sizeof(a)), 0);
    getsockname(r->server, (struct sockaddr *)&a, &len);
    if (is_listening)
        assert_int_equal(listen(r->server, 5), 0);
    r->loop = loop_new();
    struct stream_options o = {.host = "127.0.0.1", .port = ntohs(a.sin_port), .connect_timeout_ms = 5000};
    if (r->connect_timeout_ms)
        o.connect_timeout_ms = r->connect_timeout_ms;
    struct err e;
    r->s = stream_open(r->loop, &o, &handlers, r, &e);
    assert_non_null(r->s);
    r->is_set_up = true;
}

static void finish(struct rig *r)
{
    stream_close(&r->s);
    loop_free(&r->loop);
    close(r->server);
}

static void test_data_and_the_end(void **state)
{
    (void)state;
    struct rig r = {0};
    start(&r, true);
    int peer = accept(r.server, NULL, NULL);
    assert_int_equal(write(peer, "abcde", 5), 5);
    shutdown(peer, SHUT_WR);
    loop_run(r.loop);
    assert_int_equal(r.opened, 1);
    assert_int_equal(r.ended, 1);
    assert_int_equal(r.n, 4);
    assert_memory_equal(r.got, "abcd", 4);
    assert_string_equal(r.why, "closed by the peer");
    close(peer);
    finish(&r);
}

static void test_refused(void **state)
{
    (void)state;
    struct rig r = {0};
    start(&r, false);
    loop_run(r.loop);
    assert_int_equal(r.opened, 0);
    assert_int_equal(r.ended, 1);
    assert_string_equal(r.why, "Connection refused");
    finish(&r);
}

static void test_closed_inside_its_callbacks(void **state)
{
    (void)state;
    for (int in_data = 0; in_data < 2; in_data++) {
        struct rig r = {.close_in_open = !in_data, .close_in_data = in_data};
        start(&r, true);
        int peer = accept(r.server, NULL, NULL);
        assert_int_equal(write(peer, "abcde", 5), 5);
        loop_run(r.loop);
        assert_null(r.s);
        assert_int_equal(r.ended, 0);
        assert_int_equal(r.calls, in_data);
        close(peer);
        finish(&r);
    }
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

static void test_a_slow_reader_is_not_cut(void **state)
{
    (void)state;
    struct rig r = {.flood = 8 << 20, .connect_timeout_ms = 200};
    start(&r, true);
    int peer = accept(r.server, NULL, NULL);
    struct timer *later = timer_new(r.loop, stop_loop, r.loop);
    timer_start(later, 800, false);
    loop_run(r.loop);
    assert_int_equal(r.opened, 1);
    assert_int_equal(r.ended, 0);
    assert_true(stream_pending(r.s) > 0); /* it does wait for its peer */
    timer_free(&later);
    close(peer);
    finish(&r);
}

static void test_options_that_cannot_be_used(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct err e;
    char path[200];
    memset(path, 'x', sizeof(path));
    path[0] = '/', path[sizeof(path) - 1] = '\0';
    struct stream_options o = {.host = path, .connect_timeout_ms = 1000};
    assert_null(stream_open(l, &o, &handlers, NULL, &e));
    assert_non_null(strstr(e.text, "longer than"));
    loop_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_and_the_end),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_closed_inside_its_callbacks),
        cmocka_unit_test(test_a_slow_reader_is_not_cut),
        cmocka_unit_test(test_options_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

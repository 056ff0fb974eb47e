/* Listeners: pausing, no room, and what lies in the way of a Unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/listen.h"

struct rig {
    int accepted, no_delay;
    bool has_room;
};

static void on_accept(void *ctx, int fd, const struct addr *peer)
{
    struct rig *r = ctx;
    socklen_t n = sizeof(r->no_delay);
    r->accepted++;
    if (peer->any.sa.sa_family == AF_INET)
        getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &r->no_delay, &n);
    close(fd);
}

static bool has_room(void *ctx)
{
    return ((struct rig *)ctx)->has_room;
}

static struct addr path_addr(char *folder, const char *name)
{
    struct addr a = {.len = sizeof(a.any.un)};
    a.any.un.sun_family = AF_UNIX;
    snprintf(a.any.un.sun_path, sizeof(a.any.un.sun_path), "%s/%s", folder, name);
    return a;
}

static int knock(const struct addr *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, &a->any.sa, a->len), 0);
    return fd;
}

static void turns(struct loop *l, struct rig *r, int want)
{
    for (int i = 0; i < 400 && r->accepted < want; i++) {
        event_base_loop(loop_base(l), EVLOOP_NONBLOCK);
        usleep(1000);
    }
}

static void test_pause_and_room(void **state)
{
    (void)state;
    char folder[] = "listenXXXXXX";
    assert_non_null(mkdtemp(folder));
    struct addr a = path_addr(folder, "s");
    struct err e;
    struct loop *loop = loop_new();
    int fd = listen_socket(&a, true, &e);
    assert_true(fd >= 0);
    struct rig r = {.has_room = true};
    struct listener *l = listener_new(loop, fd, on_accept, &r);
    listener_set_room(l, has_room);
    int first = knock(&a);
    turns(loop, &r, 1);
    assert_int_equal(r.accepted, 1);
    listener_pause(l, true);
    int second = knock(&a);
    turns(loop, &(struct rig){0}, 1);
    assert_int_equal(r.accepted, 1);
    r.has_room = false;
    listener_pause(l, false);
    turns(loop, &(struct rig){0}, 1); /* full: who waits is not accepted, and not sent away */
    assert_int_equal(r.accepted, 1);
    r.has_room = true;
    turns(loop, &r, 2);
    assert_int_equal(r.accepted, 2);
    assert_int_equal(listen_socket(&a, true, &e), -1); /* somebody listens here */
    assert_non_null(strstr(e.text, "another process"));
    listener_free(&l);
    fd = listen_socket(&a, true, &e); /* a dead socket's file is no obstacle */
    assert_true(fd >= 0);
    close(fd), close(first), close(second);
    unlink(a.any.un.sun_path);
    rmdir(folder);
    loop_free(&loop);
}

/* What is accepted has what its connection needs, without a call for each: also who waited before the listener was. */
static void test_small_messages_leave_at_once(void **state)
{
    (void)state;
    struct addr a = {.len = sizeof(a.any.in)};
    a.any.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct err e;
    struct loop *loop = loop_new();
    int fd = listen_socket(&a, false, &e);
    assert_true(fd >= 0);
    getsockname(fd, &a.any.sa, &a.len);
    struct rig r = {.has_room = true};
    struct listener *l = NULL;
    for (int i = 1; i <= 2; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(client, &a.any.sa, a.len), 0);
        if (!l)
            l = listener_new(loop, fd, on_accept, &r);
        r.no_delay = 0;
        for (int k = 0; k < 100; k++)
            turns(loop, &r, i);
        assert_int_equal(r.accepted, i);
        assert_int_equal(r.no_delay, 1);
        close(client);
    }
    listener_free(&l);
    loop_free(&loop);
}

static void test_a_file_is_not_removed(void **state)
{
    (void)state;
    char folder[] = "listenXXXXXX";
    assert_non_null(mkdtemp(folder));
    struct addr a = path_addr(folder, "precious");
    FILE *f = fopen(a.any.un.sun_path, "w");
    fclose(f);
    struct err e;
    struct stat st;
    assert_int_equal(listen_socket(&a, false, &e), -1);
    assert_non_null(strstr(e.text, "not a socket"));
    assert_int_equal(stat(a.any.un.sun_path, &st), 0);
    unlink(a.any.un.sun_path);
    rmdir(folder);
}

static void test_hosts_as_text(void **state)
{
    (void)state;
    char got[ADDR_TEXT_MAX], want[ADDR_TEXT_MAX];
    struct addr a = {.any.sa.sa_family = AF_INET};
    for (uint32_t i = 0; i < 1024; i++) {
        uint32_t ip = i % 256 << i / 256 * 8;
        a.any.in.sin_addr.s_addr = htonl(ip | (i == 1023 ? 0xffffffff : 0));
        inet_ntop(AF_INET, &a.any.in.sin_addr, want, sizeof(want));
        assert_string_equal(addr_host_text(&a, got), want);
    }
    a.any.sa.sa_family = AF_INET6;
    static const char *const v6[][2] = {
        {"::1", "::1"}, {"2001:db8::7:0", "2001:db8::7:0"}, {"::ffff:10.20.30.40", "10.20.30.40"}};
    for (size_t i = 0; i < ARRAY_LEN(v6); i++) {
        assert_int_equal(inet_pton(AF_INET6, v6[i][0], &a.any.in6.sin6_addr), 1);
        assert_string_equal(addr_host_text(&a, got), v6[i][1]);
    }
    a.any.sa.sa_family = AF_UNIX;
    assert_string_equal(addr_host_text(&a, got), "unix");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pause_and_room),
        cmocka_unit_test(test_small_messages_leave_at_once),
        cmocka_unit_test(test_a_file_is_not_removed),
        cmocka_unit_test(test_hosts_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

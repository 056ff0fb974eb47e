/* Name look-ups: the loop turns while getaddrinfo waits; cancelled ones never call back. The getaddrinfo below stands
 * before the C library's and waits until it is let go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/stream.h"
#include "net/upstream.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static bool is_held;
static unsigned n_inside, n_calls;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (hints->ai_flags & AI_NUMERICHOST)
        return real(host, service, hints, out);
    pthread_mutex_lock(&lock);
    n_inside++;
    n_calls++;
    pthread_cond_broadcast(&change);
    while (is_held)
        pthread_cond_wait(&change, &lock);
    n_inside--;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
    if (strcmp(host, "nobody.example") == 0)
        return EAI_NONAME;
    if (strcmp(host, "two.example") == 0) { /* where nobody listens, and here */
        struct addrinfo *second;
        int rc = real("127.0.0.9", service, hints, out);
        if (rc == 0 && (rc = real("127.0.0.1", service, hints, &second)) == 0)
            (*out)->ai_next = second;
        return rc;
    }
    return real("127.0.0.1", service, hints, out); /* whatever the name server of this machine says */
}

static void hold(bool on)
{
    pthread_mutex_lock(&lock);
    is_held = on;
    pthread_cond_broadcast(&change);
    while (!on && n_inside)
        pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
}

static void wait_inside(unsigned n)
{
    pthread_mutex_lock(&lock);
    while (n_inside < n)
        pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
}

struct rig {
    struct loop *loop;
    unsigned answers, ticks;
    size_t n;
    uint16_t port;
    char why[200];
};

static void on_found(void *ctx, const struct addr *list, size_t n, const char *why)
{
    struct rig *r = ctx;
    r->answers++;
    r->n = n;
    r->port = n ? ntohs(list[0].any.in.sin_port) : 0;
    strncpy(r->why, why, sizeof(r->why) - 1);
    loop_stop(r->loop);
}

static void on_tick(void *ctx)
{
    struct rig *r = ctx;
    if (++r->ticks == 5)
        loop_stop(r->loop);
}

/* Five turns of a timer: the loop is alive. */
static void tick(struct rig *r)
{
    struct timer *t = timer_new(r->loop, on_tick, r);
    r->ticks = 0;
    timer_start(t, 2, true);
    loop_run(r->loop);
    assert_int_equal(r->ticks, 5);
    timer_free(&t);
}

static void numeric_and_names(void **state)
{
    (void)state;
    struct rig r = {.loop = loop_new()};
    resolve_start(r.loop, "192.0.2.7", 443, on_found, &r);
    assert_int_equal(r.answers, 0);
    loop_run(r.loop);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.port, 443);
    resolve_start(r.loop, "hooks.example", 80, on_found, &r);
    loop_run(r.loop);
    assert_int_equal(r.n, 1);
    resolve_start(r.loop, "nobody.example", 80, on_found, &r);
    loop_run(r.loop);
    assert_int_equal(r.n, 0);
    assert_non_null(strstr(r.why, "nobody.example: "));
    assert_int_equal(r.answers, 3);
    struct addr a;
    assert_false(resolve_numeric("hooks.example", 1, &a));
    assert_true(resolve_numeric("::1", 1, &a));
    loop_free(&r.loop);
}

static void the_loop_turns_while_it_waits(void **state)
{
    (void)state;
    struct rig r = {.loop = loop_new()};
    hold(true);
    resolve_start(r.loop, "slow.example", 80, on_found, &r);
    wait_inside(1);
    tick(&r);
    assert_int_equal(r.answers, 0);
    hold(false);
    loop_run(r.loop);
    assert_int_equal(r.answers, 1);
    loop_free(&r.loop);
}

static void cancelled_at_any_time(void **state)
{
    (void)state;
    struct rig r = {.loop = loop_new()}, other = {.loop = loop_new()};
    struct resolve *look[40];
    hold(true);
    for (size_t i = 0; i < 40; i++)
        look[i] = resolve_start(r.loop, "slow.example", 80, on_found, &r);
    wait_inside(4); /* as many threads as there may be; the others wait for one */
    for (size_t i = 0; i < 40; i++)
        resolve_cancel(&look[i]);
    assert_null(look[0]);
    struct resolve *posted = resolve_start(r.loop, "192.0.2.7", 80, on_found, &r);
    resolve_cancel(&posted);
    tick(&r);
    loop_free(&r.loop); /* the threads are still inside */
    hold(false);
    resolve_start(other.loop, "hooks.example", 80, on_found, &other);
    loop_run(other.loop);
    assert_int_equal(r.answers, 0);
    assert_int_equal(other.answers, 1);
    loop_free(&other.loop);
}

struct one {
    struct rig *r;
    struct resolve *look;
};

static void on_one(void *ctx, const struct addr *list, size_t n, const char *why)
{
    struct one *o = ctx;
    o->look = NULL;
    on_found(o->r, list, n, why);
}

static void too_many_end_at_once(void **state)
{
    (void)state;
    struct rig r = {.loop = loop_new()};
    struct one one[300];
    hold(true);
    for (size_t i = 0; i < 300; i++) {
        one[i].r = &r;
        one[i].look = resolve_start(r.loop, "slow.example", 80, on_one, &one[i]);
    }
    loop_run(r.loop);
    assert_true(r.answers >= 300 - 256 - 4);
    assert_int_equal(r.n, 0);
    assert_non_null(strstr(r.why, "wait already"));
    for (size_t i = 0; i < 300; i++)
        resolve_cancel(&one[i].look);
    loop_free(&r.loop);
    hold(false);
}

static void on_open(void *ctx)
{
    (void)ctx;
    fail();
}

static size_t on_data(void *ctx, struct span in)
{
    (void)ctx;
    return in.n;
}

static void on_end(void *ctx, const char *why)
{
    struct rig *r = ctx;
    r->answers++;
    strncpy(r->why, why, sizeof(r->why) - 1);
    loop_stop(r->loop);
}

static void a_stream_times_out_in_its_look_up(void **state)
{
    (void)state;
    static const struct stream_handlers handlers = {on_open, on_data, on_end};
    struct rig r = {.loop = loop_new()};
    struct stream_options o = {.host = "slow.example", .port = 9, .connect_timeout_ms = 30};
    struct err e;
    hold(true);
    struct stream *s = stream_open(r.loop, &o, &handlers, &r, &e);
    assert_non_null(s);
    loop_run(r.loop);
    assert_int_equal(r.answers, 1);
    assert_non_null(strstr(r.why, "name was looked up"));
    stream_close(&s);
    o.host = "nobody.example", o.connect_timeout_ms = 60000;
    hold(false);
    assert_non_null(s = stream_open(r.loop, &o, &handlers, &r, &e));
    loop_run(r.loop);
    assert_non_null(strstr(r.why, "nobody.example"));
    stream_close(&s);
    assert_non_null(s = stream_open(r.loop, &o, &handlers, &r, &e));
    stream_close(&s); /* at once */
    loop_free(&r.loop);
}

/* An upstream of one server. */
static struct upstream *upstream_of(char *host, uint16_t port)
{
    static char name[] = "im";
    char text[64];
    snprintf(text, sizeof(text), "%s:%u", host, port);
    struct conf_addr server = {.text = text, .host = host, .port = port};
    struct conf_upstream c = {.name = name,
                              .server = &server,
                              .n_servers = 1,
                              .health_interval_ms = 2,
                              .health_timeout_ms = 1000,
                              .health_fall = 1,
                              .health_rise = 2};
    struct err e;
    struct upstream *u = upstream_new(&c, &e);
    assert_non_null(u);
    return u;
}

static int listener(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, n), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

struct watched {
    struct loop *loop;
    struct upstream *u;
};

static void stop_when_up(void *ctx)
{
    struct watched *w = ctx;
    if (upstream_is_any_up(w->u))
        loop_stop(w->loop);
}

/* Checks until the server is up. */
static void check_until_up(struct loop *loop, struct upstream *u)
{
    struct watched w = {loop, u};
    struct timer *t = timer_new(loop, stop_when_up, &w);
    upstream_start_checks(u, loop);
    timer_start(t, 1, true);
    loop_run(loop);
    timer_free(&t);
    upstream_stop_checks(u);
}

static char slow[] = "slow.example", two[] = "two.example", nobody[] = "nobody.example";

static void a_name_server_that_does_not_answer_holds_nothing_up(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    uint16_t port;
    int fd = listener(&port);
    struct upstream *u = upstream_of(slow, port);
    assert_int_equal(upstream_pick(u, 0), -1); /* no address yet */
    hold(true);
    upstream_resolve(&u, 1, NULL, 0, 20);
    assert_int_equal(upstream_pick(u, 0), -1);
    assert_false(upstream_is_any_up(u));
    hold(false);
    check_until_up(loop, u); /* a check finds it */
    assert_int_equal(upstream_pick(u, 0), 0);
    struct addr was = upstream_addr(u, 0), is;
    assert_int_equal(ntohs(was.any.in.sin_port), port);

    struct upstream *next = upstream_of(slow, port); /* a reload while the name server is away */
    hold(true);
    upstream_resolve(&next, 1, &u, 1, 20);
    hold(false);
    assert_true(upstream_is_any_up(next));
    assert_int_equal(upstream_pick(next, 0), 0);
    is = upstream_addr(next, 0);
    assert_true(addr_is_same(&was, &is));
    upstream_unref(&next);
    upstream_unref(&u);

    u = upstream_of(nobody, port);
    upstream_resolve(&u, 1, NULL, 0, 60000); /* an answer, if a bad one: no waiting */
    assert_int_equal(upstream_pick(u, 0), -1);
    upstream_unref(&u);
    close(fd);
    loop_free(&loop);
}

static void all_addresses_of_a_name_are_tried(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    uint16_t port;
    int fd = listener(&port);
    struct upstream *u = upstream_of(two, port);
    upstream_resolve(&u, 1, NULL, 0, 60000);
    struct addr a = upstream_addr(u, 0);
    assert_int_equal(ntohl(a.any.in.sin_addr.s_addr), INADDR_LOOPBACK + 8);
    upstream_report_failure(u, 0);
    check_until_up(loop, u);
    a = upstream_addr(u, 0);
    assert_int_equal(ntohl(a.any.in.sin_addr.s_addr), INADDR_LOOPBACK);
    upstream_unref(&u);
    close(fd);
    loop_free(&loop);
}

static void checks_of_a_server_that_is_down_do_not_block(void **state)
{
    (void)state;
    struct rig r = {.loop = loop_new()};
    char text[] = "im.example:9", host[] = "im.example", name[] = "im";
    struct conf_addr server = {.text = text, .host = host, .port = 9};
    struct conf_upstream c = {.name = name,
                              .server = &server,
                              .n_servers = 1,
                              .health_interval_ms = 2,
                              .health_timeout_ms = 1000,
                              .health_fall = 1,
                              .health_rise = 1};
    struct err e;
    struct upstream *u = upstream_new(&c, &e);
    assert_non_null(u);
    upstream_report_failure(u, 0);
    assert_false(upstream_is_any_up(u));
    hold(true);
    unsigned before = n_calls;
    upstream_start_checks(u, r.loop);
    wait_inside(1);
    tick(&r);
    tick(&r);
    assert_int_equal(n_calls, before + 1); /* one look-up at a time */
    upstream_stop_checks(u);
    upstream_unref(&u);
    loop_free(&r.loop);
    hold(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numeric_and_names),
        cmocka_unit_test(the_loop_turns_while_it_waits),
        cmocka_unit_test(cancelled_at_any_time),
        cmocka_unit_test(too_many_end_at_once),
        cmocka_unit_test(a_stream_times_out_in_its_look_up),
        cmocka_unit_test(a_name_server_that_does_not_answer_holds_nothing_up),
        cmocka_unit_test(all_addresses_of_a_name_are_tried),
        cmocka_unit_test(checks_of_a_server_that_is_down_do_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

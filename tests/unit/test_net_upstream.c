/* Which server a session goes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/upstream.h"

static struct upstream *make(size_t n, int64_t fall)
{
    static char host[] = "127.0.0.1", name[] = "im", text[3][12] = {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"};
    struct conf_addr server[3];
    for (size_t i = 0; i < 3; i++)
        server[i] = (struct conf_addr){.text = text[i], .host = host, .port = (uint16_t)(i + 1)};
    struct conf_upstream c = {.name = name,
                              .server = server,
                              .n_servers = n,
                              .health_interval_ms = 1000,
                              .health_timeout_ms = 1000,
                              .health_fall = fall,
                              .health_rise = 1};
    struct err e;
    struct upstream *u = upstream_new(&c, &e);
    assert_non_null(u);
    return u;
}

static void test_the_fewest_sessions(void **state)
{
    (void)state;
    struct upstream *u = make(3, 1);
    int n[3] = {0};
    for (int i = 0; i < 9; i++)
        n[upstream_pick(u, 0)]++;
    assert_int_equal(n[0], 3);
    assert_int_equal(n[1], 3);
    assert_int_equal(n[2], 3);
    upstream_done(u, 1);
    assert_int_equal(upstream_pick(u, 0), 1);
    upstream_unref(&u);
}

static void test_tried_and_down(void **state)
{
    (void)state;
    struct upstream *u = make(3, 2);
    upstream_report_failure(u, 0);
    assert_true(upstream_get_state(u, 0).is_up); /* once is not enough */
    upstream_report_failure(u, 0);
    assert_false(upstream_get_state(u, 0).is_up);
    assert_int_equal(upstream_get_state(u, 0).failures, 2);
    for (int i = 0; i < 6; i++)
        assert_int_not_equal(upstream_pick(u, 0), 0);
    assert_int_equal(upstream_pick(u, 1u << 1), 2);
    assert_int_equal(upstream_pick(u, 1u << 1 | 1u << 2), 0); /* down, but the only one left to try */
    assert_int_equal(upstream_pick(u, 7), -1);
    for (int server = 1; server < 3; server++)
        for (int i = 0; i < 2; i++)
            upstream_report_failure(u, server);
    assert_false(upstream_is_any_up(u));
    assert_true(upstream_pick(u, 0) >= 0); /* all are down: trying beats refusing */
    upstream_unref(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fewest_sessions),
        cmocka_unit_test(test_tried_and_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Messages between loops: order per sender, none lost, none after the end forgotten; timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "net/loop.h"

enum { SENDERS = 4, EACH = 5000 };

struct seen {
    struct loop *loop;
    int last[SENDERS], total;
    bool is_mixed_up;
};

struct note {
    struct seen *seen;
    int sender, number;
};

static void on_note(void *ctx)
{
    struct note *n = ctx;
    struct seen *s = n->seen;
    s->is_mixed_up = s->is_mixed_up || n->number != s->last[n->sender] + 1;
    s->last[n->sender] = n->number;
    if (++s->total == SENDERS * EACH)
        loop_stop(s->loop);
    free(n);
}

struct sender {
    struct seen *seen;
    int index;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int i = 1; i <= EACH; i++) {
        struct note *n = malloc(sizeof(*n));
        *n = (struct note){s->seen, s->index, i};
        loop_post(s->seen->loop, on_note, n);
    }
    return NULL;
}

static void test_order_across_threads(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new()};
    pthread_t thread[SENDERS];
    struct sender sender[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        sender[i] = (struct sender){&seen, i};
        assert_int_equal(pthread_create(&thread[i], NULL, send_all, &sender[i]), 0);
    }
    loop_run(seen.loop);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(seen.total, SENDERS * EACH);
    assert_false(seen.is_mixed_up);
    loop_free(&seen.loop);
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

struct chain {
    struct loop *loop;
    int left;
};

static void post_again(void *ctx)
{
    struct chain *c = ctx;
    if (--c->left)
        loop_post(c->loop, post_again, c);
    else
        loop_stop(c->loop);
}

static void test_posting_from_a_posted_function_and_after_the_end(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct chain c = {l, 10};
    loop_post(l, post_again, &c);
    loop_run(l);
    assert_int_equal(c.left, 0);
    int late = 0;
    loop_post(l, count, &late);
    loop_post(l, count, &late);
    loop_run_posted(l);
    assert_int_equal(late, 2);
    loop_free(&l);
}

struct tick {
    struct loop *loop;
    struct timer *periodic, *soon;
    int n;
    bool was_soon;
};

static void on_soon(void *ctx)
{
    struct tick *t = ctx;
    t->was_soon = true;
}

static void on_tick(void *ctx)
{
    struct tick *t = ctx;
    if (++t->n == 1)
        timer_fire_soon(t->soon);
    if (t->n == 3) {
        timer_free(&t->periodic); /* a timer may free itself */
        loop_stop(t->loop);
    }
}

static void test_timers(void **state)
{
    (void)state;
    struct tick t = {.loop = loop_new()};
    t.periodic = timer_new(t.loop, on_tick, &t);
    t.soon = timer_new(t.loop, on_soon, &t);
    timer_start(t.periodic, 5, true);
    loop_run(t.loop);
    assert_int_equal(t.n, 3);
    assert_true(t.was_soon);
    timer_free(&t.soon);
    timer_free(&t.soon);
    loop_free(&t.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_across_threads),
        cmocka_unit_test(test_posting_from_a_posted_function_and_after_the_end),
        cmocka_unit_test(test_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

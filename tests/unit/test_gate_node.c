/* The node table: seats, windows, warnings, and what is forgotten first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/node.h"

#define S(text) span_str(text)

static const struct window_note no_note, some_note = {.set = 7};

static void test_seats(void **state)
{
    (void)state;
    struct node *n = node_new();
    struct seat seat;
    assert_false(node_seat_find(n, S("amy"), &seat));
    for (uint64_t i = 1; i <= 10; i++) /* more devices than are kept */
        node_seat_add(n, S("amy"), (struct seat){1, i});
    assert_int_equal(node_agents(n), 1);
    assert_true(node_seat_find(n, S("amy"), &seat));
    assert_int_equal(seat.session, 10);
    node_seat_remove(n, S("amy"), (struct seat){1, 10});
    node_seat_remove(n, S("amy"), (struct seat){2, 9}); /* another worker's: not there */
    assert_true(node_seat_find(n, S("amy"), &seat));
    assert_int_equal(seat.session, 9);
    for (uint64_t i = 1; i <= 9; i++) /* the oldest two had made room */
        node_seat_remove(n, S("amy"), (struct seat){1, i});
    assert_false(node_seat_find(n, S("amy"), &seat));
    assert_int_equal(node_agents(n), 0);
    node_free(&n);
}

static void test_window(void **state)
{
    (void)state;
    struct node *n = node_new();
    struct window w;
    char text[16];
    for (int i = 0; i < WINDOW_MAX + 3; i++) {
        snprintf(text, sizeof(text), "t%d", i);
        node_window_add(n, S("amy"), S("c"), 1000 + i, S(text), &no_note, WINDOW_MAX);
    }
    node_window_get(n, S("amy"), S("c"), 1010, 3, 1000, &w);
    assert_int_equal(w.n, 3);
    assert_memory_equal(w.item[0].text, "t8", 2);
    assert_memory_equal(w.item[2].text, "t10", 3);
    node_window_get(n, S("amy"), S("c"), 1010, WINDOW_MAX + 5, 1000, &w);
    assert_int_equal(w.n, WINDOW_MAX);
    node_window_get(n, S("amy"), S("c"), 1012, WINDOW_MAX, 3, &w); /* only what is young enough */
    assert_int_equal(w.n, 2);
    node_window_get(n, S("amy"), S("other"), 1010, 3, 1000, &w);
    assert_int_equal(w.n, 0);
    node_window_get(n, S("bob"), S("c"), 1010, 3, 1000, &w);
    assert_int_equal(w.n, 0);
    for (int i = 0; i < 2 * WINDOW_MAX; i++) { /* no more than the rules look back on */
        struct window_note note = {.set = 7};
        snprintf(text, sizeof(text), "u%d", i);
        node_window_add(n, S("amy"), S("c"), 2000 + i, S(text), &note, 3);
    }
    node_window_get(n, S("amy"), S("c"), 2020, WINDOW_MAX, 1000, &w);
    assert_int_equal(w.n, 3);
    for (unsigned i = 0; i < w.n; i++) {
        snprintf(text, sizeof(text), "u%u", 2 * WINDOW_MAX - 3 + i);
        assert_memory_equal(w.item[i].text, text, w.item[i].len);
        assert_int_equal(w.item[i].note.set, 7);
        assert_int_equal(w.item[i].note.number, w.item[0].note.number + i);
    }
    node_free(&n);
}

static void test_window_keeps_the_end_of_a_long_text(void **state)
{
    (void)state;
    struct node *n = node_new();
    char text[WINDOW_TEXT_MAX * 3 + 1] = "";
    for (size_t i = 0; i < WINDOW_TEXT_MAX; i++)
        memcpy(text + 3 * i, "\xe5\xad\x97", 3);
    text[3 * WINDOW_TEXT_MAX - 1] = 'z'; /* what a cut inside a character would show */
    node_window_add(n, S("amy"), S("c"), 1, span_of(text, 3 * WINDOW_TEXT_MAX), &some_note, WINDOW_MAX);
    struct window w;
    node_window_get(n, S("amy"), S("c"), 1, 1, 10, &w);
    assert_int_equal(w.n, 1);
    assert_int_equal(w.item[0].note.set, 0); /* it spoke of the whole text */
    assert_true(w.item[0].len <= WINDOW_TEXT_MAX && w.item[0].len > WINDOW_TEXT_MAX - 4);
    assert_int_equal(w.item[0].text[0], 0xe5);
    assert_int_equal(w.item[0].text[w.item[0].len - 1], 'z');
    node_window_add(n, S("amy"), S("c"), 2, S(""), &no_note, WINDOW_MAX);
    node_window_get(n, S("amy"), S("c"), 2, 1, 10, &w);
    assert_int_equal(w.item[0].len, 0);
    node_free(&n);
}

/* One agent, so one stripe: 4096 conversations, the least recently used one goes first. */
static void test_bound(void **state)
{
    (void)state;
    struct node *n = node_new();
    struct window w;
    char conv[16];
    for (int i = 0; i < 4096 + 10; i++) {
        snprintf(conv, sizeof(conv), "c%d", i);
        node_window_add(n, S("amy"), S(conv), 1, S("x"), &no_note, WINDOW_MAX);
        node_window_get(n, S("amy"), S("c0"), 1, 1, 10, &w); /* used all the time */
        assert_int_equal(w.n, 1);
    }
    for (int i = 1; i <= 10; i++) {
        snprintf(conv, sizeof(conv), "c%d", i);
        node_window_get(n, S("amy"), S(conv), 1, 1, 10, &w);
        assert_int_equal(w.n, 0);
    }
    node_window_get(n, S("amy"), S("c11"), 1, 1, 10, &w);
    assert_int_equal(w.n, 1);
    node_free(&n);
}

static void test_long_ids_are_told_apart(void **state)
{
    (void)state;
    struct node *n = node_new();
    char a[600], b[600];
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    b[sizeof(b) - 1] = 'y';
    node_window_add(n, span_of(a, sizeof(a)), span_of(a, sizeof(a)), 1, S("1"), &no_note, WINDOW_MAX);
    struct window w;
    node_window_get(n, span_of(a, sizeof(a)), span_of(b, sizeof(b)), 1, 1, 10, &w);
    assert_int_equal(w.n, 0);
    node_window_get(n, span_of(a, sizeof(a)), span_of(a, sizeof(a)), 1, 1, 10, &w);
    assert_int_equal(w.n, 1);
    node_free(&n);
}

static void test_warnings_are_not_repeated(void **state)
{
    (void)state;
    struct node *n = node_new();
    const int64_t t = 1000000000, ten_minutes = 600000;
    assert_true(node_may_warn(n, S("amy"), S("c"), t, "r1"));
    assert_false(node_may_warn(n, S("amy"), S("c"), t + ten_minutes - 1, "r1"));
    assert_true(node_may_warn(n, S("amy"), S("c"), t + 1, "r2"));
    assert_true(node_may_warn(n, S("amy"), S("d"), t + 1, "r1"));
    assert_true(node_may_warn(n, S("bob"), S("c"), t + 1, "r1"));
    assert_true(node_may_warn(n, S("amy"), S("c"), t + ten_minutes, "r1"));
    /* the clock was set back by an hour: quiet for the hour would be wrong */
    assert_true(node_may_warn(n, S("amy"), S("c"), t - 3600000, "r1"));
    assert_false(node_may_warn(n, S("amy"), S("c"), t - 3600000 + 1, "r1"));
    node_free(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seats),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_window_keeps_the_end_of_a_long_text),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_long_ids_are_told_apart),
        cmocka_unit_test(test_warnings_are_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

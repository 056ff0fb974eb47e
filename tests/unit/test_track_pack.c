/* What goes to the script `apply` beside the records: conversations, and what plain messages count as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "track/event_plain.h"
#include "track/pump_pack.h"

static const int64_t HOUR = 3600000, AT = 1000 * HOUR;
/* Agent, team, shop as MessagePack. */
#define ANN "\xa3\x61nn\xa0\xa0"
#define BOB "\xa3\x62ob\xa0\xa0"

static struct pack pack;
static uint8_t records[PACK_MAX][EVENT_ENCODED_MAX];

static struct track_event message(enum event_kind kind, const char *conv, const char *agent, int64_t at_ms)
{
    return (struct track_event){.kind = kind,
                                .at_ms = at_ms,
                                .conv = span_str(conv),
                                .customer = span_str("u"),
                                .agent = span_str(agent),
                                .mid = span_str("m"),
                                .is_live = true,
                                .is_delivered = true,
                                .is_human = true};
}

static void add(size_t i, struct track_event ev, int64_t offset_ms)
{
    pack_add(&pack, (int64_t)i + 1, span_of(records[i], event_encode(&ev, records[i])), offset_ms);
}

/* One quadruple: hour as a float, who as text, two counts. */
static void expect(struct span *in, double hour, const char *who, unsigned received, unsigned passed)
{
    union {
        uint64_t bits;
        double d;
    } v = {0};
    assert_true(in->n > 9 && in->p[0] == 0xcb);
    for (int i = 1; i < 9; i++)
        v.bits = v.bits << 8 | in->p[i];
    assert_true(v.d == hour);
    assert_int_equal(in->p[9], 0xda);
    size_t n = strlen(who);
    assert_int_equal(in->p[10] << 8 | in->p[11], n);
    assert_true(in->n >= 12 + n + 6);
    assert_memory_equal(in->p + 12, who, n);
    const uint8_t *p = in->p + 12 + n;
    assert_true(p[0] == 0xcd && p[3] == 0xcd);
    assert_int_equal(p[1] << 8 | p[2], received);
    assert_int_equal(p[4] << 8 | p[5], passed);
    *in = span_from(*in, 12 + n + 6);
}

static struct span figures(unsigned tallies)
{
    struct span in = pack_figures(&pack);
    assert_true(in.n > 4 && in.p[0] == 0xdc && in.p[3] == 1);
    assert_int_equal(in.p[1] << 8 | in.p[2], 1 + 4 * tallies);
    return span_from(in, 4);
}

static void messages_count_by_hour_and_by_who(void **state)
{
    (void)state;
    pack_reset(&pack, 1);
    add(0, message(EV_INCOMING, "c1", "ann", AT), 0);
    add(1, message(EV_OUTGOING, "c1", "ann", AT + 1), 0);
    add(2, message(EV_INCOMING, "c2", "ann", AT + HOUR - 1), 0);
    add(3, message(EV_INCOMING, "c1", "ann", AT + HOUR), 0);
    add(4, message(EV_OUTGOING, "c1", "bob", AT), 0);
    struct span in = figures(3);
    expect(&in, 1000, ANN, 2, 1);
    expect(&in, 1001, ANN, 1, 0);
    expect(&in, 1000, BOB, 0, 1);
    assert_int_equal(in.n, 0);
}

static void quarters_and_the_clock_of_redis(void **state)
{
    (void)state;
    pack_reset(&pack, 4);
    add(0, message(EV_INCOMING, "c1", "ann", AT + HOUR / 4 - 1), 1);
    struct span in = figures(1);
    expect(&in, 1000.25, ANN, 1, 0);
}

static void what_has_more_to_say_is_not_counted(void **state)
{
    (void)state;
    struct track_event ev[] = {
        message(EV_OUTGOING, "c", "ann", AT),
        message(EV_OUTGOING, "c", "ann", AT),
        message(EV_INCOMING, "c", "ann", AT),
        message(EV_REFUSED, "c", "ann", AT),
    };
    ev[0].action = 1;
    ev[1].rules = span_str("r.a");
    ev[2].shadow = span_str("s.x");
    pack_reset(&pack, 1);
    for (size_t i = 0; i < ARRAY_LEN(ev); i++)
        add(i, ev[i], 0);
    assert_int_equal(pack_figures(&pack).n, 0);
}

static void what_is_cut_is_not_counted(void **state)
{
    (void)state;
    struct track_event ev = message(EV_INCOMING, "c", "ann", AT);
    size_t n = event_encode(&ev, records[0]), counted = 0;
    struct event_plain_count c;
    for (size_t i = 0; i <= n; i++) {
        uint8_t *cut = xmalloc(i ? i : 1); /* so that a sanitizer sees what is read behind it */
        memcpy(cut, records[0], i);
        counted += event_plain_count(span_of(cut, i), &c);
        free(cut);
    }
    assert_true(counted > 0 && counted < n / 2); /* the record must be whole, what stands behind it does not matter */
    for (size_t i = 0; i < n; i++) {             /* damaged in any place: nothing is read outside of it */
        uint8_t *bad = xmalloc(n);
        memcpy(bad, records[0], n);
        bad[i] = 0xff;
        if (event_plain_count(span_of(bad, n), &c))
            assert_true(c.who.p >= bad && c.who.p + c.who.n <= bad + n);
        free(bad);
    }
}

static void conversations_with_several_records_go_first(void **state)
{
    (void)state;
    struct span conv[PACK_MAX];
    pack_reset(&pack, 1);
    const char *of[] = {"a", "b", "c", "b", "d", "c", "c"};
    for (size_t i = 0; i < ARRAY_LEN(of); i++)
        add(i, message(EV_INCOMING, of[i], "ann", AT), 0);
    assert_int_equal(pack_convs(&pack, conv), 2);
    assert_int_equal(pack.n_convs, 4);
    const char *want[] = {"b", "c", "a", "d"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(span_eq(conv[i], span_str(want[i])));
}

static void a_full_pack_counts_all(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        char agent[16];
        pack_reset(&pack, 1);
        for (size_t i = 0; i < PACK_MAX; i++) {
            snprintf(agent, sizeof(agent), "%08zu", i);
            add(i, message(EV_INCOMING, agent, agent, AT), 0);
        }
        struct span in = figures(PACK_MAX), conv[PACK_MAX];
        for (size_t i = 0; i < PACK_MAX; i++) {
            snprintf(agent, sizeof(agent), "\xa8%08zu\xa0\xa0", i);
            expect(&in, 1000, agent, 1, 0);
        }
        assert_int_equal(pack_convs(&pack, conv), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_count_by_hour_and_by_who),
        cmocka_unit_test(quarters_and_the_clock_of_redis),
        cmocka_unit_test(what_has_more_to_say_is_not_counted),
        cmocka_unit_test(what_is_cut_is_not_counted),
        cmocka_unit_test(conversations_with_several_records_go_first),
        cmocka_unit_test(a_full_pack_counts_all),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pack_fini(&pack);
    return failed;
}

/* Counters of stream management with stanzas of the gateway's own among them, against a list that remembers all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/attr.h"
#include "proto/xmpp_counts.h"

static void test_picture(void **state)
{
    (void)state;
    struct xmpp_counts c = {0};
    assert_true(xmpp_counts_add(&c, 4));
    static const uint32_t want[] = {0, 1, 2, 3, 3, 4, 5};
    for (uint32_t h = 0; h < ARRAY_LEN(want); h++)
        assert_int_equal(xmpp_counts_lower(&c, h), want[h]);
    xmpp_counts_ack(&c, 5, 6);
    assert_int_equal(c.n, 0);
    assert_int_equal(xmpp_counts_lower(&c, 5), 4);
    assert_int_equal(xmpp_counts_lower(&c, 6), 5);
    xmpp_counts_ack(&c, 900, 6); /* more than was sent: the server may judge it */
    assert_int_equal(c.acked, 5);
}

static void test_bound(void **state)
{
    (void)state;
    struct xmpp_counts c = {0};
    for (uint32_t i = 1; i <= XMPP_NOTES_MAX; i++)
        assert_true(xmpp_counts_add(&c, i));
    assert_false(xmpp_counts_add(&c, XMPP_NOTES_MAX + 1));
    xmpp_counts_ack(&c, 1, XMPP_NOTES_MAX);
    assert_true(xmpp_counts_add(&c, XMPP_NOTES_MAX + 1));
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

/* Both ends with all they ever counted; `begin` is near the end of 32 bits, so that everything wraps. */
struct model {
    uint8_t is_ours[100000]; /* of the client's stanza number i, by what it got at last */
    uint32_t begin, sent, got, acked;
};

static uint32_t for_server(const struct model *m, uint32_t h)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i <= h; i++)
        n += !m->is_ours[i];
    return n;
}

static void check(const struct model *m, const struct xmpp_counts *c, uint32_t h)
{
    assert_int_equal(xmpp_counts_lower(c, m->begin + h), m->begin + for_server(m, h));
}

static void test_random(void **state)
{
    (void)state;
    static struct model m;
    for (uint64_t round = 1; round <= 40; round++) {
        uint64_t seed = round * 77;
        m = (struct model){.begin = round % 2 ? 0 : UINT32_MAX - 300};
        struct xmpp_counts c = {.acked = m.begin};
        for (int step = 0; step < 4000; step++) {
            uint32_t what = draw(&seed, 100);
            if (what < 50) {
                m.is_ours[++m.sent] = 0;
            } else if (what < 70) {
                if (xmpp_counts_add(&c, m.begin + m.sent + 1))
                    m.is_ours[++m.sent] = 1;
            } else if (what < 80) {
                m.got += draw(&seed, m.sent - m.got + 1);
            } else if (what < 97) {
                check(&m, &c, m.got);
                xmpp_counts_ack(&c, m.begin + m.got, m.begin + m.sent);
                m.acked = m.got;
            } else { /* a cut: what the client has not got the server sends again, ours are lost */
                check(&m, &c, m.got);
                xmpp_counts_resume(&c, m.begin + m.got);
                m.sent = m.acked = m.got;
            }
            for (uint32_t h = m.acked; h <= m.sent; h += 1 + draw(&seed, 4))
                check(&m, &c, h);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

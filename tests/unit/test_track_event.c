/* The encoding of events, read back by a small decoder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "track/event_plain.h"

struct value {
    enum { V_INT, V_STR, V_TRUE } kind;
    int64_t i;
    struct span s;
};

static uint64_t take_be(struct span *in, size_t n)
{
    uint64_t v = 0;
    assert_true(in->n >= n);
    for (size_t k = 0; k < n; k++)
        v = v << 8 | in->p[k];
    *in = span_from(*in, n);
    return v;
}

static struct value take(struct span *in)
{
    struct value v = {.kind = V_INT};
    size_t len;
    uint8_t c = (uint8_t)take_be(in, 1);
    if (c < 0x80) {
        v.i = c;
        return v;
    }
    switch (c) {
    case 0xc3:
        v.kind = V_TRUE;
        return v;
    case 0xce:
        v.i = (int64_t)take_be(in, 4);
        return v;
    case 0xcf:
    case 0xd3:
        v.i = (int64_t)take_be(in, 8);
        return v;
    case 0xd9:
        len = take_be(in, 1);
        break;
    case 0xda:
        len = take_be(in, 2);
        break;
    default:
        assert_int_equal(c & 0xe0, 0xa0);
        len = c & 31;
    }
    assert_true(in->n >= len);
    v.kind = V_STR;
    v.s = span_of(in->p, len);
    *in = span_from(*in, len);
    return v;
}

/* The value of a key; fails when the map is malformed or has a key twice. */
static bool find(struct span in, const char *key, struct value *out)
{
    assert_int_equal(take_be(&in, 1), 0xde);
    unsigned n = (unsigned)take_be(&in, 2), found = 0;
    while (n--) {
        struct value k = take(&in), v = take(&in);
        assert_int_equal(k.kind, V_STR);
        if (span_is(k.s, key)) {
            *out = v;
            found++;
        }
    }
    assert_int_equal(in.n, 0);
    assert_true(found <= 1);
    return found;
}

static void expect_str(struct span in, const char *key, struct span want)
{
    struct value v;
    assert_true(find(in, key, &v));
    assert_int_equal(v.kind, V_STR);
    assert_true(span_eq(v.s, want));
}

static void expect_int(struct span in, const char *key, int64_t want)
{
    struct value v;
    assert_true(find(in, key, &v));
    assert_int_equal(v.kind, V_INT);
    assert_int_equal(v.i, want);
}

static void expect_true(struct span in, const char *key)
{
    struct value v;
    assert_true(find(in, key, &v));
    assert_int_equal(v.kind, V_TRUE);
}

static uint8_t out[EVENT_ENCODED_MAX];

static void every_field_has_its_key(void **state)
{
    (void)state;
    struct track_event ev = {.kind = EV_OUTGOING,
                             .at_ms = 1700000000123,
                             .agent = span_str("lan"),
                             .team = span_str("north"),
                             .shop = span_str("s1"),
                             .conv = span_str("c1"),
                             .customer = span_str("u1"),
                             .mid = span_str("m1"),
                             .sender = span_str("u2"),
                             .action = 3,
                             .is_edit = true,
                             .is_delivered = true,
                             .is_ack_only = true,
                             .is_live = true,
                             .is_human = true,
                             .rules = span_str("E1,E2"),
                             .shadow = span_str("E3"),
                             .rules_version = span_str("abc"),
                             .text_hash = 0xfedcba9876543210u,
                             .case_kind = span_str("refund"),
                             .severity = 2,
                             .case_rule = span_str("C1"),
                             .words = span_str("我要退款"),
                             .confirms = true,
                             .commit_due_ms = -5,
                             .commit_rule = span_str("P1"),
                             .count = 70000,
                             .held_raw = span_str("{}"),
                             .held_text = span_str("hi"),
                             .held_route = span_str("plain:0"),
                             .held_via = span_str("n1"),
                             .held_ttl_ms = 600000,
                             .held_is_sent_at_end = true,
                             .held_id = span_str("3-7")};
    struct span in = span_of(out, event_encode_map(&ev, out));
    expect_str(in, "k", span_str("out"));
    expect_int(in, "at", 1700000000123);
    const char *strings[][2] = {{"agent", "lan"}, {"team", "north"},     {"shop", "s1"},
                                {"conv", "c1"},   {"cust", "u1"},        {"mid", "m1"},
                                {"sender", "u2"}, {"rules", "E1,E2"},    {"shadow", "E3"},
                                {"rv", "abc"},    {"ckind", "refund"},   {"crule", "C1"},
                                {"prule", "P1"},  {"words", "我要退款"}, {"th", "fedcba9876543210"},
                                {"hraw", "{}"},   {"htext", "hi"},       {"hroute", "plain:0"},
                                {"hvia", "n1"},   {"hid", "3-7"}};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        expect_str(in, strings[i][0], span_str(strings[i][1]));
    expect_int(in, "act", 3);
    expect_int(in, "sev", 2);
    expect_int(in, "due", -5);
    expect_int(in, "count", 70000);
    expect_int(in, "httl", 600000);
    const char *flags[] = {"edit", "dlv", "ackonly", "live", "human", "conf", "hsend"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        expect_true(in, flags[i]);
    assert_int_equal(in.p[2], 2 + ARRAY_LEN(strings) + 5 + ARRAY_LEN(flags));
}

static void what_is_empty_is_left_out(void **state)
{
    (void)state;
    struct track_event ev = {.kind = EV_GAP};
    struct span in = span_of(out, event_encode_map(&ev, out));
    static const uint8_t want[] = {0xde, 0, 1, 0xa1, 'k', 0xa3, 'g', 'a', 'p'};
    assert_true(span_eq(in, span_of(want, sizeof(want))));
}

static void long_fields_are_cut(void **state)
{
    (void)state;
    static uint8_t text[5000];
    for (size_t i = 0; i + 3 <= sizeof(text); i += 3)
        memcpy(text + i, "\xe4\xb8\xad", 3);
    struct span huge = span_of(text, sizeof(text));
    char rules[1000] = "";
    for (size_t n = 0; n + 7 < sizeof(rules);)
        n += (size_t)snprintf(rules + n, sizeof(rules) - n, "E%03zu,", n % 1000);
    struct track_event ev = {.agent = huge,
                             .team = huge,
                             .shop = huge,
                             .conv = huge,
                             .customer = huge,
                             .mid = huge,
                             .sender = huge,
                             .case_rule = huge,
                             .words = huge,
                             .case_kind = huge,
                             .rules = huge,
                             .commit_rule = huge};
    ev.rules_version = huge, ev.shadow = span_str(rules), ev.text_hash = 1, ev.at_ms = INT64_MAX, ev.count = UINT64_MAX;
    ev.held_raw = span_of(text, EVENT_HELD_RAW_MAX), ev.held_text = span_of(text, EVENT_HELD_TEXT_MAX);
    ev.held_route = ev.held_via = ev.held_id = huge, ev.held_ttl_ms = INT64_MAX, ev.held_is_sent_at_end = true;
    struct span in = span_of(out, event_encode_map(&ev, out));
    assert_true(in.n <= EVENT_ENCODED_MAX);
    struct value v, w;
    assert_true(find(in, "conv", &v) && find(in, "words", &w));
    assert_true(v.s.n <= EVENT_FIELD_MAX && w.s.n <= EVENT_WORDS_MAX && w.s.n > EVENT_WORDS_MAX - 4);
    char tail[20];
    snprintf(tail, sizeof(tail), "~%016llx", (unsigned long long)hash_stable(huge));
    assert_true(span_eq(span_from(v.s, v.s.n - 17), span_str(tail)));
    assert_true(utf8_is_valid(v.s) && utf8_is_valid(w.s));
    assert_true(find(in, "shadow", &v)); /* whole ids only */
    assert_true(v.s.n <= EVENT_FIELD_MAX && v.s.n > EVENT_FIELD_MAX - 6 && v.s.p[v.s.n - 5] == ',');
    assert_false(find(in, "rules", &v)); /* no comma: not one whole id fits */
    expect_int(in, "count", INT64_MAX);
}

/* A held message is kept whole or not at all: a cut one must not be sent. */
static void held_bytes_are_never_cut(void **state)
{
    (void)state;
    static uint8_t bytes[EVENT_HELD_RAW_MAX + 1];
    memset(bytes, 'x', sizeof(bytes));
    struct span most = span_of(bytes, EVENT_HELD_RAW_MAX), text = span_of(bytes, EVENT_HELD_TEXT_MAX);
    struct value v;
    struct track_event ev = {.held_raw = most, .held_text = text};
    struct span in = span_of(out, event_encode_map(&ev, out));
    assert_true(find(in, "hraw", &v) && v.s.n == most.n && find(in, "htext", &v) && v.s.n == text.n);
    ev.held_raw = span_of(bytes, sizeof(bytes));
    in = span_of(out, event_encode_map(&ev, out));
    assert_false(find(in, "hraw", &v));
    ev.held_raw = most, ev.held_text = span_of(bytes, EVENT_HELD_TEXT_MAX + 1);
    in = span_of(out, event_encode_map(&ev, out));
    assert_false(find(in, "hraw", &v));
}

static void any_event_can_be_read_back(void **state)
{
    (void)state;
    static uint8_t bytes[700];
    for (int i = 0; i < 5000; i++) {
        rand_bytes(bytes, sizeof(bytes));
        uint64_t x = rand_u64();
        struct track_event ev = {.kind = (enum event_kind)(x % EVENT_KIND_COUNT),
                                 .at_ms = (int64_t)(rand_u64() >> (x % 64)),
                                 .customer = span_of(bytes, (x >> 8) % 300),
                                 .words = span_of(bytes, (x >> 20) % 700),
                                 .rules = span_of(bytes + 100, (x >> 32) % 300),
                                 .commit_due_ms = (int64_t)rand_u64(),
                                 .count = x >> 40};
        struct span in = span_of(out, event_encode_map(&ev, out));
        expect_str(in, "k", span_str(event_kind_name(ev.kind)));
        if (ev.customer.n && ev.customer.n <= EVENT_FIELD_MAX)
            expect_str(in, "cust", ev.customer);
        if (ev.commit_due_ms)
            expect_int(in, "due", ev.commit_due_ms);
    }
}

static void shards_are_spread_and_stable(void **state)
{
    (void)state;
    unsigned hits[16] = {0};
    for (int i = 0; i < 16000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "customer-%d", i);
        hits[event_shard(span_str(key), 16)]++;
    }
    for (int s = 0; s < 16; s++)
        assert_in_range(hits[s], 800, 1200);
    /* FNV-1a of "a" is af63dc4c8601ec8c: files and Redis outlive the program */
    assert_int_equal(event_shard(span_str("a"), 16), 12);
}

/* ---- the plain form ---- */

static struct span take_text(struct span *in, size_t length_bytes)
{
    size_t n = take_be(in, length_bytes);
    assert_true(in->n >= n);
    struct span s = span_of(in->p, n);
    *in = span_from(*in, n);
    return s;
}

#define EXPECT_TEXT(in, want)      assert_true(span_is(take_text((in), 1), want))
#define EXPECT_BE(in, bytes, want) assert_int_equal(take_be((in), (bytes)), (want))

/* tests/e2e/track_redis.py and rounds.lua count the same hash. */
static void expect_begin(struct span *in, unsigned what, unsigned marks, const char *key, const char *conv)
{
    EXPECT_BE(in, 1, EVENT_PLAIN);
    EXPECT_BE(in, 1, what);
    EXPECT_BE(in, 1, marks);
    EXPECT_BE(in, 2, event_key_hash(span_str(key), EVENT_KEY_HASH));
    size_t record = take_be(in, 2);
    EXPECT_TEXT(in, conv);
    assert_true(record < in->n);
}

static void a_plain_message_has_the_plain_form(void **state)
{
    (void)state;
    struct track_event ev = {.kind = EV_INCOMING,
                             .at_ms = 1700000000123,
                             .agent = span_str("lan"),
                             .team = span_str("north"),
                             .shop = span_str("s1"),
                             .conv = span_str("c1"),
                             .customer = span_str("u1"),
                             .mid = span_str("m1"),
                             .sender = span_str("u2"),
                             .is_live = true,
                             .rules = span_str("E1,E2"),
                             .rules_version = span_str("abc"),
                             .text_hash = 0xfedcba9876543210u};
    struct span in = span_of(out, event_encode(&ev, out));
    expect_begin(&in, 1, 1, "i:m1", "c1");
    EXPECT_BE(&in, 6, 1700000000123);
    EXPECT_BE(&in, 1, 3);
    EXPECT_BE(&in, 6 + 6 + 4, 0);
    EXPECT_TEXT(&in, "i:m1");
    assert_true(span_is(take_text(&in, 2), "\xa3lan\xa5north\xa2s1"));
    EXPECT_TEXT(&in, "");
    EXPECT_TEXT(&in, "");
    EXPECT_BE(&in, 1, 1);
    EXPECT_BE(&in, 1, 0);
    static const char *const rest[] = {"u1", "u2", "abc", "E1,E2", ""};
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        EXPECT_TEXT(&in, rest[i]);
    assert_int_equal(in.n, 0);
    assert_int_equal(event_key_hash(span_str("i:m1"), EVENT_KEY_HASH), 9651868 & 0xffff);
}

static void a_reply_tells_all_that_rounds_need(void **state)
{
    (void)state;
    struct track_event ev = {.kind = EV_OUTGOING,
                             .at_ms = 1700000000123,
                             .agent = span_str("lan"),
                             .conv = span_str("c1"),
                             .is_delivered = true,
                             .is_human = true,
                             .is_ack_only = true,
                             .text_hash = 1,
                             .open_ms = 86400000,
                             .calendar_id = 4000000000u,
                             .commit_due_ms = 1700000600000,
                             .commit_rule = span_str("P1")};
    struct span in = span_of(out, event_encode(&ev, out));
    expect_begin(&in, 3, 0, "o:\tlan\t1700000000123\t0000000000000001", "c1");
    EXPECT_BE(&in, 6, 1700000000123);
    EXPECT_BE(&in, 1, 1 + 8);
    EXPECT_BE(&in, 6, 1700000600000);
    EXPECT_BE(&in, 6, 86400000);
    EXPECT_BE(&in, 4, 4000000000);
    EXPECT_TEXT(&in, "o:\tlan\t1700000000123\t0000000000000001");
    assert_true(span_is(take_text(&in, 2), "\xa3lan\xa0\xa0"));
    EXPECT_TEXT(&in, "0000000000000001");
    EXPECT_TEXT(&in, "P1");
    EXPECT_BE(&in, 1, 1 + 2 + 4);
    EXPECT_BE(&in, 1, 0);
    for (size_t i = 0; i < 5; i++)
        EXPECT_TEXT(&in, "");
    assert_int_equal(in.n, 0);
}

static void the_longest_plain_message_fits(void **state)
{
    (void)state;
    char text[EVENT_FIELD_MAX + 50];
    memset(text, 'x', sizeof(text));
    struct span s = span_of(text, sizeof(text));
    struct track_event ev = {.kind = EV_INCOMING,
                             .at_ms = ((int64_t)1 << 47) - 1,
                             .agent = s,
                             .team = s,
                             .shop = s,
                             .conv = s,
                             .customer = s,
                             .sender = s,
                             .rules_version = s,
                             .text_hash = UINT64_MAX};
    struct span in = span_of(out, event_encode(&ev, out));
    assert_int_equal(in.p[0], EVENT_PLAIN);
    in = span_from(in, 7);
    assert_int_equal(take_text(&in, 1).n, EVENT_FIELD_MAX);
    in = span_from(in, 6 + 1 + 6 + 6 + 4);
    assert_int_equal(take_text(&in, 1).n, 3 + EVENT_FIELD_MAX + 17 + 16);
    assert_int_equal(take_text(&in, 2).n, 3 * (EVENT_FIELD_MAX + 2));
    ev.at_ms++;
    assert_true(event_encode(&ev, out) > 0 && out[0] == 0xde);
}

static int64_t shifted(struct track_event ev, int64_t ms)
{
    size_t n = event_encode(&ev, out);
    assert_true(span_eq(event_plain_conv(span_of(out, n)), ev.conv));
    event_shift(out, n, ms);
    struct span in = span_from(span_of(out, n), 8 + ev.conv.n);
    return (int64_t)take_be(&in, 6);
}

static void times_move_to_the_clock_of_redis(void **state)
{
    (void)state;
    struct track_event ev = {.kind = EV_INCOMING, .at_ms = 5000, .conv = span_str("c1"), .is_live = true};
    assert_int_equal(shifted(ev, 70), 5070);
    assert_int_equal(shifted(ev, -5070), 0);
    assert_int_equal(shifted(ev, INT64_C(1) << 60), (INT64_C(1) << 47) - 1);
    ev.is_live = false;
    assert_int_equal(shifted(ev, 70), 5000);
    ev.kind = EV_OUTGOING;
    assert_int_equal(shifted(ev, -70), 4930);
}

/* What a damaged file may hold stays as it is. */
static void what_is_cut_is_not_touched(void **state)
{
    (void)state;
    struct track_event ev = {.kind = EV_INCOMING, .at_ms = 5000, .conv = span_str("c1"), .is_live = true};
    uint8_t was[EVENT_ENCODED_MAX];
    event_encode(&ev, was);
    for (size_t n = 0; n < 8 + 2 + 6; n++) {
        uint8_t *cut = xmalloc(n ? n : 1); /* so that a sanitizer sees what is read behind it */
        memcpy(cut, was, n);
        event_shift(cut, n, 1);
        assert_memory_equal(cut, was, n);
        assert_int_equal(event_plain_conv(span_of(cut, n)).n, 0);
        free(cut);
    }
    ev.is_edit = true;
    size_t n = event_encode(&ev, out);
    memcpy(was, out, n);
    event_shift(out, n, 1);
    assert_memory_equal(out, was, n);
}

static void what_has_more_to_say_is_a_map(void **state)
{
    (void)state;
    struct track_event plain = {.kind = EV_OUTGOING, .at_ms = 1, .conv = span_str("c")}, ev[8];
    for (size_t i = 0; i < ARRAY_LEN(ev); i++)
        ev[i] = plain;
    ev[0].is_edit = true;
    ev[1].case_kind = span_str("refund");
    ev[2].confirms = true;
    ev[3].held_raw = ev[3].held_text = span_str("x");
    ev[4].held_id = span_str("1-1");
    ev[5].kind = EV_REFUSED;
    ev[6].conv = span_of("", 0);
    ev[7].at_ms = -1;
    assert_true(event_encode(&plain, out) > 0 && out[0] == EVENT_PLAIN);
    for (size_t i = 0; i < ARRAY_LEN(ev); i++) {
        assert_true(event_encode(&ev[i], out) > 0);
        assert_int_equal(out[0], 0xde);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_message_has_the_plain_form),
        cmocka_unit_test(the_longest_plain_message_fits),
        cmocka_unit_test(times_move_to_the_clock_of_redis),
        cmocka_unit_test(what_is_cut_is_not_touched),
        cmocka_unit_test(a_reply_tells_all_that_rounds_need),
        cmocka_unit_test(what_has_more_to_say_is_a_map),
        cmocka_unit_test(every_field_has_its_key),
        cmocka_unit_test(what_is_empty_is_left_out),
        cmocka_unit_test(long_fields_are_cut),
        cmocka_unit_test(held_bytes_are_never_cut),
        cmocka_unit_test(any_event_can_be_read_back),
        cmocka_unit_test(shards_are_spread_and_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

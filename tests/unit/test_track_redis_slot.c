/* Slots as Redis Cluster counts them, and which argument of a command is its key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "track/redis.h"
#include "track/redis_slot.h"
#include "track/schema.h"

static int slot_of(const char *command)
{
    struct span argv[16];
    size_t n = 0;
    for (const char *at = command; *at; n++) {
        size_t len = strcspn(at, " ");
        argv[n] = span_of(at, len);
        at += len + (at[len] == ' ');
    }
    return slot_of_command(n, argv);
}

/* The first is the check value of CRC-16/XMODEM; the others are what CLUSTER KEYSLOT of Redis 7.0 answers. */
static void slots_are_those_of_redis(void **state)
{
    (void)state;
    assert_int_equal(redis_slot(span_str("123456789")), 0x31c3 % SLOT_COUNT);
    assert_int_equal(redis_slot(span_str("foo")), 12182);
    assert_int_equal(redis_slot(span_str("bar")), 5061);
    assert_int_equal(redis_slot(span_str("")), 0);
}

static void only_the_tag_counts(void **state)
{
    (void)state;
    unsigned bar = redis_slot(span_str("bar"));
    assert_int_equal(redis_slot(span_str("{bar}")), bar);
    assert_int_equal(redis_slot(span_str("foo{bar}{zap}")), bar);
    assert_int_equal(redis_slot(span_str("foo{{bar}}zap")), redis_slot(span_str("{bar")));
    assert_int_not_equal(redis_slot(span_str("foo{}{bar}")), bar); /* an empty tag is none */
    assert_int_not_equal(redis_slot(span_str("foo{bar")), bar);
    struct schema_keys keys;
    schema_apply_keys(7, &keys);
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++)
        assert_int_equal(redis_slot(keys.span[i]), redis_slot(span_str("7")));
}

static void the_key_of_a_command(void **state)
{
    (void)state;
    int bar = (int)redis_slot(span_str("bar"));
    static const char *const keyed[] = {"GET bar",
                                        "hset bar a 1",
                                        "XADD bar * a 1",
                                        "XREAD COUNT 1 STREAMS bar $",
                                        "XREADGROUP GROUP g c STREAMS bar >",
                                        "XGROUP CREATE bar g $",
                                        "EVAL text 1 bar x",
                                        "evalsha abc 2 bar {bar}2"};
    static const char *const keyless[] = {"PING",          "TIME",   "INFO replication", "WAIT 1 100", "EVAL text 0 x",
                                          "XREAD COUNT 1", "SCAN 0", "script load x",    "GET"};
    for (size_t i = 0; i < ARRAY_LEN(keyed); i++)
        if (slot_of(keyed[i]) != bar)
            fail_msg("%s", keyed[i]);
    for (size_t i = 0; i < ARRAY_LEN(keyless); i++)
        if (slot_of(keyless[i]) != SLOT_ANY)
            fail_msg("%s", keyless[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_those_of_redis),
        cmocka_unit_test(only_the_tag_counts),
        cmocka_unit_test(the_key_of_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

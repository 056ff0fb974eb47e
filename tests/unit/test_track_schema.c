/* Keys as lib.lua expects them; buckets as docs/redis.md gives them; the words of reminders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hist.h"
#include "track/reminder.h"
#include "track/schema.h"
#include "track/script.h"

static void keys_share_the_shards_tag(void **state)
{
    (void)state;
    struct schema_keys keys;
    schema_apply_keys(1023, &keys);
    assert_true(span_is(keys.span[0], "cg:{1023}:applied"));
    assert_true(span_is(keys.span[SCHEMA_KEY_COUNT - 1], "cg:{1023}:figlog"));
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++) {
        assert_true(span_starts(keys.span[i], span_str("cg:{1023}:")));
        for (size_t j = 0; j < i; j++)
            assert_false(span_eq(keys.span[i], keys.span[j]));
    }
}

/* The order of the keys is written in lib.lua again: both must agree. */
static void keys_stand_where_the_scripts_look(void **state)
{
    (void)state;
    static const char *const names[] = {
#define X(id, name) name,
        SCHEMA_KEYS(X)
#undef X
    };
    const char *text = script_text("apply");
    char line[64];
    assert_non_null(text);
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++) {
        snprintf(line, sizeof(line), "%s = KEYS[%zu]", names[i], i + 1);
        bool is_numbered = i >= KEY_HOURS0 && i < KEY_HELD; /* hours:0 …: found by FIRST_HOURS and FIRST_DAYS */
        const char *at = strstr(text, line);
        assert_int_equal(at != NULL && (at[-1] == ' ' || at[-1] == '{'), !is_numbered);
    }
    snprintf(line, sizeof(line), "= %d, %d, %d, %d\n", SCHEMA_HOUR_SLOTS, SCHEMA_DAY_SLOTS, KEY_HOURS0 + 1,
             KEY_DAYS0 + 1);
    assert_non_null(strstr(script_text("apply"), line));
}

static void buckets_are_those_of_the_schema(void **state)
{
    (void)state;
    char line[128];
    unsigned n = 0;
    FILE *f = fopen(SOURCE_DIR "/tests/unit/hist_buckets.txt", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned long long value;
        unsigned bucket;
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%llu %u", &value, &bucket), 2);
        assert_int_equal(hist_index(value), bucket);
        if (value < 1ull << HIST_MAX_BITS)
            assert_true(hist_upper(bucket) >= value && (bucket == 0 || hist_upper(bucket - 1) < value));
        n++;
    }
    fclose(f);
    assert_true(n > 200);
}

static void says(const char *want, const char *kind, struct span customer, const char *ref, int64_t waited_ms)
{
    char out[REMINDER_TEXT_MAX];
    reminder_text(span_str(kind), customer, span_str(ref), 1000000, 1000000 + waited_ms, out);
    assert_string_equal(out, want);
}

static void reminders_say_who_and_how_long(void **state)
{
    (void)state;
    struct span u = span_str("u1");
    says("提醒：客户 u1 已等待 35 秒，请尽快回复。", "unanswered", u, "", 35999);
    says("提醒：客户 u1 已等待 3 分钟，请尽快回复。", "unanswered", u, "", 180000);
    says("提醒：客户 u1 的投诉 3-17 已有 2 小时 5 分钟没有进展，请告知客户最新情况。", "stale_case", u, "3-17",
         7500000);
    says("提醒：您答应客户 u1 的时间还剩 2 小时，请按时回复。", "commitment", u, "8260000", 60000);
    says("提醒：您答应客户 u1 的时间已到，请立即回复。", "commitment", u, "1060000", 60000);
    says("提醒：客户 已等待 0 秒，请尽快回复。", "unanswered", span_of("\xff\xfe", 2), "", -5);
    says("提醒：客户 已等待 4 天，请尽快回复。", "unanswered", span_of("a\nb", 3), "", 4 * 86400000ll);
}

static void long_names_are_cut_at_a_character(void **state)
{
    (void)state;
    char name[301] = "", out[REMINDER_TEXT_MAX];
    for (int i = 0; i < 100; i++)
        memcpy(name + 3 * i, "王", 3);
    reminder_text(span_str("stale_case"), span_of(name, 300), span_of(name, 300), 0, 1, out);
    const char *dot = strstr(out, "。");
    assert_non_null(dot);
    assert_int_equal(dot[3], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_share_the_shards_tag),         cmocka_unit_test(keys_stand_where_the_scripts_look),
        cmocka_unit_test(buckets_are_those_of_the_schema),   cmocka_unit_test(reminders_say_who_and_how_long),
        cmocka_unit_test(long_names_are_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

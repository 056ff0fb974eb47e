/* The Prometheus text format: escaping, numbers, histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "base/utf8.h"

static void families_and_values(void **state)
{
    (void)state;
    struct buf out = {0};
    const struct metrics_label labels[] = {{"listener", span_str("a\"b\\c\nd")}, {"kind", span_str("\xff好")}};
    metrics_family(&out, "sessions_total", "counter", "Sessions \"opened\"\\\nso far");
    metrics_value(&out, "sessions_total", NULL, 0, 3);
    metrics_value(&out, "sessions_total", labels, 2, 1.5);
    assert_string_equal(buf_cstr(&out),
                        "# HELP chatgate_sessions_total Sessions \"opened\"\\\\\\nso far\n"
                        "# TYPE chatgate_sessions_total counter\n"
                        "chatgate_sessions_total 3\n"
                        "chatgate_sessions_total{listener=\"a\\\"b\\\\c\\nd\",kind=\"\xef\xbf\xbd好\"} 1.5\n");
    buf_fini(&out);
}

static void numbers_are_exact(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"},
                 {-7, "-7"},
                 {9007199254740991.0, "9007199254740991"},
                 {0.25, "0.25"},
                 {1e300, "1e+300"},
                 {__builtin_inf(), "+Inf"},
                 {-__builtin_inf(), "-Inf"},
                 {__builtin_nan(""), "NaN"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};
        char want[100];
        snprintf(want, sizeof(want), "chatgate_x %s\n", cases[i].text);
        metrics_value(&out, "x", NULL, 0, cases[i].v);
        assert_string_equal(buf_cstr(&out), want);
        buf_fini(&out);
    }
}

static void long_labels_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        char text[400] = "xxx";
        size_t n = lead;
        for (; n + 3 < 390; n += 3)
            memcpy(text + n, "好", 3);
        struct buf out = {0};
        const struct metrics_label label = {"l", span_of(text, n)};
        metrics_value(&out, "x", &label, 1, 1);
        assert_true(utf8_is_valid(buf_span(&out)));
        assert_null(strstr(buf_cstr(&out), "\xef\xbf\xbd"));
        assert_in_range(out.len, METRICS_LABEL_MAX + 10, METRICS_LABEL_MAX + 20);
        buf_fini(&out);
    }
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    static struct hist h;
    static const uint64_t bounds[] = {10, 50, 1000};
    for (unsigned v = 1; v <= 60; v++)
        hist_add(&h, v);
    hist_add(&h, 5000);
    struct buf out = {0};
    const struct metrics_label label = {"kind", span_str("a")};
    metrics_histogram(&out, "inspect_seconds", &label, 1, &h, bounds, ARRAY_LEN(bounds), 1e-6);
    assert_string_equal(buf_cstr(&out), "chatgate_inspect_seconds_bucket{kind=\"a\",le=\"1e-05\"} 10\n"
                                        "chatgate_inspect_seconds_bucket{kind=\"a\",le=\"5e-05\"} 50\n"
                                        "chatgate_inspect_seconds_bucket{kind=\"a\",le=\"0.001\"} 60\n"
                                        "chatgate_inspect_seconds_bucket{kind=\"a\",le=\"+Inf\"} 61\n"
                                        "chatgate_inspect_seconds_sum{kind=\"a\"} 0.00683\n"
                                        "chatgate_inspect_seconds_count{kind=\"a\"} 61\n");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_and_values),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(long_labels_are_cut_between_characters),
        cmocka_unit_test(histograms_are_cumulative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

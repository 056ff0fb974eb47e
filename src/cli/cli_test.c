/* chatgate test: the examples that the rules carry. A rule that is off in one preset is tried in another. */
#include "base/map.h"
#include "cli/cli.h"
#include "cli/cli_ruleset.h"
#include "rule/example.h"

struct test {
    struct cli_ruleset rules;
    struct map seen; /* ids of rules that were run */
    struct example_result sum;
    size_t n_rules;
    bool is_quiet;
};

static int test_preset(struct test *x, const char *preset)
{
    x->rules.preset = preset;
    struct ruleset *set = cli_ruleset_load(&x->rules);
    if (!set)
        return CLI_FAILED;
    struct rule_scratch *scratch = rule_scratch_new();
    struct buf out = {0};
    for (size_t i = 0; i < ruleset_count(set); i++) {
        struct span id = span_str(rule_id(ruleset_at(set, i)));
        if (map_get(&x->seen, id))
            continue;
        map_put(&x->seen, id, x);
        x->n_rules++;
        example_run(set, i, scratch, &out, &x->sum);
        fwrite(buf_span(&out).p, 1, out.len, stdout);
        buf_reset(&out);
    }
    buf_fini(&out);
    rule_scratch_free(&scratch);
    ruleset_unref(&set);
    return CLI_OK;
}

int cli_test(int argc, char **argv)
{
    static const char *const presets[] = {"standard", "strict", "lenient"};
    struct test x = {0};
    int rc = CLI_OK;
    for (int i = 1; i < argc && rc == CLI_OK; i++) {
        int took = cli_ruleset_option(&x.rules, argc, argv, &i);
        if (took <= 0)
            rc = took ? cli_usage("test") : cli_unexpected("test", argv[i]);
    }
    const char *only = x.rules.preset;
    for (size_t i = 0; i < ARRAY_LEN(presets) && rc == CLI_OK; i++)
        if (!only || strcmp(only, presets[i]) == 0)
            rc = test_preset(&x, presets[i]);
    if (only && rc == CLI_OK && x.n_rules == 0)
        rc = test_preset(&x, only); /* an unknown preset: the loader says what is allowed */
    map_fini(&x.seen);
    cli_ruleset_fini(&x.rules);
    if (rc != CLI_OK)
        return rc;
    printf("%zu rules, %zu notes\n", x.n_rules, x.sum.n_notes);
    printf("%zu examples, %zu failed\n", x.sum.n, x.sum.n_failed);
    return x.sum.n_failed ? CLI_PROBLEMS : CLI_OK;
}

/* Models of labelled sentences: reading, scoring, training; and the rules that ask them. */
#include "test_rule_help.h"

#include <math.h>

#include "base/utf8.h"
#include "rule/classifier_train.h"

#define MODEL                                                                                                          \
    "# chatgate classifier 1\n# 3 rows\nlabels\tinsult\toff_platform\nscale\t0.5\nbias\t-2\t-3\n"                      \
    "笨\t40\t0\n你笨\t60\t-3\n|你\t4\t0\n00\t0\t50\naa\t1\t0\nxa\t0\t9\n"

static struct classifier *model_of(const char *text)
{
    struct err_list errs = {0};
    struct classifier *c = classifier_read("m.tsv", span_str(text), &errs);
    for (size_t i = 0; i < errs.n; i++)
        print_message("%s\n", errs.line[i]);
    assert_int_equal(errs.n, c ? 0 : 1);
    err_list_fini(&errs);
    return c;
}

static size_t units_of(const char *text, uint32_t *out)
{
    struct span s = span_str(text);
    size_t n = 0;
    for (size_t at = 0; at < s.n; n++)
        at += utf8_decode(s.p + at, s.n - at, &out[n]);
    return n;
}

static float score_of(const struct classifier *c, const char *text, int label)
{
    uint32_t unit[4000];
    float score[CLASSIFIER_LABELS_MAX];
    classifier_score(c, unit, units_of(text, unit), score);
    return score[label];
}

static void near_to(float got, double want)
{
    if (fabs((double)got - want) > 0.001)
        fail_msg("%f, must be %f", (double)got, want);
}

static void scores_are_sums_of_runs(void **state)
{
    (void)state;
    struct classifier *c = model_of(MODEL);
    assert_int_equal(classifier_label(c, "off_platform"), 1);
    assert_int_equal(classifier_label(c, "none"), -1);
    assert_string_equal(classifier_labels(c), "insult, off_platform");
    near_to(score_of(c, "", 0), -2);
    near_to(score_of(c, "好", 0), -2);
    /* 你 笨 |你 你笨 笨| |你笨 你笨|: seven runs */
    near_to(score_of(c, "你笨", 0), -2 + 0.5 * (40 + 60 + 4) / sqrt(7));
    near_to(score_of(c, "你笨", 1), -3 + 0.5 * -3 / sqrt(7));
    /* any two digits are 00: 1 2 |1 12 2| |12 12| */
    near_to(score_of(c, "12", 1), -3 + 0.5 * 50 / sqrt(7));
    classifier_free(&c);
}

static void long_rows_of_letters_are_one_sign(void **state)
{
    (void)state;
    struct classifier *c = model_of(MODEL);
    near_to(score_of(c, "aaaaaaaa", 0), -2 + 0.5 * 7 / sqrt(25)); /* eight of them, seven pairs */
    near_to(score_of(c, "aaaaaaaaa", 0), -2);                     /* nine: a, |a, a|, |a| */
    near_to(score_of(c, "您item12345678", 1), -3);
    classifier_free(&c);
}

static void long_sentences_do_not_overflow(void **state)
{
    (void)state;
    struct classifier *c = model_of(MODEL);
    char text[3 * 3000 + 1] = "";
    for (int i = 0; i < 3000; i++)
        memcpy(text + 3 * i, i % 2 ? "笨" : "你", 3);
    text[9000] = '\0';
    /* 1500 times 笨 and 你笨, once |你; 3n + 1 runs */
    near_to(score_of(c, text, 0), -2 + 0.5 * (1500 * 100 + 4) / sqrt(9001));
    classifier_free(&c);
}

static void heaviest_runs_explain(void **state)
{
    (void)state;
    struct classifier *c = model_of(MODEL);
    uint32_t unit[8];
    struct classifier_run run[2];
    size_t n = classifier_explain(c, unit, units_of("你笨吗", unit), 0, run, 2);
    assert_int_equal(n, 2);
    assert_int_equal(run[0].weight, 60);
    assert_int_equal(run[0].from, 0);
    assert_int_equal(run[0].to, 2);
    assert_int_equal(run[1].weight, 40);
    assert_int_equal(run[1].from, 1);
    assert_int_equal(classifier_explain(c, unit, units_of("你笨吗", unit), 1, run, 2), 0);
    classifier_free(&c);
}

static void bad_models_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "labels\ta\n",
        "# chatgate classifier 2\n",
        "# chatgate classifier 1\n",
        "# chatgate classifier 1\nlabels\tA\nscale\t1\n",
        "# chatgate classifier 1\nlabels\ta\tb\tc\td\te\tf\tg\th\ti\nscale\t1\n",
        "# chatgate classifier 1\nlabels\ta\nscale\t0\n",
        "# chatgate classifier 1\nlabels\ta\nscale\tnan\n",
        "# chatgate classifier 1\nlabels\ta\nscale\n",
        "# chatgate classifier 1\nlabels\ta\nscale\t1\nbias\t1\t2\n",
        "# chatgate classifier 1\nlabels\ta\tb\nscale\t1\n好\t1\n",
        "# chatgate classifier 1\nlabels\ta\nscale\t1\n好\t128\n",
        "# chatgate classifier 1\nlabels\ta\nscale\t1\n好\tx\n",
        "# chatgate classifier 1\nlabels\ta\nscale\t1\n好\n",
        "# chatgate classifier 1\nlabels\ta\nscale\t1\n好人好事\t1\n",
        "# chatgate classifier 1\nlabels\ta\nscale\t1\n好\t1\n好\t2\n",
        "# chatgate classifier 1\nlabels\ta\nscale\t1\n\xff\t1\n",
        "# chatgate classifier 1\nscale\t1\n好\t1\nlabels\ta\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_null(model_of(bad[i]));
}

static const char *const said[][2] = {
    {"你真笨", "insult"}, {"真笨啊你", "insult"},   {"你太笨了", "insult"}, {"笨死了", "insult"},
    {"好的", NULL},       {"您真客气", NULL},       {"明天到货", NULL},     {"真的很抱歉", NULL},
    {"线下给您", "deal"}, {"我们线下交易", "deal"}, {"线下便宜", "deal"},   {"可以线下", "deal"},
    {"你收到了", NULL},   {"太好了", NULL},         {"给您登记了", NULL},   {"可以退货", NULL},
};

static void training_tells_labels_apart(void **state)
{
    (void)state;
    static const char *const label[] = {"insult", "deal"};
    static uint32_t unit[ARRAY_LEN(said)][32];
    struct train_row row[ARRAY_LEN(said)];
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        row[i] = (struct train_row){unit[i], (uint32_t)units_of(said[i][0], unit[i]), -1};
        for (int l = 0; l < 2; l++)
            if (said[i][1] && strcmp(said[i][1], label[l]) == 0)
                row[i].label = l;
    }
    struct train_set set = {row, ARRAY_LEN(said), label, 2};
    struct buf one = {0}, two = {0};
    classifier_train(&set, &one);
    classifier_train(&set, &two);
    assert_string_equal(buf_cstr(&one), buf_cstr(&two));
    struct classifier *c = model_of(buf_cstr(&one));
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        for (int l = 0; l < 2; l++)
            assert_int_equal(score_of(c, said[i][0], l) > 0, row[i].label == l);
    assert_true(score_of(c, "他真笨", 0) > score_of(c, "他真好", 0)); /* never seen */
    struct train_figures f;
    classifier_validate(&set, 4, &f);
    assert_int_equal(f.honest, 8);
    assert_int_equal(f.rows[0], 4);
    assert_int_equal(f.rows[1], 4);
    for (int s = 0; s < TRAIN_SHARES; s++)
        assert_true(f.share[0][s] >= 0 && f.share[0][s] <= 1 && f.percent[0][s] > 0 && f.percent[0][s] < 100);
    classifier_free(&c);
    buf_fini(&one);
    buf_fini(&two);
}

/* ---- rules ---- */

#define EXAMPLES             "    examples: { hit: [ x ], miss: [ y ] }\n"
#define LIKELY(label, least) "    classifier: { model: m, label: " label ", at_least: " least " }\n"

/* A pack beside its model. */
static struct ruleset *load(const char *pack, struct err_list *errs)
{
    struct packs p;
    packs_init(&p);
    packs_write(&p, "p.yaml", pack);
    packs_write(&p, "lists/m.tsv", MODEL);
    struct ruleset *s = packs_load(&p, "standard", errs);
    packs_fini(&p);
    return s;
}

static struct verdict said_to(const struct ruleset *s, const char *text)
{
    return judge(s, DIR_OUTGOING, text);
}

static void rules_ask_what_no_word_hits(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct ruleset *s =
        load("pack: p\nrules:\n"
             "  - id: p.likely\n    title: t\n    action: warn\n    unless: [ 开玩笑 ]\n" LIKELY("insult", "90")
                 EXAMPLES "  - id: p.more\n    title: t\n    action: warn\n" LIKELY("insult", "60") EXAMPLES
             "  - id: p.shadow\n    title: t\n    action: warn\n    mode: shadow\n" LIKELY("insult", "60") EXAMPLES
             "  - id: p.number\n    title: t\n    action: hold\n" LIKELY("off_platform", "60") EXAMPLES
             "  - id: p.word\n    title: t\n    action: warn\n    words: [ 笨蛋 ]\n" EXAMPLES,
             &errs);
    assert_non_null(s);
    struct verdict v = said_to(s, "你好像很笨");
    assert_int_equal(v.action, ACTION_WARN);
    assert_int_equal(v.n_hits, 2); /* the shadow and the one that is furthest above its bound */
    assert_string_equal(rule_id(v.hit[0].rule), "p.shadow");
    assert_string_equal(rule_id(v.hit[1].rule), "p.more");
    v = said_to(s, "你是个笨蛋"); /* a word says it */
    assert_int_equal(v.n_hits, 1);
    assert_string_equal(rule_id(v.hit[0].rule), "p.word");
    v = said_to(s, "您好。你好像很笨。"); /* of the sentence alone */
    assert_int_equal(v.hit[1].from, strlen("您好。"));
    assert_int_equal(v.hit[1].to, strlen("您好。你好像很笨"));
    assert_int_equal(said_to(s, "您真客气").action, ACTION_PASS);
    assert_int_equal(said_to(s, "你笨").action, ACTION_PASS);     /* too short to tell */
    assert_int_equal(said_to(s, "12345678").action, ACTION_PASS); /* not Chinese */
    assert_int_equal(said_to(s, "12345678是不是对吗").action, ACTION_HOLD);
    ruleset_unref(&s);
    err_list_fini(&errs);
}

static void conditions_clear_it(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct ruleset *s = load("pack: p\nrules:\n"
                             "  - id: p.likely\n    title: t\n    action: warn\n    unless: [ 开玩笑 ]\n"
                             "    not_near: [ 我自己 ]\n    skip: [ question ]\n" LIKELY("insult", "60") EXAMPLES,
                             &errs);
    assert_non_null(s);
    assert_int_equal(said_to(s, "你好像很笨").action, ACTION_WARN);
    assert_int_equal(said_to(s, "开玩笑你好笨").action, ACTION_PASS);
    assert_int_equal(said_to(s, "我自己好笨呀").action, ACTION_PASS);
    assert_int_equal(said_to(s, "你好像很笨？").action, ACTION_PASS);
    ruleset_unref(&s);
    err_list_fini(&errs);
}

static void expect_error(const char *pack, const char *want)
{
    struct err_list errs = {0};
    struct ruleset *s = load(pack, &errs);
    assert_null(s);
    assert_true(errs.n > 0);
    if (!strstr(errs.line[0], want))
        fail_msg("%s; must hold \"%s\"", errs.line[0], want);
    err_list_fini(&errs);
}

static void wrong_settings_are_told(void **state)
{
    (void)state;
#define RULE "pack: p\nrules:\n  - id: p.a\n    title: t\n    action: warn\n"
    expect_error(RULE "    classifier: { model: none, label: insult }\n" EXAMPLES, "there is no lists/none.tsv");
    expect_error(RULE "    classifier: { model: ../m, label: insult }\n" EXAMPLES, "there is no lists/../m.tsv");
    expect_error(RULE "    classifier: { model: m, label: rude }\n" EXAMPLES, "the model has insult, off_platform");
    expect_error(RULE "    classifier: { model: m, label: insult, at_least: 100 }\n" EXAMPLES, "at_least");
    expect_error(RULE "    classifier: { model: m }\n" EXAMPLES, "must be { model: NAME");
    expect_error(RULE "    classifier: m\n" EXAMPLES, "must be { model: NAME");
    expect_error(RULE "    classifier: { model: m, label: insult, more: 1 }\n" EXAMPLES, "more");
    expect_error(RULE LIKELY("insult", "90") EXAMPLES "  - id: p.b\n    title: t\n    action: warn\n"
                                                      "    classifier: { model: n, label: insult }\n" EXAMPLES,
                 "\"m\" is in use");
    expect_error(RULE EXAMPLES, "classifier");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_sums_of_runs),
        cmocka_unit_test(long_rows_of_letters_are_one_sign),
        cmocka_unit_test(long_sentences_do_not_overflow),
        cmocka_unit_test(heaviest_runs_explain),
        cmocka_unit_test(bad_models_are_told),
        cmocka_unit_test(training_tells_labels_apart),
        cmocka_unit_test(rules_ask_what_no_word_hits),
        cmocka_unit_test(conditions_clear_it),
        cmocka_unit_test(wrong_settings_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

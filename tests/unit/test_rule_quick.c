/* The quick ways of the rule engine: small random rule sets of few characters, so that everything meets, on random
 * conversations. Each message is judged three times: as usual, with the notes of the messages before it, and by the
 * same rules with every quick way out of use (each rule is looked at for each text, each expression runs on it). */
#include "test_rule_help.h"

#include "rule/judge.h"
#include "rule/model.h"

enum { SETS = 150, CONVERSATIONS = 12, MESSAGES = 6, BEFORE = 3, TEXT_MAX = 200, RULES = 6 };

static uint32_t seed, set_seed;

static uint32_t pick(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

static const char *one_unit(void)
{
    static const char *const unit[] = {"加", "微", "信", "威", "心", "我", "电", "话",
                                       "您", "好", "家", "元", "艾", "壹", "洞", "点"};
    return unit[pick(ARRAY_LEN(unit))];
}

/* --- rule sets --- */

static void add_units(struct buf *out, uint32_t n)
{
    while (n-- > 0)
        buf_append_str(out, one_unit());
}

static void add_word(struct buf *out)
{
    static const char *const odd[] = {"vx", "qq", "kele", "wei", "8", "加V", "4s店", "➕", "100"};
    buf_append_str(out, "\"");
    if (pick(8) == 0)
        buf_append_str(out, odd[pick(ARRAY_LEN(odd))]);
    else
        add_units(out, 1 + pick(3) + (pick(12) == 0 ? 3 : 0));
    buf_append_str(out, "\"");
}

static void add_words(struct buf *out)
{
    static const char *const detector[] = {"phone", "number", "money", "wechat_id"};
    buf_append_str(out, "[ ");
    for (uint32_t n = 1 + pick(4); n > 0; n--) {
        add_word(out);
        buf_append_str(out, n > 1 ? ", " : "");
    }
    if (pick(10) == 0)
        buf_printf(out, ", $%s", detector[pick(ARRAY_LEN(detector))]);
    buf_append_str(out, " ]");
}

static const char *one_same(void)
{
    static const char *const same[] = {"", ", same: clause", ", same: sentence"};
    return same[pick(ARRAY_LEN(same))];
}

static void add_near(struct buf *out)
{
    buf_append_str(out, "    near:\n");
    for (uint32_t n = 1 + pick(2); n > 0; n--) {
        buf_printf(out, "      - { within: %u%s%s, groups: [ ", pick(7), one_same(), pick(2) ? ", ordered: true" : "");
        for (uint32_t groups = 2 + pick(2); groups > 0; groups--) {
            add_words(out);
            buf_append_str(out, groups > 1 ? ", " : "");
        }
        buf_append_str(out, " ] }\n");
    }
}

static void add_regex(struct buf *out)
{
    static const char *const atom[] = {"[0-9]{2,}",    "[a-z]+", "[0-9a-z]", ".{0,3}", "[A-Z0-9]?", "(加|微)",
                                       "(?:我|电话|)", "\\d",    "[^加]",    "(?=好)", "[加家]",    "[洞0-9]"};
    buf_printf(out, "    regex:\n      - { pattern: '");
    for (uint32_t n = 1 + pick(4); n > 0; n--) {
        if (pick(3))
            add_units(out, 1 + pick(2));
        else
            buf_append_str(out, atom[pick(ARRAY_LEN(atom))]);
    }
    buf_printf(out, "', on: %s }\n", pick(3) ? "line" : pick(2) ? "plain" : "raw");
}

static void add_rule(struct buf *out, uint32_t i)
{
    static const char *const homophones[] = {"false", "true", "{ same: 1 }"};
    buf_printf(out, "  - id: quick.r%u\n    title: t\n    action: block\n    examples: { hit: [ a ], miss: [ b ] }\n",
               i);
    buf_printf(out, "    gap: %u\n    punctuation: %s\n    variants: %s\n    homophones: %s\n", pick(4),
               pick(2) ? "true" : "false", pick(2) ? "true" : "false", homophones[pick(ARRAY_LEN(homophones))]);
    if (pick(3))
        buf_printf(out, "    window: { messages: %u, seconds: 60 }\n", 1 + pick(3));
    uint32_t ways = 1 + pick(7);
    if (ways & 1) {
        buf_append_str(out, "    words: ");
        add_words(out);
        buf_append_str(out, "\n");
    }
    if (ways & 2)
        add_near(out);
    if (ways & 4)
        add_regex(out);
    if (pick(3) == 0) {
        buf_append_str(out, "    unless: [ ");
        add_word(out);
        buf_append_str(out, " ]\n");
    }
    if (pick(4) == 0) {
        buf_append_str(out, "    not_near:\n      - { words: [ ");
        add_word(out);
        buf_printf(out, " ], within: %u }\n", 1 + pick(4));
    }
}

static char *random_pack(void)
{
    struct buf b = {0};
    buf_append_str(&b, "pack: quick\ndirection: outgoing\nrules:\n");
    for (uint32_t i = 0; i < RULES; i++)
        add_rule(&b, i);
    char *yaml = xstrdup(buf_cstr(&b));
    buf_fini(&b);
    return yaml;
}

static struct ruleset *load(const char *yaml)
{
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "lists/split.txt", "家 宀豕\n好 女子\n话 讠舌\n");
    packs_write(&p, "lists/lookalike.txt", "微 徵\n信 伩\n电 曰\n话 曰\n");
    packs_write(&p, "lists/emoji.txt", "加 ➕\n信 ❤\n");
    packs_write(&p, "a.yaml", yaml);
    struct ruleset *set = packs_load(&p, NULL, &errs);
    for (size_t i = 0; i < errs.n; i++)
        print_message("%s\n", errs.line[i]);
    if (!set)
        fail_msg("%s", yaml);
    packs_fini(&p);
    return set;
}

/* Every rule is looked at for every text, and every expression runs on it. */
static void slow_down(struct ruleset *set)
{
    struct side *s = &set->side[DIR_OUTGOING];
    s->n_always = 0;
    for (size_t i = 0; i < s->n_rules; i++) {
        struct rule *r = s->rule[i];
        r->is_always = s->gate[i].is_always = true;
        r->regex_always = (1u << r->n_regex) - 1;
        for (unsigned k = 0; k < r->n_regex; k++)
            r->regex[k].kinds = 0;
        for (unsigned k = 0; k < r->n_near; k++)
            r->near[k].need = 0;
        s->always[s->n_always++] = (uint32_t)i;
    }
}

/* --- conversations --- */

static void make_text(char out[TEXT_MAX])
{
    static const char *const odd[] = {"，", "。",   " ",  "138", "00138000", "kele", "a",      "W",  "元",
                                      "￥", "➕",    "1",  "wei", "xin",      "vx",   "?",      "徵", "伩",
                                      "曰", "宀豕", "女", "子",  "讠舌",     "❤",    "\u0301", "qq"};
    size_t n = 0;
    for (uint32_t left = 1 + pick(9); left > 0; left--)
        n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s", pick(5) ? one_unit() : odd[pick(ARRAY_LEN(odd))]);
}

struct talk {
    char text[BEFORE + 1][TEXT_MAX];
    int64_t at_ms[BEFORE + 1];
    struct window_note note[BEFORE + 1];
    size_t n;
    uint32_t number;
};

static int by_hit(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->rule->number != y->rule->number)
        return x->rule->number < y->rule->number ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return x->in_window - y->in_window;
}

static bool is_same(struct verdict *a, struct verdict *b)
{
    if (a->action != b->action || a->has_cause != b->has_cause || a->n_hits != b->n_hits)
        return false;
    qsort(a->hit, a->n_hits, sizeof(a->hit[0]), by_hit);
    qsort(b->hit, b->n_hits, sizeof(b->hit[0]), by_hit);
    for (size_t i = 0; i < a->n_hits; i++)
        if (by_hit(&a->hit[i], &b->hit[i]) != 0)
            return false;
    return true;
}

static void fail_with(const char *yaml, const struct talk *t, const struct verdict *a, const struct verdict *b,
                      const char *how)
{
    fprintf(stderr, "%s\n", yaml); /* longer than a message may be */
    for (size_t i = 0; i <= t->n; i++)
        print_message("%s \"%s\"\n", i < t->n ? "before:" : "now:", t->text[i]);
    for (size_t i = 0; i < a->n_hits; i++)
        print_message("slow: %s %u %u %d\n", rule_id(a->hit[i].rule), a->hit[i].from, a->hit[i].to,
                      a->hit[i].in_window);
    for (size_t i = 0; i < b->n_hits; i++)
        print_message("quick: %s %u %u %d\n", rule_id(b->hit[i].rule), b->hit[i].from, b->hit[i].to,
                      b->hit[i].in_window);
    fail_msg("%s: another verdict than without quick ways (CHATGATE_QUICK_SEED=%u)", how, set_seed);
}

struct pair {
    struct ruleset *quick, *slow;
    struct rule_scratch *scratch;
    const char *yaml;
    size_t hits, in_window, skipped;
};

static void one_message(struct pair *p, struct talk *t)
{
    static struct verdict slow, quick, noted;
    struct rule_input in = {.dir = DIR_OUTGOING,
                            .text = {span_str(t->text[t->n])},
                            .n_texts = 1,
                            .now_ms = t->at_ms[t->n],
                            .n_before = t->n};
    for (size_t i = 0; i < t->n; i++) {
        in.before[i] = span_str(t->text[i]);
        in.before_ms[i] = t->at_ms[i];
    }
    ruleset_judge(p->slow, p->scratch, &in, &slow);
    size_t looks = rule_scratch_joined(p->scratch);
    ruleset_judge(p->quick, p->scratch, &in, &quick);
    looks = rule_scratch_joined(p->scratch) - looks;
    for (size_t i = 0; i < t->n; i++)
        in.before_note[i] = &t->note[i];
    size_t again = rule_scratch_joined(p->scratch);
    ruleset_judge(p->quick, p->scratch, &in, &noted);
    again = rule_scratch_joined(p->scratch) - again;
    t->note[t->n] = noted.note;
    t->note[t->n].number = ++t->number;
    if (!is_same(&slow, &quick))
        fail_with(p->yaml, t, &slow, &quick, "alone");
    if (!is_same(&slow, &noted))
        fail_with(p->yaml, t, &slow, &noted, "with notes");
    p->skipped += looks > again;
    for (size_t i = 0; i < slow.n_hits; i++) {
        p->in_window += slow.hit[i].in_window;
        p->hits++;
    }
}

static void one_conversation(struct pair *p)
{
    static struct talk t;
    int64_t now_ms = test_now;
    t.n = 0;
    for (int m = 0; m < MESSAGES; m++) {
        make_text(t.text[t.n]);
        t.at_ms[t.n] = now_ms += pick(20000);
        one_message(p, &t);
        if (++t.n <= BEFORE)
            continue;
        memmove(t.text[0], t.text[1], sizeof(t.text[0]) * BEFORE);
        memmove(t.at_ms, t.at_ms + 1, sizeof(t.at_ms[0]) * BEFORE);
        memmove(t.note, t.note + 1, sizeof(t.note[0]) * BEFORE);
        t.n = BEFORE;
    }
}

/* Judges two messages, one after the other, by one rule; the second must hit over the border. */
static void hits_over_the_border(const char *rule, const char *first, const char *second)
{
    static struct talk t;
    struct buf b = {0};
    struct pair p = {.scratch = rule_scratch_new()};
    buf_printf(&b,
               "pack: quick\nrules:\n  - id: quick.one\n    title: t\n    action: block\n%s"
               "    window: { messages: 2, seconds: 60 }\n    examples: { hit: [ a ], miss: [ b ] }\n",
               rule);
    p.yaml = buf_cstr(&b);
    p.quick = load(p.yaml);
    p.slow = load(p.yaml);
    slow_down(p.slow);
    t.at_ms[0] = t.at_ms[1] = test_now;
    for (t.n = 0; t.n < 2; t.n++) {
        snprintf(t.text[t.n], sizeof(t.text[t.n]), "%s", t.n ? second : first);
        one_message(&p, &t);
    }
    assert_int_equal(p.in_window, 1);
    ruleset_unref(&p.quick);
    ruleset_unref(&p.slow);
    rule_scratch_free(&p.scratch);
    buf_fini(&b);
}

/* What is left out or swapped right beside the border parts no word that reaches over it. */
static void swaps_beside_the_border(void **state)
{
    (void)state;
    hits_over_the_border("    variants: true\n    words: [ 加微信 ]\n", "我加a微", "信好您");
    hits_over_the_border("    variants: true\n    words: [ 加微信 ]\n", "我加", "微a信好您");
    hits_over_the_border("    variants: true\n    words: [ 加微信号 ]\n", "我加徵", "信号您");
    hits_over_the_border("    variants: true\n    homophones: { same: 1 }\n    words: [ 家威威 ]\n", "我加a微",
                         "威壹我");
}

static void quick_ways_change_nothing(void **state)
{
    (void)state;
    const char *from = getenv("CHATGATE_QUICK_SEED"), *rounds = getenv("CHATGATE_QUICK_SETS"); /* a longer search */
    long n = rounds ? strtol(rounds, NULL, 10) : SETS;
    struct pair p = {.scratch = rule_scratch_new()};
    seed = from ? (uint32_t)strtoul(from, NULL, 10) : 1;
    for (long i = 0; i < n; i++) {
        set_seed = seed;
        char *yaml = random_pack();
        p.yaml = yaml;
        p.quick = load(yaml);
        p.slow = load(yaml);
        slow_down(p.slow);
        for (int k = 0; k < CONVERSATIONS; k++)
            one_conversation(&p);
        ruleset_unref(&p.quick);
        ruleset_unref(&p.slow);
        free(yaml);
    }
    print_message("%zu hits, %zu of them over a border, %zu joined texts skipped\n", p.hits, p.in_window, p.skipped);
    assert_true(p.hits > (size_t)n * 20 && p.in_window > (size_t)n && p.skipped > (size_t)n);
    rule_scratch_free(&p.scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(swaps_beside_the_border),
                                       cmocka_unit_test(quick_ways_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

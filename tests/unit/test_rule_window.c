/* Windows: what is left out because nothing can hit over the border is never missed. Conversations are made of the
 * shipped rules' own words and examples, cut into messages anywhere; each is judged with the notes of the messages
 * before it, which may skip the joined text, and without. */
#include "test_rule_help.h"

#include "base/utf8.h"
#include "rule/judge.h"
#include "rule/model.h"

enum { CONVERSATIONS = 2500, MESSAGES = 6, BEFORE = 3, SENTENCE_MAX = 600 };

static uint32_t seed;

static uint32_t pick(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

static struct ruleset *shipped(void)
{
    const char *path = SOURCE_DIR "/rules";
    struct ruleset_options o = {.pack_paths = &path, .n_pack_paths = 1};
    struct ruleset *set = NULL;
    struct err_list errs = {0};
    assert_int_equal(ruleset_load(&o, &set, &errs), 0);
    err_list_fini(&errs);
    return set;
}

static const struct rule *windowed_rule(const struct side *s)
{
    const struct rule *r;
    do
        r = s->rule[pick((uint32_t)s->n_rules)];
    while (!r->window_messages);
    return r;
}

static const char *one_term(const struct side *s)
{
    const struct rule *r = windowed_rule(s);
    if (!r->n_use)
        return ""; /* numbers alone */
    const struct term *t = &s->term[r->use[pick((uint32_t)r->n_use)].term];
    return t->text ? t->text : "";
}

static const char *one_spelling(const struct side *s)
{
    for (int i = 0; i < 200; i++) {
        const struct term *t = &s->term[pick((uint32_t)s->n_terms)];
        if (t->spelling && t->text)
            return t->text;
    }
    return "";
}

static const char *one_example(const struct side *s)
{
    const struct rule *r = windowed_rule(s);
    return r->n_examples ? r->example[pick((uint32_t)r->n_examples)].text : "";
}

static size_t char_border(struct span s, size_t at)
{
    while (at < s.n && (s.p[at] & 0xc0) == 0x80)
        at++;
    return at;
}

/* 加微微信: cut between the two, it is a word only when they are read as one. */
static void add_doubled_term(const struct side *s, struct buf *out)
{
    const char *term = one_term(s);
    size_t n = strlen(term), from = char_border(span_str(term), n ? pick((uint32_t)n) : 0);
    size_t to = from < n ? char_border(span_str(term), from + 1) : n;
    buf_append(out, term, to);
    buf_append_str(out, term + from);
}

/* What a border can do something to. */
static const char *one_odd(void)
{
    static const char *const odd[] = {"13800138000",
                                      "138",
                                      "0013",
                                      "8000",
                                      "一三八",
                                      "零零一",
                                      "洞洞",
                                      "幺",
                                      "wei",
                                      "xin",
                                      "w",
                                      "e i",
                                      "v",
                                      "x",
                                      "qq",
                                      "1",
                                      "3个",
                                      "第1",
                                      "微6",
                                      "7信",
                                      "ノ",
                                      "ㄨㄟ",
                                      "。",
                                      "，",
                                      " ",
                                      "~",
                                      "😊",
                                      "❤",
                                      "➕",
                                      "🛰",
                                      "微微",
                                      "信信",
                                      "\u0301",
                                      "\u200d",
                                      "壹",
                                      "贰",
                                      "abc@qq",
                                      ".com",
                                      "艾特",
                                      "点",
                                      "100",
                                      "元",
                                      "块",
                                      "￥",
                                      "$",
                                      "五十",
                                      "加",
                                      "我",
                                      "您",
                                      "好的呢",
                                      "请问有什么可以帮您",
                                      "订单号20240110",
                                      "wx_kele2020",
                                      "(",
                                      "（",
                                      "ORD998",
                                      "彳",
                                      "亻言",
                                      "o",
                                      "l"};
    return odd[pick(ARRAY_LEN(odd))];
}

/* Any few characters of ordinary talk. */
static void add_talk(struct buf *out)
{
    static const char talk[] =
        "您好请问有什么可以帮您亲这款衬衫有黑色和白色两种您稍等我帮您查一下库存面料是棉的可以机洗您的订单已经打包好了快"
        "递"
        "一般走顺丰或者圆通请您核对一下收货地址发票会随包裹一起寄出申请提交以后我们会尽快处理退回的包裹请保留好吊牌这款"
        "是"
        "今年秋天的新款身高一米七的话建议拿中码夜里的留言我们第二天会回复给您带来不便实在抱歉充满以后灯会变绿";
    uint32_t chars = (sizeof(talk) - 1) / 3, from = pick(chars - 12);
    buf_append(out, talk + (size_t)3 * from, (size_t)3 * (1 + pick(12)));
}

static void make_sentence(const struct side *s, struct buf *out)
{
    buf_reset(out);
    if (pick(3) == 0) {
        add_talk(out);
        buf_append_str(out, pick(2) ? one_term(s) : "，");
        add_talk(out);
        return;
    }
    for (uint32_t n = 2 + pick(8); n > 0 && out->len < SENTENCE_MAX; n--)
        switch (pick(6)) {
        case 0:
            buf_append_str(out, one_example(s));
            break;
        case 1:
        case 2:
            buf_append_str(out, one_term(s));
            break;
        case 3:
            if (pick(3))
                add_doubled_term(s, out);
            else
                buf_append_str(out, pick(3) ? "" : one_spelling(s));
            break;
        default:
            buf_append_str(out, one_odd());
            break;
        }
}

struct talk {
    char text[BEFORE][SENTENCE_MAX + 300];
    int64_t at_ms[BEFORE];
    struct window_note note[BEFORE];
    size_t n;
    uint32_t number;
};

static void remember(struct talk *t, struct span text, int64_t at_ms, const struct window_note *note)
{
    if (t->n == BEFORE) {
        memmove(t->text[0], t->text[1], sizeof(t->text[0]) * (BEFORE - 1));
        memmove(t->at_ms, t->at_ms + 1, sizeof(t->at_ms[0]) * (BEFORE - 1));
        memmove(t->note, t->note + 1, sizeof(t->note[0]) * (BEFORE - 1));
        t->n--;
    }
    memcpy(t->text[t->n], text.p, text.n);
    t->text[t->n][text.n] = '\0';
    t->at_ms[t->n] = at_ms;
    t->note[t->n] = *note;
    t->note[t->n++].number = ++t->number;
}

static void same_verdict(const struct verdict *a, const struct verdict *b, const struct talk *t, const char *text)
{
    bool is_same = a->action == b->action && a->has_cause == b->has_cause && a->n_hits == b->n_hits &&
                   a->n_edits == b->n_edits && a->n_commits == b->n_commits && a->is_ack_only == b->is_ack_only;
    for (size_t i = 0; i < a->n_hits && is_same; i++)
        is_same = a->hit[i].rule == b->hit[i].rule && a->hit[i].from == b->hit[i].from &&
                  a->hit[i].to == b->hit[i].to && a->hit[i].in_window == b->hit[i].in_window;
    if (is_same)
        return;
    for (size_t i = 0; i < t->n; i++)
        print_message("before: \"%s\"\n", t->text[i]);
    for (size_t i = 0; i < a->n_hits; i++)
        print_message("hit %s %u %u%s\n", rule_id(a->hit[i].rule), a->hit[i].from, a->hit[i].to,
                      a->hit[i].in_window ? " in window" : "");
    fail_msg("\"%s\": %zu hits with the joined text, %zu by the notes (seed %u)", text, a->n_hits, b->n_hits, seed);
}

struct tally {
    size_t judged, skipped, hits;
};

static void one_message(const struct ruleset *set, struct rule_scratch *scratch, struct talk *t, struct span text,
                        int64_t at_ms, struct tally *count)
{
    static struct verdict with, without;
    char line[SENTENCE_MAX + 300];
    snprintf(line, sizeof(line), "%.*s", (int)text.n, (const char *)text.p);
    struct rule_input in = {.dir = DIR_OUTGOING, .text = {text}, .n_texts = 1, .now_ms = at_ms};
    for (in.n_before = 0; in.n_before < t->n; in.n_before++) {
        in.before[in.n_before] = span_str(t->text[in.n_before]);
        in.before_ms[in.n_before] = t->at_ms[in.n_before];
    }
    size_t looks = rule_scratch_joined(scratch);
    ruleset_judge(set, scratch, &in, &without);
    looks = rule_scratch_joined(scratch) - looks;
    for (size_t i = 0; i < t->n; i++)
        in.before_note[i] = &t->note[i];
    size_t again = rule_scratch_joined(scratch);
    ruleset_judge(set, scratch, &in, &with);
    again = rule_scratch_joined(scratch) - again;
    same_verdict(&without, &with, t, line);
    count->judged += looks > 0;
    count->skipped += looks > again;
    for (size_t i = 0; i < without.n_hits; i++)
        count->hits += without.hit[i].in_window;
    static const struct window_note none;
    remember(t, text, at_ms, pick(40) ? &with.note : &none);
}

static void one_conversation(const struct ruleset *set, struct rule_scratch *scratch, struct tally *count)
{
    static struct talk t;
    struct buf b = {0};
    int64_t now_ms = test_now;
    t.n = 0;
    for (int m = 0; m < MESSAGES;) {
        make_sentence(&set->side[DIR_OUTGOING], &b);
        struct span rest = buf_span(&b);
        for (uint32_t parts = 1 + pick(4); rest.n && m<MESSAGES; m++, parts -= parts> 1) {
            size_t n = parts > 1 ? char_border(rest, 1 + pick((uint32_t)rest.n)) : rest.n;
            now_ms += pick(12) ? pick(8000) : 50000;
            one_message(set, scratch, &t, span_of(rest.p, n), now_ms, count);
            rest = span_from(rest, n);
        }
    }
    buf_fini(&b);
}

static void nothing_is_missed(void **state)
{
    (void)state;
    struct ruleset *set = shipped();
    struct rule_scratch *scratch = rule_scratch_new();
    struct tally count = {0};
    const char *rounds = getenv("CHATGATE_WINDOW_ROUNDS"); /* a longer search by hand */
    long n = rounds ? strtol(rounds, NULL, 10) : CONVERSATIONS;
    const char *from = getenv("CHATGATE_WINDOW_SEED");
    seed = from ? (uint32_t)strtoul(from, NULL, 10) : 1;
    for (long i = 0; i < n; i++)
        one_conversation(set, scratch, &count);
    print_message("%zu joined texts, %zu of them skipped, %zu hits over a border\n", count.judged, count.skipped,
                  count.hits);
    assert_true(count.skipped > count.judged / 50 && count.hits > 100);
    rule_scratch_free(&scratch);
    ruleset_unref(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_missed)};
    return cmocka_run_group_tests(tests, NULL, judge_fini);
}

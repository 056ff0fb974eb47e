/* No memory is taken on the message path once the scratch has grown to its work: every message of a mixed set is judged
 * before counting, and again with every allocation of the process counted. */
#include "test_rule_help.h"

static bool is_counting;
static size_t n_taken;

#ifdef __SANITIZE_ADDRESS__

/* As in sanitizer/allocator_interface.h, which not every compiler brings. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
    (void)p, (void)n;
    n_taken += is_counting;
}

static void on_free(const volatile void *p)
{
    (void)p;
}

static void count_from_here(void)
{
    static bool is_installed;
    if (!is_installed)
        assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
    is_installed = true;
    n_taken = 0;
    is_counting = true;
}

#else

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);

void *malloc(size_t n)
{
    n_taken += is_counting;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    n_taken += is_counting;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    n_taken += is_counting;
    return __libc_realloc(p, n);
}

static void count_from_here(void)
{
    n_taken = 0;
    is_counting = true;
}

#endif

#define EXAMPLES "    examples: { hit: [ x ], miss: [ y ] }\n"

static const char yaml[] =
    "pack: p\ndefaults: { variants: true, homophones: true }\nunless: [ 好评中心 ]\n"
    "not_near: { words: [ 请勿, $money ], side: before }\nrules:\n"
    "  - id: p.words\n    title: t\n    action: warn\n    words: [ 微信, 好评, 加💚 ]\n"
    "    window: { messages: 3, seconds: 60 }\n    scope: { shops: [ 'tao*', '!taobao9' ] }\n" EXAMPLES
    "  - id: p.near\n    title: t\n    action: rewrite\n    rewrite: 平台\n    near: { within: 8, groups: [ [ 加, 联系 "
    "], [ "
    "$phone, $wechat_id, 微信 ] ], same: clause }\n    skip: [ question, quoted ]\n" EXAMPLES
    "  - id: p.regex\n    title: t\n    action: warn\n    regex: [ '便宜\\s*\\d+元', { pattern: "
    "'微信(\\p{Han}+|\\d+)*号', on: "
    "plain }, { pattern: '返.{0,20}[0-9]{1,30}元', on: raw } ]\n" EXAMPLES
    "  - id: p.detect\n    title: t\n    action: rewrite\n    detect: [ phone, bank_card, id_card, email, url, "
    "share_code ]\n"
    "    rewrite: { mask: '*', keep: [ 3, 4 ] }\n" EXAMPLES
    "  - id: p.map\n    title: t\n    action: rewrite\n    rewrite: { 最好: 很好, 第一: 前列 }\n" EXAMPLES
    "  - id: p.commit\n    title: t\n    commits: true\n    near: { within: 8, groups: [ [ $time, $soon ], [ 回复, "
    "处理 ] ] "
    "}\n" EXAMPLES;

static const char *const messages[] = {
    "您好，欢迎光临，有什么可以帮您的吗？",
    "加我微信：abc_12345，电话一三八零零一三八零零零",
    "力口我 徵 亻言 聊，好评返现金红包 5 元～",
    "ㄐㄧㄚ我ㄨㄟ ㄒㄧㄣˋ，加微微信信，w3ixin",
    "这款最好，销量第一，请点 https://shop.example/x?id=1 或 a@b.com，卡号6222021234567890128",
    "便宜  50元，微信好号，返您的 100元，明天上午给您处理",
    "加💚聊，请勿加微信，“加微信”，加微信吗？",
    "复制 (KG3FA7EC) 打开，身份证11010519491231002X",
};

static void judge_all(const struct ruleset *s, struct rule_scratch *scratch, struct verdict *v, size_t *n_hits)
{
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct rule_input in = {.dir = DIR_OUTGOING,
                                .text = {span_str(messages[i]), span_str(messages[(i + 1) % ARRAY_LEN(messages)])},
                                .n_texts = 2,
                                .before = {span_str("加我"), span_str("微")},
                                .before_ms = {test_now - 9000, test_now - 5000},
                                .n_before = 2,
                                .now_ms = test_now,
                                .who = {.shop = span_str("taobao1"), .agent = span_str("a")}};
        ruleset_judge(s, scratch, &in, v);
        *n_hits += v->n_hits;
    }
}

static void nothing_is_allocated_per_message(void **state)
{
    (void)state;
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "a.yaml", yaml);
    packs_write(&p, "lists/split.txt", "加 力口\n信 亻言\n微 徽\n薇 徽\n");
    packs_write(&p, "lists/lookalike.txt", "微 徵\n");
    struct ruleset *s = packs_load(&p, NULL, &errs);
    for (size_t i = 0; i < errs.n; i++)
        print_message("%s\n", errs.line[i]);
    assert_non_null(s);
    packs_fini(&p);
    struct rule_scratch *scratch = rule_scratch_new();
    struct verdict *v = xcalloc(1, sizeof(*v));
    size_t first = 0, second = 0;
    judge_all(s, scratch, v, &first);
    count_from_here();
    judge_all(s, scratch, v, &second);
    is_counting = false;
    assert_int_equal(n_taken, 0);
    assert_int_equal(first, second);
    assert_true(first > 20);
    count_from_here();
    free(xmalloc(100)); /* the count works */
    is_counting = false;
    assert_true(n_taken > 0);
    free(v);
    rule_scratch_free(&scratch);
    ruleset_unref(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_allocated_per_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

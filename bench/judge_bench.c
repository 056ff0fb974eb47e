/* Whole verdicts: ruleset_judge with packs as shipped, beside Hyperscan's literals, RE2::Set and a search for the words
 * of the packs' lists (none of which folds, maps, decides or edits); then 200 regular expressions behind their
 * literals, beside Hyperscan and RE2::Set. Usage: judge_bench RULES TEXTS [ROUNDS]; TEXTS holds one message a line. */
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "engines.h"
#include "rule/set.h"

enum { LINES_MAX = 4000, WORDS_MAX = 20000, REGEXES = 200, BYTES_MIN = 18, WORD_BYTES_MIN = 6 };

static struct texts lines, words;

static void read_words(const char *rules)
{
    char dir[500], path[800];
    snprintf(dir, sizeof(dir), "%s/lists", rules);
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strstr(e->d_name, ".txt")) {
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
            texts_read(&words, path, WORDS_MAX, WORD_BYTES_MIN);
        }
    if (d)
        closedir(d);
}

/* ---- our verdicts ---- */

struct own {
    struct ruleset *set;
    struct rule_scratch *scratch;
    struct verdict verdict;
};

static uint64_t run_own(void *ctx, size_t i)
{
    struct own *o = ctx;
    struct rule_input in = {
        .dir = DIR_OUTGOING, .text = {span_of(lines.text[i], lines.bytes[i])}, .n_texts = 1, .now_ms = 1704852000000};
    ruleset_judge(o->set, o->scratch, &in, &o->verdict);
    return o->verdict.action > ACTION_PASS;
}

static struct contender own(const char *name, const char *path)
{
    struct own *o = xcalloc(1, sizeof(*o));
    struct contender c = {.name = name, .run = run_own, .ctx = o};
    struct ruleset_options options = {.pack_paths = &path, .n_pack_paths = 1};
    struct err_list errs = {0};
    uint64_t start = contest_now_ns();
    if (ruleset_load(&options, &o->set, &errs) != 0) {
        for (size_t i = 0; i < errs.n; i++)
            fprintf(stderr, "%s\n", errs.line[i]);
        exit(2);
    }
    c.build_ms = (double)(contest_now_ns() - start) / 1e6;
    o->scratch = rule_scratch_new();
    err_list_fini(&errs);
    return c;
}

/* ---- 200 regular expressions ---- */

/* Twenty constructions over ten nouns, each with a literal that service talk has now and then. */
static void make_patterns(struct texts *patterns)
{
    static const char *const form[] = {
        "加我?(个|下)?%s[0-9a-z]{2,}",
        "%s.{0,6}(转|付|打)[0-9]+元",
        "[0-9]{3,}.{0,4}%s号",
        "%s\\s*[:：]\\s*[a-z0-9_-]{5,}",
        "(可以|能)不?用%s(联系|沟通)",
        "%s(上|里)聊{1,2}",
        "(找|搜|扫).{0,3}%s码",
        "给您?%s?返[0-9一二三]+块",
        "%s(第一|最好|顶级)的?",
        "(绝对|肯定).{0,5}%s退",
        "%s.{0,3}(五星|好评)",
        "不(喜欢|满意).{0,8}%s(包|免)",
        "%s[a-z]{2,4}[0-9]{3}",
        "(假|仿).{0,2}%s(店|家)",
        "[^不]是%s(骗|坑)人",
        "%s\\d+(天|小时)内到",
        "(全网|全国)%s?最低",
        "%s(经理|主管)的?电话",
        "地址.{2,12}%s收",
        "%s(群|圈).{0,4}(进|拉)",
    };
    static const char *const noun[] = {"微信", "电话", "支付宝", "快递", "客服",
                                       "朋友", "银行", "平台",   "商品", "礼品"};
    char text[200];
    for (size_t i = 0; i < REGEXES; i++) {
        const char *at = strstr(form[i % ARRAY_LEN(form)], "%s");
        int head = (int)(at - form[i % ARRAY_LEN(form)]);
        snprintf(text, sizeof(text), "%.*s%s%s", head, form[i % ARRAY_LEN(form)], noun[i / ARRAY_LEN(form)], at + 2);
        texts_add(patterns, text, strlen(text));
    }
}

static bool is_in_texts(const char *word)
{
    for (size_t i = 0; i < lines.n; i++)
        if (strstr(lines.text[i], word))
            return true;
    return false;
}

static bool is_plain(const char *word)
{
    for (; *word; word++)
        if (!(*word & 0x80))
            return false;
    return true;
}

/* A pack with those words of the lists that stand in no text, and with `regexes`. */
static size_t write_pack(const char *path, const struct texts *regexes)
{
    size_t n = 0;
    FILE *f = fopen(path, "we");
    if (!f) {
        perror(path);
        exit(2);
    }
    fprintf(f, "pack: bench\nrules:\n  - id: bench.words\n    title: t\n    action: warn\n"
               "    examples: { hit: [ a ], miss: [ b ] }\n    words:\n");
    for (size_t i = 0; i < words.n; i++)
        if (is_plain(words.text[i]) && !is_in_texts(words.text[i]))
            fprintf(f, "      - %s\n", words.text[i]), n++;
    for (size_t i = 0; i < regexes->n; i++)
        fprintf(f,
                "  - id: bench.r%zu\n    title: t\n    action: warn\n    regex: [ '%s' ]\n    examples: { hit: [ a ], "
                "miss: [ b ] }\n",
                i, regexes->text[i]);
    fclose(f);
    return n;
}

static void compare_regexes(int rounds)
{
    char dir[] = "/tmp/judge-bench-XXXXXX", path[300], without[300];
    struct texts patterns = {0}, none = {0};
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(2);
    }
    snprintf(path, sizeof(path), "%s/bench.yaml", dir);
    snprintf(without, sizeof(without), "%s/without.yaml", dir);
    make_patterns(&patterns);
    size_t n = write_pack(without, &none);
    write_pack(path, &patterns);
    struct contender c[] = {own("fold, words, 200 regexes, verdict", path), own("fold, words, verdict", without),
                            engine_hyperscan(&patterns, false, &lines), engine_re2(&patterns, false, &lines)};
    contest(c, ARRAY_LEN(c), lines.n, rounds);
    printf("200 regular expressions beside %zu words; ratio: the first to this\n", n);
    double added = c[0].hot_ns - c[1].hot_ns, added_cold = c[0].cold_ns - c[1].cold_ns;
    double hs = c[2].hot_ns, hs_cold = c[2].cold_ns;
    contest_print(c, ARRAY_LEN(c));
    printf("  what the expressions add: hot %.0f ns, %.2f of Hyperscan's; cold %.0f ns, %.2f\n", added, added / hs,
           added_cold, added_cold / hs_cold);
    unlink(path);
    unlink(without);
    rmdir(dir);
}

int main(int argc, char **argv)
{
    double chars = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: judge_bench RULES TEXTS [ROUNDS]\n");
        return 2;
    }
    long rounds = argc > 3 ? strtol(argv[3], NULL, 10) : 7;
    texts_read(&lines, argv[2], LINES_MAX, BYTES_MIN);
    read_words(argv[1]);
    if (!lines.n || !words.n) {
        fprintf(stderr, "no texts or no word lists\n");
        return 2;
    }
    for (size_t i = 0; i < lines.n; i++)
        for (const char *p = lines.text[i]; *p; p++)
            chars += ((uint8_t)*p & 0xc0) != 0x80;
    struct contender c[] = {own("fold, all shipped rules, verdict", argv[1]), engine_hyperscan(&words, true, &lines),
                            engine_re2(&words, true, &lines), engine_search(&words, &lines)};
    printf("%zu texts of %.1f characters; %zu rules, %zu words in their lists; medians of %ld rounds\n", lines.n,
           chars / (double)lines.n, ruleset_count(((struct own *)c[0].ctx)->set), words.n, rounds);
    contest(c, ARRAY_LEN(c), lines.n, (int)MIN_OF(rounds, (long)CONTEST_ROUNDS_MAX));
    printf("the shipped packs; ratio: the first to this\n");
    contest_print(c, ARRAY_LEN(c));
    compare_regexes((int)MIN_OF(rounds, (long)CONTEST_ROUNDS_MAX));
    return 0;
}

/* Whole verdicts: ruleset_judge with packs as shipped, hot and with cold caches, beside Hyperscan's literals over the
 * words of the packs' lists and a naive search for them (neither folds, maps, decides or edits); then 200 regular
 * expressions behind their literals, beside Hyperscan. Alternating rounds of one run, medians.
 * Usage: judge_bench RULES TEXTS [ROUNDS]; TEXTS holds one message a line. "cold": 4 MB of other memory is walked
 * before each message. */
#include <dirent.h>
#include <hs.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/set.h"

enum { LINES_MAX = 4000, WORDS_MAX = 20000, REGEXES = 200, COLD_BYTES = 4 << 20, ROUNDS_MAX = 31 };

struct list {
    char **text;
    size_t n, cap;
};

static struct list lines, words;
static uint8_t *cold;
static volatile unsigned sink;
static uint64_t hits;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void list_add(struct list *l, const char *s, size_t n)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 1024;
        l->text = xrealloc(l->text, l->cap * sizeof(*l->text));
    }
    l->text[l->n++] = xmemdup0(s, n);
}

static void read_lines(const char *path, struct list *l, size_t max, size_t min_bytes)
{
    FILE *f = fopen(path, "re");
    char *buf = NULL;
    size_t cap = 0;
    ssize_t got;
    if (!f) {
        perror(path);
        exit(2);
    }
    while (l->n < max && (got = getline(&buf, &cap, f)) > 0) {
        size_t n = strcspn(buf, "\r\n#");
        if (n >= min_bytes && buf[0] != '@' && !memchr(buf, '(', n) && utf8_is_valid(span_of(buf, n)))
            list_add(l, buf, n);
    }
    free(buf);
    fclose(f);
}

static void read_words(const char *rules)
{
    char dir[500], path[800];
    snprintf(dir, sizeof(dir), "%s/lists", rules);
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strstr(e->d_name, ".txt")) {
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
            read_lines(path, &words, WORDS_MAX, 6);
        }
    if (d)
        closedir(d);
}

static int on_hs(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
    (void)id, (void)from, (void)to, (void)flags, (void)arg;
    hits++;
    return 0;
}

static hs_database_t *build_hs(const struct list *l, bool is_literal)
{
    unsigned *flags = xcalloc(l->n, sizeof(*flags)), *ids = xcalloc(l->n, sizeof(*ids));
    size_t *length = xcalloc(l->n, sizeof(*length));
    hs_database_t *db = NULL;
    hs_compile_error_t *error = NULL;
    for (unsigned i = 0; i < l->n; i++) {
        length[i] = strlen(l->text[i]);
        ids[i] = i;
        flags[i] = is_literal ? 0 : HS_FLAG_UTF8 | HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH;
    }
    hs_error_t rc = is_literal ? hs_compile_lit_multi((const char *const *)l->text, flags, ids, length, (unsigned)l->n,
                                                      HS_MODE_BLOCK, NULL, &db, &error)
                               : hs_compile_multi((const char *const *)l->text, flags, ids, (unsigned)l->n,
                                                  HS_MODE_BLOCK, NULL, &db, &error);
    if (rc != HS_SUCCESS) {
        fprintf(stderr, "hyperscan: %s\n", error->message);
        exit(2);
    }
    free(flags), free(ids), free(length);
    return db;
}

static struct ruleset *load(const char *path, double *ms)
{
    struct ruleset_options o = {.pack_paths = &path, .n_pack_paths = 1};
    struct ruleset *set = NULL;
    struct err_list errs = {0};
    uint64_t start = now_ns();
    if (ruleset_load(&o, &set, &errs) != 0) {
        for (size_t i = 0; i < errs.n; i++)
            fprintf(stderr, "%s\n", errs.line[i]);
        exit(2);
    }
    *ms = (double)(now_ns() - start) / 1e6;
    err_list_fini(&errs);
    return set;
}

/* ---- the contenders ---- */

struct contender {
    const char *name;
    const struct ruleset *set;
    struct rule_scratch *scratch;
    const hs_database_t *db;
    hs_scratch_t *hs_scratch;
    double hot[ROUNDS_MAX], cold[ROUNDS_MAX];
};

static void run_one(struct contender *c, const char *text, size_t n)
{
    if (c->set) {
        static struct verdict v;
        struct rule_input in = {.dir = DIR_OUTGOING, .text = {span_of(text, n)}, .n_texts = 1, .now_ms = 1704852000000};
        ruleset_judge(c->set, c->scratch, &in, &v);
        hits += v.action > ACTION_PASS;
    } else if (c->db) {
        (void)hs_scan(c->db, text, (unsigned)n, 0, c->hs_scratch, on_hs, NULL);
    } else {
        for (size_t w = 0; w < words.n; w++)
            hits += memmem(text, n, words.text[w], strlen(words.text[w])) != NULL;
    }
}

static void walk_cold(void)
{
    unsigned sum = 0;
    for (size_t i = 0; i < COLD_BYTES; i += 64)
        sum += cold[i]++;
    sink = sum;
}

/* ns a message */
static double pass(struct contender *c, bool is_cold)
{
    uint64_t spent = 0;
    size_t n = 0;
    for (size_t i = 0; i < lines.n; i += is_cold ? 16 : 1, n++) {
        if (is_cold)
            walk_cold();
        uint64_t start = now_ns();
        run_one(c, lines.text[i], strlen(lines.text[i]));
        spent += now_ns() - start;
    }
    return (double)spent / (double)n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), by_value);
    return v[n / 2];
}

static void compare(struct contender *c, size_t n, int rounds)
{
    uint64_t seen[8] = {0};
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < n; i++) {
            hits = 0;
            c[i].hot[r] = pass(&c[i], false);
            seen[i] = hits;
            c[i].cold[r] = pass(&c[i], true);
        }
    double hot0 = median(c[0].hot, rounds), cold0 = median(c[0].cold, rounds);
    for (size_t i = 0; i < n; i++) {
        double hot = median(c[i].hot, rounds), cold_ns = median(c[i].cold, rounds);
        printf("  %-44s hot %7.0f ns (%8.0f/s)  cold %7.0f ns   first/this %.2f %.2f   %llu hits\n", c[i].name, hot,
               1e9 / hot, cold_ns, hot0 / hot, cold0 / cold_ns, (unsigned long long)seen[i]);
    }
}

static struct contender contender_rules(const char *name, const struct ruleset *set)
{
    return (struct contender){.name = name, .set = set, .scratch = rule_scratch_new()};
}

static struct contender contender_hs(const char *name, hs_database_t *db)
{
    struct contender c = {.name = name, .db = db};
    if (hs_alloc_scratch(db, &c.hs_scratch) != HS_SUCCESS)
        exit(2);
    return c;
}

/* ---- 200 regular expressions ---- */

/* Twenty constructions over ten nouns, each with a literal that service talk has now and then. */
static void write_patterns(const char *path, struct list *patterns)
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
    FILE *f = fopen(path, "we");
    if (!f) {
        perror(path);
        exit(2);
    }
    fprintf(f, "pack: bench\nrules:\n");
    for (size_t i = 0; i < REGEXES; i++) {
        const char *at = strstr(form[i % ARRAY_LEN(form)], "%s");
        int head = (int)(at - form[i % ARRAY_LEN(form)]);
        snprintf(text, sizeof(text), "%.*s%s%s", head, form[i % ARRAY_LEN(form)], noun[i / ARRAY_LEN(form)], at + 2);
        list_add(patterns, text, strlen(text));
        fprintf(f,
                "  - id: bench.r%zu\n    title: t\n    action: warn\n    regex: [ '%s' ]\n    examples: { hit: [ a ], "
                "miss: [ b ] }\n",
                i, text);
    }
    fclose(f);
}

static void write_nothing(const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f)
        exit(2);
    fprintf(
        f, "pack: none\nrules:\n  - id: none.a\n    title: t\n    action: warn\n    words: [ zzzzzz ]\n    examples: { "
           "hit: [ zzzzzz ], miss: [ b ] }\n");
    fclose(f);
}

static void compare_regexes(int rounds)
{
    char dir[] = "/tmp/judge-bench-XXXXXX", path[300], none[300];
    struct list patterns = {0};
    double ms, ms_none;
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(2);
    }
    snprintf(path, sizeof(path), "%s/bench.yaml", dir);
    snprintf(none, sizeof(none), "%s/none.yaml", dir);
    write_patterns(path, &patterns);
    write_nothing(none);
    struct ruleset *set = load(path, &ms), *empty = load(none, &ms_none);
    struct contender c[] = {contender_rules("200 regexes: fold, verdict", set),
                            contender_rules("one word: fold, verdict (subtract this)", empty),
                            contender_hs("200 regexes: Hyperscan", build_hs(&patterns, false))};
    printf("200 regular expressions (loaded in %.0f ms)\n", ms);
    compare(c, ARRAY_LEN(c), rounds);
    unlink(path);
    unlink(none);
    rmdir(dir);
}

int main(int argc, char **argv)
{
    double ms, chars = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: judge_bench RULES TEXTS [ROUNDS]\n");
        return 2;
    }
    long asked = argc > 3 ? strtol(argv[3], NULL, 10) : 7;
    int rounds = (int)MIN_OF(MAX_OF(asked, 1L), (long)ROUNDS_MAX);
    read_lines(argv[2], &lines, LINES_MAX, 18);
    read_words(argv[1]);
    cold = xcalloc(1, COLD_BYTES);
    struct ruleset *set = load(argv[1], &ms);
    for (size_t i = 0; i < lines.n; i++)
        for (const char *p = lines.text[i]; *p; p++)
            chars += ((uint8_t)*p & 0xc0) != 0x80;
    if (!lines.n || !words.n) {
        fprintf(stderr, "no texts or no word lists\n");
        return 2;
    }
    printf("%zu messages of %.1f characters; %zu rules (loaded in %.0f ms), %zu words in their lists; medians of %d "
           "rounds\n",
           lines.n, chars / (double)lines.n, ruleset_count(set), ms, words.n, rounds);
    struct contender c[] = {contender_rules("shipped packs: fold, all rules, verdict", set),
                            contender_hs("words of the lists: Hyperscan literals", build_hs(&words, true)),
                            {.name = "words of the lists: one search each"}};
    compare(c, ARRAY_LEN(c), rounds);
    compare_regexes(rounds);
    return 0;
}

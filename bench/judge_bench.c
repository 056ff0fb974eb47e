/* Whole verdicts: ruleset_judge with packs as shipped, beside Hyperscan's literals, RE2::Set and a search for the words
 * of the packs' lists (none of which folds, maps, decides or edits); then regular expressions behind their literals,
 * beside Hyperscan and RE2::Set; then what asking the classifier adds. Usage: judge_bench RULES TEXTS REGEXES [ROUNDS];
 * one message, one expression a line.
 */
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "engines.h"
#include "rule/set.h"

enum { LINES_MAX = 4000, WORDS_MAX = 20000, REGEXES_MAX = 1000, BYTES_MIN = 18, WORD_BYTES_MIN = 6 };

static struct texts lines, words;

static void read_words(const char *rules)
{
    char dir[500], path[800];
    snprintf(dir, sizeof(dir), "%s/lists", rules);
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strstr(e->d_name, ".txt")) {
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
            texts_read(&words, path, WORDS_MAX, WORD_BYTES_MIN, "@(");
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

/* ---- regular expressions ---- */

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

/* A verdict with a rule by the shipped model, which is asked of every text here, beside one without. */
static void compare_classifier(const char *rules, int rounds)
{
    char dir[] = "/tmp/judge-bench-XXXXXX", path[300], without[300], lists[300], *real = realpath(rules, NULL);
    struct texts none = {0};
    char *target = xasprintf("%s/lists", real ? real : rules);
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(2);
    }
    snprintf(path, sizeof(path), "%s/bench.yaml", dir);
    snprintf(without, sizeof(without), "%s/without.yaml", dir);
    snprintf(lists, sizeof(lists), "%s/lists", dir);
    write_pack(without, &none);
    write_pack(path, &none);
    FILE *f = fopen(path, "ae");
    if (!f || symlink(target, lists) != 0) {
        perror(lists);
        exit(2);
    }
    fprintf(f, "  - id: bench.likely\n    title: t\n    action: warn\n    classifier: { model: likely, label: insult, "
               "at_least: 99 }\n    examples: { hit: [ a ], miss: [ b ] }\n");
    fclose(f);
    struct contender c[] = {own("fold, words, classifier, verdict", path), own("fold, words, verdict", without)};
    contest(c, ARRAY_LEN(c), lines.n, rounds);
    printf("the classifier's model; ratio: the first to this\n");
    contest_print(c, ARRAY_LEN(c));
    printf("  what the classifier adds: hot %.0f ns, cold %.0f ns\n", c[0].hot_ns - c[1].hot_ns,
           c[0].cold_ns - c[1].cold_ns);
    unlink(path), unlink(without), unlink(lists), rmdir(dir);
    free(target), free(real);
}

static void compare_regexes(const char *regexes, int rounds)
{
    char dir[] = "/tmp/judge-bench-XXXXXX", path[300], without[300];
    struct texts patterns = {0}, none = {0};
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(2);
    }
    snprintf(path, sizeof(path), "%s/bench.yaml", dir);
    snprintf(without, sizeof(without), "%s/without.yaml", dir);
    texts_read(&patterns, regexes, REGEXES_MAX, 1, "");
    size_t n = write_pack(without, &none);
    write_pack(path, &patterns);
    struct contender c[] = {own("fold, words, regexes, verdict", path), own("fold, words, verdict", without),
                            engine_hyperscan(&patterns, false, &lines), engine_re2(&patterns, false, &lines)};
    contest(c, ARRAY_LEN(c), lines.n, rounds);
    printf("%zu regular expressions beside %zu words; ratio: the first to this\n", patterns.n, n);
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
    if (argc < 4) {
        fprintf(stderr, "usage: judge_bench RULES TEXTS REGEXES [ROUNDS]\n");
        return 2;
    }
    long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 7;
    texts_read(&lines, argv[2], LINES_MAX, BYTES_MIN, "");
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
    compare_regexes(argv[3], (int)MIN_OF(rounds, (long)CONTEST_ROUNDS_MAX));
    compare_classifier(argv[1], (int)MIN_OF(rounds, (long)CONTEST_ROUNDS_MAX));
    return 0;
}

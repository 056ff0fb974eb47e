/* Word matching: the rules' own filter on code points beside Hyperscan's literals, RE2::Set and a search for each, on
 * the same texts and words. Usage: match_bench TEXTS [ROUNDS]; TEXTS holds one message a line. Words share pieces with
 * the texts, so that prefixes and suffixes are often seen, and words, as in service talk, in few messages of a hundred.
 */
#include "base/map.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "engines.h"
#include "rule/match.h"

enum { LINES_MAX = 50000, BYTES_MIN = 18, WORD_MAX = 6 };

struct line {
    uint32_t *cp;
    uint32_t n;
};

static struct line *line;
static struct texts texts;
static struct map pieces; /* of two to WORD_MAX characters of the texts */
static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % n;
}

/* The texts as code points. */
static void decode_lines(void)
{
    line = xcalloc(texts.n, sizeof(*line));
    for (size_t i = 0; i < texts.n; i++) {
        struct line *l = &line[i];
        uint32_t *cp = xcalloc(texts.bytes[i], sizeof(*cp));
        for (size_t at = 0; at < texts.bytes[i];)
            at += utf8_decode((const uint8_t *)texts.text[i] + at, texts.bytes[i] - at, &cp[l->n++]);
        l->cp = xmalloc(l->n * sizeof(*cp)); /* both forms lie as densely: no side pays for the other's memory */
        memcpy(l->cp, cp, l->n * sizeof(*cp));
        free(cp);
    }
}

static void note_pieces(void)
{
    for (size_t i = 0; i < texts.n; i++)
        for (uint32_t at = 0; at < line[i].n; at++)
            for (uint32_t n = 2; n <= WORD_MAX && at + n <= line[i].n; n++)
                map_put(&pieces, span_of(line[i].cp + at, n * sizeof(uint32_t)), line);
}

static uint32_t draw_unit(void)
{
    const struct line *l = &line[draw((uint32_t)texts.n)];
    return l->cp[draw(l->n)];
}

/* 2 to 6 characters; seven of ten share a piece of 2 to 4 with the texts, somewhere in the word. */
static uint32_t draw_word(uint32_t *unit, bool from_texts)
{
    uint32_t len = from_texts ? 4 + draw(3) : 2 + draw(5), piece = 0, at = 0;
    for (uint32_t k = 0; k < len; k++)
        unit[k] = draw_unit();
    if (from_texts)
        piece = len;
    else if (len > 2 && draw(10) < 7)
        piece = MIN_OF(2 + draw(3), len - 1), at = draw(len - piece + 1);
    const struct line *l = &line[draw((uint32_t)texts.n)];
    if (piece && piece <= l->n)
        memcpy(unit + at, l->cp + draw(l->n - piece + 1), piece * sizeof(*unit));
    return len;
}

/* One word of 500 stands in the texts. Hyperscan reports equal words once, so none is drawn twice. */
static void draw_words(uint32_t (*unit)[WORD_MAX], struct match_word *words, uint32_t n, struct texts *utf8)
{
    struct map known = {0};
    for (uint32_t i = 0; i < n;) {
        bool from_texts = i % 500 == 0;
        uint32_t len = draw_word(unit[i], from_texts);
        struct span word = span_of(unit[i], len * sizeof(uint32_t));
        uint8_t text[WORD_MAX * 4];
        size_t bytes = 0;
        if (!from_texts && map_get(&pieces, word))
            continue;
        if (map_put(&known, word, unit))
            continue;
        for (uint32_t k = 0; k < len; k++)
            bytes += utf8_encode(unit[i][k], text + bytes);
        texts_add(utf8, (const char *)text, bytes);
        words[i] = (struct match_word){unit[i], len, i};
        i++;
    }
    map_fini(&known);
}

static int on_hit(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    (void)id, (void)from, (void)n;
    ++*(uint64_t *)arg;
    return 0;
}

static uint64_t run_own(void *ctx, size_t i)
{
    uint64_t hits = 0;
    (void)match_scan(ctx, line[i].cp, line[i].n, on_hit, &hits);
    return hits;
}

static void free_own(void *ctx)
{
    struct match *m = ctx;
    match_free(&m);
}

static void compare(uint32_t n_words, int rounds)
{
    uint32_t(*unit)[WORD_MAX] = xcalloc(n_words, sizeof(*unit));
    struct match_word *words = xcalloc(n_words, sizeof(*words));
    struct texts utf8 = {0};
    draw_words(unit, words, n_words, &utf8);
    uint64_t start = contest_now_ns();
    struct match *m = match_new(words, n_words);
    struct contender c[] = {{.name = "own filter",
                             .run = run_own,
                             .ctx = m,
                             .free = free_own,
                             .build_ms = (double)(contest_now_ns() - start) / 1e6,
                             .bytes = match_bytes(m)},
                            engine_hyperscan(&utf8, true, &texts),
                            engine_re2(&utf8, true, &texts),
                            engine_search(&utf8, &texts)};
    contest(c, ARRAY_LEN(c), texts.n, rounds);
    printf("%u words; ratio: own filter to this\n", n_words);
    contest_print(c, ARRAY_LEN(c));
    if (c[0].hits != c[1].hits)
        printf("  HITS DIFFER\n");
    texts_fini(&utf8);
    free(unit);
    free(words);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {100, 1000, 10000, 50000};
    if (argc < 2) {
        fprintf(stderr, "usage: match_bench TEXTS [ROUNDS]\n");
        return 2;
    }
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 7;
    texts_read(&texts, argv[1], LINES_MAX, BYTES_MIN, "");
    if (!texts.n) {
        fprintf(stderr, "%s: no texts\n", argv[1]);
        return 2;
    }
    decode_lines();
    note_pieces();
    double chars = 0;
    for (size_t i = 0; i < texts.n; i++)
        chars += line[i].n;
    printf("%zu texts of %.1f characters; medians of %ld rounds\n", texts.n, chars / (double)texts.n, rounds);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        compare(sizes[i], (int)MIN_OF(rounds, (long)CONTEST_ROUNDS_MAX));
    return 0;
}

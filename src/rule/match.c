#include "rule/match.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Keys: words of one unit, of two, and the first three units of longer ones; they differ in their highest bits. A unit
 * has 21 bits (code points end at 0x10ffff, syllables follow), so that a key of three is exact. What a position of the
 * text asks first lies in one block, a cache line that its unit alone chooses:
 *
 *   bits 0-7    the unit is a word (by the unit)
 *   bits 8-511  in pairs (by two units): the lower one, they are a word; the upper one, they begin a longer word
 *
 * Only where a longer word may begin the bitmap of three units is asked. */
enum { PAIR_FIRST = 4, FIRST_UNITS = 5 };
enum { BITS_PER_WORD = 16, BITS_MIN = 1024, UNIT_BITS = 21, BLOCK_WORDS = 8, BLOCK_BITS = 64 * BLOCK_WORDS };

/* Four of them in a cache line. */
struct slot {
    uint64_t key;   /* 0: free */
    uint32_t next;  /* SHORT: 1, it has one word; LONG: bits of the fourth units of its words, all when one has none */
    uint32_t first; /* the place of its words; SHORT with one word: its id */
};

/* Two tables, because the long words are many and seldom met: what is met often stays in the caches. */
enum length { SHORT, LONG };
struct table {
    struct slot *slot;
    uint32_t mask;
};

/* A word. Those of one key stand in the order of their fourth units (0: it has none), so that of many words with one
 * beginning few are looked at. */
struct entry {
    uint32_t fourth : 21;
    uint32_t is_last : 1; /* of its key */
    uint32_t n : 10;
    uint32_t id;
    uint32_t fifth; /* 0: it has none */
    uint32_t rest;  /* the place of its sixth unit among all words' */
};

struct match {
    uint64_t *block, *three;
    uint32_t block_shift, three_shift; /* a hash's upper bits are the place */
    struct table table[2];             /* SHORT: words of one and two units, most of what occurs; LONG: the others */
    struct entry *entry;               /* sorted by key and fourth unit */
    uint32_t *rest;                    /* the words' units from the sixth on */
    size_t n_words, n_rest;
};

static uint64_t key_of(const uint32_t *u, uint32_t n)
{
    if (n == 1)
        return (uint64_t)3 << 62 | u[0];
    if (n == 2)
        return (uint64_t)1 << 63 | (uint64_t)u[0] << UNIT_BITS | u[1];
    return (uint64_t)u[0] << (2 * UNIT_BITS) | (uint64_t)u[1] << UNIT_BITS | u[2];
}

static inline uint32_t spread(uint32_t unit)
{
    return unit * 0x9e3779b1u;
}

static inline uint32_t rotate(uint32_t h, unsigned by)
{
    return h << by | h >> (32 - by);
}

static inline uint32_t join2(uint32_t a, uint32_t b)
{
    return a ^ rotate(b, 7);
}

static inline uint32_t join3(uint32_t two, uint32_t c)
{
    return two ^ rotate(c, 15);
}

static inline uint32_t next_bit(uint32_t unit)
{
    return (uint32_t)1 << (spread(unit) >> 27);
}

static uint32_t slot_hash(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(key >> 32);
}

static uint32_t unit_at(const struct match_word *w, uint32_t i)
{
    return i < w->n ? w->unit[i] : 0;
}

static int by_key(const void *a, const void *b)
{
    const struct match_word *x = a, *y = b;
    uint64_t kx = key_of(x->unit, x->n), ky = key_of(y->unit, y->n);
    if (kx != ky)
        return kx < ky ? -1 : 1;
    if (unit_at(x, 3) != unit_at(y, 3))
        return unit_at(x, 3) < unit_at(y, 3) ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static inline uint64_t *block_at(const struct match *m, uint32_t first)
{
    return m->block + (size_t)(first >> m->block_shift) * BLOCK_WORDS;
}

/* The lower bit of a pair. */
static inline uint32_t pair_at(uint32_t two)
{
    return (two * 0x85ebca6bu >> 24 | PAIR_FIRST) * 2;
}

static inline void set_bit(uint64_t *bits, uint32_t k)
{
    bits[k / 64] |= (uint64_t)1 << (k % 64);
}

/* Zeroed, at a border of cache lines. */
static void *xaligned(size_t bytes)
{
    void *p = aligned_alloc(64, bytes);
    if (!p)
        abort();
    memset(p, 0, bytes);
    return p;
}

static uint32_t log_for(size_t words)
{
    uint32_t log = 10;
    while (((size_t)1 << log) < words * BITS_PER_WORD && log < 28)
        log++;
    return log;
}

static void build_bits(struct match *m, const struct match_word *words)
{
    size_t n_long = 0;
    for (size_t i = 0; i < m->n_words; i++)
        n_long += words[i].n >= 3;
    uint32_t log = log_for(m->n_words), log3 = log_for(n_long);
    m->block_shift = 32 - (log - 9);
    m->three_shift = 32 - log3;
    m->block = xaligned(((size_t)1 << log) / 64 * sizeof(uint64_t));
    m->three = xcalloc(((size_t)1 << log3) / 64, sizeof(uint64_t));
    for (size_t i = 0; i < m->n_words; i++) {
        const struct match_word *w = &words[i];
        uint32_t first = spread(w->unit[0]), two = w->n > 1 ? join2(first, spread(w->unit[1])) : 0;
        uint64_t *block = block_at(m, first);
        if (w->n == 1)
            set_bit(block, first % (2 * PAIR_FIRST));
        else if (w->n == 2)
            set_bit(block, pair_at(two));
        else
            set_bit(block, pair_at(two) + 1);
        if (w->n > 2)
            set_bit(m->three, join3(two, spread(w->unit[2])) >> m->three_shift);
    }
}

static uint64_t word_key(const struct match_word *w)
{
    return key_of(w->unit, w->n);
}

static size_t same_key(const struct match_word *words, size_t n, size_t i)
{
    size_t end = i + 1;
    uint64_t key = word_key(&words[i]);
    while (end < n && word_key(&words[end]) == key)
        end++;
    return end;
}

static enum length length_of(const struct match_word *w)
{
    return w->n <= 2 ? SHORT : LONG;
}

static struct slot make_slot(const struct match_word *words, size_t i, size_t end)
{
    struct slot s = {.key = word_key(&words[i]), .first = (uint32_t)i};
    if (length_of(&words[i]) == SHORT && end == i + 1)
        s.next = 1, s.first = words[i].id;
    for (size_t k = i; length_of(&words[i]) == LONG && k < end; k++)
        s.next |= unit_at(&words[k], 3) ? next_bit(words[k].unit[3]) : UINT32_MAX;
    return s;
}

static void build_slots(struct match *m, const struct match_word *words)
{
    size_t keys[2] = {0};
    for (size_t i = 0; i < m->n_words; i = same_key(words, m->n_words, i))
        keys[length_of(&words[i])]++;
    for (int k = 0; k < 2; k++) {
        size_t cap = 16;
        while (cap < keys[k] * 2)
            cap *= 2;
        m->table[k].slot = xcalloc(cap, sizeof(struct slot));
        m->table[k].mask = (uint32_t)cap - 1;
    }
    for (size_t i = 0, end; i < m->n_words; i = end) {
        struct table *t = &m->table[length_of(&words[i])];
        end = same_key(words, m->n_words, i);
        m->entry[end - 1].is_last = 1;
        uint32_t at = slot_hash(word_key(&words[i])) & t->mask;
        while (t->slot[at].key)
            at = (at + 1) & t->mask;
        t->slot[at] = make_slot(words, i, end);
    }
}

static void build_entries(struct match *m, const struct match_word *words)
{
    for (size_t i = 0; i < m->n_words; i++)
        m->n_rest += words[i].n > FIRST_UNITS ? words[i].n - FIRST_UNITS : 0;
    m->entry = xcalloc(m->n_words + 1, sizeof(*m->entry));
    m->rest = xcalloc(m->n_rest + 1, sizeof(*m->rest));
    uint32_t rest = 0;
    for (size_t i = 0; i < m->n_words; i++) {
        const struct match_word *w = &words[i];
        if (w->n > MATCH_WORD_MAX)
            abort();
        m->entry[i] =
            (struct entry){.fourth = unit_at(w, 3), .n = w->n, .id = w->id, .fifth = unit_at(w, 4), .rest = rest};
        for (uint32_t k = FIRST_UNITS; k < w->n; k++)
            m->rest[rest++] = w->unit[k];
    }
}

struct match *match_new(const struct match_word *words, size_t n)
{
    struct match *m = xcalloc(1, sizeof(*m));
    struct match_word *sorted = xcalloc(n + 1, sizeof(*sorted));
    if (n)
        memcpy(sorted, words, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_key);
    m->n_words = n;
    build_bits(m, sorted);
    build_entries(m, sorted);
    build_slots(m, sorted);
    free(sorted);
    return m;
}

void match_free(struct match **m)
{
    if (!*m)
        return;
    free((*m)->block);
    free((*m)->three);
    free((*m)->table[SHORT].slot);
    free((*m)->table[LONG].slot);
    free((*m)->entry);
    free((*m)->rest);
    free(*m);
    *m = NULL;
}

static inline const struct slot *find_slot(const struct table *t, uint64_t key)
{
    uint32_t at = slot_hash(key) & t->mask;
    while (t->slot[at].key && t->slot[at].key != key)
        at = (at + 1) & t->mask;
    return &t->slot[at];
}

/* The words of one or two units at unit i. */
static inline int report_short(const struct match *m, const uint32_t *unit, uint32_t i, uint32_t n, match_fn fn,
                               void *arg)
{
    const struct slot *s = find_slot(&m->table[SHORT], key_of(unit + i, n));
    if (!s->key)
        return 0;
    if (s->next)
        return fn(arg, s->first, i, n) != 0 ? -1 : 0;
    for (const struct entry *e = m->entry + s->first;; e++) {
        if (fn(arg, e->id, i, n) != 0)
            return -1;
        if (e->is_last)
            return 0;
    }
}

static inline bool is_word_at(const struct match *m, const struct entry *e, const uint32_t *unit, uint32_t left)
{
    if (e->n > left || (e->fifth && e->fifth != unit[4]))
        return false;
    return e->n <= FIRST_UNITS ||
           memcmp(m->rest + e->rest, unit + FIRST_UNITS, (e->n - FIRST_UNITS) * sizeof(*unit)) == 0;
}

/* Longer ones, which begin with this key. */
static int report(const struct match *m, uint64_t key, const uint32_t *unit, uint32_t i, uint32_t n, match_fn fn,
                  void *arg)
{
    const struct slot *s = find_slot(&m->table[LONG], key);
    uint32_t fourth = i + 3 < n ? unit[i + 3] : 0;
    if (!s->key || (s->next != UINT32_MAX && !(fourth && s->next & next_bit(fourth))))
        return 0;
    for (const struct entry *e = m->entry + s->first; e->fourth <= fourth; e++) {
        bool is_hit = !e->fourth || (e->fourth == fourth && is_word_at(m, e, unit + i, n - i));
        if (is_hit && fn(arg, e->id, i, e->n) != 0)
            return -1;
        if (e->is_last)
            break;
    }
    return 0;
}

/* What may begin at a unit. */
enum { ONE = 1, TWO = 2, MORE = 4 };

/* Where something may begin, of the next units: found first, then fetched, then looked at, so that slots which are not
 * in the caches are waited for together. */
enum { STRIDE = 32 };
struct places {
    uint32_t at[STRIDE], n;
    uint64_t key[STRIDE]; /* where MORE may begin */
    uint8_t may[STRIDE];
};

/* No branches: the processor would guess them wrong where words begin, and wait. The tables' places are copied, or each
 * store would make the compiler fetch them again. */
static NOINLINE void find_places(const struct match *m, const uint32_t *unit, uint32_t from, uint32_t to, uint32_t n,
                                 struct places *p)
{
    const uint64_t *blocks = m->block, *three = m->three;
    const uint32_t block_shift = m->block_shift, three_shift = m->three_shift;
    uint32_t a = spread(unit[from]), b = from + 1 < n ? spread(unit[from + 1]) : 0, found = 0;
    for (uint32_t i = from; i < to; i++) {
        uint32_t c = i + 2 < n ? spread(unit[i + 2]) : 0, two = join2(a, b), k = pair_at(two);
        const uint64_t *block = blocks + (size_t)(a >> block_shift) * BLOCK_WORDS;
        uint32_t h = join3(two, c) >> three_shift, has_three = (uint32_t)(three[h / 64] >> (h % 64)) & 1;
        uint32_t one = (uint32_t)(block[0] >> (a % (2 * PAIR_FIRST))) & ONE;
        uint32_t pair = (uint32_t)(block[k / 64] >> (k % 64)) * TWO & (TWO | has_three * MORE);
        p->at[found] = i;
        p->may[found] = (uint8_t)(one | pair);
        found += (one | pair) != 0;
        a = b, b = c;
    }
    p->n = found;
    for (uint32_t k = 0; k < found; k++) {
        if (!(p->may[k] & MORE))
            continue;
        if (p->at[k] + 2 >= n) {
            p->may[k] &= (uint8_t)~MORE;
            continue;
        }
        p->key[k] = key_of(unit + p->at[k], 3);
        __builtin_prefetch(&m->table[LONG].slot[slot_hash(p->key[k]) & m->table[LONG].mask]);
    }
}

int match_scan(const struct match *m, const uint32_t *unit, uint32_t n, match_fn fn, void *arg)
{
    struct places p;
    for (uint32_t from = 0; from < n; from += STRIDE) {
        find_places(m, unit, from, from + STRIDE < n ? from + STRIDE : n, n, &p);
        for (uint32_t k = 0; k < p.n; k++) {
            uint32_t i = p.at[k];
            unsigned may = p.may[k];
            if (may & ONE && report_short(m, unit, i, 1, fn, arg) != 0)
                return -1;
            if (may & TWO && i + 1 < n && report_short(m, unit, i, 2, fn, arg) != 0)
                return -1;
            if (may & MORE && report(m, p.key[k], unit, i, n, fn, arg) != 0)
                return -1;
        }
    }
    return 0;
}

size_t match_bytes(const struct match *m)
{
    size_t bits = ((size_t)1 << (32 - m->block_shift)) * BLOCK_BITS / 8 + ((size_t)1 << (32 - m->three_shift)) / 8;
    return bits + (m->table[SHORT].mask + m->table[LONG].mask + (size_t)2) * sizeof(struct slot) +
           m->n_words * sizeof(struct entry) + m->n_rest * sizeof(*m->rest);
}

#include "rule/match.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Keys: words of one unit, of two, and the first three units of longer ones; they differ in their highest bits. A unit
 * has 21 bits (code points end at 0x10ffff, syllables follow), so that a key of three is exact. A position of the text
 * first asks FILTER_PREFIX (the first two units of any word); only behind it the others are asked. */
enum { BITS_PER_WORD = 16, BITS_MIN = 1024, UNIT_BITS = 21 };
enum filter { FILTER_ONE, FILTER_PREFIX, FILTER_TWO, FILTER_THREE, FILTER_COUNT };

struct slot {
    uint64_t key;      /* 0: free */
    uint64_t next;     /* LONG: bits of the fourth units of its words; all bits when one has no fourth */
    uint32_t first, n; /* SHORT, n 1: the id of its only word; else the place of its words */
};

/* Two tables, because the long words are many and seldom met: what is met often stays in the caches. */
enum length { SHORT, LONG };
struct table {
    struct slot *slot;
    uint32_t mask;
};

struct match {
    uint64_t *bits[FILTER_COUNT];
    uint32_t shift[FILTER_COUNT]; /* a hash's upper bits are the place */
    size_t n_of[FILTER_COUNT];
    struct table table[2];   /* SHORT: words of one and two units, most of what occurs; LONG: the others */
    struct match_word *word; /* sorted by key */
    size_t n_words;
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

static inline uint64_t next_bit(uint32_t unit)
{
    return (uint64_t)1 << (spread(unit) >> 26);
}

static uint32_t slot_hash(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(key >> 32);
}

static int by_key(const void *a, const void *b)
{
    const struct match_word *x = a, *y = b;
    uint64_t kx = key_of(x->unit, x->n), ky = key_of(y->unit, y->n);
    if (kx != ky)
        return kx < ky ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void set_bit(struct match *m, enum filter k, uint32_t h)
{
    h >>= m->shift[k];
    m->bits[k][h / 64] |= (uint64_t)1 << (h % 64);
}

static void build_bits(struct match *m)
{
    for (size_t i = 0; i < m->n_words; i++) {
        uint32_t n = m->word[i].n;
        m->n_of[FILTER_ONE] += n == 1;
        m->n_of[FILTER_PREFIX] += n >= 2;
        m->n_of[FILTER_TWO] += n == 2;
        m->n_of[FILTER_THREE] += n >= 3;
    }
    for (int k = 0; k < FILTER_COUNT; k++) {
        uint32_t bits = BITS_MIN, log = 10;
        while (bits < m->n_of[k] * BITS_PER_WORD && log < 28)
            bits *= 2, log++;
        m->shift[k] = 32 - log;
        m->bits[k] = xcalloc(bits / 64, sizeof(uint64_t));
    }
    for (size_t i = 0; i < m->n_words; i++) {
        const struct match_word *w = &m->word[i];
        uint32_t h = spread(w->unit[0]);
        if (w->n == 1) {
            set_bit(m, FILTER_ONE, h);
            continue;
        }
        h = join2(h, spread(w->unit[1]));
        set_bit(m, FILTER_PREFIX, h);
        if (w->n == 2)
            set_bit(m, FILTER_TWO, h);
        else
            set_bit(m, FILTER_THREE, join3(h, spread(w->unit[2])));
    }
}

static size_t same_key(const struct match *m, size_t i)
{
    size_t end = i + 1;
    uint64_t key = key_of(m->word[i].unit, m->word[i].n);
    while (end < m->n_words && key_of(m->word[end].unit, m->word[end].n) == key)
        end++;
    return end;
}

static enum length length_of(const struct match_word *w)
{
    return w->n <= 2 ? SHORT : LONG;
}

static void build_slots(struct match *m)
{
    size_t keys[2] = {0};
    for (size_t i = 0; i < m->n_words; i = same_key(m, i))
        keys[length_of(&m->word[i])]++;
    for (int k = 0; k < 2; k++) {
        size_t cap = 16;
        while (cap < keys[k] * 2)
            cap *= 2;
        m->table[k].slot = xcalloc(cap, sizeof(struct slot));
        m->table[k].mask = (uint32_t)cap - 1;
    }
    for (size_t i = 0, end; i < m->n_words; i = end) {
        struct table *t = &m->table[length_of(&m->word[i])];
        uint64_t key = key_of(m->word[i].unit, m->word[i].n), next = 0;
        end = same_key(m, i);
        uint32_t at = slot_hash(key) & t->mask;
        while (t->slot[at].key)
            at = (at + 1) & t->mask;
        for (size_t k = i; k < end; k++)
            next |= m->word[k].n > 3 ? next_bit(m->word[k].unit[3]) : UINT64_MAX;
        bool is_id = t == &m->table[SHORT] && end == i + 1;
        t->slot[at] = (struct slot){key, next, is_id ? m->word[i].id : (uint32_t)i, (uint32_t)(end - i)};
    }
}

struct match *match_new(const struct match_word *words, size_t n)
{
    struct match *m = xcalloc(1, sizeof(*m));
    m->word = xcalloc(n ? n : 1, sizeof(*words));
    if (n)
        memcpy(m->word, words, n * sizeof(*words));
    m->n_words = n;
    qsort(m->word, n, sizeof(*words), by_key);
    build_bits(m);
    build_slots(m);
    return m;
}

void match_free(struct match **m)
{
    if (!*m)
        return;
    for (int k = 0; k < FILTER_COUNT; k++)
        free((*m)->bits[k]);
    free((*m)->table[SHORT].slot);
    free((*m)->table[LONG].slot);
    free((*m)->word);
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
static int report_short(const struct match *m, const uint32_t *unit, uint32_t i, uint32_t n, match_fn fn, void *arg)
{
    const struct slot *s = find_slot(&m->table[SHORT], key_of(unit + i, n));
    if (s->key && s->n == 1)
        return fn(arg, s->first, i, n) != 0 ? -1 : 0;
    for (uint32_t k = 0; s->key && k < s->n; k++)
        if (fn(arg, m->word[s->first + k].id, i, n) != 0)
            return -1;
    return 0;
}

/* Longer ones. */
static int report(const struct match *m, const uint32_t *unit, uint32_t i, uint32_t n, match_fn fn, void *arg)
{
    const struct slot *s = find_slot(&m->table[LONG], key_of(unit + i, 3));
    if (!s->key || (s->next != UINT64_MAX && (i + 3 >= n || !(s->next & next_bit(unit[i + 3])))))
        return 0;
    for (uint32_t k = 0; k < s->n; k++) {
        const struct match_word *w = &m->word[s->first + k];
        if (w->n <= n - i && (w->n <= 3 || memcmp(w->unit + 3, unit + i + 3, (w->n - 3) * sizeof(*unit)) == 0) &&
            fn(arg, w->id, i, w->n) != 0)
            return -1;
    }
    return 0;
}

static inline bool has_bit(const struct match *m, enum filter k, uint32_t h)
{
    h >>= m->shift[k];
    return m->bits[k][h / 64] >> (h % 64) & 1;
}

int match_scan(const struct match *m, const uint32_t *unit, uint32_t n, match_fn fn, void *arg)
{
    bool has_one = m->n_of[FILTER_ONE] != 0;
    uint32_t a = n ? spread(unit[0]) : 0, b = 0;
    for (uint32_t i = 0; i < n; i++, a = b) {
        if (has_one && has_bit(m, FILTER_ONE, a) && report_short(m, unit, i, 1, fn, arg) != 0)
            return -1;
        if (i + 1 >= n)
            break;
        b = spread(unit[i + 1]);
        uint32_t two = join2(a, b);
        if (!has_bit(m, FILTER_PREFIX, two))
            continue;
        if (has_bit(m, FILTER_TWO, two) && report_short(m, unit, i, 2, fn, arg) != 0)
            return -1;
        if (i + 2 < n && has_bit(m, FILTER_THREE, join3(two, spread(unit[i + 2]))) &&
            report(m, unit, i, n, fn, arg) != 0)
            return -1;
    }
    return 0;
}

size_t match_bytes(const struct match *m)
{
    size_t bits = 0;
    for (int k = 0; k < FILTER_COUNT; k++)
        bits += ((size_t)1 << (32 - m->shift[k])) / 8;
    return bits + (m->table[SHORT].mask + m->table[LONG].mask + (size_t)2) * sizeof(struct slot) +
           m->n_words * sizeof(struct match_word);
}

#include "rule/match.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Words of one unit, of two, and the first three of longer ones have keys that differ in their highest bits. A unit
 * has 21 bits (code points end at 0x10ffff, syllables follow), so that a key of three is exact. */
enum { BITS_PER_WORD = 16, BITS_MIN = 1024, UNIT_BITS = 21 };

struct slot {
    uint64_t key; /* 0: free */
    uint32_t first, n;
};

struct match {
    uint64_t *bits[3];
    uint32_t mask[3]; /* in bits */
    struct slot *slot;
    uint32_t slot_mask;
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

static uint32_t hash1(uint32_t a)
{
    return (a * 0x9e3779b1u) >> 7;
}

static uint32_t hash2(uint32_t a, uint32_t b)
{
    return (a * 0x9e3779b1u) ^ (b * 0x85ebca6bu);
}

static uint32_t hash3(uint32_t two, uint32_t c)
{
    return (two ^ (c * 0xc2b2ae35u)) * 0x27d4eb2fu;
}

static uint32_t fold_bits(uint32_t h)
{
    return h ^ h >> 15;
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

static void build_bits(struct match *m)
{
    size_t n[3] = {0};
    for (size_t i = 0; i < m->n_words; i++)
        n[MIN_OF(m->word[i].n, 3u) - 1]++;
    for (int k = 0; k < 3; k++) {
        size_t bits = BITS_MIN;
        while (bits < n[k] * BITS_PER_WORD)
            bits *= 2;
        m->mask[k] = (uint32_t)bits - 1;
        m->bits[k] = xcalloc(bits / 64, sizeof(uint64_t));
    }
    for (size_t i = 0; i < m->n_words; i++) {
        const struct match_word *w = &m->word[i];
        uint32_t k = MIN_OF(w->n, 3u) - 1, h = hash1(w->unit[0]);
        if (k >= 1)
            h = hash2(w->unit[0], w->unit[1]);
        if (k == 2)
            h = hash3(h, w->unit[2]);
        h = (k ? fold_bits(h) : h) & m->mask[k];
        m->bits[k][h / 64] |= (uint64_t)1 << (h % 64);
    }
}

static void build_slots(struct match *m)
{
    size_t cap = 16;
    while (cap < m->n_words * 2)
        cap *= 2;
    m->slot = xcalloc(cap, sizeof(*m->slot));
    m->slot_mask = (uint32_t)cap - 1;
    for (size_t i = 0; i < m->n_words;) {
        uint64_t key = key_of(m->word[i].unit, m->word[i].n);
        size_t end = i + 1;
        while (end < m->n_words && key_of(m->word[end].unit, m->word[end].n) == key)
            end++;
        uint32_t at = slot_hash(key) & m->slot_mask;
        while (m->slot[at].key)
            at = (at + 1) & m->slot_mask;
        m->slot[at] = (struct slot){key, (uint32_t)i, (uint32_t)(end - i)};
        i = end;
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
    for (int k = 0; k < 3; k++)
        free((*m)->bits[k]);
    free((*m)->slot);
    free((*m)->word);
    free(*m);
    *m = NULL;
}

static int report(const struct match *m, uint64_t key, const uint32_t *unit, uint32_t i, uint32_t n, match_fn fn,
                  void *arg)
{
    uint32_t at = slot_hash(key) & m->slot_mask;
    while (m->slot[at].key && m->slot[at].key != key)
        at = (at + 1) & m->slot_mask;
    for (uint32_t k = 0; m->slot[at].key && k < m->slot[at].n; k++) {
        const struct match_word *w = &m->word[m->slot[at].first + k];
        if (w->n <= n - i && (w->n <= 3 || memcmp(w->unit + 3, unit + i + 3, (w->n - 3) * sizeof(*unit)) == 0) &&
            fn(arg, w->id, i, w->n) != 0)
            return -1;
    }
    return 0;
}

static inline int has_bit(const struct match *m, int k, uint32_t h)
{
    h &= m->mask[k];
    return (m->bits[k][h / 64] >> (h % 64)) & 1;
}

int match_scan(const struct match *m, const uint32_t *unit, uint32_t n, match_fn fn, void *arg)
{
    for (uint32_t i = 0; i < n; i++) {
        if (has_bit(m, 0, hash1(unit[i])) && report(m, key_of(unit + i, 1), unit, i, n, fn, arg) != 0)
            return -1;
        if (i + 1 >= n)
            continue;
        uint32_t two = hash2(unit[i], unit[i + 1]);
        if (has_bit(m, 1, fold_bits(two)) && report(m, key_of(unit + i, 2), unit, i, n, fn, arg) != 0)
            return -1;
        if (i + 2 < n && has_bit(m, 2, fold_bits(hash3(two, unit[i + 2]))) &&
            report(m, key_of(unit + i, 3), unit, i, n, fn, arg) != 0)
            return -1;
    }
    return 0;
}

size_t match_bytes(const struct match *m)
{
    size_t bits = 0;
    for (int k = 0; k < 3; k++)
        bits += (m->mask[k] + (size_t)1) / 8;
    return bits + (m->slot_mask + (size_t)1) * sizeof(struct slot) + m->n_words * sizeof(struct match_word);
}

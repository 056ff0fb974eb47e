/* Spelled-out pinyin. A piece is a run of letters without a separator; a group is a run of pieces with nothing but
 * separators between them. Each piece is cut into syllables for itself ("jia weixin"); if one of them cannot be, the
 * group is tried as a whole ("w e i x i n"). What cannot be cut to its end stays letters.
 *
 * Of several cuts the best has, first, the fewest syllables that begin with a vowel inside of a piece (written pinyin
 * marks those with an apostrophe: "fangan" is fan gan, "fang'an" is fang an); second, the fewest syllables; third, the
 * longer syllable last. Time per letter is bounded: six look-ups in each of two tries. */
#include "text/state.h"

enum {
    LETTERS_MAX = 24, /* longer pieces and groups are not pinyin */
    COST_SYLLABLE = 1,
    COST_VOWEL = LETTERS_MAX + 1, /* more than any number of syllables */
    COST_NONE = 0xffff,
};

struct cut {
    uint32_t n;
    uint8_t end[LETTERS_MAX];
    uint16_t syllable[LETTERS_MAX];
};

/* The merged arrays are filled only once a syllable has been found: most texts have none. */
struct merge {
    struct fold_scratch *s;
    uint32_t n;    /* units written */
    uint32_t done; /* units of the plain view that they stand for */
};

static inline uint32_t letter_of(uint32_t cp)
{
    return cp == U_DIAERESIS ? 'v' : is_ascii_letter(cp) ? cp : 0;
}

static uint16_t spelled(uint32_t key)
{
    uint32_t slot = fold_spell_slot(key);
    while (fold_spell_key[slot]) {
        if (fold_spell_key[slot] == key)
            return fold_spell_syllable[slot];
        slot = (slot + 1) % FOLD_SPELL_SLOTS;
    }
    return 0;
}

/* Cost of a syllable of `len` letters that begins at letter i; COST_NONE when it must not stand there. */
static uint32_t cost_at(uint32_t first, uint32_t i, uint32_t len)
{
    bool is_vowel = first == 'a' || first == 'e' || first == 'o';
    if (i == 0 || !is_vowel)
        return COST_SYLLABLE;
    return len == 1 ? COST_NONE : COST_SYLLABLE + COST_VOWEL;
}

/* Best ways to each letter border, left to right. False when the end cannot be reached. */
static bool find_ways(const uint32_t *cp, uint32_t n, uint8_t came[], uint16_t syllable[])
{
    uint16_t best[LETTERS_MAX + 1];
    memset(best, 0xff, sizeof(best));
    best[0] = 0;
    for (uint32_t i = 0, reached = 0; i < n && i <= reached; i++) {
        if (best[i] == COST_NONE)
            continue;
        uint32_t first = letter_of(cp[i]);
        for (uint32_t len = 1, key = 0; len <= FOLD_SYLLABLE_LEN && i + len <= n; len++) {
            key = fold_spell_add(key, letter_of(cp[i + len - 1]));
            uint16_t number = spelled(key);
            uint32_t cost = number ? cost_at(first, i, len) : COST_NONE, to = i + len;
            if (cost == COST_NONE || best[i] + cost >= best[to])
                continue;
            best[to] = (uint16_t)(best[i] + cost);
            came[to] = (uint8_t)i;
            syllable[to] = number;
            reached = MAX_OF(reached, to);
        }
    }
    return best[n] != COST_NONE;
}

static bool cut_letters(const uint32_t *cp, uint32_t n, struct cut *out)
{
    uint8_t came[LETTERS_MAX + 1];
    uint16_t syllable[LETTERS_MAX + 1];
    if (n > LETTERS_MAX || !find_ways(cp, n, came, syllable))
        return false;
    out->n = 0;
    for (uint32_t at = n; at; at = came[at])
        out->n++;
    for (uint32_t at = n, k = out->n; at; at = came[at]) {
        out->end[--k] = (uint8_t)at;
        out->syllable[k] = syllable[at];
    }
    return true;
}

static void copy_until(struct merge *m, uint32_t end)
{
    struct fold_scratch *s = m->s;
    size_t n = end - m->done;
    memcpy(s->merged.cp + m->n, s->reading + m->done, n * sizeof(uint32_t));
    memcpy(s->merged.from + m->n, s->from + m->done, n * sizeof(uint32_t));
    memcpy(s->merged.to + m->n, s->to + m->done, n * sizeof(uint32_t));
    memcpy(s->merged.gap + m->n, s->gap + m->done, n);
    m->n += (uint32_t)n;
    m->done = end;
}

static void add_syllables(struct merge *m, uint32_t start, const struct cut *cut)
{
    struct fold_scratch *s = m->s;
    copy_until(m, start);
    for (uint32_t k = 0; k < cut->n; k++) {
        uint32_t end = start + cut->end[k];
        s->merged.cp[m->n] = FOLD_SYLLABLE_BASE + cut->syllable[k];
        s->merged.from[m->n] = s->from[m->done];
        s->merged.to[m->n] = s->to[end - 1];
        s->merged.gap[m->n] = s->gap[m->done];
        m->n++;
        m->done = end;
    }
}

static uint32_t piece_end(const struct fold_scratch *s, uint32_t i, uint32_t end)
{
    for (i++; i < end && s->gap[i] == 0;)
        i++;
    return i;
}

static void read_group(struct merge *m, uint32_t start, uint32_t end)
{
    struct fold_scratch *s = m->s;
    struct cut cut;
    bool is_all = true;
    uint32_t first_end = piece_end(s, start, end);
    if (first_end < end && end - start <= LETTERS_MAX) {
        for (uint32_t i = start, to; i < end && is_all; i = to) {
            to = piece_end(s, i, end);
            is_all = cut_letters(s->plain + i, to - i, &cut);
        }
        if (!is_all && cut_letters(s->plain + start, end - start, &cut)) {
            add_syllables(m, start, &cut);
            return;
        }
    }
    for (uint32_t i = start, to; i < end; i = to) {
        to = piece_end(s, i, end);
        if (cut_letters(s->plain + i, to - i, &cut))
            add_syllables(m, i, &cut);
    }
}

struct view reading_build(struct fold_scratch *s, uint32_t n, bool has_letters)
{
    struct merge m = {.s = s};
    for (uint32_t i = 0, end; has_letters && i < n; i = end) {
        end = i + 1;
        if (!letter_of(s->plain[i]))
            continue;
        while (end < n && letter_of(s->plain[end]))
            end++;
        read_group(&m, i, end);
    }
    if (m.done == 0)
        return (struct view){s->reading, s->from, s->to, s->gap, n};
    copy_until(&m, n);
    return (struct view){s->merged.cp, s->merged.from, s->merged.to, s->merged.gap, m.n};
}

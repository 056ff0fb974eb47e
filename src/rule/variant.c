#include "rule/variant.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/sort.h"
#include "text/bopomofo.h"

enum { LEET_RUN_MAX = 24, LEET_LETTERS_MIN = 2 };

void variant_init(struct variant *v)
{
    v->fold = fold_scratch_new();
}

void variant_fini(struct variant *v)
{
    fold_scratch_free(&v->fold);
    free(v->swap);
    free(v->text);
    free(v->is_swapped);
    free(v->from);
    free(v->to);
}

void variant_add(struct variant *v, const struct swap *s)
{
    if (v->n_swaps == v->swaps_cap) {
        v->swaps_cap = v->swaps_cap ? v->swaps_cap * 2 : 64;
        v->swap = xrealloc(v->swap, v->swaps_cap * sizeof(*v->swap));
    }
    v->swap[v->n_swaps++] = *s;
}

/* ---- swaps that no list names ---- */

static void add_char(struct variant *v, const struct view *p, uint32_t from, uint32_t to, uint32_t cp)
{
    struct swap s = {.bfrom = p->from[from], .bto = p->to[to - 1]};
    s.n = (uint8_t)utf8_encode(cp, s.with);
    variant_add(v, &s);
}

static uint32_t same_run(const struct view *p, uint32_t i)
{
    uint32_t to = i + 1;
    while (to < p->n && p->cp[to] == p->cp[i])
        to++;
    return to - i;
}

/* 微微信信: two or more doubled ideographs in a row; one alone (宝宝, 谢谢) is ordinary. */
static uint32_t add_doubled(struct variant *v, const struct view *p, uint32_t i)
{
    uint32_t end = i, runs = 0;
    for (uint32_t n; end < p->n && p->cp[end] >= 0x3400 && (n = same_run(p, end)) > 1; end += n)
        runs++;
    for (uint32_t k = i, n; runs > 1 && k < end; k += n) {
        n = same_run(p, k);
        add_char(v, p, k, k + n, p->cp[k]);
    }
    return MAX_OF(end, i + 1);
}

static uint32_t letter_for_digit(uint32_t cp)
{
    static const char letters[] = "oi\0eas\0\0\0\0";
    return cp >= '0' && cp <= '9' ? (uint32_t)letters[cp - '0'] : 0;
}

static bool is_letter(uint32_t cp)
{
    return cp >= 'a' && cp <= 'z';
}

/* w3ixin: digits between letters. What is made of them counts only where it is spelled pinyin. */
static uint32_t add_leet(struct variant *v, const struct view *p, uint32_t i)
{
    uint32_t end = i, letters = 0;
    for (; end < p->n && (end == i || p->gap[end] == 0) && (is_letter(p->cp[end]) || letter_for_digit(p->cp[end]));)
        letters += is_letter(p->cp[end++]);
    for (uint32_t k = i + 1; letters >= LEET_LETTERS_MIN && end - i <= LEET_RUN_MAX && k + 1 < end; k++)
        if (letter_for_digit(p->cp[k]) && is_letter(p->cp[k - 1]) && is_letter(p->cp[k + 1]))
            add_char(v, p, k, k + 1, letter_for_digit(p->cp[k]));
    return end;
}

static uint32_t add_bopomofo(struct variant *v, const struct view *p, uint32_t i)
{
    uint32_t end = i + 1;
    while (end < p->n && p->gap[end] == 0 && bopomofo_is(p->cp[end]))
        end++;
    if (end - i < 2)
        return end; /* alone it is a look-alike (ㄧ for 一) or a face (ㄎ) */
    while (i < end) {
        char spelled[BOPOMOFO_LEN + 1];
        uint32_t n = bopomofo_spell(p->cp + i, end - i, spelled);
        struct swap s = {.bfrom = p->from[i], .bto = p->to[i + n - 1]};
        s.n = (uint8_t)strlen(spelled);
        memcpy(s.with, spelled, s.n);
        if (s.n)
            variant_add(v, &s);
        i += n;
    }
    return end;
}

void variant_add_unlisted(struct variant *v, const struct view *p)
{
    for (uint32_t i = 0; i < p->n;) {
        uint32_t cp = p->cp[i];
        if (is_letter(cp))
            i = add_leet(v, p, i);
        else if (cp >= 0x3400 && i + 1 < p->n && p->cp[i + 1] == cp)
            i = add_doubled(v, p, i);
        else if (bopomofo_is(cp))
            i = add_bopomofo(v, p, i);
        else
            i++;
    }
}

/* ---- the text ---- */

static int by_place(const void *a, const void *b)
{
    const struct swap *x = a, *y = b;
    if (x->bfrom != y->bfrom)
        return x->bfrom < y->bfrom ? -1 : 1;
    return x->bto > y->bto ? -1 : x->bto < y->bto;
}

unsigned variant_choose(struct variant *v, const struct side *side)
{
    unsigned ways = v->n_swaps > 0;
    uint32_t n = 0, end = 0;
    sort_in_place(v->swap, v->n_swaps, sizeof(*v->swap), by_place);
    for (uint32_t i = 0; i < v->n_swaps; i++) {
        const struct swap *s = &v->swap[i];
        if (s->bfrom < end)
            continue;
        end = s->bto;
        if (s->spelling)
            ways = MAX_OF(ways, side->spelling[s->spelling - 1].n);
        v->swap[n++] = *s;
    }
    v->n_swaps = n;
    return ways;
}

static void reserve(struct variant *v, size_t n)
{
    if (n <= v->cap)
        return;
    v->cap = (uint32_t)n * 2;
    v->text = xrealloc(v->text, v->cap);
    v->is_swapped = xrealloc(v->is_swapped, v->cap);
    v->from = xrealloc(v->from, v->cap * sizeof(*v->from));
    v->to = xrealloc(v->to, v->cap * sizeof(*v->to));
}

static void put(struct variant *v, uint8_t byte, uint32_t from, uint32_t to, bool is_swapped)
{
    v->text[v->n] = byte;
    v->from[v->n] = from;
    v->to[v->n] = to;
    v->is_swapped[v->n++] = is_swapped;
}

static void put_swap(struct variant *v, const struct side *side, const struct swap *s, unsigned way)
{
    uint8_t listed[4];
    const uint8_t *with = s->with;
    unsigned n = s->n;
    if (s->spelling) {
        const struct spelling *sp = &side->spelling[s->spelling - 1];
        n = utf8_encode(sp->target[MIN_OF(way, sp->n - 1u)], listed);
        with = listed;
    }
    for (unsigned i = 0; i < n; i++)
        put(v, with[i], s->bfrom, s->bto, true);
}

void variant_build(struct variant *v, const struct side *side, const struct folded *line, unsigned way, unsigned want)
{
    size_t k = 0;
    v->n = 0;
    reserve(v, line->line.n + (size_t)v->n_swaps * SWAP_BYTES_MAX);
    for (uint32_t i = 0; i < v->n_swaps; i++) {
        const struct swap *s = &v->swap[i];
        for (; k < line->line.n && line->line_from[k] < s->bfrom; k++)
            put(v, line->line.p[k], line->line_from[k], line->line_to[k], false);
        put_swap(v, side, s, way);
        while (k < line->line.n && line->line_from[k] < s->bto)
            k++;
    }
    for (; k < line->line.n; k++)
        put(v, line->line.p[k], line->line_from[k], line->line_to[k], false);
    while (v->n > FOLD_TEXT_MAX || (v->n && v->n == FOLD_TEXT_MAX && (v->text[v->n - 1] & 0x80)))
        v->n--; /* swaps may have made it longer */
    fold_text(v->fold, span_of(v->text, v->n), want, &v->f);
}

bool variant_has_swap(const struct variant *v, size_t from, size_t to)
{
    return memchr(v->is_swapped + from, 1, to - from) != NULL;
}

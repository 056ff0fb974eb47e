#include "rule/sheet_words.h"

#include "rule/confuse.h"
#include "rule/mark.h"
#include "rule/picture.h"
#include "rule/spelling.h"

/* A word of so many syllables needs one character as written less: chance does not speak that long. */
enum { LONG_READING = 4, MODEL_DIGITS_MAX = 4 };

static void wake_rules(struct sheet *s, uint32_t id)
{
    uint32_t *last = &s->woke_last[id % ARRAY_LEN(s->woke_last)];
    if (*last == id + 1)
        return;
    *last = id + 1;
    const struct term_look *t = &s->side->look[id];
    bool is_window = s->finder == &s->side->window;
    const uint32_t *w = s->side->wakes + t->wake, *lead = w + t->lead_from;
    for (uint32_t i = 0, n = is_window ? t->n_wake_window : t->n_wake; i < n; i++)
        s->mask[w[i] >> WAKE_BIT_LOG] |= (uint64_t)1 << (w[i] % (1u << WAKE_BIT_LOG));
    for (uint32_t i = 0, n = is_window ? t->n_lead_window : t->n_lead; i < n; i++) {
        uint32_t r = lead[i] >> WAKE_BIT_LOG;
        s->woken[r / 64] |= (uint64_t)1 << (r % 64);
    }
}

static bool is_digit(uint32_t cp)
{
    return cp >= '0' && cp <= '9';
}

static bool is_letter(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');
}

static bool same_kind(uint32_t a, uint32_t b)
{
    return (is_digit(a) && is_digit(b)) || (is_letter(a) && is_letter(b));
}

/* vx-300: letters, a dash and at most four digits are the name of a model. */
static COLD bool is_model_name(const struct sheet *s, const struct view *v, uint32_t u)
{
    uint32_t end = u;
    while (end < v->n && is_digit(v->cp[end]) && (end == u || v->gap[end] == 0))
        end++;
    return end > u && end - u <= MODEL_DIGITS_MAX && v->gap[u] == 1 && is_letter(v->cp[u - 1]) &&
           s->text.p[v->to[u - 1]] == '-' && (end == v->n || v->gap[end] != 0 || !is_letter(v->cp[end]));
}

/* Whether a word may begin or end before unit u: not between two letters or two digits. */
static inline bool is_border(const struct view *v, uint32_t u)
{
    return u == 0 || u >= v->n || v->cp[u] > 'z' || v->gap[u] != 0 || !same_kind(v->cp[u - 1], v->cp[u]);
}

/* Fills gap and punctuation of an occurrence; false when no rule could take it. */
static NOINLINE bool measure_gaps(const struct sheet *s, const struct term_look *t, struct occurrence *o)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    for (uint32_t u = o->from + 1; u < o->to; u++) {
        if (!v->gap[u])
            continue;
        o->gap = MAX_OF(o->gap, v->gap[u]);
        if (o->gap > t->gap)
            return false;
        if (!o->has_punctuation)
            o->has_punctuation = detect_has_punctuation(s->text, v->to[u - 1], v->from[u], NULL);
    }
    return !o->has_punctuation || t->has_punctuation;
}

/* Fills gap, punctuation and border of an occurrence at plain units [from, to); false when no rule could take it. */
ALWAYS_INLINE bool measure(const struct sheet *s, const struct term_look *t, struct occurrence *o)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    uint8_t gaps = 0;
    for (uint32_t u = o->from + 1; u < o->to; u++)
        gaps |= v->gap[u];
    if (gaps && !measure_gaps(s, t, o))
        return false;
    if (!o->is_reading) /* those were measured by syllables */
        o->has_border = is_border(v, o->from) && is_border(v, o->to) &&
                        !(o->to > o->from && o->to < v->n && v->gap[o->to] == 1 && is_model_name(s, v, o->to));
    return o->has_border || t->is_loose;
}

/* Where the next occurrence is written; it counts when `keep` follows. */
static inline struct occurrence *next_occurrence(struct sheet *s)
{
    return &s->occ[s->n_occ];
}

static inline int keep(struct sheet *s)
{
    if (s->n_occ == OCCURRENCES_MAX) {
        s->is_cut = true;
        return -1;
    }
    wake_rules(s, s->occ[s->n_occ++].term);
    return 0;
}

/* What is scanned: the text as typed, or its variant. */
struct look {
    struct sheet *s;
    const struct folded *f;
    const struct variant *variant; /* NULL: as typed */
};

/* Places an occurrence that lies at units [first, end) and bytes [from, to) of what is scanned; false when it is
 * nothing new. Most units are the plain view's, whatever is scanned. */
static bool place(const struct look *l, uint32_t first, uint32_t end, uint32_t from, uint32_t to, struct occurrence *o)
{
    const struct view *v = &l->s->plain.view[VIEW_PLAIN];
    o->bfrom = from, o->bto = to;
    if (l->variant) {
        if (!variant_has_swap(l->variant, from, to))
            return false;
        o->is_variant = true;
        o->bfrom = l->variant->from[from];
        o->bto = l->variant->to[to - 1];
    }
    o->from = detect_unit_near(v, o->bfrom, first);
    o->to = detect_unit_near(v, o->bto, end);
    return o->from < o->to || l->variant; /* a sign alone (🛰) lies between two units */
}

static COLD void add_spelling(struct sheet *s, const struct occurrence *o, uint32_t spelling)
{
    variant_add(&s->variant, &(struct swap){.bfrom = o->bfrom, .bto = o->bto, .spelling = spelling});
}

static int on_plain(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    const struct look *l = arg;
    struct sheet *s = l->s;
    const struct view *v = &l->f->view[VIEW_PLAIN];
    const struct term_look *t = &s->side->look[id];
    struct occurrence *o = next_occurrence(s);
    *o = (struct occurrence){
        .term = id, .from = from, .to = from + n, .bfrom = v->from[from], .bto = v->to[from + n - 1]};
    if ((l->variant && !place(l, from, from + n, o->bfrom, o->bto, o)) || !measure(s, t, o))
        return 0;
    if (t->spelling && !l->variant && o->gap <= SPELLING_GAP_MAX && !o->has_punctuation)
        add_spelling(s, o, t->spelling);
    return t->is_used ? keep(s) : 0;
}

/* Whether a reading may begin before unit k: a syllable may, behind another, also where both are spelled in letters. */
static bool is_reading_border(const struct folded *f, uint32_t k)
{
    const struct view *r = &f->view[VIEW_READING], *v = &f->view[VIEW_PLAIN];
    if (k == 0 || k >= r->n || r->gap[k] != 0)
        return true;
    return (r->cp[k - 1] >= FOLD_SYLLABLE_BASE && r->cp[k] >= FOLD_SYLLABLE_BASE) ||
           is_border(v, detect_unit_near(v, r->from[k], k));
}

static inline bool is_written(const uint32_t *cp, const struct term *t)
{
    for (uint32_t k = 0; k < t->n_written; k++)
        if (cp[k] != t->written[k])
            return false;
    return true;
}

static int on_reading(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    const struct look *l = arg;
    struct sheet *s = l->s;
    const struct view *v = &l->f->view[VIEW_PLAIN], *r = &l->f->view[VIEW_READING];
    const struct term *t = &s->side->term[id];
    /* as written, as most are: the plain view has it; where no letters were joined, the units are the same */
    if (r->n == v->n && t->n_written == n && is_written(v->cp + from, t))
        return 0;
    struct occurrence *o = next_occurrence(s);
    *o = (struct occurrence){.term = id, .is_reading = true};
    if (!place(l, from, from + n, r->from[from], r->to[from + n - 1], o))
        return 0;
    uint32_t same = 0, letters = 0;
    for (uint32_t k = 0; k < n && t->n_written == n; k++) {
        uint32_t u = detect_unit_near(v, r->from[from + k], from + k);
        if (u >= v->n)
            return 0;
        if (v->cp[u] == t->written[k])
            same++;
        else if (t->confused && (t->confused != k + 1 || v->cp[u] < 0x3400 || confuse_is_ordinary(s->set, v, u)))
            return 0;
        else if (is_letter(v->cp[u]))
            letters++;
        else if (reading_is_common(s->set, v->cp[u]))
            return 0;
    }
    if (same == n)
        return 0; /* as written: the plain view has it */
    bool is_long = n >= LONG_READING && s->side->term[id].n_written == n;
    o->same = same + letters == n ? 255 : (uint8_t)MIN_OF(same + is_long, 254u);
    o->has_border = is_reading_border(l->f, from) && is_reading_border(l->f, from + n);
    return measure(s, &s->side->look[id], o) ? keep(s) : 0;
}

static bool scan(const struct look *l)
{
    const struct finder *by = l->s->finder;
    const struct view *v = &l->f->view[VIEW_PLAIN], *r = &l->f->view[VIEW_READING];
    return match_scan(by->plain, v->cp, v->n, on_plain, (void *)l) == 0 &&
           (!by->reading || match_scan(by->reading, r->cp, r->n, on_reading, (void *)l) == 0);
}

/* The ways of reading the spellings, the first one last: it stays laid out for the regular expressions. */
static void find_variants(struct sheet *s)
{
    struct variant *v = &s->variant;
    unsigned want = 1u << VIEW_PLAIN | (s->finder->reading ? 1u << VIEW_READING : 0);
    variant_add_unlisted(v, &s->plain.view[VIEW_PLAIN]);
    if (s->has_marks && s->side->n_pictures)
        picture_find(s->side, sheet_more(s), v);
    unsigned ways = variant_ways(v, s->side);
    bool is_whole = true;
    s->has_variants = ways > 0;
    while (ways-- > 0) {
        variant_build(v, s->side, sheet_more(s), ways, want);
        is_whole = is_whole && scan(&(struct look){s, &v->f, v});
    }
}

/* Words with symbols, on the line. */
static void find_line_terms(struct sheet *s)
{
    struct span line = sheet_line(s);
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    for (size_t i = 0; i < s->finder->n_line_terms; i++) {
        const struct term *t = &s->side->term[s->finder->line_term[i]];
        for (size_t at = 0; at + t->text_len <= line.n;) {
            const uint8_t *p = memmem(line.p + at, line.n - at, t->text, t->text_len);
            if (!p)
                break;
            size_t k = (size_t)(p - line.p);
            const struct folded *f = sheet_more(s); /* the same line, with its places */
            struct occurrence *o = next_occurrence(s);
            *o = (struct occurrence){.term = s->finder->line_term[i], .has_border = true};
            o->bfrom = f->line_from[k];
            o->bto = f->line_to[k + t->text_len - 1];
            o->from = detect_unit_at(v, o->bfrom);
            o->to = detect_unit_at(v, o->bto);
            if (keep(s) != 0)
                return;
            at = k + t->text_len;
        }
    }
}

void sheet_find_words(struct sheet *s)
{
    s->variant.n_swaps = 0;
    bool is_whole = scan(&(struct look){s, &s->plain, NULL});
    if (is_whole && s->finder->has_variants)
        find_variants(s);
    if (s->has_marks && s->finder->n_line_terms)
        find_line_terms(s);
}

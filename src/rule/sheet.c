#include "rule/sheet.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/mark.h"

void sheet_init(struct sheet *s)
{
    s->fold = fold_scratch_new();
    s->fold_more = fold_scratch_new();
    s->regex = regex_scratch_new();
}

void sheet_fini(struct sheet *s)
{
    fold_scratch_free(&s->fold);
    fold_scratch_free(&s->fold_more);
    regex_scratch_free(&s->regex);
    free(s->clause);
    free(s->sentence);
    free(s->plain_at);
    free(s->plain_text);
    free(s->mask);
    free(s->mask_epoch);
    free(s->woken);
}

static void reserve(struct sheet *s, uint32_t units, size_t rules)
{
    if (units + 1 > s->units_cap) {
        s->units_cap = (units + 1) * 2;
        s->clause = xrealloc(s->clause, s->units_cap * sizeof(*s->clause));
        s->sentence = xrealloc(s->sentence, s->units_cap * sizeof(*s->sentence));
        s->plain_at = xrealloc(s->plain_at, s->units_cap * sizeof(*s->plain_at));
        s->plain_text = xrealloc(s->plain_text, s->units_cap * (size_t)4);
    }
    if (rules > s->rules_cap) {
        s->mask = xrealloc(s->mask, rules * sizeof(*s->mask));
        s->mask_epoch = xrealloc(s->mask_epoch, rules * sizeof(*s->mask_epoch));
        s->woken = xrealloc(s->woken, rules * sizeof(*s->woken));
        memset(s->mask_epoch, 0, rules * sizeof(*s->mask_epoch));
        s->rules_cap = (uint32_t)rules;
        s->epoch = 0;
    }
}

static void wake_rules(struct sheet *s, const struct term *t)
{
    for (uint32_t i = 0; i < t->n_wake; i++) {
        uint32_t r = t->wake[i].rule;
        if (s->mask_epoch[r] != s->epoch) {
            s->mask_epoch[r] = s->epoch;
            s->mask[r] = 0;
            s->woken[s->n_woken++] = r;
        }
        s->mask[r] |= (uint64_t)1 << t->wake[i].bit;
    }
}

uint64_t sheet_mask(const struct sheet *s, uint32_t rule)
{
    return s->mask_epoch[rule] == s->epoch ? s->mask[rule] : 0;
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

/* Fills gap, punctuation and border of an occurrence at plain units [from, to); false when no rule could take it. */
static bool measure(const struct sheet *s, const struct term *t, struct occurrence *o)
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
    if (o->has_punctuation && !t->has_punctuation)
        return false;
    o->has_border =
        !(o->from < o->to && ((o->from > 0 && v->gap[o->from] == 0 && same_kind(v->cp[o->from - 1], v->cp[o->from])) ||
                              (o->to < v->n && v->gap[o->to] == 0 && same_kind(v->cp[o->to - 1], v->cp[o->to]))));
    return o->has_border || t->is_loose;
}

static int add(struct sheet *s, const struct term *t, const struct occurrence *o)
{
    if (s->n_occ == OCCURRENCES_MAX) {
        s->is_cut = true;
        return -1;
    }
    s->occ[s->n_occ++] = *o;
    wake_rules(s, t);
    return 0;
}

static int on_plain(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    struct sheet *s = arg;
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    struct occurrence o = {
        .term = id, .from = from, .to = from + n, .bfrom = v->from[from], .bto = v->to[from + n - 1]};
    const struct term *t = &s->side->term[id];
    return measure(s, t, &o) ? add(s, t, &o) : 0;
}

static int on_reading(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    struct sheet *s = arg;
    const struct view *v = &s->plain.view[VIEW_PLAIN], *r = &s->plain.view[VIEW_READING];
    const struct term *t = &s->side->term[id];
    struct occurrence o = {.term = id, .bfrom = r->from[from], .bto = r->to[from + n - 1], .is_reading = true};
    o.from = detect_unit_at(v, o.bfrom);
    o.to = detect_unit_at(v, o.bto);
    if (o.from >= o.to)
        return 0;
    uint32_t same = 0, letters = 0;
    for (uint32_t k = 0; k < n && t->n_written == n; k++) {
        uint32_t u = detect_unit_at(v, r->from[from + k]);
        if (u >= v->n)
            return 0;
        if (v->cp[u] == t->written[k])
            same++;
        else if (is_letter(v->cp[u]))
            letters++;
        else if (reading_is_common(s->set, v->cp[u]))
            return 0;
    }
    if (same == n)
        return 0; /* as written: the plain view has it */
    o.same = same + letters == n ? 255 : (uint8_t)MIN_OF(same, 254u);
    return measure(s, t, &o) ? add(s, t, &o) : 0;
}

/* Words with symbols, on the line. */
static void find_line_terms(struct sheet *s)
{
    const struct folded *f = sheet_more(s);
    const struct view *v = &f->view[VIEW_PLAIN];
    for (size_t i = 0; i < s->side->n_line_terms; i++) {
        const struct term *t = &s->side->term[s->side->line_term[i]];
        for (size_t at = 0; at + t->text_len <= f->line.n;) {
            const uint8_t *p = memmem(f->line.p + at, f->line.n - at, t->text, t->text_len);
            if (!p)
                break;
            size_t k = (size_t)(p - f->line.p);
            struct occurrence o = {.term = s->side->line_term[i], .has_border = true};
            o.bfrom = f->line_from[k];
            o.bto = f->line_to[k + t->text_len - 1];
            o.from = detect_unit_at(v, o.bfrom);
            o.to = detect_unit_at(v, o.bto);
            if (add(s, t, &o) != 0)
                return;
            at = k + t->text_len;
        }
    }
}

/* A symbol (emoji, %, +, …) among the separators: only then can a word with a symbol be there. */
static bool has_symbol(struct span text, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t cp = 0;
        unsigned n = utf8_decode(text.p + from, text.n - from, &cp);
        if (!n || !words_is_plain_mark(cp))
            return true;
        from += n;
    }
    return false;
}

static void note_features(struct sheet *s)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    s->has_digits = s->has_letters = s->has_marks = false;
    for (uint32_t i = 0; i < v->n; i++) {
        s->has_letters |= is_letter(v->cp[i]);
        s->has_digits |= is_digit(v->cp[i]);
        if (v->gap[i] && s->side->n_line_terms && !s->has_marks)
            s->has_marks = has_symbol(s->text, i ? v->to[i - 1] : 0, v->from[i]);
    }
    if (s->side->n_line_terms && !s->has_marks)
        s->has_marks = has_symbol(s->text, v->n ? v->to[v->n - 1] : 0, (uint32_t)s->text.n);
}

void sheet_lay(struct sheet *s, const struct ruleset *set, enum direction dir, struct span text, int64_t now_ms)
{
    s->set = set;
    s->side = &set->side[dir];
    s->text = text;
    s->now_ms = now_ms;
    s->has_more = s->has_clauses = s->has_plain_text = s->is_cut = false;
    s->n_occ = s->n_woken = s->detected = 0;
    s->found.n = 0;
    s->found.is_cut = false;
    fold_text(s->fold, text, 1u << VIEW_PLAIN | (s->side->reading ? 1u << VIEW_READING : 0), &s->plain);
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    reserve(s, v->n, s->side->n_rules);
    if (++s->epoch == 0) { /* wrapped */
        memset(s->mask_epoch, 0, s->rules_cap * sizeof(*s->mask_epoch));
        s->epoch = 1;
    }
    note_features(s);
    bool is_whole = match_scan(s->side->plain, v->cp, v->n, on_plain, s) == 0;
    if (is_whole && s->side->reading)
        (void)match_scan(s->side->reading, s->plain.view[VIEW_READING].cp, s->plain.view[VIEW_READING].n, on_reading,
                         s);
    if (s->has_marks && s->side->n_line_terms)
        find_line_terms(s);
}

const struct folded *sheet_more(struct sheet *s)
{
    if (!s->has_more)
        fold_text(s->fold_more, s->text, 1u << VIEW_PLAIN | 1u << VIEW_DIGIT | FOLD_WANT_LINE, &s->more);
    s->has_more = true;
    return &s->more;
}

/* Digits in any form; the digit view knows them. */
static bool may_have_numbers(struct sheet *s)
{
    if (s->has_digits)
        return true;
    const struct view *v = &sheet_more(s)->view[VIEW_DIGIT];
    for (uint32_t i = 0; i < v->n; i++)
        if (is_digit(v->cp[i]) || v->cp[i] == 0x51e0 || v->cp[i] == 0x5341)
            return true;
    return false;
}

void sheet_detect(struct sheet *s, uint32_t kinds)
{
    kinds &= ~s->detected;
    if (!kinds)
        return;
    struct detect_text t = {s->text, &s->plain, s->now_ms};
    if (kinds & DETECT_IS_TIME) {
        detect_times(&t, &s->found);
        s->detected |= DETECT_IS_TIME;
    }
    if (kinds & DETECT_IS_NUMBER) {
        if (may_have_numbers(s)) {
            t.f = sheet_more(s);
            detect_numbers(&t, &s->found);
        }
        s->detected |= DETECT_IS_NUMBER;
    }
    if (kinds & DETECT_IS_ADDRESS) {
        if (s->has_letters) {
            t.f = sheet_more(s);
            detect_addresses(&t, &s->found);
        }
        s->detected |= DETECT_IS_ADDRESS;
    }
}

void sheet_need_clauses(struct sheet *s)
{
    if (s->has_clauses)
        return;
    s->has_clauses = true;
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    uint16_t clause = 0, sentence = 0;
    for (uint32_t u = 0; u < v->n; u++) {
        bool ends = false;
        if (u > 0 && v->gap[u] && detect_has_punctuation(s->text, v->to[u - 1], v->from[u], &ends))
            clause++, sentence = (uint16_t)(sentence + ends);
        s->clause[u] = clause;
        s->sentence[u] = sentence;
    }
    s->clause[v->n] = clause;
    s->sentence[v->n] = sentence;
}

struct span sheet_plain_text(struct sheet *s)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    if (!s->has_plain_text) {
        uint32_t n = 0;
        for (uint32_t u = 0; u < v->n; u++) {
            s->plain_at[u] = n;
            n += utf8_encode(v->cp[u], s->plain_text + n);
        }
        s->plain_at[v->n] = n;
        s->has_plain_text = true;
    }
    return span_of(s->plain_text, s->plain_at[v->n]);
}

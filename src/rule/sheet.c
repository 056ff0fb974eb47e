#include "rule/sheet.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/mark.h"
#include "rule/sheet_words.h"

void sheet_init(struct sheet *s)
{
    s->fold = fold_scratch_new();
    s->fold_more = fold_scratch_new();
    s->regex = regex_scratch_new();
    variant_init(&s->variant);
}

static void plain_text_fini(struct plain_text *t)
{
    free(t->text);
    free(t->from);
    free(t->to);
}

void sheet_fini(struct sheet *s)
{
    fold_scratch_free(&s->fold);
    fold_scratch_free(&s->fold_more);
    regex_scratch_free(&s->regex);
    variant_fini(&s->variant);
    free(s->clause);
    free(s->sentence);
    plain_text_fini(&s->plain_text);
    plain_text_fini(&s->variant_text);
    free(s->mask);
    free(s->woken);
    free(s->awake);
}

static void reserve(struct sheet *s, uint32_t units, size_t rules)
{
    if (units + 1 > s->units_cap) {
        s->units_cap = (units + 1) * 2;
        s->clause = xrealloc(s->clause, s->units_cap * sizeof(*s->clause));
        s->sentence = xrealloc(s->sentence, s->units_cap * sizeof(*s->sentence));
    }
    if (rules > s->rules_cap) {
        s->mask = xrealloc(s->mask, rules * sizeof(*s->mask));
        s->woken = xrealloc(s->woken, sheet_woken_words(rules) * sizeof(*s->woken));
        s->awake = xrealloc(s->awake, rules * sizeof(*s->awake));
        s->rules_cap = (uint32_t)rules;
    }
    memset(s->mask, 0, rules * sizeof(*s->mask));
    memset(s->woken, 0, sheet_woken_words(rules) * sizeof(*s->woken));
}

uint64_t sheet_mask(const struct sheet *s, uint32_t rule)
{
    return s->mask[rule];
}

static bool is_digit(uint32_t cp)
{
    return cp >= '0' && cp <= '9';
}

static bool is_letter(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');
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
    const struct view v = s->plain.view[VIEW_PLAIN];
    bool has_letters = false, has_digits = false, has_marks = false;
    for (uint32_t i = 0; i < v.n; i++)
        if (v.cp[i] <= 'z') {
            has_letters |= is_letter(v.cp[i]);
            has_digits |= is_digit(v.cp[i]);
        }
    if (s->finder->n_line_terms || s->side->n_pictures) {
        for (uint32_t i = 0; i < v.n && !has_marks; i++)
            has_marks = v.gap[i] && has_symbol(s->text, i ? v.to[i - 1] : 0, v.from[i]);
        has_marks = has_marks || has_symbol(s->text, v.n ? v.to[v.n - 1] : 0, (uint32_t)s->text.n);
    }
    s->has_letters = has_letters;
    s->has_digits = has_digits;
    s->has_marks = has_marks;
}

void sheet_lay(struct sheet *s, const struct ruleset *set, enum direction dir, struct span text, int64_t now_ms,
               bool is_window)
{
    s->set = set;
    s->side = &set->side[dir];
    s->finder = is_window ? &s->side->window : &s->side->all;
    s->text = text;
    s->now_ms = now_ms;
    s->has_line = s->has_more = s->has_clauses = s->has_plain_text = s->has_variant_text = s->has_variants = s->is_cut =
        false;
    s->n_occ = s->detected = s->n_parts = 0;
    memset(s->woke_last, 0, sizeof(s->woke_last));
    s->found.n = 0;
    s->found.is_cut = false;
    fold_text(s->fold, text, 1u << VIEW_PLAIN | 1u << VIEW_DIGIT | (s->finder->reading ? 1u << VIEW_READING : 0),
              &s->plain);
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    reserve(s, v->n, s->side->n_rules);
    note_features(s);
    sheet_find_words(s);
}

const struct folded *sheet_more(struct sheet *s)
{
    if (!s->has_more)
        fold_text(s->fold_more, s->text, 1u << VIEW_PLAIN | FOLD_WANT_LINE, &s->more);
    s->has_more = true;
    return &s->more;
}

struct span sheet_line(struct sheet *s)
{
    if (s->has_more)
        return s->more.line;
    if (!s->has_line)
        s->line = fold_line(s->fold_more, s->text);
    s->has_line = true;
    return s->line;
}

/* Digits in any form; the digit view knows them. */
static bool may_have_numbers(const struct sheet *s)
{
    if (s->has_digits)
        return true;
    const struct view *v = &s->plain.view[VIEW_DIGIT];
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
    struct detect_text t = {s->text, &s->plain, s->now_ms, s->calendar};
    if (kinds & DETECT_IS_TIME) {
        detect_times(&t, &s->found);
        s->detected |= DETECT_IS_TIME;
    }
    if (kinds & DETECT_IS_NUMBER) {
        if (may_have_numbers(s))
            detect_numbers(&t, &s->found);
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

enum border { BORDER_NONE, BORDER_CLAUSE, BORDER_SENTENCE };

/* Units from `u` to the next border. */
static uint32_t part_length(const uint16_t *border, uint32_t u, uint32_t n)
{
    uint32_t to = u + 1;
    while (to < n && border[to] == BORDER_NONE)
        to++;
    return to - u;
}

/* 加。我。微。信, one character a line: marks between pieces so short part nothing. */
static void drop_borders(uint16_t *border, uint32_t n)
{
    for (uint32_t u = 0, to = 0, before = 0; u < n; u = to) {
        uint32_t here = part_length(border, u, n);
        to = u + here;
        if (u > 0 && here + before <= SHORT_PARTS)
            border[u] = BORDER_NONE;
        before = here;
    }
}

/* Between two long texts a sentence ends: who cuts one to hide it leaves a short part. */
static void end_long_parts(struct sheet *s)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    for (uint32_t k = 1, at = 0, before = 0, to; k <= s->n_parts; k++, at = to) {
        to = k < s->n_parts ? detect_unit_at(v, s->part_from[k]) : v->n;
        if (before >= LONG_PART && to - at >= LONG_PART)
            s->clause[at] = BORDER_SENTENCE;
        before = to - at;
    }
}

void sheet_need_clauses(struct sheet *s)
{
    if (s->has_clauses)
        return;
    s->has_clauses = true;
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    uint16_t clause = 0, sentence = 0;
    bool has_borders = false;
    for (uint32_t u = 0; u < v->n; u++) {
        bool ends = false,
             is_one = u > 0 && v->gap[u] && detect_has_punctuation(s->text, v->to[u - 1], v->from[u], &ends);
        s->clause[u] = is_one ? ends ? BORDER_SENTENCE : BORDER_CLAUSE : BORDER_NONE;
        has_borders |= is_one;
    }
    if (has_borders)
        drop_borders(s->clause, v->n);
    end_long_parts(s);
    for (uint32_t u = 0; u < v->n; u++) {
        sentence = (uint16_t)(sentence + (s->clause[u] == BORDER_SENTENCE));
        clause = (uint16_t)(clause + (s->clause[u] != BORDER_NONE));
        s->clause[u] = clause;
        s->sentence[u] = sentence;
    }
    s->clause[v->n] = clause;
    s->sentence[v->n] = sentence;
}

static void write_plain(struct plain_text *t, const struct view *v)
{
    if (v->n * 4 > t->cap) {
        t->cap = v->n * 8;
        t->text = xrealloc(t->text, t->cap);
        t->from = xrealloc(t->from, t->cap * sizeof(*t->from));
        t->to = xrealloc(t->to, t->cap * sizeof(*t->to));
    }
    t->n = 0;
    for (uint32_t u = 0; u < v->n; u++) {
        uint32_t end = t->n + utf8_encode(v->cp[u], t->text + t->n);
        for (; t->n < end; t->n++)
            t->from[t->n] = v->from[u], t->to[t->n] = v->to[u];
    }
}

struct regex_text sheet_regex_text(struct sheet *s, enum regex_on on, bool of_variant)
{
    const struct variant *v = of_variant ? &s->variant : NULL;
    if (on == ON_RAW)
        return (struct regex_text){.text = s->text};
    if (on == ON_LINE && of_variant)
        return (struct regex_text){span_of(v->text, v->n), v->from, v->to, v, false, false};
    if (on == ON_LINE)
        return (struct regex_text){.text = sheet_line(s), .is_line = true};
    struct plain_text *t = of_variant ? &s->variant_text : &s->plain_text;
    bool *has = of_variant ? &s->has_variant_text : &s->has_plain_text;
    if (!*has)
        write_plain(t, of_variant ? &v->f.view[VIEW_PLAIN] : &s->plain.view[VIEW_PLAIN]);
    *has = true;
    return (struct regex_text){span_of(t->text, t->n), t->from, t->to, v, of_variant, false};
}

void sheet_place(struct sheet *s, struct regex_text *t)
{
    if (!t->is_line)
        return;
    t->text = sheet_more(s)->line;
    t->from = s->more.line_from;
    t->to = s->more.line_to;
}

/* What a text is found to hold when it is judged alone, for those that follow. */
#include <stddef.h>

#include "base/utf8.h"
#include "rule/eval.h"
#include "rule/mark.h"
#include "rule/window.h"
#include "rule/window_plan.h"

static bool is_han(uint32_t cp)
{
    return cp >= 0x3400 && cp < 0xac00;
}

static bool is_alnum(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || (cp >= 'a' && cp <= 'z');
}

static uint8_t part_end(struct span text, uint32_t from, uint32_t to)
{
    bool ends = false;
    return from == to || !detect_has_punctuation(text, from, to, &ends) ? PART_NONE
           : ends                                                       ? PART_SENTENCE
                                                                        : PART_CLAUSE;
}

static void note_parts(struct sheet *s, struct window_note *note, struct window_start *start)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    const uint8_t *gap = v->gap;
    uint32_t first = 1, last = v->n - 1;
    start->begins = part_end(s->text, 0, v->from[0]);
    note->ends = part_end(s->text, v->to[last], (uint32_t)s->text.n);
    while (first < v->n && !gap[first])
        first++;
    if (first < v->n)
        while (!gap[last])
            last--;
    else
        last = 0;
    start->first_part = (uint16_t)MIN_OF(first, (uint32_t)UINT16_MAX);
    note->last_part = (uint16_t)MIN_OF(v->n - last, (uint32_t)UINT16_MAX);
    if (first == v->n)
        return;
    sheet_need_clauses(s);
    if (s->sentence[0] != s->sentence[v->n - 1])
        note->inner = PART_SENTENCE;
    else if (s->clause[0] != s->clause[v->n - 1])
        note->inner = PART_CLAUSE;
}

/* How a unit of money begins: 元 块 毛 角 圆 刀, rmb, usd. */
static bool is_money(uint32_t cp)
{
    return cp == 0x5143 || cp == 0x5757 || cp == 0x6bdb || cp == 0x89d2 || cp == 0x5706 || cp == 0x5200 || cp == 'r' ||
           cp == 'u';
}

/* $, U+00A5 or U+FFE5 right before byte `at`. */
static bool has_money_sign(struct span t, uint32_t at)
{
    return at > 0 && (t.p[at - 1] == '$' || t.p[at - 1] == 0xa5);
}

enum { IS_NUMERAL = 1, IS_AMOUNT = 2 };

/* A digit, or what stands for one among digits (洞 拐 勾); what an amount of money ends with (几 十 百). */
static NOINLINE unsigned class_of(uint32_t digit)
{
    if (digit - '0' < 10)
        return IS_NUMERAL | IS_AMOUNT;
    if (digit == 0x6d1e || digit == 0x62d0 || digit == 0x52fe)
        return IS_NUMERAL;
    return digit == 0x51e0 || digit == 0x5341 || digit == 0x767e ? IS_AMOUNT : 0;
}

/* Most characters are ruled out by their lowest bits. */
ALWAYS_INLINE unsigned number_class(uint32_t digit)
{
    static const uint64_t low = 1ull << (0x6d1e & 63) | 1ull << (0x62d0 & 63) | 1ull << (0x52fe & 63) |
                                1ull << (0x51e0 & 63) | 1ull << (0x5341 & 63) | 1ull << (0x767e & 63) | 0x3ffull << '0';
    return low >> (digit & 63) & 1 ? class_of(digit) : 0;
}

static void note_numbers(const struct sheet *s, struct window_note *note)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    const uint32_t *digit = s->plain.view[VIEW_DIGIT].cp, n = v->n;
    for (uint32_t i = 0; i < n; i++) {
        unsigned class = number_class(digit[i]);
        if (!class)
            continue;
        note->numerals += class & IS_NUMERAL;
        if (class & IS_AMOUNT)
            note->has_money |=
                (i + 1 < n && is_money(digit[i + 1])) || (v->gap[i] && has_money_sign(s->text, v->from[i]));
    }
    note->has_money |= has_money_sign(s->text, (uint32_t)s->text.n);
    note->is_amount = v->n && number_class(digit[v->n - 1]) & IS_AMOUNT;
}

/* Only separators, none of them a sign that a word or a picture holds; what folding drops or joins is none. */
static bool is_bare(const struct window_plan *p, struct span text, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t cp = 0, sign;
        unsigned n = utf8_decode(text.p + from, text.n - from, &cp);
        sign = window_sign(cp);
        if (!n || (!words_is_plain_mark(cp) && (!fold_is_separator(cp) || p->sign[sign / 64] >> (sign % 64) & 1)))
            return false;
        from += n;
    }
    return true;
}

bool window_add_word(struct window_note *note, const struct window_word *w)
{
    if (note->n_words == WINDOW_WORDS_MAX)
        return false;
    note->word[note->n_words++] = *w;
    return true;
}

/* In which part of the text, as bits: that of its end, or only another one. */
static uint8_t part_bits(const struct sheet *s, bool is_one, uint32_t last, uint32_t unit)
{
    return (uint8_t)((is_one || s->clause[last] == s->clause[unit] ? WORD_IN_CLAUSE : 0) |
                     (is_one || s->sentence[last] == s->sentence[unit] ? WORD_IN_SENTENCE : 0));
}

/* The groups, and which words of them stand within reach of the end. Joined, a text has no longer clauses than alone:
 * marks between short pieces part nothing, and pieces at a border grow. False: more than there is room for. */
static bool note_words(const struct sheet *s, struct window_note *note)
{
    const struct window_plan *p = s->side->plan;
    uint32_t n = s->plain.view[VIEW_PLAIN].n;
    bool fits = true;
    for (uint32_t i = 0; i < s->n_occ; i++) {
        const struct occurrence *o = &s->occ[i];
        const struct term_look *t = &s->side->look[o->term];
        const struct window_use *u = p->use + t->window_use;
        uint8_t bits = t->n_window_use ? window_word_bits(o) : 0;
        for (uint32_t k = 0; k < t->n_window_use; k++)
            if (window_takes(&p->near[u[k].near], bits, o->gap, o->same))
                window_set_group(note->group, u[k].bit);
        if (!t->n_window_use || n - o->to > t->window_reach)
            continue;
        bits |= part_bits(s, note->inner == PART_NONE, n - 1, MAX_OF(o->to, 1u) - 1);
        fits = fits && window_add_word(note, &(struct window_word){.term = o->term,
                                                                   .distance = (uint8_t)(n - o->to),
                                                                   .gap = o->gap,
                                                                   .same = o->same,
                                                                   .bits = bits});
    }
    return fits;
}

void window_note_literals(const struct sheet *s, uint64_t *literals, uint64_t *also)
{
    const uint64_t regexes = ((uint64_t)1 << REGEXES_MAX) - 1;
    const struct window_plan *p = s->side->plan;
    for (size_t i = 0; i < p->n_regex_rules; i++) {
        uint64_t mask = s->mask[p->regex_rule[i]];
        if (!mask)
            continue;
        unsigned at = s->side->gate[p->regex_rule[i]].window_regex;
        *literals |= window_rotate(mask >> BIT_REGEX & regexes, at);
        *also |= window_rotate(mask >> BIT_ALSO & regexes, at);
    }
}

/* Of the ways to read a text the joined one may have one more: where the choice among overlapping swaps and the choice
 * of a spelling's character go by the same number, that is a new one. */
static bool has_other_ways(const struct sheet *s)
{
    const struct variant *v = &s->variant;
    bool has_sides = v->has_overlaps, has_targets = false;
    for (uint32_t i = 0; i < v->n_swaps; i++) {
        has_sides |= v->swap[i].n_alt > 0;
        has_targets |= v->swap[i].spelling && s->side->spelling[v->swap[i].spelling - 1].n > 1;
    }
    return has_sides && has_targets;
}

/* Whether any of units [from, to) is read as another. */
static bool is_swapped(const struct sheet *s, uint32_t from, uint32_t to)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    const struct variant *x = &s->variant;
    for (uint32_t i = 0; s->side->plan->has_variants && i < x->n_swaps; i++)
        if (x->swap[i].bfrom < v->to[to - 1] && v->from[from] < x->swap[i].bto)
            return true;
    return false;
}

/* The unit at the edge and the one beside it. */
static uint8_t edge_of(const uint32_t unit[2])
{
    return is_han(unit[0]) ? EDGE_HAN : is_alnum(unit[0]) && is_alnum(unit[1]) ? EDGE_ALNUM : EDGE_OTHER;
}

static void note_ends(const struct sheet *s, struct window_note *note, struct window_start *start)
{
    const struct window_plan *p = s->side->plan;
    const struct view *v = &s->plain.view[VIEW_PLAIN], *digit = &s->plain.view[VIEW_DIGIT],
                      *r = s->finder->reading ? &s->plain.view[VIEW_READING] : v;
    uint32_t last = v->n - 1, near = MIN_OF(v->n, (uint32_t)WINDOW_UNITS);
    for (uint32_t k = 0; k < near; k++) {
        start->first[k] = v->cp[k];
        note->last[k] = v->cp[last - k];
    }
    note->syllables = r->n;
    const uint32_t *cp = r->cp, *end = r->cp + r->n - 1;
    for (uint32_t k = 0, n = MIN_OF(r->n, (uint32_t)WINDOW_UNITS); k < n; k++) {
        start->first_syllable[k] = cp[k];
        note->last_syllable[k] = *(end - k);
    }
    start->is_plain = !is_swapped(s, 0, near);
    note->is_plain_end = !is_swapped(s, v->n - near, v->n);
    start->is_numeral = number_class(digit->cp[0]) & IS_NUMERAL || is_alnum(v->cp[0]);
    start->is_money = is_money(v->cp[0]);
    note->is_numeral = number_class(digit->cp[last]) & IS_NUMERAL || is_alnum(v->cp[last]);
    if (is_bare(p, s->text, 0, v->from[0]) && (start->is_plain || !is_swapped(s, 0, 1)))
        start->edge = edge_of(start->first);
    if (is_bare(p, s->text, v->to[last], (uint32_t)s->text.n) && (note->is_plain_end || !is_swapped(s, last, v->n)))
        note->edge = edge_of(note->last);
}

void window_take_note(struct sheet *s, struct window_note *note, struct window_start *start)
{
    const struct window_plan *p = s->side->plan;
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    memset(note, 0, offsetof(struct window_note, word));
    memset(start, 0, sizeof(*start));
    note->units = v->n;
    note->has_letters = s->has_letters;
    if (s->is_cut || !v->n || (p->has_variants && has_other_ways(s)))
        return;
    note_numbers(s, note);
    note_ends(s, note, start);
    note_parts(s, note, start);
    window_note_literals(s, &note->literals, &note->also);
    if (note_words(s, note))
        note->set = p->set;
}

/* A word on the border, as one of the new text's: it may be the first half of a later hit. */
static bool note_border_word(const struct sheet *joined, const struct occurrence *o, struct window_note *note)
{
    const struct window_plan *p = joined->side->plan;
    const struct term_look *t = &joined->side->look[o->term];
    uint32_t behind = joined->plain.view[VIEW_PLAIN].n - o->to;
    uint8_t bits = window_word_bits(o);
    for (uint32_t k = 0; k < t->n_window_use; k++)
        if (window_takes(&p->near[p->use[t->window_use + k].near], bits, o->gap, o->same))
            window_set_group(note->group, p->use[t->window_use + k].bit);
    if (!t->n_window_use || behind > t->window_reach)
        return true;
    return window_add_word(note, &(struct window_word){.term = o->term,
                                                       .distance = (uint8_t)behind,
                                                       .gap = o->gap,
                                                       .same = o->same,
                                                       .bits = bits | WORD_IN_CLAUSE | WORD_IN_SENTENCE});
}

void window_settle(const struct sheet *joined, uint32_t border, struct window_note *note)
{
    bool has_word = false, fits = true;
    if (!note->set) /* none was taken, nothing in it holds */
        return;
    note->may_span = note->may_blend || joined->is_cut;
    if (note->may_span)
        return;
    for (uint32_t i = 0; i < joined->n_occ; i++) {
        const struct occurrence *o = &joined->occ[i];
        if (o->bfrom >= border || o->bto <= border || !joined->side->term[o->term].is_window_trigger)
            continue;
        has_word = true;
        fits = fits && note_border_word(joined, o, note);
    }
    if (has_word)
        window_note_literals(joined, &note->literals, &note->also);
    if (!fits)
        note->set = 0;
}

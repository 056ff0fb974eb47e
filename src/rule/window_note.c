#include "base/utf8.h"
#include "rule/eval.h"
#include "rule/mark.h"
#include "rule/window.h"
#include "rule/window_plan.h"

enum {
    NUMERALS_MIN = 5, /* fewer digits, and no letters, are no number that a detector knows */
    REGEX_SLOTS = 64,
};

static bool is_han(uint32_t cp)
{
    return cp >= 0x3400 && cp < 0xac00;
}

static bool is_alnum(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || (cp >= 'a' && cp <= 'z');
}

/* A digit, or what stands for one among digits. */
static bool is_numeral(uint32_t digit, uint32_t cp)
{
    return (digit >= '0' && digit <= '9') || cp == 0x6d1e || cp == 0x62d0 || cp == 0x52fe; /* 洞 拐 勾 */
}

/* What an amount of money ends with in the digit view, before 元 or 块. */
static bool is_amount(uint32_t digit)
{
    return (digit >= '0' && digit <= '9') || digit == 0x51e0 || digit == 0x5341 || digit == 0x767e; /* 几 十 百 */
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

static void note_numbers(const struct sheet *s, struct window_note *note)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    const uint32_t *digit = s->plain.view[VIEW_DIGIT].cp;
    bool was_amount = false;
    for (uint32_t i = 0; i < v->n; i++) {
        note->numerals += is_numeral(digit[i], v->cp[i]);
        note->has_money |= (was_amount && is_money(digit[i])) ||
                           (v->gap[i] && is_amount(digit[i]) && has_money_sign(s->text, v->from[i]));
        was_amount = is_amount(digit[i]);
    }
    note->has_money |= has_money_sign(s->text, (uint32_t)s->text.n);
    note->is_amount = was_amount;
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

/* Which groups stand within reach of either end. */
static void note_nears(const struct sheet *s, struct window_note *note, struct window_start *start)
{
    uint32_t n = s->plain.view[VIEW_PLAIN].n;
    for (uint32_t i = 0; i < s->n_occ; i++) {
        const struct occurrence *o = &s->occ[i];
        const struct term *t = &s->side->term[o->term];
        for (uint32_t k = 0; k < t->n_window_use; k++) {
            const struct window_use *u = &t->window_use[k];
            uint64_t bit = (uint64_t)1 << (u->near % 8 * 8 + u->group);
            bool is_first = o->from <= u->within, is_last = n - o->to <= u->within;
            if ((!is_first && !is_last) || !eval_takes(u->rule, u->use, o))
                continue;
            start->near[u->near / 8] |= is_first ? bit : 0;
            note->near[u->near / 8] |= is_last ? bit : 0;
        }
    }
}

static uint64_t rotate(uint64_t bits, unsigned by)
{
    return by ? bits << by | bits >> (REGEX_SLOTS - by) : bits;
}

static void note_regexes(const struct sheet *s, struct window_note *note)
{
    const uint64_t all = ((uint64_t)1 << REGEXES_MAX) - 1;
    for (uint32_t i = 0; i < s->n_woken; i++) {
        const struct rule *r = s->side->rule[s->woken[i]];
        uint64_t mask = sheet_mask(s, r->number);
        if (!r->window_messages)
            continue;
        note->literals |= rotate(mask >> BIT_REGEX & all, r->window_slot);
        note->also |= rotate(mask >> BIT_ALSO & all, r->window_slot);
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

static bool is_swapped(const struct sheet *s, uint32_t unit)
{
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    const struct variant *x = &s->variant;
    for (uint32_t i = 0; s->side->plan->has_variants && i < x->n_swaps; i++)
        if (x->swap[i].bfrom < v->to[unit] && v->from[unit] < x->swap[i].bto)
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
    uint32_t last = v->n - 1;
    for (uint32_t k = 0; k < 2; k++) {
        start->first[k] = k < v->n ? v->cp[k] : 0;
        start->first_syllable[k] = k < r->n ? r->cp[k] : 0;
        note->last[k] = k < v->n ? v->cp[last - k] : 0;
        note->last_syllable[k] = k < r->n ? r->cp[r->n - 1 - k] : 0;
    }
    start->is_numeral = is_numeral(digit->cp[0], v->cp[0]) || is_alnum(v->cp[0]);
    start->is_money = is_money(v->cp[0]);
    note->is_numeral = is_numeral(digit->cp[last], v->cp[last]) || is_alnum(v->cp[last]);
    if (is_bare(p, s->text, 0, v->from[0]) && !is_swapped(s, 0))
        start->edge = edge_of(start->first);
    if (is_bare(p, s->text, v->to[last], (uint32_t)s->text.n) && !is_swapped(s, last))
        note->edge = edge_of(note->last);
}

void window_take_note(const struct sheet *s, struct window_note *note, struct window_start *start)
{
    const struct window_plan *p = s->side->plan;
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    *note = (struct window_note){.units = v->n, .has_letters = s->has_letters};
    *start = (struct window_start){0};
    if (s->is_cut || !v->n || (p->has_variants && has_other_ways(s)))
        return;
    note->set = p->set;
    note_numbers(s, note);
    note_ends(s, note, start);
    note_nears(s, note, start);
    if (p->n_regexes)
        note_regexes(s, note);
}

/* 壹贰叁: their neighbours decide how they are read. */
static bool depends_on_neighbour(uint32_t cp)
{
    return cp == 0x58f9 || cp == 0x8d30 || cp == 0x53c1;
}

static bool has_piece(const struct window_plan *p, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t h = window_piece(p, a, b, c);
    return p->piece[h / 64] >> (h % 64) & 1;
}

/* Whether a word may reach over the border between last[0] and first[0]. */
static bool has_word(const struct window_plan *p, const uint32_t last[2], const uint32_t first[2])
{
    if (!has_piece(p, last[0], first[0], WINDOW_PAIR))
        return false;
    return !last[1] || !first[1] || has_piece(p, last[0], first[0], WINDOW_WHOLE) ||
           has_piece(p, last[1], last[0], first[0]) || has_piece(p, last[0], first[0], first[1]);
}

/* 艾特 and 点, in addresses. */
static bool is_of_address(uint32_t cp)
{
    return cp == 0x827e || cp == 0x7279 || cp == 0x70b9;
}

/* Ideographs, or ideographs and Latin letters or digits: no reading reaches from the one to the other, but for
 * addresses and codes. */
static bool are_apart(const struct window_plan *p, const struct window_note *before, const struct window_start *start)
{
    if (before->edge == EDGE_HAN && start->edge == EDGE_HAN)
        return true;
    bool has_codes = p->detectors & (1u << DETECT_URL | 1u << DETECT_SHARE_CODE);
    return !has_codes && before->edge + start->edge == EDGE_HAN + EDGE_ALNUM && before->edge && start->edge &&
           !is_of_address(before->last[0]) && !is_of_address(start->first[0]);
}

/* Whether the border may change how the texts are read, or lie in a number. */
static bool may_blend(const struct window_plan *p, const struct window_note *before, const struct window_start *start)
{
    if (!are_apart(p, before, start) || (before->is_numeral && start->is_numeral) ||
        (before->is_amount && start->is_money))
        return true;
    return p->has_variants && (before->last[0] == start->first[0] || depends_on_neighbour(before->last[0]) ||
                               depends_on_neighbour(start->first[0]));
}

/* Two groups of one near, the first before the border (the next one of the order, where there is one). */
static bool has_two(uint8_t before, uint8_t behind, bool is_ordered)
{
    if (is_ordered)
        return (before << 1 & behind) != 0;
    return before && behind && ((before | behind) & ((before | behind) - 1)) != 0;
}

static bool may_meet(const struct window_plan *p, const uint64_t *before, const uint64_t *behind)
{
    for (unsigned i = 0; i < WINDOW_NEARS / 8; i++) {
        if (!before[i] || !behind[i])
            continue;
        for (unsigned k = 0; k < 64; k += 8)
            if (has_two((uint8_t)(before[i] >> k), (uint8_t)(behind[i] >> k), p->is_ordered[i] >> k & 1))
                return true;
    }
    return false;
}

static void add_bits(uint64_t *ends, uint64_t *starts, const uint64_t *bits)
{
    for (unsigned k = 0; k < WINDOW_NEARS / 8; k++)
        ends[k] |= bits[k], starts[k] |= bits[k];
}

bool window_may_hit(const struct side *side, const struct window_note *const *before, size_t n,
                    const struct window_start *start, struct window_note *note)
{
    const struct window_plan *p = side->plan;
    uint64_t ends[WINDOW_NEARS / 8] = {0}, starts[WINDOW_NEARS / 8];
    uint64_t literals = note->literals, also = note->also;
    uint32_t numerals = note->numerals, units = 0;
    bool has_letters = note->has_letters, has_money = note->has_money;
    if (p->is_open || note->set != p->set || !before[n - 1] || before[n - 1]->set != p->set)
        return true;
    note->follows = before[n - 1]->number;
    note->may_blend = may_blend(p, before[n - 1], start);
    note->may_span = note->may_blend || has_word(p, before[n - 1]->last, start->first) ||
                     has_word(p, before[n - 1]->last_syllable, start->first_syllable);
    if (note->may_span)
        return true;
    for (size_t i = n; i-- > 0;) {
        const struct window_note *b = before[i];
        if (!b || b->set != p->set || (i > 0 && (b->may_span || !before[i - 1] || b->follows != before[i - 1]->number)))
            return true;
        for (unsigned k = 0; k < WINDOW_NEARS / 8; k++)
            ends[k] |= b->near[k] & p->reach[MIN_OF(units, REACH_MAX - 1u)][k];
        units += b->units;
        literals |= b->literals, also |= b->also;
        numerals += b->numerals;
        has_letters |= b->has_letters;
        has_money |= b->has_money;
    }
    if (literals & (also | p->alone))
        return true;
    memcpy(starts, start->near, sizeof(starts));
    if (has_letters || numerals >= NUMERALS_MIN)
        add_bits(ends, starts, p->number);
    if (has_money)
        add_bits(ends, starts, p->money);
    return may_meet(p, ends, starts);
}

void window_settle(const struct sheet *joined, uint32_t border, struct window_note *note)
{
    bool has_word = joined->is_cut;
    for (uint32_t i = 0; i < joined->n_occ && !has_word; i++)
        has_word = joined->occ[i].bfrom < border && border < joined->occ[i].bto;
    note->may_span = note->may_blend || has_word;
}

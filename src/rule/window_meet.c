/* Whether texts of which the notes are there can hit together. */
#include "rule/window.h"
#include "rule/window_plan.h"

/* Fewer digits, and no letters, are no number that a detector knows. */
enum { NUMERALS_MIN = 5 };

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

/* A mark at the border parts the texts, unless it stands between pieces so short that it may part nothing. */
static uint8_t border_end(const struct window_note *before, const struct window_start *start)
{
    return before->last_part + start->first_part > SHORT_PARTS ? MAX_OF(before->ends, start->begins) : PART_NONE;
}

/* Groups, as bits, before and behind the border: two of them (the second the next of the order, where there is one). */
static bool are_two(const struct window_near *near, uint8_t before, uint8_t behind)
{
    if (near->is_ordered)
        return (before << 1 & behind) != 0;
    return before && behind && ((before | behind) & ((before | behind) - 1)) != 0;
}

/* Whether words on both sides of such an end may belong together. */
static bool reaches_over(const struct window_near *near, uint8_t end)
{
    return end == PART_NONE || near->same == SAME_ANY || (end == PART_CLAUSE && near->same == SAME_SENTENCE);
}

/* What the texts hold together. */
struct joint {
    const struct window_plan *p;
    const struct window_start *start;
    uint64_t literals, also, group[4];
    uint32_t numerals;
    bool has_letters, has_money;
};

static void add_note(struct joint *j, const struct window_note *n)
{
    j->literals |= n->literals, j->also |= n->also;
    for (unsigned k = 0; k < 4; k++)
        j->group[k] |= n->group[k];
    j->numerals += n->numerals;
    j->has_letters |= n->has_letters;
    j->has_money |= n->has_money;
}

static uint8_t detected(const struct joint *j, const struct window_near *near)
{
    bool has_number = j->has_letters || j->numerals >= NUMERALS_MIN;
    return (uint8_t)((has_number ? near->number : 0) | (j->has_money ? near->money : 0));
}

/* Whether every group of the near has a word, or may have a number, in one of the texts. */
static bool has_all(const struct joint *j, const struct window_near *near)
{
    uint64_t all = ((uint64_t)1 << near->n_groups) - 1, missing = all & ~(uint64_t)detected(j, near);
    uint64_t bits = window_group_bits(missing << near->first_bit, near->slot);
    return (j->group[window_group_word(near->slot)] & bits) == bits;
}

/* A word `units` before the border, with one behind it or with a number anywhere. */
static bool meets_word(const struct joint *j, const struct window_word *w, uint32_t units, uint8_t end)
{
    const struct window_near *near = &j->p->near[w->near];
    uint8_t bit = (uint8_t)(1u << w->group);
    if (!reaches_over(near, end) || units + w->distance > near->within)
        return false;
    for (unsigned i = 0; i < j->start->n_words; i++) {
        const struct window_word *b = &j->start->word[i];
        if (b->near == w->near && units + w->distance + b->distance <= near->within &&
            are_two(near, bit, (uint8_t)(1u << b->group)))
            return has_all(j, near);
    }
    return are_two(near, bit, detected(j, near)) && has_all(j, near);
}

/* A number before the border with a word behind it. */
static bool meets_number(const struct joint *j, uint8_t end)
{
    for (unsigned i = 0; i < j->start->n_words; i++) {
        const struct window_word *w = &j->start->word[i];
        const struct window_near *near = &j->p->near[w->near];
        if (reaches_over(near, end) && are_two(near, detected(j, near), (uint8_t)(1u << w->group)) && has_all(j, near))
            return true;
    }
    return false;
}

static bool meets(const struct joint *j, const struct window_note *const *before, size_t n, uint8_t end)
{
    uint32_t units = 0;
    if (meets_number(j, end))
        return true;
    for (size_t i = n; i-- > 0;) {
        for (unsigned k = 0; k < before[i]->n_words; k++)
            if (meets_word(j, &before[i]->word[k], units, end))
                return true;
        units += before[i]->units;
        end = MAX_OF(end, MAX_OF(before[i]->inner, before[i]->before));
    }
    return false;
}

/* Whether every text was judged as the one behind the one that is before it now. */
static bool is_chain(const struct window_plan *p, const struct window_note *const *before, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!before[i] || before[i]->set != p->set ||
            (i > 0 && (before[i]->may_span || before[i]->follows != before[i - 1]->number)))
            return false;
    return true;
}

bool window_may_hit(const struct side *side, const struct window_note *const *before, size_t n,
                    const struct window_start *start, struct window_note *note)
{
    const struct window_plan *p = side->plan;
    const struct window_note *last = before[n - 1];
    struct joint j = {.p = p, .start = start};
    if (p->is_open || note->set != p->set || !last || last->set != p->set)
        return true;
    note->follows = last->number;
    note->before = border_end(last, start);
    note->may_blend = may_blend(p, last, start);
    note->may_span = note->may_blend || has_word(p, last->last, start->first) ||
                     has_word(p, last->last_syllable, start->first_syllable);
    if (note->may_span || !is_chain(p, before, n))
        return true;
    for (size_t i = 0; i < n; i++)
        add_note(&j, before[i]);
    add_note(&j, note);
    return (j.literals & (j.also | p->alone)) || meets(&j, before, n, note->before);
}

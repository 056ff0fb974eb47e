/* Whether texts of which the notes are there can hit together. */
#include "rule/window.h"
#include "rule/window_plan.h"

#include <stddef.h>
#include <string.h>

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

/* Whether a word may reach over the border between last[0] and first[0]. Unless `is_plain`, a unit beside them may be
 * left out or read as another (加a微: 加微), and only these two are known. */
static bool has_word(const struct window_plan *p, const uint32_t last[2], const uint32_t first[2], bool is_plain)
{
    if (!has_piece(p, last[0], first[0], WINDOW_PAIR))
        return false;
    return !is_plain || !last[1] || !first[1] || has_piece(p, last[0], first[0], WINDOW_WHOLE) ||
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
    return p->has_variants && (depends_on_neighbour(before->last[0]) || depends_on_neighbour(start->first[0]));
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

/* A word on the border. */
enum { BORDER_WORDS_MAX = 16 };
struct border_word {
    uint32_t term, behind; /* units of it behind the border */
};

/* What the texts hold together. */
struct joint {
    const struct window_plan *p;
    const struct sheet *s; /* of the new text */
    const struct window_start *start;
    uint64_t literals, also, group[WINDOW_GROUP_WORDS];
    uint64_t border_literals, border_also; /* of words on the border */
    uint32_t numerals;
    bool has_letters, has_money;
    struct border_word border[BORDER_WORDS_MAX];
    size_t n_border;
};

static void add_note(struct joint *j, const struct window_note *n)
{
    j->literals |= n->literals, j->also |= n->also;
    for (unsigned k = 0; k < WINDOW_GROUP_WORDS; k++)
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

/* The bits of its groups in a note's word of them, but for those left out. */
static uint64_t group_bits(const struct window_near *near, uint8_t but_for)
{
    uint64_t all = ((uint64_t)1 << near->n_groups) - 1;
    return window_rotate(all & ~(uint64_t)but_for, near->group_shift);
}

/* Whether every group of the near has a word, or may have a number, in one of the texts. */
static bool has_all(const struct joint *j, const struct window_near *near)
{
    uint64_t bits = group_bits(near, detected(j, near));
    return (j->group[near->group_word] & bits) == bits;
}

/* ---- words on the border ---- */

/* Units beside the border, in order: `before` of them lie before it. */
struct seam {
    uint32_t unit[2 * WINDOW_UNITS];
    uint32_t n, before;
    bool is_known; /* no unit is read as another, and no text was left out that a word may reach */
    struct joint *j;
    bool is_syllable, is_hit;
    bool is_doubled; /* the unit behind the border is what the last one before it is: read as one, which lies on it */
};

static uint32_t units_of(const struct window_note *n, bool is_syllable)
{
    return MIN_OF(is_syllable ? n->syllables : n->units, (uint32_t)WINDOW_UNITS);
}

static void fill_seam(struct seam *m, const struct window_note *const *before, size_t n,
                      const struct window_start *start, const struct window_note *note)
{
    uint32_t *middle = m->unit + WINDOW_UNITS, behind = units_of(note, m->is_syllable);
    memcpy(middle, m->is_syllable ? start->first_syllable : start->first, behind * sizeof(*middle));
    m->is_known = start->is_plain;
    for (size_t i = n; i-- > 0 && m->before < WINDOW_UNITS;) {
        const uint32_t *last = m->is_syllable ? before[i]->last_syllable : before[i]->last;
        m->is_known &= before[i]->is_plain_end && !(i + 1 < n && before[i + 1]->is_doubled);
        for (uint32_t k = 0; k < units_of(before[i], m->is_syllable) && m->before < WINDOW_UNITS; k++)
            middle[-(int)++m->before] = last[k];
    }
    memmove(m->unit, middle - m->before, (m->before + behind) * sizeof(*middle));
    m->n = m->before + behind;
}

static int on_seam_word(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    struct seam *m = arg;
    struct joint *j = m->j;
    const struct term *t = &j->s->side->term[id];
    bool is_over = from + n > m->before && (m->is_doubled ? from <= m->before && n > 1 : from < m->before);
    if (!is_over || !(t->is_window_trigger || (j->p->has_variants && t->spelling)))
        return 0;
    if (t->spelling || !t->n_wake_window || j->n_border == BORDER_WORDS_MAX)
        m->is_hit = true; /* or may be one */
    else
        j->border[j->n_border++] = (struct border_word){id, from + n - m->before};
    return 0;
}

/* Whether a longer word than a note's units may hold both. */
static bool may_be_long(const struct joint *j, uint32_t a, uint32_t b)
{
    return has_piece(j->p, a, b, WINDOW_LONG);
}

/* Finds the words over the border, typed or with the units beside it read as one; true: what is known is not enough. */
static bool scan_seam(struct joint *j, const struct window_note *const *before, size_t n,
                      const struct window_note *note, bool is_doubled)
{
    const struct finder *f = &j->s->side->window;
    for (unsigned k = 0; k < 2; k++) {
        const struct match *by = k ? f->reading : f->plain;
        struct seam m = {.j = j, .is_doubled = is_doubled, .is_syllable = k};
        if (!by)
            continue;
        fill_seam(&m, before, n, j->start, note);
        if (!m.is_known || !m.before || m.before == m.n)
            return true;
        if (is_doubled) { /* without the second of the two */
            memmove(m.unit + m.before, m.unit + m.before + 1, (m.n - m.before - 1) * sizeof(m.unit[0]));
            m.n--;
            m.before--;
        }
        (void)match_scan(by, m.unit, m.n, on_seam_word, &m);
        if (m.is_hit)
            return true;
    }
    return false;
}

/* What a word on the border wakes, as if a text held it. True: by itself it may be a hit. */
static bool add_border_word(struct joint *j, uint32_t id)
{
    const struct side *side = j->s->side;
    const struct term *t = &side->term[id];
    const struct term_look *look = &side->look[id];
    const uint32_t *w = side->wakes + look->wake;
    for (uint32_t i = 0; i < look->n_wake_window; i++) {
        unsigned bit = w[i] % (1u << WAKE_BIT_LOG), at = side->gate[w[i] >> WAKE_BIT_LOG].window_regex;
        if (bit == BIT_WORDS)
            return true;
        if (bit >= BIT_ALSO)
            j->border_also |= window_rotate((uint64_t)1 << (bit - BIT_ALSO), at);
        else if (bit >= BIT_REGEX)
            j->border_literals |= window_rotate((uint64_t)1 << (bit - BIT_REGEX), at);
    }
    for (uint32_t i = 0; i < t->n_window_use; i++)
        window_set_group(j->group, t->window_use[i].bit);
    return false;
}

/* Whether one of a near's words lies on the border and all its others are anywhere. */
static bool meets_on_border(const struct joint *j)
{
    for (size_t i = 0; i < j->n_border; i++) {
        const struct term *t = &j->s->side->term[j->border[i].term];
        for (uint32_t k = 0; k < t->n_window_use; k++)
            if (has_all(j, &j->p->near[t->window_use[k].near]))
                return true;
    }
    return false;
}

static bool literals_may_hit(const struct joint *j)
{
    return (j->literals | j->border_literals) & (j->also | j->border_also | j->p->alone);
}

/* As words of the new text, for the messages behind it. */
static void note_border_words(struct joint *j, struct window_note *note)
{
    bool fits = true;
    note->literals |= j->border_literals;
    note->also |= j->border_also;
    for (size_t i = 0; i < j->n_border; i++) {
        const struct border_word *b = &j->border[i];
        const struct term_look *t = &j->s->side->look[b->term];
        uint32_t behind = note->units - MIN_OF(b->behind, note->units);
        for (uint32_t k = 0; k < t->n_window_use; k++)
            window_set_group(note->group, j->p->use[t->window_use + k].bit);
        if (t->n_window_use && behind <= t->window_reach)
            fits = fits &&
                   window_add_word(note, &(struct window_word){.term = b->term,
                                                               .distance = (uint8_t)behind,
                                                               .bits = WORD_USUAL | WORD_IN_CLAUSE | WORD_IN_SENTENCE});
    }
    if (!fits)
        note->set = 0;
}

/* ---- words on both sides ---- */

/* A word of the near at hand. */
struct side_word {
    uint8_t group, distance;
};

enum { SIDE_WORDS_MAX = 64 };

static bool is_in_part(const struct sheet *s, uint8_t same, uint32_t a, uint32_t b)
{
    return same == SAME_ANY || (same == SAME_CLAUSE ? s->clause[a] == s->clause[b] : s->sentence[a] == s->sentence[b]);
}

/* The new text's words of a near, those within reach of its start; more than there is room for: UINT32_MAX. */
static uint32_t words_behind(const struct joint *j, uint16_t number, bool is_one, struct side_word word[SIDE_WORDS_MAX])
{
    const struct sheet *s = j->s;
    const struct window_near *near = &j->p->near[number];
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_occ; i++) {
        const struct occurrence *o = &s->occ[i];
        const struct term_look *t = &s->side->look[o->term];
        const struct window_use *u = j->p->use + t->window_use;
        if (o->from > near->within)
            continue;
        for (uint32_t k = 0; k < t->n_window_use; k++) {
            if (u[k].near != number || !window_takes(near, window_word_bits(o), o->gap, o->same) ||
                !(is_one || is_in_part(s, near->same, 0, o->from)))
                continue;
            if (n == SIDE_WORDS_MAX)
                return UINT32_MAX;
            word[n++] = (struct side_word){u[k].group, (uint8_t)o->from};
        }
    }
    return n;
}

struct pairing {
    const struct joint *j;
    const struct window_near *near;
    uint16_t number;
    uint8_t detected;
    struct side_word behind[SIDE_WORDS_MAX];
    uint32_t n_behind;
};

/* A word `distance` units before the border, with one behind it or with a number anywhere. */
static bool meets_word(const struct pairing *p, uint8_t group, uint32_t distance)
{
    uint8_t bit = (uint8_t)(1u << group);
    if (distance > p->near->within)
        return false;
    for (uint32_t i = 0; i < p->n_behind; i++)
        if (distance + p->behind[i].distance <= p->near->within &&
            are_two(p->near, bit, (uint8_t)(1u << p->behind[i].group)))
            return true;
    return are_two(p->near, bit, p->detected);
}

/* The words of an earlier text that ends so many units before the border. */
static bool meets_note(const struct pairing *p, const struct window_note *before, uint32_t units)
{
    static const uint8_t part[] = {[SAME_ANY] = 0, [SAME_CLAUSE] = WORD_IN_CLAUSE, [SAME_SENTENCE] = WORD_IN_SENTENCE};
    const struct window_plan *plan = p->j->p;
    uint8_t want = part[p->near->same];
    for (unsigned k = 0; k < before->n_words; k++) {
        const struct window_word *w = &before->word[k];
        const struct term_look *t = &p->j->s->side->look[w->term];
        const struct window_use *u = plan->use + t->window_use;
        if ((w->bits & want) != want || w->distance > p->near->within ||
            !window_takes(p->near, w->bits, w->gap, w->same))
            continue;
        for (uint32_t i = 0; i < t->n_window_use; i++)
            if (u[i].near == p->number && meets_word(p, u[i].group, units + w->distance))
                return true;
    }
    return false;
}

/* A number before the border with a word behind it. */
static bool meets_number(const struct pairing *p)
{
    for (uint32_t i = 0; i < p->n_behind; i++)
        if (are_two(p->near, p->detected, (uint8_t)(1u << p->behind[i].group)))
            return true;
    return false;
}

static bool meets_near(const struct joint *j, uint16_t number, const struct window_note *const *before, size_t n,
                       const struct window_note *note)
{
    struct pairing p = {.j = j, .near = &j->p->near[number], .number = number};
    const uint64_t groups = group_bits(p.near, 0);
    const uint8_t word = p.near->group_word;
    uint8_t end = note->before;
    uint32_t units = 0;
    p.detected = detected(j, p.near);
    if (!p.detected && !(note->group[word] & groups))
        return false; /* none of its words is behind the border */
    p.n_behind = words_behind(j, number, note->inner == PART_NONE, p.behind);
    if (p.n_behind == UINT32_MAX)
        return true;
    if (!p.detected && !p.n_behind)
        return false;
    if (reaches_over(p.near, end) && meets_number(&p))
        return true;
    for (size_t i = n; i-- > 0 && reaches_over(p.near, end);) {
        if (before[i]->group[word] & groups && meets_note(&p, before[i], units))
            return true;
        units += before[i]->units;
        end = MAX_OF(end, MAX_OF(before[i]->inner, before[i]->before));
    }
    return false;
}

/* Only nears of which the leading group is there are looked at: few. */
static bool meets(const struct joint *j, const struct window_note *const *before, size_t n,
                  const struct window_note *note)
{
    for (unsigned k = 0; k < WINDOW_GROUP_WORDS; k++)
        for (uint64_t bits = j->group[k] & j->p->lead[k]; bits; bits &= bits - 1)
            for (uint16_t i = j->p->led[k * 64 + (unsigned)__builtin_ctzll(bits)]; i; i = j->p->near[i - 1].next)
                if (has_all(j, &j->p->near[i - 1]) && meets_near(j, (uint16_t)(i - 1), before, n, note))
                    return true;
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

/* Words on the border, if there may be any, go into the joint. */
static bool border_may_hit(struct joint *j, const struct window_note *const *before, size_t n,
                           const struct window_note *note)
{
    const struct window_note *last = before[n - 1];
    const struct window_start *start = j->start;
    bool is_plain = last->is_plain_end && start->is_plain,
         has_plain = has_word(j->p, last->last, start->first, is_plain),
         has_reading = has_word(j->p, last->last_syllable, start->first_syllable, is_plain);
    if (!has_plain && !has_reading)
        return false;
    return (has_plain && may_be_long(j, last->last[0], start->first[0])) ||
           (has_reading && may_be_long(j, last->last_syllable[0], start->first_syllable[0])) ||
           scan_seam(j, before, n, note, false);
}

/* The same where the texts end and begin with the same character, which may count as one. */
static bool doubled_may_hit(struct joint *j, const struct window_note *const *before, size_t n,
                            const struct window_note *note)
{
    const struct window_note *last = before[n - 1];
    const struct window_start *start = j->start;
    return may_be_long(j, last->last[1], last->last[0]) || may_be_long(j, start->first[0], start->first[1]) ||
           may_be_long(j, last->last_syllable[1], last->last_syllable[0]) ||
           may_be_long(j, start->first_syllable[0], start->first_syllable[1]) || scan_seam(j, before, n, note, true);
}

/* Takes what the words on the border wake; true: one of them may be a hit by itself. */
static bool add_border_words(struct joint *j)
{
    for (size_t i = 0; i < j->n_border; i++)
        if (add_border_word(j, j->border[i].term))
            return true;
    return false;
}

bool window_may_hit(const struct sheet *s, const struct window_note *const *before, size_t n,
                    const struct window_start *start, struct window_note *note)
{
    const struct window_plan *p = s->side->plan;
    const struct window_note *last = before[n - 1];
    struct joint j;
    if (p->is_open || note->set != p->set || !last || last->set != p->set)
        return true;
    note->follows = last->number;
    note->before = border_end(last, start);
    bool has_chain = is_chain(p, before, n);
    memset(&j, 0, offsetof(struct joint, border));
    j.p = p, j.s = s, j.start = start, j.n_border = 0;
    note->is_doubled = p->has_variants && last->last[0] == start->first[0];
    note->may_span = note->may_blend =
        may_blend(p, last, start) || (note->is_doubled && (!has_chain || doubled_may_hit(&j, before, n, note)));
    if (note->may_span || !has_chain)
        return true;
    for (size_t i = 0; i < n; i++)
        add_note(&j, before[i]);
    add_note(&j, note);
    if (border_may_hit(&j, before, n, note) || add_border_words(&j) || literals_may_hit(&j) || meets_on_border(&j) ||
        meets(&j, before, n, note))
        return true;
    note_border_words(&j, note);
    return false;
}

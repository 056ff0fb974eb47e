#include "rule/window.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/window_plan.h"

enum { PIECE_BITS_EACH = 16, PIECE_LOG_MIN = 12, PIECE_LOG_MAX = 22 };

/* What can be told by classes of characters. */
enum { DETECT_BY_CLASS = DETECT_IS_NUMBER | DETECT_IS_ADDRESS };

static void set_bit(struct window_plan *p, uint32_t h)
{
    p->n_pieces += !(p->piece[h / 64] >> (h % 64) & 1);
    p->piece[h / 64] |= (uint64_t)1 << (h % 64);
}

/* A word of two units is a piece, and so are any three units of a longer one. All pairs are, too: of texts of one unit
 * no more is known. */
static void add_pieces(struct window_plan *p, const uint32_t *unit, uint32_t n)
{
    if (n == 2)
        set_bit(p, window_piece(p, unit[0], unit[1], WINDOW_WHOLE));
    for (uint32_t k = 1; k < n; k++) {
        set_bit(p, window_piece(p, unit[k - 1], unit[k], WINDOW_PAIR));
        if (n > WINDOW_UNITS)
            set_bit(p, window_piece(p, unit[k - 1], unit[k], WINDOW_LONG));
        if (k > 1)
            set_bit(p, window_piece(p, unit[k - 2], unit[k - 1], unit[k]));
    }
}

/* What is left of a line once the separators are out; the separators are signs that mean something. */
static uint32_t take_line(struct window_plan *p, struct span line, uint32_t unit[TERM_CHARS_MAX])
{
    uint32_t units = 0;
    for (size_t i = 0; i < line.n && units < TERM_CHARS_MAX;) {
        uint32_t cp = 0, sign;
        unsigned n = utf8_decode(line.p + i, line.n - i, &cp);
        if (!n)
            break;
        i += n;
        sign = window_sign(cp);
        if (fold_is_separator(cp))
            p->sign[sign / 64] |= (uint64_t)1 << (sign % 64);
        else
            unit[units++] = cp;
    }
    return units;
}

static bool is_of(const struct window_plan *p, const struct term *t)
{
    return t->is_window_trigger || (p->has_variants && t->spelling);
}

static void add_words(struct window_plan *p, const struct side *s)
{
    static const uint32_t mail[] = {0x827e, 0x7279}; /* 艾特, @ in mail addresses: their one sign in ideographs */
    uint32_t unit[TERM_CHARS_MAX];
    p->n_pieces = 0;
    for (size_t i = 0; i < s->n_terms; i++) {
        const struct term *t = &s->term[i];
        if (is_of(p, t) && t->form == TERM_LINE)
            add_pieces(p, unit, take_line(p, span_of(t->text, t->text_len), unit));
        else if (is_of(p, t))
            add_pieces(p, t->cp, t->n);
    }
    add_pieces(p, mail, ARRAY_LEN(mail));
}

/* Most pieces stand in many words: they are counted in a large table first. */
static void build_pieces(struct window_plan *p, const struct side *s)
{
    uint32_t unit[TERM_CHARS_MAX];
    for (unsigned log = PIECE_LOG_MAX, want = PIECE_LOG_MIN;; log = want) {
        p->piece_shift = 32 - log;
        p->piece = xcalloc(((size_t)1 << log) / 64, sizeof(*p->piece));
        add_words(p, s);
        while (want < PIECE_LOG_MAX && (size_t)1 << want < p->n_pieces * PIECE_BITS_EACH)
            want++;
        if (log == want)
            break;
        free(p->piece);
    }
    for (size_t i = 0; p->has_variants && i < s->n_pictures; i++)
        (void)take_line(p, s->picture[i].sign, unit);
}

/* Where the groups of a rule have their bits in a note: side by side in one of its words where there is room, else
 * among others' (then more is looked at than need be). */
struct place {
    unsigned word, shift;
};

static struct place place_groups(unsigned used[WINDOW_GROUP_WORDS], const struct rule *r)
{
    for (unsigned w = 0; w < WINDOW_GROUP_WORDS; w++)
        if (used[w] + r->n_groups <= 64) {
            used[w] += r->n_groups;
            return (struct place){w, used[w] - r->n_groups};
        }
    return (struct place){r->number % WINDOW_GROUP_WORDS, r->number * 11 % 64};
}

static void lead_near(struct window_plan *p, struct window_near *n, unsigned bit)
{
    p->lead[bit / 64] |= (uint64_t)1 << (bit % 64);
    n->next = p->led[bit];
    p->led[bit] = (uint16_t)p->n_near;
}

static void take_near(struct window_plan *p, const struct rule *r, const struct near *near, struct place at)
{
    if ((p->n_near & (p->n_near - 1)) == 0)
        p->near = xrealloc(p->near, (p->n_near ? p->n_near * 2 : 1) * sizeof(*p->near));
    struct window_near *n = &p->near[p->n_near++];
    *n = (struct window_near){.within = (uint8_t)near->within,
                              .same = near->same,
                              .is_ordered = near->is_ordered,
                              .n_groups = near->n_groups,
                              .group_word = (uint8_t)at.word,
                              .group_shift = (uint8_t)((at.shift + near->first_group) % 64),
                              .gap = r->gap,
                              .homophones_same = r->homophones_same,
                              .has_punctuation = r->has_punctuation,
                              .has_border = r->has_border,
                              .has_variants = r->has_variants};
    for (unsigned g = 0; g < near->n_groups; g++) {
        uint32_t kinds = near->detectors[g];
        n->money |= (uint8_t)((kinds >> DETECT_MONEY & 1) << g);
        n->number |= (uint8_t)((kinds & ~(1u << DETECT_MONEY) ? 1u : 0u) << g);
        p->detectors |= kinds;
    }
    if ((n->number | n->money) & ((n->number | n->money) - 1) || !near->need)
        p->is_open = true; /* two numbers: no word is needed */
    else
        lead_near(p, n, at.word * 64 + (at.shift + near->lead) % 64);
}

static bool is_known_use(const struct term *t, const struct window_use *u)
{
    for (uint32_t i = 0; i < t->n_window_use; i++)
        if (t->window_use[i].near == u->near && t->window_use[i].group == u->group)
            return true;
    return false;
}

static void add_use(struct term *t, const struct rule *r, unsigned group, size_t first_near, struct place at)
{
    for (unsigned i = 0; i < r->n_near; i++) {
        const struct near *near = &r->near[i];
        struct window_use u = {.near = (uint16_t)(first_near + i),
                               .bit = (uint16_t)(at.word * 64 + (at.shift + group) % 64),
                               .group = (uint8_t)(group - near->first_group)};
        if (group < near->first_group || group >= near->first_group + near->n_groups || is_known_use(t, &u))
            continue;
        if ((t->n_window_use & (t->n_window_use - 1)) == 0)
            t->window_use =
                xrealloc(t->window_use, (t->n_window_use ? t->n_window_use * 2 : 1) * sizeof(*t->window_use));
        t->window_use[t->n_window_use++] = u;
    }
}

static void take_regexes(struct window_plan *p, struct side *s, struct rule *r)
{
    r->window_regex = s->gate[r->number].window_regex = (uint8_t)(p->n_regexes % 64);
    for (unsigned i = 0; i < r->n_regex; i++)
        if (r->regex_alone >> i & 1)
            p->alone |= (uint64_t)1 << ((p->n_regexes + i) % 64);
    p->n_regexes += r->n_regex;
    if (r->n_regex)
        p->regex_rule[p->n_regex_rules++] = r->number;
}

static void take_rule(struct window_plan *p, struct side *s, struct rule *r, unsigned used[WINDOW_GROUP_WORDS])
{
    size_t first = p->n_near;
    struct place at = place_groups(used, r);
    for (unsigned i = 0; i < r->n_near; i++)
        take_near(p, r, &r->near[i], at);
    for (size_t i = 0; i < r->n_use; i++) {
        struct term *t = &s->term[r->use[i].term];
        t->is_window_trigger |= r->use[i].role == ROLE_KEY;
        if (r->use[i].role == ROLE_GROUP)
            add_use(t, r, r->use[i].index, first, at);
    }
    take_regexes(p, s, r);
    p->has_variants |= r->has_variants;
    p->detectors |= r->detect;
    p->is_open |= r->regex_always || p->n_near > UINT16_MAX - 1;
}

static void pack_uses(struct window_plan *p, struct side *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_terms; i++)
        n += s->term[i].n_window_use;
    p->use = xcalloc(n + 1, sizeof(*p->use));
    n = 0;
    for (size_t i = 0; i < s->n_terms; i++) {
        struct term *t = &s->term[i];
        struct term_look *look = &s->look[i];
        look->window_use = (uint32_t)n;
        look->n_window_use = t->n_window_use;
        if (t->n_window_use)
            memcpy(p->use + n, t->window_use, t->n_window_use * sizeof(*p->use));
        for (uint32_t k = 0; k < t->n_window_use; k++)
            look->window_reach = MAX_OF(look->window_reach, p->near[p->use[n + k].near].within);
        n += t->n_window_use;
    }
}

void window_build(struct side *side)
{
    static _Atomic uint64_t number;
    if (!side->n_windowed)
        return;
    struct window_plan *p = side->plan = xcalloc(1, sizeof(*p));
    unsigned used[WINDOW_GROUP_WORDS] = {0};
    p->set = ++number;
    p->regex_rule = xcalloc(side->n_rules + 1, sizeof(*p->regex_rule));
    for (size_t i = 0; i < side->n_rules; i++)
        if (side->rule[i]->window_messages)
            take_rule(p, side, side->rule[i], used);
    for (size_t i = 0; i < side->n_terms; i++)
        side->term[i].is_window_trigger |= side->term[i].n_wake_window > 0;
    build_pieces(p, side);
    pack_uses(p, side);
    p->is_open |= (p->detectors & ~(uint32_t)DETECT_BY_CLASS) != 0;
}

void window_fini(struct side *side)
{
    for (size_t i = 0; i < side->n_terms; i++)
        free(side->term[i].window_use);
    if (side->plan)
        free(side->plan->piece), free(side->plan->near), free(side->plan->use), free(side->plan->regex_rule);
    free(side->plan);
    side->plan = NULL;
}

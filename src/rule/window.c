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
    return t->n_wake_window || t->is_windowed || (p->has_variants && t->spelling);
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

/* The place of a near's groups: one byte, which several may share. */
static void place_near(struct window_plan *p, const struct near *near, unsigned at)
{
    p->within[at] = MAX_OF(p->within[at], near->within);
    p->is_ordered[at / 8] &= near->is_ordered ? UINT64_MAX : ~((uint64_t)0xff << (at % 8 * 8));
    for (unsigned g = 0; g < near->n_groups; g++) {
        uint64_t bit = (uint64_t)1 << (at % 8 * 8 + g);
        p->money[at / 8] |= near->detectors[g] >> DETECT_MONEY & 1 ? bit : 0;
        p->number[at / 8] |= near->detectors[g] & ~(1u << DETECT_MONEY) ? bit : 0;
    }
}

static void add_use(struct term *t, const struct rule *r, const struct use *use, unsigned first_near)
{
    for (unsigned i = 0; i < r->n_near; i++) {
        const struct near *near = &r->near[i];
        if (use->index < near->first_group || use->index >= near->first_group + near->n_groups)
            continue;
        if ((t->n_window_use & (t->n_window_use - 1)) == 0)
            t->window_use =
                xrealloc(t->window_use, (t->n_window_use ? t->n_window_use * 2 : 1) * sizeof(*t->window_use));
        t->window_use[t->n_window_use++] =
            (struct window_use){r, use, near->within, (uint8_t)((first_near + i) % WINDOW_NEARS),
                                (uint8_t)(use->index - near->first_group)};
    }
}

static void take_rule(struct window_plan *p, struct side *s, struct rule *r)
{
    uint32_t detectors = r->detect;
    for (unsigned i = 0; i < r->n_near; i++) {
        place_near(p, &r->near[i], (p->n_nears + i) % WINDOW_NEARS);
        for (unsigned g = 0; g < r->near[i].n_groups; g++)
            detectors |= r->near[i].detectors[g];
    }
    for (size_t i = 0; i < r->n_use; i++)
        if (r->use[i].role == ROLE_GROUP)
            add_use(&s->term[r->use[i].term], r, &r->use[i], p->n_nears);
    p->n_nears += r->n_near;
    r->window_slot = (uint8_t)(p->n_regexes % 64);
    for (unsigned i = 0; i < r->n_regex; i++)
        if (r->regex_alone >> i & 1)
            p->alone |= (uint64_t)1 << ((p->n_regexes + i) % 64);
    p->n_regexes += r->n_regex;
    p->has_variants |= r->has_variants;
    p->detectors |= detectors;
    p->is_open |= (detectors & ~(uint32_t)DETECT_BY_CLASS) || r->regex_always;
}

static void build_reach(struct window_plan *p)
{
    for (unsigned len = 0; len < REACH_MAX; len++)
        for (unsigned at = 0; at < WINDOW_NEARS; at++)
            if (p->within[at] >= len)
                p->reach[len][at / 8] |= (uint64_t)0xff << (at % 8 * 8);
}

void window_build(struct side *side)
{
    static _Atomic uint64_t number;
    if (!side->n_windowed)
        return;
    struct window_plan *p = side->plan = xcalloc(1, sizeof(*p));
    p->set = ++number;
    memset(p->is_ordered, 0xff, sizeof(p->is_ordered));
    for (size_t i = 0; i < side->n_rules; i++)
        if (side->rule[i]->window_messages)
            take_rule(p, side, side->rule[i]);
    build_pieces(p, side);
    build_reach(p);
}

void window_fini(struct side *side)
{
    for (size_t i = 0; i < side->n_terms; i++)
        free(side->term[i].window_use);
    if (side->plan)
        free(side->plan->piece);
    free(side->plan);
    side->plan = NULL;
}

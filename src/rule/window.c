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

static void add_use(struct term *t, const struct rule *r, const struct use *use, size_t first_near)
{
    for (unsigned i = 0; i < r->n_near; i++) {
        const struct near *near = &r->near[i];
        if (use->index < near->first_group || use->index >= near->first_group + near->n_groups)
            continue;
        if ((t->n_window_use & (t->n_window_use - 1)) == 0)
            t->window_use =
                xrealloc(t->window_use, (t->n_window_use ? t->n_window_use * 2 : 1) * sizeof(*t->window_use));
        t->window_use[t->n_window_use++] =
            (struct window_use){r, use, (uint16_t)(first_near + i), (uint8_t)(use->index - near->first_group)};
    }
}

static void take_near(struct window_plan *p, const struct rule *r, const struct near *near)
{
    if ((p->n_near & (p->n_near - 1)) == 0)
        p->near = xrealloc(p->near, (p->n_near ? p->n_near * 2 : 1) * sizeof(*p->near));
    struct window_near *n = &p->near[p->n_near++];
    *n = (struct window_near){.within = (uint8_t)near->within,
                              .same = near->same,
                              .is_ordered = near->is_ordered,
                              .n_groups = near->n_groups,
                              .slot = r->window_slot,
                              .first_bit = near->first_group};
    for (unsigned g = 0; g < near->n_groups; g++) {
        uint32_t kinds = near->detectors[g];
        n->money |= (uint8_t)((kinds >> DETECT_MONEY & 1) << g);
        n->number |= (uint8_t)((kinds & ~(1u << DETECT_MONEY) ? 1u : 0u) << g);
        p->detectors |= kinds;
    }
    p->is_open |= (n->number | n->money) & ((n->number | n->money) - 1); /* two numbers: no word is needed */
}

static void take_rule(struct window_plan *p, struct side *s, struct rule *r)
{
    size_t first = p->n_near;
    r->window_slot = (uint8_t)p->n_rules++;
    for (unsigned i = 0; i < r->n_near; i++)
        take_near(p, r, &r->near[i]);
    for (size_t i = 0; i < r->n_use; i++) {
        struct term *t = &s->term[r->use[i].term];
        t->is_window_trigger |= r->use[i].role == ROLE_KEY;
        if (r->use[i].role == ROLE_GROUP)
            add_use(t, r, &r->use[i], first);
    }
    r->window_regex = (uint8_t)(p->n_regexes % 64);
    for (unsigned i = 0; i < r->n_regex; i++)
        if (r->regex_alone >> i & 1)
            p->alone |= (uint64_t)1 << ((p->n_regexes + i) % 64);
    p->n_regexes += r->n_regex;
    s->gate[r->number].window_slot = r->window_slot;
    s->gate[r->number].window_regex = r->window_regex;
    p->has_variants |= r->has_variants;
    p->detectors |= r->detect;
    p->is_open |= r->regex_always || p->n_near > UINT16_MAX;
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
        s->look[i].window_use = (uint32_t)n;
        s->look[i].n_window_use = t->n_window_use;
        if (t->n_window_use)
            memcpy(p->use + n, t->window_use, t->n_window_use * sizeof(*p->use));
        n += t->n_window_use;
    }
}

void window_build(struct side *side)
{
    static _Atomic uint64_t number;
    if (!side->n_windowed)
        return;
    struct window_plan *p = side->plan = xcalloc(1, sizeof(*p));
    p->set = ++number;
    for (size_t i = 0; i < side->n_rules; i++)
        if (side->rule[i]->window_messages)
            take_rule(p, side, side->rule[i]);
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
        free(side->plan->piece), free(side->plan->near), free(side->plan->use);
    free(side->plan);
    side->plan = NULL;
}

/* Conditions on a hit: where it stands, what is around it, whether it is asked or quoted. */
#include "rule/eval.h"

#include "base/utf8.h"

static uint16_t part_of(const struct sheet *s, uint8_t same, uint32_t unit)
{
    uint32_t n = s->plain.view[VIEW_PLAIN].n;
    unit = MIN_OF(unit, n ? n - 1 : 0);
    return same == SAME_CLAUSE ? s->clause[unit] : same == SAME_SENTENCE ? s->sentence[unit] : 0;
}

bool eval_in_same(struct eval *e, uint8_t same, uint32_t a, uint32_t b)
{
    if (same == SAME_ANY)
        return true;
    sheet_need_clauses(e->sheet);
    return part_of(e->sheet, same, a) == part_of(e->sheet, same, b);
}

static bool is_in_a_piece(const struct found *f, const struct piece *c)
{
    for (unsigned i = 0; i < f->n_pieces; i++)
        if (c->bfrom >= f->piece[i].bfrom && c->bto <= f->piece[i].bto)
            return true;
    return f->n_pieces == 0 && c->bfrom >= f->bfrom && c->bto <= f->bto;
}

static bool is_near(struct eval *e, const struct not_near *nn, const struct found *f, const struct piece *c)
{
    uint32_t first = f->from, last = f->to > f->from ? f->to - 1 : f->from;
    if (is_in_a_piece(f, c))
        return false;
    if (c->to <= f->from)
        return (nn->side & SIDE_BEFORE) && f->from - c->to <= nn->within && eval_in_same(e, nn->same, c->from, first);
    if (c->from >= f->to)
        return (nn->side & SIDE_AFTER) && c->from - f->to <= nn->within && eval_in_same(e, nn->same, c->from, last);
    if (c->to > f->to && f->from <= c->from) /* begins in the hit and goes on behind it */
        return nn->side & SIDE_AFTER;
    return true; /* between the pieces */
}

/* 能不能, 可不可以, 有没有, 可以不可以: the word asks and denies nothing. */
bool eval_is_choice(const struct view *v, uint32_t u)
{
    uint32_t no = u < v->n ? v->cp[u] : 0;
    if (no != 0x4e0d && no != 0x6ca1 && no != 0x5514) /* 不 没 唔 */
        return false;
    return (u >= 1 && u + 1 < v->n && v->cp[u - 1] == v->cp[u + 1]) ||
           (u >= 2 && u + 2 < v->n && v->cp[u - 2] == v->cp[u + 1] && v->cp[u - 1] == v->cp[u + 2]);
}

static const struct piece *clearing_context(struct eval *e, const struct rule *r, const struct found *f)
{
    for (uint32_t i = 0; i < e->n_pieces; i++) {
        const struct piece *c = &e->piece[i];
        if (c->role != ROLE_NOT_NEAR || !is_near(e, &r->not_near[c->index], f, c))
            continue;
        if (r->dir == DIR_INCOMING || !eval_is_choice(&e->sheet->plain.view[VIEW_PLAIN], c->from))
            return c;
    }
    return NULL;
}

/* [lo, hi): the units of the message, clause or sentence around a unit. */
static void part_around(struct eval *e, uint8_t same, uint32_t unit, uint32_t *lo, uint32_t *hi)
{
    struct sheet *s = e->sheet;
    uint32_t n = s->plain.view[VIEW_PLAIN].n;
    *lo = 0, *hi = n;
    if (same == SAME_ANY || !n)
        return;
    sheet_need_clauses(s);
    unit = MIN_OF(unit, n - 1);
    uint16_t part = part_of(s, same, unit);
    for (*lo = unit; *lo > 0 && part_of(s, same, *lo - 1) == part;)
        --*lo;
    for (*hi = unit + 1; *hi < n && part_of(s, same, *hi) == part;)
        ++*hi;
}

static void strip_fillers(const struct eval *e, uint32_t from, uint32_t to, uint32_t *lo, uint32_t *hi)
{
    for (bool has = true; has;) {
        has = false;
        for (uint32_t i = 0; i < e->n_pieces; i++) {
            const struct piece *p = &e->piece[i];
            if (p->role != ROLE_FILLER || p->to == p->from)
                continue;
            if (p->from <= *lo && p->to > *lo && p->to <= from)
                *lo = p->to, has = true;
            if (p->to >= *hi && p->from < *hi && p->from >= to)
                *hi = p->from, has = true;
        }
    }
}

static bool is_at_place(struct eval *e, const struct rule *r, const struct found *f)
{
    uint32_t lo, hi;
    if (!r->at)
        return true;
    if (r->at & AT_START) {
        part_around(e, r->at_unit, f->from, &lo, &hi);
        strip_fillers(e, f->from, f->to, &lo, &hi);
        if (f->from > lo)
            return false;
    }
    if (r->at & AT_END) {
        part_around(e, r->at_unit, f->to ? f->to - 1 : 0, &lo, &hi);
        strip_fillers(e, f->from, f->to, &lo, &hi);
        if (f->to < hi)
            return false;
    }
    return true;
}

static bool is_question(struct eval *e, const struct found *f)
{
    const struct view *v = &e->sheet->plain.view[VIEW_PLAIN];
    uint32_t lo, hi;
    part_around(e, SAME_SENTENCE, f->to ? f->to - 1 : 0, &lo, &hi);
    if (hi == 0)
        return false;
    uint32_t last = v->cp[hi - 1];
    if (last == 0x5417 || last == 0x4e48 || last == 0x561b) /* 吗 么 嘛 */
        return true;
    uint32_t end = hi < v->n ? v->from[hi] : (uint32_t)e->sheet->text.n;
    for (uint32_t b = v->to[hi - 1]; b < end;) {
        uint32_t cp = 0;
        unsigned n = utf8_decode(e->sheet->text.p + b, e->sheet->text.n - b, &cp);
        if (cp == '?' || cp == 0xff1f)
            return true;
        b += n ? n : 1;
    }
    return false;
}

bool eval_is_quoted(const struct eval *e, const struct found *f)
{
    struct span t = e->sheet->text;
    uint32_t open_at = 0, open = 0;
    for (uint32_t b = 0; b < t.n;) {
        uint32_t cp = 0;
        unsigned n = utf8_decode(t.p + b, t.n - b, &cp);
        bool is_open = cp == 0x201c || cp == 0x300a || cp == 0x300c || cp == 0x300e || (cp == '"' && open != '"');
        bool is_close = cp == 0x201d || cp == 0x300b || cp == 0x300d || cp == 0x300f || (cp == '"' && open == '"');
        if (is_close && open) {
            if (open_at <= f->bfrom && f->bto <= b)
                return true;
            open = 0;
        } else if (is_open) {
            open = cp, open_at = b + n;
        }
        b += n ? n : 1;
    }
    return false;
}

/* Joined texts: the hit touches the current message and began in an earlier one that the rule's window reaches. */
static bool is_in_window(const struct eval *e, const struct rule *r, const struct found *f)
{
    if (!e->window_from)
        return true;
    if (f->bfrom >= e->window_from || f->bto <= e->window_from)
        return false;
    for (unsigned i = 0; i < e->n_messages; i++) {
        bool is_reached =
            e->n_messages - i <= r->window_messages && e->sheet->now_ms - e->message_ms[i] <= r->window_ms;
        if (is_reached)
            return f->bfrom >= e->message_from[i];
    }
    return false;
}

void eval_consider(struct eval *e, const struct rule *r, const struct found *f)
{
    const char *why = NULL;
    const struct piece *by = NULL;
    if (!is_in_window(e, r, f))
        return;
    if (!is_at_place(e, r, f))
        why = "place";
    else if ((r->skip & SKIP_QUESTION) && is_question(e, f))
        why = "question";
    else if ((r->skip & SKIP_QUOTED) && eval_is_quoted(e, f))
        why = "quoted";
    else if ((by = clearing_context(e, r, f)))
        why = "context";
    else if (eval_is_refused(e, r, f))
        why = "refused";
    if (why) {
        eval_tell_dropped(e, r, f->bfrom, f->bto, by, why);
        return;
    }
    const struct rule *as = eval_variant(e, r);
    if (as->is_off && !e->ignores_conditions) {
        eval_tell_dropped(e, r, f->bfrom, f->bto, NULL, "facts of the shop");
        return;
    }
    if (e->trace) {
        struct rule_trace t = {.what = TRACE_HIT, .rule = as, .from = f->bfrom, .to = f->bto, .n_pieces = f->n_pieces};
        for (unsigned i = 0; i < f->n_pieces; i++)
            t.piece[i] = span_of(e->sheet->text.p + f->piece[i].bfrom, f->piece[i].bto - f->piece[i].bfrom);
        e->trace(e->trace_arg, &t);
    }
    e->on_hit(e->on_hit_arg, as, f);
}

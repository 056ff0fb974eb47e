/* A question and the refusal that answers it in the same message: 可以加微信吗？不可以的. */
#include "base/utf8.h"
#include "rule/eval.h"

enum { QUESTIONS_MAX = 3 };

/* The longest word of that part of `refused` that begins at the unit, or NULL. */
static const struct piece *word_at(const struct eval *e, enum refused_part part, uint32_t unit)
{
    const struct piece *longest = NULL;
    for (uint32_t i = 0; i < e->n_pieces; i++) {
        const struct piece *p = &e->piece[i];
        bool is_it = p->role == ROLE_REFUSED && p->index == part && p->from == unit && p->to > unit;
        if (is_it && (!longest || p->to > longest->to))
            longest = p;
    }
    return longest;
}

static bool has_word_in(const struct eval *e, enum refused_part part, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < e->n_pieces; i++) {
        const struct piece *p = &e->piece[i];
        if (p->role == ROLE_REFUSED && p->index == part && p->from >= from && p->to <= to)
            return true;
    }
    return false;
}

static uint32_t skip_fillers(const struct eval *e, uint32_t unit, uint32_t end)
{
    const struct piece *p;
    while (unit < end && (p = word_at(e, REFUSED_FILLER, unit)) && p->to <= end)
        unit = p->to;
    return unit;
}

static bool is_closing_quote(uint32_t cp)
{
    return cp == '"' || cp == 0x201d || cp == 0x300b || cp == 0x300d || cp == 0x300f;
}

/* What stands between two units: a question mark, the end of a quotation. */
static void look_between(const struct eval *e, uint32_t unit, bool *has_mark, bool *has_quote)
{
    const struct view *v = &e->sheet->plain.view[VIEW_PLAIN];
    struct span t = e->sheet->text;
    uint32_t end = unit + 1 < v->n ? v->from[unit + 1] : (uint32_t)t.n;
    for (uint32_t b = v->to[unit]; b < end;) {
        uint32_t cp = 0;
        unsigned n = utf8_decode(t.p + b, t.n - b, &cp);
        *has_mark |= cp == '?' || cp == 0xff1f;
        *has_quote |= is_closing_quote(cp);
        b += n ? n : 1;
    }
}

/* 吗 ends a question anywhere, 么 and 嘛 only where something ends: 什么 is none. */
static bool is_asking_particle(uint32_t cp, bool is_end)
{
    return cp == 0x5417 || (is_end && (cp == 0x4e48 || cp == 0x561b)); /* 吗 么 嘛 */
}

/* 能不能, 有没有, 得唔得, 有冇 somewhere in [from, to). */
static bool has_choice(const struct view *v, uint32_t from, uint32_t to)
{
    for (uint32_t u = from; u < to; u++)
        if (eval_is_choice(v, u) || (v->cp[u] == 0x5187 && u > from && v->cp[u - 1] == 0x6709)) /* 有冇 */
            return true;
    return false;
}

/* Where the clause that holds the unit ends, as a question does; 0 when it is none. */
static uint32_t question_end(struct eval *e, uint32_t unit, bool is_quoted)
{
    const struct view *v = &e->sheet->plain.view[VIEW_PLAIN];
    const uint16_t *clause = e->sheet->clause;
    uint32_t from = unit;
    while (from > 0 && clause[from - 1] == clause[unit])
        from--;
    for (uint32_t u = unit; u < v->n; u++) {
        bool has_mark = false, has_quote = false, is_end = u + 1 == v->n || clause[u + 1] != clause[u];
        if (v->gap[u + 1 < v->n ? u + 1 : u] || is_end)
            look_between(e, u, &has_mark, &has_quote);
        has_quote &= is_quoted;
        if (has_mark || has_quote || is_asking_particle(v->cp[u], is_end))
            return u + 1;
        if (is_end)
            return has_choice(v, from, u + 1) || has_word_in(e, REFUSED_ASK, from, u + 1) ? u + 1 : 0;
    }
    return 0;
}

/* Whether what begins at the unit refuses: 不会的 as a clause of its own, or 不支持… */
static bool is_refusal(const struct eval *e, uint32_t unit)
{
    const struct view *v = &e->sheet->plain.view[VIEW_PLAIN];
    const uint16_t *clause = e->sheet->clause;
    const struct piece *p = word_at(e, REFUSED_WHOLE, unit);
    if (p) {
        uint32_t end = p->to;
        while (end < v->n && clause[end] == clause[p->to - 1])
            end++;
        if (skip_fillers(e, p->to, end) == end)
            return true;
    }
    return word_at(e, REFUSED_BEGIN, unit) != NULL;
}

static bool has_detected(const struct found *f)
{
    for (unsigned i = 0; i < f->n_pieces; i++)
        if (f->piece[i].detection >= 0)
            return true;
    return false;
}

bool eval_is_refused(struct eval *e, const struct rule *r, const struct found *f)
{
    uint32_t n = e->sheet->plain.view[VIEW_PLAIN].n;
    if (!r->has_refused || f->to <= f->from || f->to >= n || has_detected(f))
        return false;
    sheet_need_clauses(e->sheet);
    if (e->sheet->sentence[f->from] != e->sheet->sentence[f->to - 1])
        return false;
    uint32_t end = question_end(e, f->to - 1, eval_is_quoted(e, f));
    for (int asked = 0; end && end < n && asked < QUESTIONS_MAX; asked++) {
        uint32_t answer = skip_fillers(e, end, n);
        if (answer < n && is_refusal(e, answer))
            return !has_word_in(e, REFUSED_TURN, end, n);
        end = question_end(e, end, false);
    }
    return false;
}

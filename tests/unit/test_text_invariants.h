/* What must hold of the folding of every text; shared by the property test and the fuzz target. */
#pragma once

#include "base/utf8.h"
#include "base/xalloc.h"
#include "text/fold.h"

enum { FOLD_ALL = 1 << VIEW_PLAIN | 1 << VIEW_DIGIT | 1 << VIEW_READING | FOLD_WANT_LINE };

static inline bool is_border(struct span text, uint32_t at)
{
    return at == text.n || (at < text.n && (text.p[at] & 0xc0) != 0x80);
}

static inline const char *check_places(struct span text, const struct view *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        if (v->from[i] >= v->to[i] || v->to[i] > text.n)
            return "a unit's bytes are empty or past the text";
        if (!is_border(text, v->from[i]) || !is_border(text, v->to[i]))
            return "a unit's bytes do not lie on character borders";
        if (i && (v->from[i] < v->from[i - 1] || v->to[i] < v->to[i - 1]))
            return "places decrease";
        if (v->cp[i] >= FOLD_SYLLABLE_BASE ? !*fold_syllable_name(v->cp[i]) : fold_is_separator(v->cp[i]))
            return "a unit is a separator or no syllable";
    }
    return NULL;
}

/* The plain view is the line without its separators, which are counted by the characters that they came from. */
static inline const char *check_line(struct span text, const struct folded *f)
{
    const struct view *v = &f->view[VIEW_PLAIN];
    uint32_t unit = 0, gap = 0, last_from = UINT32_MAX;
    for (uint32_t at = 0, cp, len; at < f->line.n; at += len) {
        len = utf8_decode(f->line.p + at, f->line.n - at, &cp);
        if (len == 0)
            return "the line is not UTF-8";
        uint32_t from = f->line_from[at], to = f->line_to[at];
        for (uint32_t k = 1; k < len; k++)
            if (f->line_from[at + k] != from || f->line_to[at + k] != to)
                return "the bytes of one character of the line have several places";
        if (!is_border(text, from) || !is_border(text, to) || from >= to)
            return "the line's places are not character borders";
        if (fold_is_separator(cp)) {
            gap += from != last_from;
            last_from = from;
            continue;
        }
        if (unit == v->n || v->cp[unit] != cp || v->from[unit] != from || v->to[unit] != to)
            return "the plain view is not the line without separators";
        if (v->gap[unit] != MIN_OF(gap, (uint32_t)FOLD_GAP_MAX))
            return "a gap is not the number of separators";
        unit++, gap = 0, last_from = UINT32_MAX;
    }
    return unit == v->n ? NULL : "the plain view is longer than the line";
}

static inline const char *check_digits(const struct folded *f)
{
    const struct view *v = &f->view[VIEW_PLAIN], *d = &f->view[VIEW_DIGIT];
    if (d->n != v->n)
        return "the digit view has another length than the plain one";
    for (uint32_t i = 0; i < v->n; i++) {
        if (d->from[i] != v->from[i] || d->to[i] != v->to[i] || d->gap[i] != v->gap[i])
            return "the digit view has other places than the plain one";
        if (d->cp[i] != v->cp[i] && (d->cp[i] < '0' || d->cp[i] > '9'))
            return "the digit view changes more than numerals";
    }
    return NULL;
}

/* Letters [at, …) of the plain view that spell `name`; 0 when they do not. */
static inline uint32_t spelled_by(const struct view *v, uint32_t at, const char *name)
{
    uint32_t n = (uint32_t)strlen(name);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t c = at + i < v->n ? v->cp[at + i] : 0;
        bool is_same = c == (uint8_t)name[i] || (name[i] == 'v' && (c == 0xfc || (c == 'u' && n == 3)));
        if (!is_same)
            return 0;
    }
    return n;
}

static inline const char *check_readings(const struct folded *f)
{
    const struct view *v = &f->view[VIEW_PLAIN], *r = &f->view[VIEW_READING];
    uint32_t at = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if (at >= v->n)
            return "the reading view is longer than the plain one";
        uint32_t cp = r->cp[i], len = 1;
        if (cp >= FOLD_SYLLABLE_BASE && fold_syllable_of(v->cp[at]) != cp)
            len = spelled_by(v, at, fold_syllable_name(cp));
        else if (cp < FOLD_SYLLABLE_BASE && (cp != v->cp[at] || fold_syllable_of(cp)))
            len = 0;
        if (len == 0)
            return "a reading is not the plain view's";
        if (r->from[i] != v->from[at] || r->gap[i] != v->gap[at] || r->to[i] != v->to[at + len - 1])
            return "a reading has another place than its letters";
        at += len;
    }
    return at == v->n ? NULL : "the reading view is shorter than the plain one";
}

static inline bool same_units(const struct view *a, const struct view *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->cp, b->cp, a->n * sizeof(*a->cp)) == 0);
}

/* Folding the line again gives the same line and the same views. */
static inline const char *check_idempotent(const struct folded *f)
{
    if (f->line.n > FOLD_TEXT_MAX)
        return NULL;
    static struct fold_scratch *s;
    struct folded again;
    if (!s)
        s = fold_scratch_new();
    /* A copy of the exact size, so that the address sanitizer sees a read past the end. */
    uint8_t *copy = xmalloc(f->line.n);
    memcpy(copy, f->line.p, f->line.n);
    fold_text(s, span_of(copy, f->line.n), FOLD_ALL, &again);
    const char *wrong = span_eq(again.line, f->line) ? NULL : "folding the line again gives another line";
    for (int i = 0; i < VIEW_COUNT && !wrong; i++)
        if (!same_units(&again.view[i], &f->view[i]))
            wrong = "folding the line again gives other units";
    free(copy);
    return wrong;
}

static inline const char *check_line_alone(struct span text, const struct folded *f)
{
    static struct fold_scratch *s;
    if (!s)
        s = fold_scratch_new();
    return span_eq(fold_line(s, text), f->line) ? NULL : "the line alone is another line";
}

/* NULL, or what does not hold. The text is valid UTF-8. */
static inline const char *check_folding(struct fold_scratch *s, struct span text)
{
    struct folded f;
    fold_text(s, text, FOLD_ALL, &f);
    /* What the scratch has room for; the arrays stand in one block, where no sanitizer sees an overflow. */
    if (f.view[VIEW_PLAIN].n > 2 * text.n || f.line.n > 6 * text.n)
        return "the expansion is longer than the scratch allows for";
    const char *wrong = check_places(text, &f.view[VIEW_PLAIN]);
    if (!wrong)
        wrong = check_places(text, &f.view[VIEW_READING]);
    if (!wrong)
        wrong = check_line(text, &f);
    if (!wrong)
        wrong = check_line_alone(text, &f);
    if (!wrong)
        wrong = check_digits(&f);
    if (!wrong)
        wrong = check_readings(&f);
    if (!wrong)
        wrong = check_idempotent(&f);
    return wrong;
}

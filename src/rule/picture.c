#include "rule/picture.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/load.h"
#include "rule/word_list.h"

static const uint8_t *lead(const struct picture *p)
{
    return p->sign.p;
}

/* By first byte, longer signs first, so that the first one that fits is the longest. */
static int by_sign(const void *a, const void *b)
{
    const struct picture *x = a, *y = b;
    if (*lead(x) != *lead(y))
        return *lead(x) < *lead(y) ? -1 : 1;
    if (x->sign.n != y->sign.n)
        return x->sign.n > y->sign.n ? -1 : 1;
    return memcmp(x->sign.p, y->sign.p, x->sign.n);
}

static struct span next_field(struct span *rest)
{
    size_t from = 0, to;
    while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\t'))
        from++;
    for (to = from; to < rest->n && rest->p[to] != ' ' && rest->p[to] != '\t';)
        to++;
    struct span field = span_of(rest->p + from, to - from);
    *rest = span_from(*rest, to);
    return field;
}

/* The sign as the folded line holds it: without variation selectors. */
static void add_sign(struct loader *l, struct side *side, struct span word, struct span sign)
{
    struct folded f;
    fold_text(l->fold, sign, 1u << VIEW_PLAIN | FOLD_WANT_LINE, &f);
    if (f.line.n == 0)
        return;
    if ((side->n_pictures & (side->n_pictures - 1)) == 0)
        side->picture = xrealloc(side->picture, (side->n_pictures ? side->n_pictures * 2 : 1) * sizeof(*side->picture));
    struct picture *p = &side->picture[side->n_pictures++];
    *p = (struct picture){.n = (uint8_t)word.n};
    memcpy(p->with, word.p, word.n);
    p->sign = span_str(arena_strdup(&l->set->arena, f.line));
}

void picture_load(struct loader *l, enum direction dir)
{
    struct side *side = &l->set->side[dir];
    const struct list_file *list = word_list_find(l, "emoji");
    for (size_t k = 0; list && k < list->n; k++) {
        struct span rest = list->word[k], word = next_field(&rest);
        if (word.n > PICTURE_BYTES_MAX) {
            err_list_add(l->errs, "%s:%d:1: \"%.*s\": is longer than %d bytes", list->path, list->line[k], (int)word.n,
                         (const char *)word.p, PICTURE_BYTES_MAX);
            continue;
        }
        for (struct span s = next_field(&rest); s.n; s = next_field(&rest))
            add_sign(l, side, word, s);
    }
    if (!side->n_pictures)
        return;
    qsort(side->picture, side->n_pictures, sizeof(*side->picture), by_sign);
    for (size_t i = side->n_pictures; i-- > 0;)
        side->picture_at[*lead(&side->picture[i])] = (uint16_t)(i + 1);
}

static const struct picture *picture_at(const struct side *side, struct span line, size_t at)
{
    size_t first = side->picture_at[line.p[at]];
    for (size_t i = first ? first - 1 : side->n_pictures; i < side->n_pictures; i++) {
        struct span sign = side->picture[i].sign;
        if (*sign.p != line.p[at])
            return NULL;
        if (sign.n <= line.n - at && memcmp(sign.p, line.p + at, sign.n) == 0)
            return &side->picture[i];
    }
    return NULL;
}

void picture_find(const struct side *side, const struct folded *line, struct variant *v)
{
    struct span text = line->line;
    for (size_t at = 0; at < text.n;) {
        const struct picture *p = picture_at(side, text, at);
        if (p) {
            struct swap s = {.bfrom = line->line_from[at], .bto = line->line_to[at + p->sign.n - 1], .n = p->n};
            memcpy(s.with, p->with, p->n);
            variant_add(v, &s);
        }
        at += p ? p->sign.n : 1;
    }
}

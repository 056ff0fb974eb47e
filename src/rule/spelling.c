#include "rule/spelling.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/terms.h"
#include "rule/word_list.h"

enum { SPELLING_CHARS_MAX = 8 };

/* Radicals that people type in either form. */
static const uint32_t forms[][2] = {
    {0x4ebb, 0x4eba}, {0x624c, 0x624b}, {0x8ba0, 0x8a00}, {0x9485, 0x91d1}, {0x7e9f, 0x7cf8},
    {0x6c35, 0x6c34}, {0x5fc4, 0x5fc3}, {0x9963, 0x98df}, {0x5202, 0x5200}, {0x793b, 0x793a},
    {0x8864, 0x8863}, {0x72ad, 0x72ac}, {0x8279, 0x8349}, {0x8fb6, 0x8d70},
};

struct entry {
    struct loader *l;
    enum direction dir;
    const struct list_file *list;
    int line;
    uint32_t target;
};

static void entry_bad(const struct entry *e, struct span what, const char *why)
{
    err_list_add(e->l->errs, "%s:%d:1: \"%.*s\": %s", e->list->path, e->line, (int)what.n, (const char *)what.p, why);
}

static void add_target(struct spelling *s, uint32_t target)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->target[i] == target)
            return;
    if (s->n < SPELLING_TARGETS_MAX)
        s->target[s->n++] = target;
}

static void add_units(const struct entry *e, const struct view *v, struct span text)
{
    struct side *side = &e->l->set->side[e->dir];
    uint32_t number;
    struct term *t = terms_get_plain(e->l, e->dir, v, text, &number);
    t->gap = MAX_OF(t->gap, (uint8_t)SPELLING_GAP_MAX);
    t->is_loose = true;
    if (!t->spelling) {
        if ((side->n_spellings & (side->n_spellings - 1)) == 0)
            side->spelling =
                xrealloc(side->spelling, (side->n_spellings ? side->n_spellings * 2 : 1) * sizeof(*side->spelling));
        side->spelling[side->n_spellings++] = (struct spelling){.n = 0};
        t->spelling = (uint32_t)side->n_spellings;
    }
    add_target(&side->spelling[t->spelling - 1], e->target);
}

/* The same with one radical in its other form. */
static void add_other_forms(const struct entry *e, const struct view *v, struct span text)
{
    uint32_t other[SPELLING_CHARS_MAX];
    for (uint32_t i = 0; v->n > 1 && i < v->n; i++)
        for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
            if (v->cp[i] != forms[k][0] && v->cp[i] != forms[k][1])
                continue;
            memcpy(other, v->cp, v->n * sizeof(*other));
            other[i] = forms[k][v->cp[i] == forms[k][0]];
            add_units(e, &(struct view){.cp = other, .n = v->n}, text);
        }
}

static uint32_t chars_in(struct span s)
{
    uint32_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static void add_spelling(const struct entry *e, struct span text)
{
    struct folded f;
    uint32_t units[SPELLING_CHARS_MAX];
    fold_text(e->l->fold, text, 1u << VIEW_PLAIN, &f);
    struct view v = {.cp = units, .n = f.view[VIEW_PLAIN].n};
    if (v.n > SPELLING_CHARS_MAX) {
        entry_bad(e, text, "is longer than 8 characters");
        return;
    }
    /* Folding has taken a part out, or has made the character of it already. */
    if (v.n < chars_in(text) || (v.n == 1 && f.view[VIEW_PLAIN].cp[0] == e->target))
        return;
    memcpy(units, f.view[VIEW_PLAIN].cp, v.n * sizeof(*units));
    add_units(e, &v, text);
    add_other_forms(e, &v, text);
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

static void take_line(struct entry *e, struct span rest)
{
    struct span name = next_field(&rest);
    struct folded f;
    fold_text(e->l->fold, name, 1u << VIEW_PLAIN, &f);
    if (f.view[VIEW_PLAIN].n != 1) {
        entry_bad(e, name, "must be one character, its spellings behind it");
        return;
    }
    e->target = f.view[VIEW_PLAIN].cp[0];
    for (struct span s = next_field(&rest); s.n; s = next_field(&rest))
        add_spelling(e, s);
}

void spelling_load(struct loader *l, enum direction dir)
{
    static const char *const names[] = {"split", "lookalike"};
    bool has_any = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct entry e = {l, dir, word_list_find(l, names[i]), 0, 0};
        has_any |= e.list != NULL;
        for (size_t k = 0; e.list && k < e.list->n; k++) {
            e.line = e.list->line[k];
            take_line(&e, e.list->word[k]);
        }
    }
    if (!has_any)
        err_list_add(l->errs, "variants: neither lists/split.txt nor lists/lookalike.txt was found beside the packs");
}

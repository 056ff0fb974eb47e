#include "rule/confuse.h"

#include "base/xalloc.h"
#include "rule/match.h"
#include "rule/terms.h"
#include "rule/word_list.h"

enum { SOUNDS_MAX = 2, NAME_MAX = 8, ALONE_CHARS_MIN = 3, ORDINARY_CHARS_MIN = 2, ORDINARY_CHARS_MAX = 4 };

/* ---- syllables ---- */

/* xin for xing and xing for xin; false for syllables that end neither in -an, -en, -in nor with a g behind these. */
static bool other_nasal(const char *name, char *out)
{
    size_t n = strlen(name);
    bool has_g = n > 2 && name[n - 1] == 'g', is_nasal = n - has_g > 1 && name[n - has_g - 1] == 'n';
    if (!is_nasal || n + 1 >= NAME_MAX || !strchr("aei", name[n - has_g - 2]))
        return false;
    snprintf(out, NAME_MAX, "%.*s%s", (int)(n - has_g), name, has_g ? "" : "g");
    return true;
}

/* zi for zhi and zhi for zi; false where nothing is confused. */
static bool other_initial(const char *name, char *out)
{
    static const char *const pairs[][2] = {{"zh", "z"}, {"ch", "c"}, {"sh", "s"},
                                           {"z", "zh"}, {"c", "ch"}, {"s", "sh"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        size_t n = strlen(pairs[i][0]);
        if (strncmp(name, pairs[i][0], n) == 0) {
            snprintf(out, NAME_MAX, "%s%s", pairs[i][1], name + n);
            return true;
        }
    }
    return false;
}

uint32_t confuse_syllable_of(struct loader *l, const char *name)
{
    struct folded f;
    fold_text(l->fold, span_str(name), 1u << VIEW_PLAIN | 1u << VIEW_READING, &f);
    const struct view *v = &f.view[VIEW_READING];
    return v->n == 1 && v->cp[0] >= FOLD_SYLLABLE_BASE ? v->cp[0] : 0;
}

static unsigned confused(struct loader *l, uint32_t syllable, bool want_initials, uint32_t out[SOUNDS_MAX])
{
    char other[NAME_MAX];
    unsigned n = 0;
    const char *name = fold_syllable_name(syllable);
    if (other_nasal(name, other) && (out[n] = confuse_syllable_of(l, other)))
        n++;
    if (want_initials && other_initial(name, other) && (out[n] = confuse_syllable_of(l, other)))
        n++;
    return n;
}

/* ---- words ---- */

static void add_term(struct loader *l, const struct pending *p, const struct term *of, uint32_t at, uint32_t syllable,
                     struct span word)
{
    struct buf key = {0};
    uint32_t number, mark[] = {at, syllable};
    const struct term from = *of; /* making one may move it */
    buf_append(&key, mark, sizeof(mark));
    buf_append_span(&key, word);
    struct term *t = terms_get(l, p->rule->dir, TERM_READING, buf_span(&key), &number);
    buf_fini(&key);
    if (!t->cp) {
        uint32_t *unit = arena_alloc(&l->set->arena, from.n * sizeof(*unit));
        memcpy(unit, from.cp, from.n * sizeof(*unit));
        unit[at] = syllable;
        t->cp = unit;
        t->written = from.written;
        t->n = t->n_written = from.n;
        t->confused = (uint8_t)(at + 1);
        t->text = from.text;
        t->text_len = from.text_len;
    }
    terms_connect(t, number, p);
}

void confuse_compile(struct loader *l, const struct pending *p, uint32_t number, struct span word)
{
    const struct side *side = &l->set->side[p->rule->dir];
    uint32_t n = side->term[number].n, other[SOUNDS_MAX];
    uint32_t least = p->role == ROLE_GROUP ? ALONE_CHARS_MIN - 1 : ALONE_CHARS_MIN; /* chance speaks shorter ones */
    if (side->term[number].n_written != n || n < least)
        return; /* letters in it are syllables */
    for (uint32_t at = 0; at < n; at++) {
        const struct term *t = &side->term[number];
        if (t->cp[at] < FOLD_SYLLABLE_BASE || t->written[at] < 0x3400)
            continue;
        unsigned sounds = confused(l, t->cp[at], n > least, other);
        for (unsigned k = 0; k < sounds; k++)
            add_term(l, p, &side->term[number], at, other[k], word);
    }
}

/* Sizes of clothes: s码 is a size rather than 扫码. */
static bool is_size(uint32_t letter)
{
    return letter == 's' || letter == 'm' || letter == 'l';
}

void confuse_compile_initials(struct loader *l, const struct pending *p, const uint32_t *unit, uint32_t n,
                              struct span word)
{
    uint32_t with[TERM_CHARS_MAX], number;
    if (n + (p->role == ROLE_GROUP) < ALONE_CHARS_MIN)
        return;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t syllable = fold_syllable_of(unit[i]);
        if (unit[i] < 0x3400 || !syllable)
            continue;
        memcpy(with, unit, n * sizeof(*with));
        with[i] = (uint32_t)fold_syllable_name(syllable)[0];
        if (n < ALONE_CHARS_MIN && is_size(with[i]))
            continue;
        struct view v = {.cp = with, .n = n};
        struct term *t = terms_get_plain(l, p->rule->dir, &v, word, &number);
        terms_connect(t, number, p);
    }
}

/* ---- ordinary words ---- */

void confuse_load_ordinary(struct loader *l)
{
    const struct list_file *list = word_list_find(l, "near_ok");
    size_t n = 0;
    if (!list)
        return;
    struct match_word *word = xcalloc(list->n + 1, sizeof(*word));
    uint32_t(*unit)[ORDINARY_CHARS_MAX] = xcalloc(list->n + 1, sizeof(*unit));
    for (size_t i = 0; i < list->n; i++) {
        struct folded f;
        fold_text(l->fold, list->word[i], 1u << VIEW_PLAIN, &f);
        const struct view *v = &f.view[VIEW_PLAIN];
        if (v->n < ORDINARY_CHARS_MIN || v->n > ORDINARY_CHARS_MAX) {
            err_list_add(l->errs, "%s:%d:1: \"%.*s\": must have 2 to 4 characters", list->path, list->line[i],
                         (int)list->word[i].n, (const char *)list->word[i].p);
            continue;
        }
        memcpy(unit[n], v->cp, v->n * sizeof(*v->cp));
        word[n] = (struct match_word){.unit = unit[n], .n = v->n};
        n++;
    }
    l->set->ordinary = match_new(word, n);
    free(word);
    free(unit);
}

/* Stops at a word that holds unit *arg. */
static int on_ordinary(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    (void)id;
    const uint32_t *at = arg;
    return from <= *at && *at < from + n ? -1 : 0;
}

bool confuse_is_ordinary(const struct ruleset *set, const struct view *v, uint32_t at)
{
    uint32_t from = at >= ORDINARY_CHARS_MAX ? at + 1 - ORDINARY_CHARS_MAX : 0,
             to = MIN_OF(v->n, at + ORDINARY_CHARS_MAX), here = at - from;
    return set->ordinary && match_scan(set->ordinary, v->cp + from, to - from, on_ordinary, &here) != 0;
}

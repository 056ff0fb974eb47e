/* Words to terms, and what wakes which rule. */
#include "rule/terms.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/confuse.h"
#include "rule/finder.h"
#include "rule/lead.h"
#include "rule/literal.h"
#include "rule/mark.h"
#include "rule/picture.h"
#include "rule/polyphone.h"
#include "rule/spelling.h"
#include "rule/window.h"

enum { EXPANSIONS_MAX = 512, WORD_BYTES_MAX = 200, GAP_ANY = 255 };

static void word_bad(struct loader *l, const struct pending *p, const char *why)
{
    if (p->file)
        err_list_add(l->errs, "%s:%d:1: \"%.*s\": %s (used by %s)", p->file, p->line, (int)p->text.n,
                     (const char *)p->text.p, why, p->rule->id);
    else
        yaml_bad(l->errs, p->at, "\"%.*s\": %s", (int)p->text.n, (const char *)p->text.p, why);
}

struct term *terms_get(struct loader *l, enum direction dir, enum term_form form, struct span text, uint32_t *number)
{
    struct side *s = &l->set->side[dir];
    struct map *m = &l->terms[dir];
    uint8_t key[WORD_BYTES_MAX * 4 + 1];
    key[0] = (uint8_t)('0' + form);
    size_t n = MIN_OF(text.n, sizeof(key) - 1);
    memcpy(key + 1, text.p, n);
    void *known = map_get(m, span_of(key, n + 1));
    if (!known) {
        if (s->n_terms == s->terms_cap) {
            s->terms_cap = s->terms_cap ? s->terms_cap * 2 : 64;
            s->term = xrealloc(s->term, s->terms_cap * sizeof(*s->term));
        }
        s->term[s->n_terms] = (struct term){.form = (uint8_t)form};
        s->n_terms++;
        known = (void *)(uintptr_t)s->n_terms;
        map_put(m, span_of(key, n + 1), known);
    }
    *number = (uint32_t)(uintptr_t)known - 1;
    return &s->term[*number];
}

static void term_wake(struct term *t, const struct rule *r, uint8_t bit)
{
    for (uint32_t i = 0; i < t->n_wake; i++)
        if (t->wake[i].rule == r->number && t->wake[i].bit == bit)
            return;
    if (t->n_wake == t->wake_cap) {
        t->wake_cap = t->wake_cap ? t->wake_cap * 2 : 2;
        t->wake = xrealloc(t->wake, t->wake_cap * sizeof(*t->wake));
    }
    t->is_used = true;
    t->wake[t->n_wake++] = (struct wake){r->number, bit};
}

static void rule_use(struct rule *r, uint32_t term, const struct pending *p)
{
    if ((r->n_use & (r->n_use - 1)) == 0)
        r->use = xrealloc(r->use, (r->n_use ? r->n_use * 2 : 1) * sizeof(*r->use));
    r->use[r->n_use++] = (struct use){term, p->role, p->index, p->key};
}

void terms_connect(struct term *t, uint32_t number, const struct pending *p)
{
    struct rule *r = p->rule;
    bool is_trigger = p->role == ROLE_WORD || p->role == ROLE_GROUP;
    t->is_used = true;
    t->gap = MAX_OF(t->gap, r->gap);
    t->has_punctuation |= r->has_punctuation && (is_trigger || p->role == ROLE_KEY);
    t->is_loose |= !r->has_border;
    if (is_trigger)
        term_wake(t, r, (uint8_t)(p->role == ROLE_WORD ? BIT_WORDS : BIT_GROUP + p->index));
    rule_use(r, number, p);
}

static const uint32_t *copy_units(struct ruleset *set, const struct view *v)
{
    uint32_t *u = arena_alloc(&set->arena, v->n * sizeof(*u));
    memcpy(u, v->cp, v->n * sizeof(*u));
    return u;
}

/* Symbols that folding takes out, but that mean something in a word: emoji, %, +, … but no spaces, dots, dashes,
 * brackets. */
static bool has_symbols(struct span line)
{
    for (size_t i = 0; i < line.n;) {
        uint32_t cp = 0;
        unsigned n = utf8_decode(line.p + i, line.n - i, &cp);
        if (!n)
            return false;
        i += n;
        if (fold_is_separator(cp) && !words_is_plain_mark(cp))
            return true;
    }
    return false;
}

struct term *terms_get_plain(struct loader *l, enum direction dir, const struct view *v, struct span text,
                             uint32_t *number)
{
    struct term *t = terms_get(l, dir, TERM_PLAIN, span_of(v->cp, v->n * sizeof(*v->cp)), number);
    if (!t->cp) {
        t->cp = copy_units(l->set, v);
        t->n = (uint16_t)v->n;
        t->text = arena_strdup(&l->set->arena, text);
        t->text_len = (uint32_t)text.n;
    }
    return t;
}

static unsigned han_in(const struct view *v)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < v->n; i++)
        n += v->cp[i] >= 0x3400 && fold_syllable_of(v->cp[i]) != 0;
    return n;
}

static void compile_reading(struct loader *l, const struct pending *p, const struct folded *f, struct span word)
{
    uint32_t number;
    struct term *t = terms_get(l, p->rule->dir, TERM_READING, word, &number);
    if (!t->cp) {
        t->cp = copy_units(l->set, &f->view[VIEW_READING]);
        t->n = (uint16_t)f->view[VIEW_READING].n;
        t->written = copy_units(l->set, &f->view[VIEW_PLAIN]);
        t->n_written = (uint16_t)f->view[VIEW_PLAIN].n;
        t->text = arena_strdup(&l->set->arena, word);
        t->text_len = (uint32_t)word.n;
    }
    terms_connect(t, number, p);
    polyphone_compile(l, p, number, word);
    if (p->rule->has_variants)
        confuse_compile(l, p, number, word);
}

/* One word without alternatives. */
static void compile_word(struct loader *l, const struct pending *p, struct span word)
{
    struct folded f;
    fold_text(l->fold, word, 1u << VIEW_PLAIN | 1u << VIEW_READING | FOLD_WANT_LINE, &f);
    bool is_line = has_symbols(f.line);
    if (!is_line && f.view[VIEW_PLAIN].n == 0) {
        word_bad(l, p, "nothing is left of it after folding");
        return;
    }
    if (f.view[VIEW_PLAIN].n > TERM_CHARS_MAX) {
        word_bad(l, p, "is longer than 32 characters");
        return;
    }
    if (rule_is_off(p->rule))
        return;
    uint32_t number;
    struct term *t;
    if (is_line) {
        t = terms_get(l, p->rule->dir, TERM_LINE, f.line, &number);
        if (!t->text) {
            t->text = arena_strdup(&l->set->arena, f.line);
            t->text_len = (uint32_t)f.line.n;
        }
        terms_connect(t, number, p);
        return;
    }
    const struct view *v = &f.view[VIEW_PLAIN];
    t = terms_get_plain(l, p->rule->dir, v, word, &number);
    const uint32_t *unit = t->cp; /* the next term may move this one */
    uint32_t n = t->n;
    terms_connect(t, number, p);
    bool is_trigger = p->role == ROLE_WORD || p->role == ROLE_GROUP || p->role == ROLE_KEY;
    unsigned han = han_in(v); /* the views are gone when something else is folded */
    if (!p->rule->has_homophones || !is_trigger)
        return;
    if (han >= 2 && f.view[VIEW_READING].n >= 2)
        compile_reading(l, p, &f, word);
    if (p->rule->has_variants && han == n)
        confuse_compile_initials(l, p, unit, n, word);
}

/* Alternatives in round brackets, outermost first: head(a|b)tail. */
static bool expand(struct loader *l, const struct pending *p, struct span word, unsigned *budget, unsigned depth)
{
    const uint8_t *open = word.n ? memchr(word.p, '(', word.n) : NULL;
    if (!open) {
        if ((*budget)-- == 0 || word.n > WORD_BYTES_MAX)
            return false;
        compile_word(l, p, word);
        return true;
    }
    size_t head = (size_t)(open - word.p), from = head + 1, level = 1, end = from;
    for (; end < word.n; end++) {
        level += word.p[end] == '(';
        level -= word.p[end] == ')';
        if (level == 0)
            break;
    }
    if (level != 0 || depth > 8)
        return false;
    struct span tail = span_from(word, end + 1);
    bool is_fine = true;
    level = 0;
    for (size_t i = from; i <= end && is_fine; i++) {
        level += word.p[i] == '(';
        if (i == end || (word.p[i] == '|' && level == 0)) {
            struct buf b = {0};
            buf_append(&b, word.p, head);
            buf_append(&b, word.p + from, i - from);
            buf_append_span(&b, tail);
            is_fine = b.len <= WORD_BYTES_MAX && expand(l, p, buf_span(&b), budget, depth + 1);
            buf_fini(&b);
            from = i + 1;
        } else if (word.p[i] == ')') {
            level--;
        }
    }
    return is_fine;
}

/* ---- literals of regular expressions ---- */

static bool is_safe_on_raw(uint32_t cp)
{
    return cp >= 0x4e00 && cp <= 0x9fff;
}

/* Literals as folding leaves them; false when one of them does not stay. */
static bool fold_literals(struct literals *lit, bool is_raw)
{
    bool is_usable = lit->n > 0;
    for (unsigned i = 0; i < lit->n; i++) {
        unsigned n = 0;
        for (unsigned k = 0; k < lit->len[i]; k++) {
            is_usable &= !is_raw || is_safe_on_raw(lit->cp[i][k]);
            if (!fold_is_separator(lit->cp[i][k]))
                lit->cp[i][n++] = lit->cp[i][k];
        }
        lit->len[i] = (uint8_t)n;
        is_usable &= n > 0;
    }
    return is_usable;
}

static void wake_by_literal(struct loader *l, struct rule *r, const struct rule_regex *x, const uint32_t *cp,
                            unsigned len, uint8_t bit)
{
    uint32_t number;
    struct view v = {.cp = cp, .n = len};
    struct folded raw;
    uint8_t utf8[LITERAL_CHARS_MAX * 4];
    size_t n = 0;
    for (unsigned k = 0; k < len; k++)
        n += utf8_encode(cp[k], utf8 + n);
    if (x->on == ON_RAW) { /* folded, a text holds the folded literal */
        fold_text(l->fold, span_of(utf8, n), 1u << VIEW_PLAIN, &raw);
        v = raw.view[VIEW_PLAIN];
    }
    struct term *t = terms_get_plain(l, r->dir, &v, span_of(utf8, n), &number);
    t->gap = GAP_ANY;
    t->has_punctuation = t->is_loose = true;
    term_wake(t, r, bit);
}

static bool wake_by(struct loader *l, struct rule *r, const struct rule_regex *x, struct literals *lit, unsigned bit)
{
    if (!fold_literals(lit, x->on == ON_RAW))
        return false;
    for (unsigned i = 0; i < lit->n; i++)
        wake_by_literal(l, r, x, lit->cp[i], lit->len[i], (uint8_t)bit);
    return true;
}

/* The regex is woken by its literals, when it has some that folding leaves as they are. */
static void wake_by_literals(struct loader *l, struct rule *r, unsigned index)
{
    struct literals *lit = xcalloc(2, sizeof(*lit));
    struct rule_regex *x = &r->regex[index];
    x->kinds = (uint8_t)literal_extract(x->pattern, &lit[0], &lit[1]);
    x->has_literal = wake_by(l, r, x, &lit[0], BIT_REGEX + index);
    x->has_also = x->has_literal && wake_by(l, r, x, &lit[1], BIT_ALSO + index);
    if (!x->has_literal)
        r->regex_always |= 1u << index;
    else if (!x->has_also)
        r->regex_alone |= 1u << index;
    free(lit);
}

/* ---- all of it ---- */

static int by_term(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    return x->term < y->term ? -1 : x->term > y->term;
}

static void index_uses(struct rule *r)
{
    uint32_t cap = 4;
    if (!r->n_use)
        return;
    qsort(r->use, r->n_use, sizeof(*r->use), by_term);
    while (cap < r->n_use * 2)
        cap *= 2;
    r->use_slot = xcalloc(cap, sizeof(*r->use_slot));
    r->use_slot_mask = cap - 1;
    for (size_t i = 0; i < r->n_use; i++) {
        uint32_t k = r->use[i].term * 0x9e3779b1u;
        if (i > 0 && r->use[i - 1].term == r->use[i].term)
            continue;
        while (r->use_slot[k & r->use_slot_mask])
            k++;
        r->use_slot[k & r->use_slot_mask] = (uint32_t)i + 1;
    }
}

/* After the literals of regular expressions are known. */
static void fill_gates(struct side *s)
{
    size_t n = 0;
    s->gate = xcalloc(s->n_rules + 1, sizeof(*s->gate));
    s->needs = xcalloc(s->n_rules * NEARS_MAX + 1, sizeof(*s->needs));
    for (size_t i = 0; i < s->n_rules; i++) {
        const struct rule *r = s->rule[i];
        struct rule_gate *g = &s->gate[i];
        *g = (struct rule_gate){.alone = (uint64_t)1 << BIT_WORDS | (uint64_t)r->regex_alone << BIT_REGEX,
                                .regex_alone = r->regex_alone,
                                .first_need = (uint32_t)n,
                                .n_near = r->n_near,
                                .is_always = r->is_always,
                                .needs_two = true,
                                .has_window = r->window_messages > 0,
                                .has_regex = r->n_regex > 0};
        for (unsigned k = 0; k < r->n_near; k++) {
            s->needs[n++] = r->near[k].need;
            g->needs_two &= (r->near[k].need & (r->near[k].need - 1)) != 0;
        }
    }
}

/* Whether no word decides that the rule does not apply. */
static bool needs_always(const struct rule *r)
{
    bool is_always = r->detect != 0 || r->regex_always;
    for (unsigned i = 0; i < r->n_near; i++)
        is_always |= r->near[i].need == 0;
    return is_always;
}

/* Their numbers are kept in 16 bits. */
static void check_wakes(struct loader *l, const struct side *s)
{
    for (size_t i = 0; i < s->n_terms; i++)
        if (s->term[i].n_wake > UINT16_MAX)
            err_list_add(l->errs, "\"%s\": stands in %u places of rules, at most %d are allowed", s->term[i].text,
                         s->term[i].n_wake, UINT16_MAX);
}

void words_compile(struct loader *l)
{
    reading_note_common(l->set);
    confuse_load_ordinary(l);
    for (size_t i = 0; i < l->n_pending; i++) {
        const struct pending *p = &l->pending[i];
        unsigned budget = EXPANSIONS_MAX;
        if (!expand(l, p, p->text, &budget, 0))
            word_bad(l, p, "brackets do not close, or it spells out more than 512 words of at most 200 bytes");
    }
    for (int dir = 0; dir < 2; dir++) {
        struct side *s = &l->set->side[dir];
        bool has_variants = false;
        s->always = xcalloc(s->n_rules + 1, sizeof(*s->always));
        s->classified = xcalloc(s->n_rules + 1, sizeof(*s->classified));
        for (size_t i = 0; i < s->n_rules; i++) {
            struct rule *r = s->rule[i];
            for (unsigned k = 0; k < r->n_regex; k++)
                wake_by_literals(l, r, k);
            index_uses(r);
            r->is_always = needs_always(r);
            if (r->is_always)
                s->always[s->n_always++] = (uint32_t)i;
            if (r->classified.is_set)
                s->classified[s->n_classified++] = (uint32_t)i;
            s->n_windowed += r->window_messages > 0;
            s->window_messages = MAX_OF(s->window_messages, r->window_messages);
            s->window_ms = MAX_OF(s->window_ms, r->window_ms);
            has_variants |= r->has_variants;
        }
        if (has_variants) {
            spelling_load(l, (enum direction)dir);
            picture_load(l, (enum direction)dir);
        }
        fill_gates(s);
        lead_choose(s);
        check_wakes(l, s);
        finder_build(s);
        finder_pack(s);
        window_build(s);
    }
}

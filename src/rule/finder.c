#include "rule/finder.h"

#include "base/xalloc.h"

/* Spellings belong to whoever reads variants, not to a rule. */
static bool is_of(const struct finder *f, const struct term *t, bool is_window)
{
    return !is_window || t->n_wake_window || t->is_windowed || (f->has_variants && t->spelling);
}

static void build(struct finder *f, const struct side *s, bool is_window)
{
    struct match_word *plain = xcalloc(s->n_terms + 1, sizeof(*plain)),
                      *reading = xcalloc(s->n_terms + 1, sizeof(*reading));
    size_t n_plain = 0, n_reading = 0;
    f->line_term = xcalloc(s->n_terms + 1, sizeof(*f->line_term));
    for (size_t i = 0; i < s->n_terms; i++) {
        const struct term *t = &s->term[i];
        if (!is_of(f, t, is_window))
            continue;
        if (t->form == TERM_PLAIN)
            plain[n_plain++] = (struct match_word){t->cp, t->n, (uint32_t)i};
        else if (t->form == TERM_READING)
            reading[n_reading++] = (struct match_word){t->cp, t->n, (uint32_t)i};
        else
            f->line_term[f->n_line_terms++] = (uint32_t)i;
    }
    f->plain = match_new(plain, n_plain);
    f->reading = n_reading ? match_new(reading, n_reading) : NULL;
    free(plain);
    free(reading);
}

/* In the order of `wake`: which rule is woken first decides the order of hits. */
static void note_window(struct side *s)
{
    for (size_t i = 0; i < s->n_terms; i++) {
        struct term *t = &s->term[i];
        uint32_t n = 0;
        for (uint32_t k = 0; k < t->n_wake; k++)
            n += s->rule[t->wake[k].rule]->window_messages > 0;
        t->n_wake_window = 0;
        t->wake_window = n ? xcalloc(n, sizeof(*t->wake_window)) : NULL;
        for (uint32_t k = 0; k < t->n_wake; k++)
            if (s->rule[t->wake[k].rule]->window_messages > 0)
                t->wake_window[t->n_wake_window++] = t->wake[k];
    }
    for (size_t i = 0; i < s->n_rules; i++)
        for (size_t u = 0; u < s->rule[i]->n_use && s->rule[i]->window_messages; u++)
            s->term[s->rule[i]->use[u].term].is_windowed = true;
}

void finder_build(struct side *s)
{
    for (size_t i = 0; i < s->n_rules; i++) {
        s->all.has_variants |= s->rule[i]->has_variants;
        s->window.has_variants |= s->rule[i]->has_variants && s->rule[i]->window_messages;
    }
    build(&s->all, s, false);
    if (!s->n_windowed)
        return;
    note_window(s);
    build(&s->window, s, true);
}

void finder_pack(struct side *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_terms; i++)
        n += s->term[i].n_wake + s->term[i].n_wake_window;
    s->look = xcalloc(s->n_terms + 1, sizeof(*s->look));
    s->wakes = xcalloc(n + 1, sizeof(*s->wakes));
    n = 0;
    for (size_t i = 0; i < s->n_terms; i++) {
        const struct term *t = &s->term[i];
        s->look[i] = (struct term_look){.wake = (uint32_t)n,
                                        .n_wake = t->n_wake,
                                        .n_wake_window = t->n_wake_window,
                                        .spelling = t->spelling,
                                        .gap = t->gap,
                                        .has_punctuation = t->has_punctuation,
                                        .is_loose = t->is_loose,
                                        .is_used = t->is_used};
        for (uint32_t k = 0; k < t->n_wake; k++)
            s->wakes[n++] = t->wake[k].rule << WAKE_BIT_LOG | t->wake[k].bit;
        for (uint32_t k = 0; k < t->n_wake_window; k++)
            s->wakes[n++] = t->wake_window[k].rule << WAKE_BIT_LOG | t->wake_window[k].bit;
    }
}

void finder_fini(struct finder *f)
{
    match_free(&f->plain);
    match_free(&f->reading);
    free(f->line_term);
}

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

static void note_window(struct side *s)
{
    for (size_t i = 0; i < s->n_terms; i++) {
        struct term *t = &s->term[i];
        t->n_wake_window = 0;
        for (uint32_t k = 0; k < t->n_wake; k++)
            t->n_wake_window += s->rule[t->wake[k].rule]->window_messages > 0;
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

static enum wake_part part_of(const struct side *s, const struct wake *w)
{
    const struct rule_gate *g = &s->gate[w->rule];
    bool is_lead = g->lead >> w->bit & 1;
    return g->has_window ? is_lead ? WAKE_WINDOW_LEAD : WAKE_WINDOW : is_lead ? WAKE_LEAD : WAKE_OTHER;
}

static void pack_wakes(struct side *s, const struct term *t, struct term_look *look, uint32_t first)
{
    uint32_t n[WAKE_PARTS] = {0}, *to = s->wakes + first;
    for (enum wake_part part = 0; part < WAKE_PARTS; part++)
        for (uint32_t k = 0; k < t->n_wake; k++)
            if (part_of(s, &t->wake[k]) == part) {
                *to++ = t->wake[k].rule << WAKE_BIT_LOG | t->wake[k].bit;
                n[part]++;
            }
    look->wake = first;
    look->n_wake = (uint16_t)t->n_wake; /* not more, see check_wakes */
    look->n_wake_window = (uint16_t)(n[WAKE_WINDOW] + n[WAKE_WINDOW_LEAD]);
    look->lead_from = (uint16_t)n[WAKE_WINDOW];
    look->n_lead = (uint16_t)(n[WAKE_WINDOW_LEAD] + n[WAKE_LEAD]);
    look->n_lead_window = (uint16_t)n[WAKE_WINDOW_LEAD];
}

void finder_pack(struct side *s)
{
    uint32_t n = 0;
    for (size_t i = 0; i < s->n_terms; i++)
        n += s->term[i].n_wake;
    s->look = xcalloc(s->n_terms + 1, sizeof(*s->look));
    s->wakes = xcalloc(n + 1, sizeof(*s->wakes));
    n = 0;
    for (size_t i = 0; i < s->n_terms; i++) {
        const struct term *t = &s->term[i];
        s->look[i] = (struct term_look){.spelling = t->spelling,
                                        .gap = t->gap,
                                        .has_punctuation = t->has_punctuation,
                                        .is_loose = t->is_loose,
                                        .is_used = t->is_used};
        pack_wakes(s, t, &s->look[i], n);
        n += t->n_wake;
    }
}

void finder_fini(struct finder *f)
{
    match_free(&f->plain);
    match_free(&f->reading);
    free(f->line_term);
}

#include "gate/excerpt.h"

#include "gate/capture_mask.h"

enum { BEFORE_HIT = 120 };

static bool is_inside(struct span s, size_t at)
{
    return at < s.n && (s.p[at] & 0xc0) == 0x80;
}

/* At most EVENT_TEXT_MAX bytes with the hit in them, cut between characters. */
static struct span piece_of(struct span text, size_t hit)
{
    size_t from = text.n > EVENT_TEXT_MAX && hit > BEFORE_HIT ? hit - BEFORE_HIT : 0;
    from = MIN_OF(from, text.n > EVENT_TEXT_MAX ? text.n - EVENT_TEXT_MAX : 0);
    while (is_inside(text, from))
        from++;
    size_t to = MIN_OF(text.n, from + EVENT_TEXT_MAX);
    while (to > from && is_inside(text, to))
        to--;
    return span_of(text.p + from, to - from);
}

void excerpt_fill(struct worker *w, const struct unit *u, const struct verdict *v, struct track_event *ev)
{
    const struct conf *conf = w->snap->conf;
    if (!conf->violations.is_kept || !v->n_hits || (!ev->rules.n && !ev->shadow.n) || v->hit[0].text >= u->n_texts)
        return;
    struct span piece = piece_of(u->text[v->hit[0].text], v->hit[0].from);
    struct span masked = capture_mask_text(w->mask, piece);
    ev->text_masked = span_of(arena_strdup(&w->arena, masked), masked.n);
    if (conf->violations.is_full)
        ev->text_full = span_of(arena_strdup(&w->arena, piece), piece.n);
}

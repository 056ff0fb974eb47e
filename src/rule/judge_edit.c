/* Edits of a verdict: noted hit by hit, merged, applied. */
#include "rule/judge_pass.h"
#include "rule/sort.h"

enum { WITH_BYTES_MAX = 16 * 1024 /* masks of one verdict */ };

static struct raw_edit *add_edit(struct pass *p, const struct rule *r, uint32_t from, uint32_t to)
{
    struct rule_scratch *s = p->scratch;
    if (s->n_raw == RAW_EDITS_MAX) {
        judge_set_cause(p->out, CAUSE_TOO_COMPLEX);
        return NULL;
    }
    struct raw_edit *x = &s->raw[s->n_raw++];
    *x = (struct raw_edit){.e = {.text = p->text, .from = from, .to = to, .rule = r}};
    return x;
}

static void add_mask(struct pass *p, const struct rule *r, uint32_t bfrom, uint32_t bto)
{
    const struct sheet *s = &p->scratch->sheet;
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    uint32_t from = detect_unit_at(v, bfrom), to = detect_unit_at(v, bto), n = to - from;
    uint32_t first = r->keep_first, last = r->keep_last;
    if (n <= first + last)
        first = MIN_OF(first, 1u), last = 0;
    if (p->scratch->masks.len + (size_t)n * 8 > WITH_BYTES_MAX) {
        judge_set_cause(p->out, CAUSE_TOO_COMPLEX);
        return;
    }
    struct raw_edit *x = add_edit(p, r, bfrom, bto);
    if (!x)
        return;
    x->is_mask = true;
    x->with_at = p->scratch->masks.len;
    for (uint32_t u = from; u < to; u++) {
        if (u - from < first || to - u <= last)
            buf_append(&p->scratch->masks, s->text.p + v->from[u], v->to[u] - v->from[u]);
        else
            buf_append_str(&p->scratch->masks, r->rewrite_text);
    }
    x->e.with.n = p->scratch->masks.len - x->with_at;
}

static void add_map_edits(struct pass *p, const struct rule *r, uint32_t bfrom, uint32_t bto)
{
    const struct eval *e = &p->scratch->eval;
    for (uint32_t i = 0; i < e->n_pieces; i++) {
        const struct piece *k = &e->piece[i];
        if (k->role != ROLE_KEY || k->bfrom < bfrom || k->bto > bto)
            continue;
        struct raw_edit *x = add_edit(p, r, k->bfrom, k->bto);
        if (x)
            x->e.with = span_str(r->replacement.name[k->key]);
    }
}

void judge_add_edits(struct pass *p, const struct rule *r, const struct found *f)
{
    uint32_t from = f->bfrom, to = f->bto;
    if (r->rewrite == REWRITE_MAP) {
        add_map_edits(p, r, from, to);
        return;
    }
    if (f->n_pieces == 0)
        from = f->edit_bfrom, to = f->edit_bto;
    else if (r->rewrite_of >= 1 && r->rewrite_of <= f->n_pieces)
        from = f->piece[r->rewrite_of - 1].bfrom, to = f->piece[r->rewrite_of - 1].bto;
    if (from >= to)
        return;
    if (r->rewrite == REWRITE_MASK) {
        add_mask(p, r, from, to);
    } else if (r->rewrite == REWRITE_TEXT) {
        struct raw_edit *x = add_edit(p, r, from, to);
        if (x)
            x->e.with = span_str(r->rewrite_text);
    }
}

static int by_length(const void *a, const void *b)
{
    const struct raw_edit *x = a, *y = b;
    uint32_t nx = x->e.to - x->e.from, ny = y->e.to - y->e.from;
    if (nx != ny)
        return nx > ny ? -1 : 1;
    if (x->e.text != y->e.text)
        return x->e.text < y->e.text ? -1 : 1;
    return x->e.from < y->e.from ? -1 : x->e.from > y->e.from;
}

static int by_start(const void *a, const void *b)
{
    const struct edit *x = a, *y = b;
    if (x->text != y->text)
        return x->text < y->text ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

static bool is_edited(const struct verdict *v, uint16_t text, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < v->n_edits; i++)
        if (v->edit[i].text == text && v->edit[i].from < to && from < v->edit[i].to)
            return true;
    return false;
}

void judge_merge_edits(struct pass *p)
{
    struct rule_scratch *s = p->scratch;
    struct verdict *v = p->out;
    sort_in_place(s->raw, s->n_raw, sizeof(*s->raw), by_length);
    for (size_t i = 0; i < s->n_raw; i++) {
        struct edit e = s->raw[i].e;
        if (is_edited(v, e.text, e.from, e.to))
            continue;
        if (v->n_edits == VERDICT_EDITS_MAX) {
            judge_set_cause(v, CAUSE_TOO_COMPLEX);
            v->action = MAX_OF(v->action, ACTION_BLOCK);
            return;
        }
        if (s->raw[i].is_mask)
            e.with.p = s->masks.data + s->masks.start + s->raw[i].with_at;
        v->edit[v->n_edits++] = e;
    }
    sort_in_place(v->edit, v->n_edits, sizeof(*v->edit), by_start);
    for (size_t i = 0; i < v->n_hits; i++) { /* rewrites that found nothing of their own to edit */
        struct hit *h = &v->hit[i];
        if (h->rule->is_shadow || !h->rule->has_action || h->rule->action != ACTION_REWRITE ||
            h->action != ACTION_BLOCK || h->in_window)
            continue;
        if (is_edited(v, h->text, h->from, h->to))
            h->action = ACTION_REWRITE;
        v->action = MAX_OF(v->action, h->action);
    }
}

void judge_apply_edits(struct pass *p)
{
    struct rule_scratch *s = p->scratch;
    const struct verdict *v = p->out;
    buf_reset(&s->edited);
    size_t k = 0;
    for (size_t t = 0; t < p->in->n_texts; t++) {
        struct span text = p->in->text[t];
        size_t at = 0;
        s->edited_at[t] = s->edited.len;
        for (; k < v->n_edits && v->edit[k].text == t; k++) {
            buf_append(&s->edited, text.p + at, v->edit[k].from - at);
            buf_append_span(&s->edited, v->edit[k].with);
            at = v->edit[k].to;
        }
        buf_append(&s->edited, text.p + at, text.n - at);
        s->edited_at[t + 1] = s->edited.len;
    }
}

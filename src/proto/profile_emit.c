/* What goes on after the verdicts. Every change is a splice of the payload's bytes: an edit of a text goes outward
 * through each string that holds it, escaped once more at every level. */
#include "base/json_out.h"
#include "proto/profile_sel.h"

enum { SPLICES_MAX = 512, DROPS_MAX = 64 };

struct splice {
    uint32_t from, to; /* of the payload */
    struct span with;
    bool is_removal; /* of a whole member: may swallow others inside it */
};

struct emission {
    struct profile_scratch *s;
    uint32_t n, n_drops;
    struct splice *splice;
    struct place drop[DROPS_MAX];
    bool has_failed;
};

static struct span escaped(struct profile_scratch *s, struct span text)
{
    if (!text.n)
        return text;
    buf_reset(&s->tmp);
    json_escape(&s->tmp, text);
    uint8_t *copy = arena_alloc(&s->arena, s->tmp.len);
    memcpy(copy, s->tmp.data, s->tmp.len);
    return span_of(copy, s->tmp.len);
}

/* Source offsets of every decoded byte of a string; *n is the decoded length. */
static uint32_t *string_map(struct profile_scratch *s, const struct json_doc *d, uint32_t node, size_t *n)
{
    size_t most = d->node[node].to - d->node[node].from;
    uint8_t *text = arena_alloc(&s->arena, most);
    uint32_t *map = arena_alloc(&s->arena, most * sizeof(*map));
    *n = json_decode(d, node, text, map);
    return map;
}

/* Offsets of a layer to offsets of the source around it. */
static void step_out(struct profile_scratch *s, struct layer *l, uint32_t *from, uint32_t *to)
{
    size_t n;
    if (!l->is_decoded) {
        *from += l->base;
        *to += l->base;
        return;
    }
    if (!l->map)
        l->map = string_map(s, &l->outer->doc, l->outer_node, &n);
    *from = l->map[*from];
    *to = l->map[*to];
}

static void add_splice(struct emission *e, struct layer *l, uint32_t from, uint32_t to, struct span with,
                       bool is_removal)
{
    for (; l; l = (struct layer *)l->outer) {
        step_out(e->s, l, &from, &to);
        if (l->outer)
            with = escaped(e->s, with);
    }
    if (e->n == SPLICES_MAX) {
        e->has_failed = true;
        return;
    }
    uint32_t i = e->n++;
    for (; i && (e->splice[i - 1].from > from || (e->splice[i - 1].from == from && is_removal)); i--)
        e->splice[i] = e->splice[i - 1];
    e->splice[i] = (struct splice){from, to, with, is_removal};
}

/* --- edits of texts --- */

struct text_at {
    struct place at;
    uint32_t base;       /* of the text in the layer, when nothing is escaped */
    const uint32_t *map; /* else */
    size_t n;
};

static struct text_at text_at(struct profile_scratch *s, struct place at)
{
    const struct json_node *node = &at.layer->doc.node[at.node];
    struct text_at t = {.at = at, .base = node->from + 1, .n = node->to - node->from - 2};
    if (node->has_escape)
        t.map = string_map(s, &at.layer->doc, at.node, &t.n);
    return t;
}

static void add_edits(struct emission *e, const struct unit_state *st, const struct unit_fate *fate)
{
    struct text_at t = {0};
    for (size_t i = 0; i < fate->n_edits && !e->has_failed; i++) {
        const struct text_edit *ed = &fate->edit[i];
        if (ed->text >= st->n_texts) {
            e->has_failed = true;
            return;
        }
        if (!i || ed->text != fate->edit[i - 1].text)
            t = text_at(e->s, st->text[ed->text]);
        if (ed->from > ed->to || ed->to > t.n) {
            e->has_failed = true;
            return;
        }
        uint32_t from = t.map ? t.map[ed->from] : t.base + ed->from, to = t.map ? t.map[ed->to] : t.base + ed->to;
        add_splice(e, t.at.layer, from, to, escaped(e->s, ed->with), false);
    }
}

/* --- removal of members and items --- */

static bool on_drop(void *ctx, struct place at)
{
    struct emission *e = ctx;
    for (uint32_t i = 0; i < e->n_drops; i++)
        if (e->drop[i].layer == at.layer && e->drop[i].node == at.node)
            return true;
    if (e->n_drops == DROPS_MAX) {
        e->has_failed = true;
        return false;
    }
    e->drop[e->n_drops++] = at;
    return true;
}

static bool is_dropped(const struct emission *e, struct layer *l, uint32_t node)
{
    for (uint32_t i = 0; i < e->n_drops; i++)
        if (e->drop[i].layer == l && e->drop[i].node == node)
            return true;
    return false;
}

/* Removes the dropped children of one container, each run of neighbours with the comma behind it, or, at the end, with
 * the comma before it. */
static void remove_children(struct emission *e, struct layer *l, uint32_t parent)
{
    const struct json_doc *d = &l->doc;
    uint32_t key = d->node[parent].kind == JSON_OBJECT, kept_end = 0, run = 0, run_end = 0;
    for (uint32_t k = parent + 1; k < d->node[parent].next; k = d->node[k + key].next) {
        if (is_dropped(e, l, k + key)) {
            run = run ? run : k;
            run_end = d->node[k + key].to;
            continue;
        }
        if (run)
            add_splice(e, l, d->node[run].from, d->node[k].from, span_of("", 0), true);
        run = 0;
        kept_end = d->node[k + key].to;
    }
    if (run)
        add_splice(e, l, kept_end ? kept_end : d->node[run].from, run_end, span_of("", 0), true);
}

static void remove_all(struct emission *e)
{
    for (uint32_t i = 0; i < e->n_drops; i++) {
        bool is_done = false;
        for (uint32_t k = 0; k < i && !is_done; k++)
            is_done = e->drop[k].layer == e->drop[i].layer && e->drop[k].parent == e->drop[i].parent;
        if (!is_done)
            remove_children(e, e->drop[i].layer, e->drop[i].parent);
    }
}

/* --- the whole message --- */

static unsigned add_companions(struct emission *e, struct unit_state *st)
{
    uint32_t before = e->n_drops;
    for (uint32_t i = 0; i < st->rule->drop.n; i++)
        sel_walk(e->s, &st->rule->drop.sel[i], st->root, on_drop, e);
    return e->n_drops - before;
}

/* False: nothing of the message goes on. */
static bool collect(struct emission *e, const struct unit *units, size_t n, const struct unit_fate *fates,
                    unsigned *n_dropped)
{
    uint32_t gone = 0;
    for (size_t i = 0; i < n; i++) {
        struct unit_state *st = &e->s->state[units[i].id];
        if (fates[i].drop) {
            if (!st->elem || ++gone == e->s->envelope->doc.node[0].n)
                return false;
            on_drop(e, (struct place){e->s->envelope, st->elem, 0});
        } else if (fates[i].n_edits && st->rule) {
            add_edits(e, st, &fates[i]);
            *n_dropped += add_companions(e, st);
        } else if (fates[i].n_edits) {
            e->has_failed = true;
        }
    }
    remove_all(e);
    return true;
}

static bool write_out(struct emission *e, struct span payload, struct buf *out)
{
    uint32_t at = 0;
    const struct splice *removal = NULL;
    for (uint32_t i = 0; i < e->n; i++) {
        const struct splice *sp = &e->splice[i];
        if (removal && sp->to <= removal->to && sp->from < removal->to)
            continue; /* inside something that goes */
        if (sp->from < at)
            return false;
        buf_append(out, payload.p + at, sp->from - at);
        buf_append_span(out, sp->with);
        at = sp->to;
        if (sp->is_removal)
            removal = sp;
    }
    buf_append(out, payload.p + at, payload.n - at);
    return true;
}

enum emit profile_emit(struct profile_scratch *s, struct span payload, const struct unit *units, size_t n,
                       const struct unit_fate *fates, struct buf *out, unsigned *n_dropped)
{
    bool is_touched = false;
    *n_dropped = 0;
    for (size_t i = 0; i < n; i++)
        is_touched |= fates[i].drop || fates[i].n_edits;
    if (!is_touched)
        return EMIT_AS_IS;
    struct emission e = {.s = s, .splice = arena_alloc(&s->arena, SPLICES_MAX * sizeof(struct splice))};
    if (!collect(&e, units, n, fates, n_dropped))
        return EMIT_NOTHING;
    uint32_t before = out->len;
    if (!e.has_failed && write_out(&e, payload, out))
        return EMIT_BYTES;
    out->len = before;
    return EMIT_FAILED;
}

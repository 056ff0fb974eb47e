/* Following selectors through the layers of a message. */
#include "proto/profile_sel.h"

static void note_trouble(struct profile_scratch *s, enum json_result r)
{
    if (r > s->trouble)
        s->trouble = r;
}

struct layer *layer_open(struct profile_scratch *s, struct span src, const struct layer *outer, uint32_t outer_node)
{
    if (s->n_layers == LAYERS_MAX) {
        note_trouble(s, JSON_TOO_COMPLEX);
        return NULL;
    }
    struct layer *l = &s->layer[s->n_layers++];
    l->outer = outer;
    l->outer_node = outer_node;
    l->base = 0;
    l->is_decoded = false;
    l->map = NULL;
    l->result = json_read(&l->doc, src, s->profile->json_flags, NULL);
    note_trouble(s, l->result);
    return l;
}

struct layer *layer_inside(struct profile_scratch *s, struct place at)
{
    const struct json_node *node = &at.layer->doc.node[at.node];
    if (node->kind != JSON_STRING)
        return NULL;
    for (uint32_t i = 0; i < s->n_layers; i++) {
        struct layer *l = &s->layer[i];
        if (l->outer == at.layer && l->outer_node == at.node) {
            note_trouble(s, l->result);
            return l->result == JSON_OK ? l : NULL;
        }
    }
    struct layer *l = layer_open(s, place_text(s, at), at.layer, at.node);
    if (!l)
        return NULL;
    l->is_decoded = node->has_escape;
    l->base = node->from + 1;
    return l->result == JSON_OK ? l : NULL;
}

struct span place_text(struct profile_scratch *s, struct place at)
{
    struct span raw = place_raw(at);
    if (place_kind(at) != JSON_STRING)
        return raw;
    if (!at.layer->doc.node[at.node].has_escape)
        return span_of(raw.p + 1, raw.n - 2);
    uint8_t *out = arena_alloc(&s->arena, raw.n);
    return span_of(out, json_decode(&at.layer->doc, at.node, out, NULL));
}

static bool walk(struct profile_scratch *s, const struct selector *sel, uint32_t i, struct place at, sel_fn fn,
                 void *ctx);

static bool walk_children(struct profile_scratch *s, const struct selector *sel, uint32_t i, struct place at, sel_fn fn,
                          void *ctx)
{
    const struct json_doc *d = &at.layer->doc;
    uint32_t step = d->node[at.node].kind == JSON_OBJECT ? 1 : 0; /* over the key */
    if (d->node[at.node].kind != JSON_OBJECT && d->node[at.node].kind != JSON_ARRAY)
        return true;
    for (uint32_t k = at.node + 1; k < d->node[at.node].next; k = d->node[k + step].next)
        if (!walk(s, sel, i, (struct place){at.layer, k + step, at.node}, fn, ctx))
            return false;
    return true;
}

static bool walk_strings(struct place at, sel_fn fn, void *ctx)
{
    const struct json_doc *d = &at.layer->doc;
    for (uint32_t k = at.node; k < d->node[at.node].next; k++)
        if (d->node[k].kind == JSON_STRING && !d->node[k].is_key)
            if (!fn(ctx, (struct place){at.layer, k, 0}))
                return false;
    return true;
}

static inline uint32_t child(const struct json_doc *d, uint32_t node, const struct step *step)
{
    if (d->node[node].kind == JSON_ARRAY)
        return step->is_index ? json_item(d, node, step->index) : 0;
    return json_member_marked(d, node, step->key, step->mark);
}

/* One step down; false: it leads nowhere. */
static inline bool step_down(struct profile_scratch *s, const struct step *step, struct place *at)
{
    if (step->kind == STEP_JSON) {
        *at = (struct place){layer_inside(s, *at), 0, 0};
        return at->layer != NULL;
    }
    at->parent = at->node;
    at->node = child(&at->layer->doc, at->node, step);
    return at->node != 0;
}

struct place sel_follow(struct profile_scratch *s, const struct selector *sel, struct layer *layer)
{
    struct place at = {layer, 0, 0};
    for (uint32_t i = 0; i < sel->n; i++)
        if (!step_down(s, &sel->step[i], &at))
            return (struct place){0};
    return at;
}

static bool walk(struct profile_scratch *s, const struct selector *sel, uint32_t i, struct place at, sel_fn fn,
                 void *ctx)
{
    for (; i < sel->n; i++) {
        if (sel->step[i].kind == STEP_ANY)
            return walk_children(s, sel, i + 1, at, fn, ctx);
        if (sel->step[i].kind == STEP_DEEP)
            return walk_strings(at, fn, ctx);
        if (!step_down(s, &sel->step[i], &at))
            return true;
    }
    return fn(ctx, at);
}

bool sel_walk(struct profile_scratch *s, const struct selector *sel, struct layer *layer, sel_fn fn, void *ctx)
{
    if (sel->is_packet_ack)
        return !s->ack || fn(ctx, (struct place){s->ack, 0, 0});
    return walk(s, sel, 0, (struct place){layer, 0, 0}, fn, ctx);
}

static bool on_first(void *ctx, struct place at)
{
    *(struct place *)ctx = at;
    return false;
}

struct place sel_first(struct profile_scratch *s, const struct selectors *list, struct layer *layer)
{
    struct place found = {0};
    for (uint32_t i = 0; i < list->n && !found.layer; i++) {
        if (list->sel[i].is_path)
            found = sel_at(s, &list->sel[i], layer);
        else if (!list->sel[i].is_packet_type)
            sel_walk(s, &list->sel[i], layer, on_first, &found);
    }
    return found;
}

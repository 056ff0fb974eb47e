/* Selectors: RFC 6901 pointers with the steps `*` (every child), `**` (every string below, last) and `!json` (the
 * document inside a string). */
#pragma once

#include "proto/json_key.h"
#include "proto/profile_impl.h"

/* Compiles one selector; 0, or -1 with the error reported at the node. */
int sel_compile(const struct ynode *at, struct arena *a, struct selector *out, struct err_list *errs) MUST_CHECK;
/* Compiles one text or a list of them. Errors are reported; what could be compiled stands in `out`. */
void sel_compile_list(const struct ynode *at, const char *what, struct arena *a, struct selectors *out,
                      struct err_list *errs);

/* Returns true to go on. */
typedef bool (*sel_fn)(void *ctx, struct place at);
/* Calls fn for every value that the selector finds from the root of `layer`; false when fn stopped it. Trouble with
 * inner documents is left in s->trouble. */
bool sel_walk(struct profile_scratch *s, const struct selector *sel, struct layer *layer, sel_fn fn, void *ctx);
/* The value that a selector with is_path finds. */
struct place sel_follow(struct profile_scratch *s, const struct selector *sel, struct layer *layer);
static inline struct place sel_at(struct profile_scratch *s, const struct selector *sel, struct layer *layer)
{
    if (!sel->is_key || !layer->doc.is_indexed)
        return sel_follow(s, sel, layer);
    uint32_t node = json_member_indexed(&layer->doc, sel->step->key, sel->step->mark);
    return (struct place){node ? layer : NULL, node, 0};
}
/* The first value that a selector of the list finds. */
struct place sel_first(struct profile_scratch *s, const struct selectors *list, struct layer *layer);

/* A fresh layer reading `src`, or NULL when there are too many. Sets s->trouble when it is not good JSON, and gives the
 * layer all the same: look at layer->result. */
struct layer *layer_open(struct profile_scratch *s, struct span src, const struct layer *outer, uint32_t outer_node);
/* The document inside the string at a place; NULL when it is none. Opened once per read. */
struct layer *layer_inside(struct profile_scratch *s, struct place at);

/* The decoded bytes of a string, or the token of another scalar; from the scratch arena or the source. */
struct span place_text(struct profile_scratch *s, struct place at);
/* The source bytes of a value. */
static inline struct span place_raw(struct place at)
{
    return json_raw_span(&at.layer->doc, at.node);
}
static inline enum json_kind place_kind(struct place at)
{
    return (enum json_kind)at.layer->doc.node[at.node].kind;
}

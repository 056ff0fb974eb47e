#include "base/xalloc.h"
#include "text/state.h"

/* All arrays in one block of the largest size: the system backs only the pages that a text has used. Each array starts
 * some cache lines further into its page than the one before, or all would share the same sets of the first-level
 * cache, which has fewer ways than there are arrays. */
enum { STAGGER = 320, SLACK = 64 };

static void *place(char *block, size_t *at, size_t bytes)
{
    size_t start = *at;
    *at += (bytes + SLACK + 4095) / 4096 * 4096 + STAGGER;
    return block ? block + start : NULL;
}

/* Sets the arrays into the block; with no block, finds its size. */
static size_t lay_out(struct fold_scratch *s, char *block)
{
    uint32_t **words[] = {&s->plain, &s->digit,     &s->reading,     &s->from,
                          &s->to,    &s->merged.cp, &s->merged.from, &s->merged.to};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        *words[i] = place(block, &at, UNITS_MAX * sizeof(uint32_t));
    s->line_from = place(block, &at, LINE_MAX_BYTES * sizeof(uint32_t));
    s->line_to = place(block, &at, LINE_MAX_BYTES * sizeof(uint32_t));
    s->gap = place(block, &at, UNITS_MAX);
    s->merged.gap = place(block, &at, UNITS_MAX);
    s->line = place(block, &at, LINE_MAX_BYTES);
    return at;
}

struct fold_scratch *fold_scratch_new(void)
{
    struct fold_scratch *s = xcalloc(1, sizeof(*s));
    s->block = xmalloc(lay_out(s, NULL));
    lay_out(s, s->block);
    return s;
}

void fold_scratch_free(struct fold_scratch **s)
{
    if (!*s)
        return;
    free((*s)->block);
    free(*s);
    *s = NULL;
}

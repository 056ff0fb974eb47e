#include "text/state.h"

struct view reading_build(struct fold_scratch *s, uint32_t n, bool has_letters)
{
    (void)has_letters;
    return (struct view){s->reading, s->from, s->to, s->gap, n};
}

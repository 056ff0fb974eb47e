#include <string.h>

#include "base/xalloc.h"
#include "engines.h"

struct search {
    const struct texts *words, *texts;
};

static uint64_t run(void *ctx, size_t i)
{
    const struct search *s = ctx;
    uint64_t hits = 0;
    for (size_t w = 0; w < s->words->n; w++)
        hits += memmem(s->texts->text[i], s->texts->bytes[i], s->words->text[w], s->words->bytes[w]) != NULL;
    return hits;
}

struct contender engine_search(const struct texts *words, const struct texts *texts)
{
    struct search *s = xcalloc(1, sizeof(*s));
    *s = (struct search){words, texts};
    return (struct contender){.name = "one search (memmem) each",
                              .run = run,
                              .ctx = s,
                              .free = free,
                              .stride = (unsigned)(words->n / 256) + 1};
}

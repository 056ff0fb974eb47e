#include "base/arena.h"

#include <stdalign.h>

#include "base/xalloc.h"

enum { CHUNK_BYTES = 4096 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t cap, used;
    alignas(max_align_t) uint8_t data[];
};

static struct arena_chunk *chunk_new(struct arena *a, size_t n)
{
    size_t cap = a->head ? a->head->cap * 2 : CHUNK_BYTES;
    while (cap < n)
        cap *= 2;
    struct arena_chunk *c = xmalloc(sizeof(*c) + cap);
    *c = (struct arena_chunk){.next = a->head, .cap = cap};
    a->head = c;
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t need = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_chunk *c = a->head;
    if (!c || c->cap - c->used < need)
        c = chunk_new(a, need);
    void *p = c->data + c->used;
    c->used += need;
    a->used_bytes += need;
    return memset(p, 0, n);
}

char *arena_strdup(struct arena *a, struct span s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static void free_after(struct arena_chunk *c)
{
    while (c) {
        struct arena_chunk *next = c->next;
        free(c);
        c = next;
    }
}

void arena_reset(struct arena *a)
{
    if (a->head) {
        free_after(a->head->next);
        a->head->next = NULL;
        a->head->used = 0;
    }
    a->used_bytes = 0;
}

void arena_fini(struct arena *a)
{
    free_after(a->head);
    *a = (struct arena){0};
}

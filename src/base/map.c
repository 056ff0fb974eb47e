#include "base/map.h"

#include "base/hash.h"
#include "base/xalloc.h"

struct map_slot {
    char *key; /* NULL: free */
    size_t key_len;
    uint64_t hash;
    void *value;
};

static struct map_slot *find(const struct map *m, struct span key, uint64_t hash)
{
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slot[i];
        if (!s->key || (s->hash == hash && span_eq(span_of(s->key, s->key_len), key)))
            return s;
    }
}

static void grow(struct map *m)
{
    struct map old = *m;
    m->cap = old.cap ? old.cap * 2 : 8;
    m->slot = xcalloc(m->cap, sizeof(*m->slot));
    for (size_t i = 0; i < old.cap; i++)
        if (old.slot[i].key)
            *find(m, span_of(old.slot[i].key, old.slot[i].key_len), old.slot[i].hash) = old.slot[i];
    free(old.slot);
}

void *map_get(const struct map *m, struct span key)
{
    return m->cap ? find(m, key, hash_keyed(key))->value : NULL;
}

void *map_put(struct map *m, struct span key, void *value)
{
    if ((m->len + 1) * 4 > m->cap * 3)
        grow(m);
    uint64_t hash = hash_keyed(key);
    struct map_slot *s = find(m, key, hash);
    void *old = s->value;
    if (!s->key) {
        *s = (struct map_slot){.key = xmemdup0(key.p, key.n), .key_len = key.n, .hash = hash};
        m->len++;
    }
    s->value = value;
    return old;
}

/* Linear probing without tombstones: entries behind the hole move back when their home allows it. */
static void close_hole(struct map *m, size_t hole)
{
    size_t mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->slot[i].key; i = (i + 1) & mask) {
        size_t home = m->slot[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slot[hole] = m->slot[i];
            hole = i;
        }
    }
    m->slot[hole] = (struct map_slot){0};
}

void *map_del(struct map *m, struct span key)
{
    if (!m->cap)
        return NULL;
    struct map_slot *s = find(m, key, hash_keyed(key));
    if (!s->key)
        return NULL;
    void *old = s->value;
    free(s->key);
    m->len--;
    close_hole(m, (size_t)(s - m->slot));
    return old;
}

bool map_next(const struct map *m, size_t *pos, struct span *key, void **value)
{
    for (; *pos < m->cap; (*pos)++) {
        const struct map_slot *s = &m->slot[*pos];
        if (!s->key)
            continue;
        *key = span_of(s->key, s->key_len);
        *value = s->value;
        (*pos)++;
        return true;
    }
    return false;
}

void map_fini(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slot[i].key);
    free(m->slot);
    *m = (struct map){0};
}

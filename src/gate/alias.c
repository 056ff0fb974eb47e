#include "gate/alias.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"

enum { PLACES = 16384 };

struct place {
    char pseudonym[PSEUDONYM_MAX];
    uint8_t n;
    char id[ALIAS_ID_MAX];
};

struct alias {
    struct buf key;
    pthread_mutex_t lock;
    struct place *place; /* by hash of the pseudonym: a newer one takes the place of an older one */
};

struct alias *alias_new(const struct conf *c, struct err *e)
{
    struct buf key = {0};
    e->text[0] = '\0';
    if (!c->privacy.is_pseudonymous)
        return NULL;
    if (!c->privacy.key) {
        err_set(e, "privacy.key: missing, privacy.pseudonyms needs it");
        return NULL;
    }
    if (pseudonym_load_key(c->privacy.key, &key, e) < 0) {
        err_prefix(e, "privacy.key");
        return NULL;
    }
    struct alias *a = xcalloc(1, sizeof(*a));
    a->key = key;
    pthread_mutex_init(&a->lock, NULL);
    a->place = xcalloc(PLACES, sizeof(*a->place));
    return a;
}

void alias_free(struct alias **ap)
{
    struct alias *a = *ap;
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    explicit_bzero(a->key.data, a->key.cap);
    buf_fini(&a->key);
    free(a->place);
    free(a);
    *ap = NULL;
}

static struct place *place_of(struct alias *a, struct span pseudonym)
{
    return &a->place[hash_stable(pseudonym) % PLACES];
}

struct span alias_of(struct alias *a, struct span id, bool remember, char out[PSEUDONYM_MAX])
{
    struct span pseudonym = span_str(pseudonym_make(buf_span(&a->key), id, out));
    if (remember && id.n && id.n <= ALIAS_ID_MAX) {
        struct place *p = place_of(a, pseudonym);
        pthread_mutex_lock(&a->lock);
        if (strcmp(p->pseudonym, out) != 0) {
            memcpy(p->pseudonym, out, PSEUDONYM_MAX);
            memcpy(p->id, id.p, id.n);
            p->n = (uint8_t)id.n;
        }
        pthread_mutex_unlock(&a->lock);
    }
    return pseudonym;
}

struct span alias_find(struct alias *a, struct span pseudonym, char out[ALIAS_ID_MAX])
{
    struct place *p = place_of(a, pseudonym);
    size_t n = 0;
    pthread_mutex_lock(&a->lock);
    if (span_is(pseudonym, p->pseudonym)) {
        n = p->n;
        memcpy(out, p->id, n);
    }
    pthread_mutex_unlock(&a->lock);
    return span_of(out, n);
}

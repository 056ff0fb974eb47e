#include "rule/literal_set.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

void literals_copy(struct literals *to, const struct literals *from)
{
    to->n = from->n;
    memmove(to->len, from->len, from->n * sizeof(from->len[0]));
    memmove(to->cp, from->cp, from->n * sizeof(from->cp[0]));
}

unsigned literals_shortest(const struct literals *s)
{
    unsigned min = LITERAL_CHARS_MAX + 1;
    for (unsigned i = 0; i < s->n; i++)
        min = MIN_OF(min, s->len[i]);
    return s->n ? min : 0;
}

/* The characters that stand in nearly every message of this trade: alone they hold nothing back. */
static const char common[] = "的了我不在有您你这就会能到说要也都还给内后可下上个自帮为看好么请是一来用没时间以";

static bool is_common(uint32_t cp)
{
    const uint8_t *p = (const uint8_t *)common, *end = p + sizeof(common) - 1;
    for (uint32_t c; p < end; p += utf8_decode(p, (size_t)(end - p), &c))
        if (utf8_decode(p, (size_t)(end - p), &c) && c == cp)
            return true;
    return false;
}

/* How often a message holds one of the set, in rough shares of a thousand; an unprovable set always does. */
static unsigned share_of_messages(const struct literals *s)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < s->n; i++) {
        if (s->len[i] == 0)
            return UINT32_MAX;
        sum += s->len[i] > 2 ? 1 : s->len[i] == 2 ? 4 : is_common(s->cp[i][0]) ? 200 : 20;
    }
    return s->n ? sum : UINT32_MAX;
}

/* The set that fewer messages hold is better. */
static bool is_better(const struct literals *a, const struct literals *b)
{
    return share_of_messages(a) < share_of_messages(b);
}

void literals_keep_best(struct literals *best, struct literals *second, const struct literals *other)
{
    if (is_better(other, best)) {
        literals_copy(second, best);
        literals_copy(best, other);
    } else if (is_better(other, second)) {
        literals_copy(second, other);
    }
}

bool literals_product(struct literals *a, const struct literals *b)
{
    if (a->n * b->n > LITERALS_MAX)
        return false;
    struct literals *out = xmalloc(sizeof(*out));
    bool fits = true;
    out->n = 0;
    for (unsigned i = 0; i < a->n && fits; i++)
        for (unsigned k = 0; k < b->n && fits; k++) {
            unsigned la = a->len[i], lb = b->len[k];
            if (!(fits = la + lb <= LITERAL_CHARS_MAX))
                break;
            memcpy(out->cp[out->n], a->cp[i], la * sizeof(uint32_t));
            memcpy(out->cp[out->n] + la, b->cp[k], lb * sizeof(uint32_t));
            out->len[out->n++] = (uint8_t)(la + lb);
        }
    if (fits)
        literals_copy(a, out);
    free(out);
    return fits;
}

/* Cuts the literals to `max` characters and keeps one of equal ones: what is cut off must be seen no more. */
static void shorten(struct literals *s, unsigned max)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n; i++) {
        unsigned len = MIN_OF(s->len[i], max), k = 0;
        while (k < n && (s->len[k] != len || memcmp(s->cp[k], s->cp[i], len * sizeof(uint32_t)) != 0))
            k++;
        if (k < n)
            continue;
        memmove(s->cp[n], s->cp[i], sizeof(s->cp[0]));
        s->len[n++] = (uint8_t)len;
    }
    s->n = n;
}

bool literals_unite(struct literals *a, const struct literals *b)
{
    struct literals *other = xmalloc(sizeof(*other));
    literals_copy(other, b);
    for (unsigned max = 4; max > 1 && a->n + other->n > LITERALS_MAX; max--) {
        shorten(a, max);
        shorten(other, max);
    }
    bool fits = a->n && other->n && a->n + other->n <= LITERALS_MAX;
    if (fits) {
        memcpy(a->cp[a->n], other->cp[0], other->n * sizeof(other->cp[0]));
        memcpy(a->len + a->n, other->len, other->n);
        a->n += other->n;
    }
    free(other);
    return fits;
}

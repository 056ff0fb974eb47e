/* Finding, comparing and decoding what stands in a document that was read. */
#include "base/hash.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "proto/json_key.h"

enum { FEW_KEYS = 10 };

/* Walks the code points of a string, escaped or not. The escapes were checked by json_read, or it comes from our own
 * configuration. */
struct walk {
    const uint8_t *p, *end;
    bool has_escape, fold;
};

static uint32_t hex4(const uint8_t *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    return v;
}

/* Decodes the escape at p (a backslash) of checked bytes; returns its length in the source. */
static unsigned unescape(const uint8_t *p, uint32_t *cp)
{
    static const char name[] = "\"\\/bfnrt", value[] = "\"\\/\b\f\n\r\t";
    if (p[1] != 'u') {
        *cp = (uint8_t)value[strchr(name, p[1]) - name];
        return 2;
    }
    *cp = hex4(p + 2);
    if (*cp < 0xd800 || *cp >= 0xdc00)
        return 6;
    *cp = 0x10000 + ((*cp - 0xd800) << 10) + (hex4(p + 8) - 0xdc00);
    return 12;
}

static uint32_t fold(uint32_t cp)
{
    if (cp >= 'A' && cp <= 'Z')
        return cp + 32;
    return cp == 0x17f ? 's' : cp == 0x212a ? 'k' : cp;
}

static bool next_cp(struct walk *w, uint32_t *cp)
{
    if (w->p >= w->end)
        return false;
    if (w->has_escape && *w->p == '\\') {
        w->p += unescape(w->p, cp);
    } else {
        unsigned n = utf8_decode(w->p, (size_t)(w->end - w->p), cp);
        if (!n)
            *cp = 0xfffd; /* equal keys are looked for before the document's UTF-8 is */
        w->p += n ? n : 1;
    }
    if (w->fold)
        *cp = fold(*cp);
    return true;
}

static struct walk walk_node(const struct json_doc *d, uint32_t i, bool want_fold)
{
    struct span s = json_inside(d, i);
    return (struct walk){s.p, s.p + s.n, d->node[i].has_escape, want_fold};
}

static bool walks_equal(struct walk a, struct walk b)
{
    uint32_t x, y;
    for (;;) {
        bool more = next_cp(&a, &x);
        if (more != next_cp(&b, &y))
            return false;
        if (!more)
            return true;
        if (x != y)
            return false;
    }
}

/* Both plain ASCII without escapes: folded equality byte by byte. -1: not so simple. */
static int quick_fold_eq(struct span a, struct span b)
{
    bool equal = a.n == b.n;
    uint8_t wide = 0;
    for (size_t i = 0; i < a.n; i++)
        wide |= a.p[i];
    for (size_t i = 0; i < b.n; i++)
        wide |= b.p[i];
    if (wide & 0x80)
        return -1;
    for (size_t i = 0; equal && i < a.n; i++)
        equal = fold(a.p[i]) == fold(b.p[i]);
    return equal;
}

/* Are two key nodes the same key? */
static bool key_eq(const struct json_doc *d, uint32_t a, uint32_t b)
{
    bool want_fold = d->flags & JSON_KEYS_CASEFOLD;
    if (!want_fold && !d->node[a].has_escape && !d->node[b].has_escape)
        return span_eq(json_inside(d, a), json_inside(d, b));
    if (!d->node[a].has_escape && !d->node[b].has_escape) {
        int quick = quick_fold_eq(json_inside(d, a), json_inside(d, b));
        if (quick >= 0)
            return quick;
    }
    return walks_equal(walk_node(d, a, want_fold), walk_node(d, b, want_fold));
}

/* Keyed, of the whole key: equal for equal keys, and nobody can write many keys of one chain. */
static uint64_t key_hash(const struct json_doc *d, uint32_t k)
{
    uint8_t block[256];
    uint64_t h = 0;
    size_t n = 0;
    uint32_t cp;
    struct walk w = walk_node(d, k, d->flags & JSON_KEYS_CASEFOLD);
    while (next_cp(&w, &cp)) {
        n += utf8_encode(cp, block + n);
        if (n + 4 <= sizeof(block))
            continue;
        h = hash_keyed(span_of(block, n));
        memcpy(block, &h, sizeof(h)); /* each block is hashed with the one before */
        n = sizeof(h);
    }
    return hash_keyed(span_of(block, n));
}

static bool has_equal_keys_few(const struct json_doc *d, uint32_t obj)
{
    uint32_t key[FEW_KEYS], mark[FEW_KEYS], n = 0;
    for (uint32_t k = obj + 1; k < d->node[obj].next; k = d->node[k + 1].next) {
        mark[n] = d->flags & JSON_KEYS_CASEFOLD ? 0 : d->node[k].n;
        for (uint32_t i = 0; i < n; i++)
            if ((mark[i] == mark[n] || !mark[i] || !mark[n]) && key_eq(d, key[i], k))
                return true;
        key[n++] = k;
    }
    return false;
}

/* Open addressing on a keyed hash, so that a peer cannot make this quadratic. */
static bool has_equal_keys_many(struct json_doc *d, uint32_t obj)
{
    uint32_t want = 64;
    while (want < d->node[obj].n * 2)
        want *= 2;
    if (want > d->slot_cap) {
        d->slot = xrealloc(d->slot, want * sizeof(*d->slot));
        d->slot_cap = want;
    }
    memset(d->slot, 0, want * sizeof(*d->slot));
    for (uint32_t k = obj + 1; k < d->node[obj].next; k = d->node[k + 1].next) {
        uint32_t at = (uint32_t)key_hash(d, k) & (want - 1);
        for (; d->slot[at]; at = (at + 1) & (want - 1))
            if (key_eq(d, d->slot[at], k))
                return true;
        d->slot[at] = k;
    }
    return false;
}

bool json_has_equal_keys(struct json_doc *d, uint32_t obj)
{
    return d->node[obj].n <= FEW_KEYS ? has_equal_keys_few(d, obj) : has_equal_keys_many(d, obj);
}

bool json_is(const struct json_doc *d, uint32_t i, struct span text)
{
    if (d->node[i].kind != JSON_STRING)
        return false;
    if (!d->node[i].has_escape)
        return span_eq_short(json_inside(d, i), text);
    return walks_equal(walk_node(d, i, false), (struct walk){text.p, text.p + text.n, false, false});
}

static bool key_is(const struct json_doc *d, uint32_t k, struct span key)
{
    bool want_fold = d->flags & JSON_KEYS_CASEFOLD;
    if (!want_fold)
        return json_is(d, k, key);
    int quick = d->node[k].has_escape ? -1 : quick_fold_eq(json_inside(d, k), key);
    if (quick >= 0)
        return quick;
    return walks_equal(walk_node(d, k, true), (struct walk){key.p, key.p + key.n, false, true});
}

uint32_t json_member_walk(const struct json_doc *d, uint32_t i, struct span key, uint32_t mark)
{
    uint32_t found = 0;
    if (d->node[i].kind != JSON_OBJECT)
        return 0;
    if (d->flags & JSON_KEYS_CASEFOLD)
        mark = 0;
    for (uint32_t k = i + 1; k < d->node[i].next; k = d->node[k + 1].next) {
        if ((mark && d->node[k].n && d->node[k].n != mark) || !key_is(d, k, key))
            continue;
        found = k + 1;
        if (!(d->flags & JSON_DUP_LAST))
            break;
    }
    return found;
}

uint32_t json_member(const struct json_doc *d, uint32_t i, struct span key)
{
    return json_member_marked(d, i, key, json_key_mark(key));
}

uint32_t json_item(const struct json_doc *d, uint32_t i, uint32_t n)
{
    if (d->node[i].kind != JSON_ARRAY || n >= d->node[i].n)
        return 0;
    uint32_t k = i + 1;
    while (n--)
        k = d->node[k].next;
    return k;
}

size_t json_decode(const struct json_doc *d, uint32_t i, uint8_t *out, uint32_t *map)
{
    struct span s = json_inside(d, i);
    uint32_t base = d->node[i].from + 1;
    size_t n = 0;
    for (uint32_t at = 0; at < s.n;) {
        uint32_t cp, from = at;
        size_t first = n;
        if (s.p[at] == '\\') {
            at += unescape(s.p + at, &cp);
            n += utf8_encode(cp, out + n);
        } else {
            out[n++] = s.p[at++];
        }
        for (; map && first < n; first++)
            map[first] = base + from;
    }
    if (map)
        map[n] = base + (uint32_t)s.n;
    return n;
}

/* Any bytes as JSON: what a plain reader says of them, the node array stays consistent, every string decodes into its
 * bounds, what was accepted is accepted again inside a list, and members are found in every way. */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "../plain_json.h"
#include "proto/json_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(const struct json_doc *d, uint32_t i)
{
    size_t most = d->node[i].to - d->node[i].from;
    uint8_t *out = xmalloc(most);
    uint32_t *map = xmalloc(most * sizeof(*map));
    size_t n = json_decode(d, i, out, map);
    assert(n + 2 <= most && map[n] == d->node[i].to - 1);
    assert(utf8_is_valid(span_of(out, n)) && !memchr(out, 0, n));
    for (size_t k = 0; k < n; k++)
        assert(map[k] > d->node[i].from && map[k] <= map[k + 1]);
    assert(json_is(d, i, span_of(out, n)));
    free(out);
    free(map);
}

static void check_object(const struct json_doc *d, uint32_t i)
{
    uint32_t n = 0;
    uint8_t key[128];
    for (uint32_t k = i + 1; k < d->node[i].next; k = d->node[k + 1].next, n++) {
        assert(d->node[k].is_key && d->node[k].kind == JSON_STRING && d->node[k].next == k + 1);
        if (d->node[k].to - d->node[k].from > sizeof(key))
            continue;
        struct span text = span_of(key, json_decode(d, k, key, NULL));
        uint32_t found = json_member(d, i, text), mark = json_key_mark(text);
        assert(d->flags & JSON_DUP_LAST ? found >= k + 1 : found == k + 1);
        assert(found == json_member_walk(d, i, text, mark));
        for (size_t at = 0; at < text.n; at += text.n / 2 + 1) { /* another key of the same length */
            key[at] ^= 1;
            assert(json_member(d, i, text) == json_member_walk(d, i, text, json_key_mark(text)));
            key[at] ^= 1;
        }
    }
    assert(n == d->node[i].n);
}

static void check_doc(const struct json_doc *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        const struct json_node *node = &d->node[i];
        assert(node->from < node->to && node->to <= d->src.n && node->next > i && node->next <= d->n);
        if (node->kind == JSON_STRING)
            check_string(d, i);
        else if (node->kind == JSON_OBJECT)
            check_object(d, i);
        else if (node->kind == JSON_ARRAY && node->n)
            assert(json_item(d, i, node->n - 1) && !json_item(d, i, node->n));
    }
}

static void check_wrapped(struct json_doc *d, struct span src, unsigned flags)
{
    struct buf b = {0};
    buf_append_str(&b, "[");
    buf_append_span(&b, src);
    buf_append_str(&b, "]");
    enum json_result r = json_read(d, buf_span(&b), flags, NULL);
    assert(r == JSON_OK || r == JSON_TOO_COMPLEX);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_doc d;
    static struct plain plain;
    static const unsigned all[] = {0, JSON_KEYS_CASEFOLD, JSON_DUP_LAST, JSON_KEYS_CASEFOLD | JSON_DUP_LAST,
                                   JSON_TRAILING_OK};
    struct err e = {""};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        enum json_result r = json_read(&d, span_of(data, size), all[i], &e);
        plain_read(&plain, span_of(data, size), all[i]);
        assert((r == JSON_OK) == !e.text[0] && plain_agrees(&plain, &d, r, &e));
        e.text[0] = '\0';
        if (r != JSON_OK)
            continue;
        check_doc(&d);
        if (!(all[i] & JSON_TRAILING_OK))
            check_wrapped(&d, span_of(data, size), all[i]);
    }
    return 0;
}

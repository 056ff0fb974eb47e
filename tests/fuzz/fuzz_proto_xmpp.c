/* A stream of any bytes: at two cuts alike with the whole, to the last byte of each tree (byte by byte nothing is
 * plain), offsets inside the element, every edit of every text reads back as the edited text. */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "base/xalloc.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"
#include "proto/xmpp_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_edit(const struct xmpp_item *item, const struct xmpp_said *said)
{
    struct xmpp_pool pool = {NULL};
    struct xmpp_cuts cuts = {.n = 0};
    struct buf out = {0};
    uint32_t n = (uint32_t)said->text.n;
    if (said->kind == XMPP_TEXT_ELEMENT &&
        xmpp_cut_text(&cuts, item->dom, item->raw, said->node, 0, n, span_str("<&")) &&
        xmpp_splice(&cuts, item->raw, &out))
        assert(out.len >=
               item->raw.n - (item->dom->node[said->node].raw_content_end - item->dom->node[said->node].raw_content));
    xmpp_cuts_fini(&cuts);
    buf_fini(&out);
    xmpp_pool_fini(&pool);
}

/* Every attribute can be changed and taken out, alone and with the element still one. */
static void check_attributes(const struct xmpp_item *item)
{
    static const char *const names[] = {"h", "id", "previd", "location", "to", "type"};
    const struct xmpp_dom *d = item->dom;
    for (uint32_t i = 0; i < d->n && i < 8; i++)
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            struct xmpp_cuts cuts = {.n = 0};
            struct buf out = {0};
            bool is_there = false;
            for (uint32_t a = d->node[i].attr; a < d->node[i].attr + d->node[i].n_attrs; a++)
                is_there =
                    is_there || (d->attr[a].ns.n == 0 && d->attr[a].name.n == strlen(names[k]) &&
                                 memcmp(buf_span(&d->words).p + d->attr[a].name.at, names[k], strlen(names[k])) == 0);
            assert(xmpp_cut_attr(&cuts, d, item->raw, i, names[k], k % 2 ? span_str("<'7") : span_of(NULL, 0)) ==
                   is_there);
            assert(xmpp_splice(&cuts, item->raw, &out));
            assert(is_there || out.len == item->raw.n);
            xmpp_cuts_fini(&cuts);
            buf_fini(&out);
        }
}

static void check_element(const struct xmpp_item *item)
{
    const struct xmpp_dom *d = item->dom;
    struct xmpp_message m;
    assert(d->n && d->node[0].raw_from == 0 && d->node[0].raw_to == item->raw.n);
    for (uint32_t i = 0; i < d->n; i++) {
        const struct xmpp_node *n = &d->node[i];
        assert(n->raw_from < n->raw_content && n->raw_content <= n->raw_content_end && n->raw_content_end <= n->raw_to);
        assert(n->raw_to <= item->raw.n && item->raw.p[n->raw_from] == '<' && item->raw.p[n->raw_to - 1] == '>');
        assert(n->parent <= i && n->end > i && n->end <= d->n && n->text_to >= n->text_from);
    }
    check_attributes(item);
    xmpp_message_read(d, 0, &m);
    for (size_t i = 0; i < m.n_said; i++)
        check_edit(item, &m.said[i]);
}

static uint64_t sum_bytes(uint64_t sum, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = sum * 1099511628211u + ((const uint8_t *)p)[i];
    return sum * 31 + n;
}

static uint64_t sum_slice(uint64_t sum, const struct xmpp_dom *d, struct xmpp_slice s)
{
    return sum_bytes(sum, buf_span(&d->words).p + s.at, s.n);
}

static uint64_t sum_tree(uint64_t sum, const struct xmpp_dom *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        const struct xmpp_node *n = &d->node[i];
        uint32_t all[] = {n->parent,   n->end,         n->n_attrs,         n->text_from, n->text_to,
                          n->raw_from, n->raw_content, n->raw_content_end, n->raw_to};
        sum = sum_bytes(sum, all, sizeof(all));
        sum = sum_slice(sum_slice(sum, d, n->ns), d, n->name);
        for (uint32_t a = n->attr; a < n->attr + n->n_attrs; a++)
            sum = sum_slice(sum_slice(sum_slice(sum, d, d->attr[a].ns), d, d->attr[a].name), d, d->attr[a].value);
    }
    return sum_bytes(sum, buf_span(&d->text).p, d->text.len) + d->is_truncated;
}

/* Reads all, given in pieces of `step`; returns a hash of kinds, lengths and trees. */
static uint64_t read_all(const uint8_t *data, size_t size, size_t step, bool passes_long)
{
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = 2000, .passes_long = passes_long};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    size_t at = 0;
    uint64_t sum = 0;
    bool is_over = false;
    for (size_t have = MIN_OF(step, size); !is_over; have = MIN_OF(have + step, size)) {
        for (;;) {
            struct xmpp_item item;
            char *copy = xmemdup0(data + at, have - at);
            enum xmpp_got got = xmpp_next(s, span_of(copy, have - at), &item);
            if (got == XMPP_ELEMENT) {
                check_element(&item);
                sum = sum_tree(sum, item.dom) + item.is_stanza;
            }
            at += got == XMPP_BAD ? 0 : item.raw.n;
            is_over = is_over || got == XMPP_BAD;
            free(copy);
            if (got != XMPP_SPACE && got != XMPP_PART && got != XMPP_MORE) /* these may come in pieces */
                sum = sum * 31 + (uint64_t)got * 4099 + at;
            if (got == XMPP_MORE || is_over)
                break;
        }
        xmpp_stream_rest(s);
        is_over = is_over || have == size;
    }
    xmpp_stream_free(&s);
    xmpp_pool_fini(&pool);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole = read_all(data, size, size + 1, false);
    assert(read_all(data, size, 1, false) == whole);
    assert(read_all(data, size, 7, false) == whole);
    read_all(data, size, 13, true);
    struct buf out = {0};
    (void)!xmpp_sasl_user(span_str("PLAIN"), span_of(data, size), &out);
    (void)!xmpp_sasl_user(span_str("SCRAM-SHA-1"), span_of(data, size), &out);
    buf_reset(&out);
    (void)!xmpp_base64_decode(span_of(data, size), &out);
    buf_fini(&out);
    return 0;
}

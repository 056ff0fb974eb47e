/* A stream of any bytes: whole, in two pieces and in pieces of seven bytes alike with byte by byte, where nothing is
 * plain and the XML parser reads all, to the last byte of each tree; offsets inside the element; every edit of every
 * text and attribute reads back as what was meant.
 *
 * Input: a stream from its header on, or a figure (which header) and what follows that header, or '6' and a message
 * of the WebSocket binding. */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "base/xalloc.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"
#include "proto/xmpp_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 2000, FRAMED = 6 };

static const char *const headers[8] = {
    ("<?xml version='1.0'?><stream:stream to='a.example' version='1.0' xmlns='jabber:client' "
     "xmlns:stream='http://etherx.jabber.org/streams'>"),
    "<s>",
    "<s xmlns='u:x'>",
    "<s:s xmlns:s='u:s' xmlns='jabber:client' xmlns:p='u:p' xml:lang='zh'>",
    "<s xmlns='http://www.w3.org/1999/xhtml' xmlns:xml='http://www.w3.org/XML/1998/namespace'>",
    "<s xmlns=''>",
    [FRAMED] = "<s>",
    [7] = "<p:s xmlns:p='jabber:client' a='>' xmlns='u&#58;&amp;'>",
};

/* --- what is checked of one element --- */

struct reread {
    struct xmpp_pool pool;
    struct xmpp_stream *s;
    struct xmpp_item item;
};

/* An edited element is one element still. */
static const struct xmpp_dom *read_again(struct reread *r, struct span header, struct buf *edited)
{
    struct xmpp_stream_options o = {.max_bytes = 1 << 20};
    *r = (struct reread){.s = xmpp_stream_new(&r->pool, &o)};
    assert(xmpp_next(r->s, header, &r->item) == XMPP_HEADER);
    assert(xmpp_next(r->s, buf_span(edited), &r->item) == XMPP_ELEMENT);
    assert(r->item.raw.n == edited->len);
    return r->item.dom;
}

static void end_reread(struct reread *r)
{
    xmpp_stream_free(&r->s);
    xmpp_pool_fini(&r->pool);
}

static uint32_t char_start(struct span text, size_t at)
{
    while (at && at < text.n && (text.p[at] & 0xc0) == 0x80)
        at--;
    return (uint32_t)at;
}

static void check_edit(struct span header, const struct xmpp_item *item, const struct xmpp_said *said)
{
    static const char *const withs[] = {"<&", "", "]", "]]>", "\n"};
    struct xmpp_cuts cuts = {.n = 0};
    struct buf out = {0}, want = {0};
    struct span text = said->text;
    uint32_t from = char_start(text, text.n * (item->raw.n % 4) / 4), to = char_start(text, text.n - from / 2);
    const char *with = withs[item->raw.n % ARRAY_LEN(withs)];
    if (said->kind == XMPP_TEXT_ELEMENT &&
        xmpp_cut_text(&cuts, item->dom, item->raw, said->node, from, to, span_str(with))) {
        struct reread r;
        assert(xmpp_splice(&cuts, item->raw, &out));
        buf_append(&want, text.p, from);
        buf_append_str(&want, with);
        buf_append_span(&want, span_from(text, to));
        assert(span_eq(xmpp_text(read_again(&r, header, &out), said->node), buf_span(&want)));
        end_reread(&r);
    }
    xmpp_cuts_fini(&cuts);
    buf_fini(&out);
    buf_fini(&want);
}

static void check_companions(struct span header, const struct xmpp_item *item)
{
    struct xmpp_cuts cuts = {.n = 0};
    struct buf out = {0};
    struct reread r;
    if (xmpp_cut_companions(&cuts, item->dom) && cuts.n) {
        assert(xmpp_splice(&cuts, item->raw, &out));
        read_again(&r, header, &out);
        end_reread(&r);
    }
    xmpp_cuts_fini(&cuts);
    buf_fini(&out);
}

static bool has_attr(const struct xmpp_dom *d, uint32_t i, const char *name)
{
    const struct xmpp_node *n = &d->node[i];
    for (uint32_t a = n->attr; a < n->attr + n->n_attrs; a++)
        if (d->attr[a].ns.n == 0 && span_is(xmpp_word(d, d->attr[a].name), name))
            return true;
    return false;
}

/* It can be changed and taken out, alone and with the element still one. */
static void check_attribute(struct span header, const struct xmpp_item *item, uint32_t i, const char *name,
                            struct span with)
{
    const struct xmpp_dom *d = item->dom;
    struct xmpp_cuts cuts = {.n = 0};
    struct buf out = {0};
    bool is_there = has_attr(d, i, name);
    assert(xmpp_cut_attr(&cuts, d, item->raw, i, name, with) == is_there);
    assert(xmpp_splice(&cuts, item->raw, &out));
    if (is_there) {
        struct reread r;
        const struct xmpp_dom *again = read_again(&r, header, &out);
        assert(again->n == d->n && again->n_attrs == d->n_attrs - !with.p);
        assert(span_eq(xmpp_attr(again, i, name), with));
        end_reread(&r);
    } else {
        assert(span_eq(buf_span(&out), item->raw));
    }
    xmpp_cuts_fini(&cuts);
    buf_fini(&out);
}

static void check_element(struct span header, const struct xmpp_item *item)
{
    static const char *const names[] = {"h", "id", "previd", "location", "to", "type"};
    const struct xmpp_dom *d = item->dom;
    struct xmpp_message m;
    assert(d->n && d->node[0].raw_from == 0 && d->node[0].raw_to == item->raw.n);
    for (uint32_t i = 0; i < d->n; i++) {
        const struct xmpp_node *n = &d->node[i];
        assert(n->raw_from < n->raw_content && n->raw_content <= n->raw_content_end && n->raw_content_end <= n->raw_to);
        assert(n->raw_to <= item->raw.n && item->raw.p[n->raw_from] == '<' && item->raw.p[n->raw_to - 1] == '>');
        assert(n->parent <= i && n->end > i && n->end <= d->n && n->text_to >= n->text_from);
    }
    for (uint32_t i = 0; i < d->n && i < 8; i++)
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            check_attribute(header, item, i, names[k], k % 2 ? span_str("<'7") : span_of(NULL, 0));
    xmpp_message_read(d, 0, &m);
    for (size_t i = 0; i < m.n_said; i++)
        check_edit(header, item, &m.said[i]);
    check_companions(header, item);
}

/* --- reading --- */

static uint64_t sum_bytes(uint64_t sum, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = sum * 1099511628211u + ((const uint8_t *)p)[i];
    return sum * 31 + n;
}

static uint64_t sum_slice(uint64_t sum, const struct xmpp_dom *d, struct xmpp_slice s)
{
    return sum_bytes(sum, xmpp_word(d, s).p, s.n);
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

/* How the bytes come: so many at first, then in steps. */
struct pieces {
    size_t first, step;
    bool passes_long, checks;
};

/* Returns a hash of kinds, lengths and trees. */
static uint64_t read_all(const uint8_t *data, size_t size, const struct pieces *p)
{
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = MAX_BYTES, .passes_long = p->passes_long};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    struct span header = {NULL, 0};
    size_t at = 0;
    uint64_t sum = 0;
    bool is_over = false;
    for (size_t have = MIN_OF(p->first, size); !is_over; have = MIN_OF(have + p->step, size)) {
        for (;;) {
            struct xmpp_item item;
            char *copy = xmemdup0(data + at, have - at);
            enum xmpp_got got = xmpp_next(s, span_of(copy, have - at), &item);
            if (got == XMPP_HEADER)
                header = span_of(data + at, item.raw.n);
            if (got == XMPP_ELEMENT && p->checks)
                check_element(header, &item);
            if (got == XMPP_ELEMENT)
                sum = sum_tree(sum, item.dom) + item.is_stanza;
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

static void check_stream(const uint8_t *data, size_t size, size_t header)
{
    uint64_t by_byte = read_all(data, size, &(struct pieces){.first = 1, .step = 1});
    size_t cut = header + (size > header ? sum_bytes(0, data, size) % (size - header) : 0);
    assert(read_all(data, size, &(struct pieces){.first = size, .step = 1, .checks = true}) == by_byte);
    assert(read_all(data, size, &(struct pieces){.first = cut, .step = size}) == by_byte);
    assert(read_all(data, size, &(struct pieces){.first = 7, .step = 7}) == by_byte);
    read_all(data, size, &(struct pieces){.first = 13, .step = 13, .passes_long = true});
}

/* A message of the WebSocket binding is what it is in a stream without a namespace, and nothing else. */
static void check_message(struct span payload)
{
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = MAX_BYTES, .is_framed = true}, plain = {.max_bytes = MAX_BYTES};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o), *by_byte = xmpp_stream_new(&pool, &plain);
    struct xmpp_item item, want;
    enum xmpp_got got = XMPP_MORE;
    assert(xmpp_next(by_byte, span_str(headers[FRAMED]), &want) == XMPP_HEADER);
    for (size_t n = 1; n <= payload.n && got == XMPP_MORE; n++)
        got = xmpp_next(by_byte, span_of(payload.p, n), &want);
    bool is_one = got == XMPP_ELEMENT && want.raw.n == payload.n;
    assert((xmpp_message(s, payload, &item) == XMPP_ELEMENT) == is_one);
    if (is_one)
        assert(sum_tree(0, item.dom) == sum_tree(0, want.dom));
    assert(xmpp_message(s, span_str("<a>&#65;</a>"), &item) == XMPP_ELEMENT);
    assert(xmpp_message(s, span_str("<a xmlns='u'/>"), &item) == XMPP_ELEMENT);
    xmpp_stream_free(&s);
    xmpp_stream_free(&by_byte);
    xmpp_pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned which = size ? data[0] % 8 : 0;
    const char *header = size && data[0] != '<' ? headers[which] : NULL;
    struct buf all = {0}, out = {0};
    buf_append_str(&all, header ? header : "");
    buf_append(&all, data + (header != NULL), size - (header != NULL));
    check_stream(buf_span(&all).p, all.len, header ? strlen(header) : 0);
    if (header && which == FRAMED)
        check_message(span_of(data + 1, size - 1));
    (void)!xmpp_sasl_user(span_str("PLAIN"), span_of(data, size), &out);
    (void)!xmpp_sasl_user(span_str("SCRAM-SHA-1"), span_of(data, size), &out);
    buf_reset(&out);
    (void)!xmpp_base64_decode(span_of(data, size), &out);
    buf_fini(&out);
    buf_fini(&all);
    return 0;
}

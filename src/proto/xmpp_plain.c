#include "proto/xmpp_plain.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/utf8.h"
#include "proto/xmpp_write.h"

#define NS_XML   "http://www.w3.org/XML/1998/namespace"
#define NS_XMLNS "http://www.w3.org/2000/xmlns/"

enum { DEPTH_MAX = 16, ATTRS_MAX = 16 }; /* of an element: each name is compared with those before it */

struct reader {
    const uint8_t *begin, *p, *end;
    struct xmpp_dom *d;
    struct xmpp_slice ns_xml;
    uint32_t open[DEPTH_MAX]; /* nodes around the place we are at */
    unsigned depth;
};

/* --- characters --- */

static const bool is_name_byte[256] = {['-'] = true,         ['.'] = true, ['0' ... '9'] = true,
                                       ['A' ... 'Z'] = true, ['_'] = true, ['a' ... 'z'] = true};

/* A name without a prefix, of ASCII; empty: none. */
static struct span take_name(struct reader *r)
{
    const uint8_t *from = r->p;
    if (r->p == r->end || !is_name_byte[*r->p] || *r->p <= '9')
        return span_of(from, 0);
    while (r->p < r->end && is_name_byte[*r->p])
        r->p++;
    return span_of(from, (size_t)(r->p - from));
}

/* What has to be looked at: the end, marks, characters that text may not hold as it stands. */
static bool is_special(uint8_t c, uint8_t stop)
{
    return c == stop || c == '<' || c == '&' || c == '>' || c < 0x20;
}

/* Bytes up to the next special one. Three bytes that begin with EF BF may be no character of XML. */
static size_t run_length(const uint8_t *p, size_t n, uint8_t stop)
{
    size_t i = 0;
#ifdef __SSE2__
    for (; i + 17 <= n; i += 16) {
        __m128i w = _mm_loadu_si128((const __m128i *)(p + i)), next = _mm_loadu_si128((const __m128i *)(p + i + 1));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8((char)stop)), _mm_cmpeq_epi8(w, _mm_set1_epi8('<')));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(w, _mm_set1_epi8('&')));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(w, _mm_set1_epi8('>')));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(w, _mm_set1_epi8(0x1f)), w));
        hit = _mm_or_si128(hit, _mm_and_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8((char)0xef)),
                                              _mm_cmpeq_epi8(next, _mm_set1_epi8((char)0xbf))));
        unsigned bits = (unsigned)_mm_movemask_epi8(hit);
        if (bits)
            return i + (unsigned)__builtin_ctz(bits);
    }
#endif
    while (i < n && !is_special(p[i], stop) && !(p[i] == 0xef && (i + 1 == n || p[i + 1] == 0xbf)))
        i++;
    return i;
}

/* What run_length stopped at, but for `stop`: bytes of it, and what they become; 0: not plain. */
static size_t take_special(struct reader *r, uint8_t stop, const uint8_t *from, uint8_t *out, size_t *n_out)
{
    const uint8_t *p = r->p;
    size_t left = (size_t)(r->end - p), n = 0;
    bool is_text = stop == '<';
    *n_out = 1;
    if (*p == '&')
        return xmpp_entity(span_of(p, left), out);
    if (*p == 0xef)
        n = left > 2 && p[2] < 0xbe ? 3 : 0;
    else if (*p == '>')
        n = is_text && !(p - from >= 2 && p[-1] == ']' && p[-2] == ']');
    else
        n = is_text && (*p == '\n' || *p == '\t');
    memcpy(out, p, *n_out = n);
    return n;
}

/* Appends characters up to `stop`, a quotation mark or the next '<', to room that holds them all. */
static bool take_chars(struct reader *r, uint8_t stop, struct buf *to)
{
    const uint8_t *from = r->p;
    uint8_t *out = to->data + to->start + to->len;
    for (;;) {
        size_t n = run_length(r->p, (size_t)(r->end - r->p), stop), n_out;
        memcpy(out, r->p, n);
        out += n;
        r->p += n;
        if (r->p == r->end)
            return false;
        if (*r->p == stop)
            break;
        size_t used = take_special(r, stop, from, out, &n_out);
        if (!used)
            return false;
        out += n_out;
        r->p += used;
    }
    to->len = (uint32_t)(out - to->data - to->start);
    return true;
}

/* --- tags --- */

static struct xmpp_slice put_word(struct xmpp_dom *d, struct span s)
{
    struct xmpp_slice at = {d->words.len, (uint32_t)s.n};
    memcpy(d->words.data + d->words.start + d->words.len, s.p, s.n);
    d->words.len += at.n;
    return at;
}

static bool is_free_name(const struct xmpp_dom *d, const struct xmpp_node *node, struct xmpp_slice ns, struct span name)
{
    for (uint32_t i = node->attr; i < d->n_attrs; i++)
        if (d->attr[i].ns.n == ns.n && span_eq(xmpp_word(d, d->attr[i].name), name))
            return false;
    return true;
}

/* name='value', in the namespace of xml:lang or in none. `*has_ns`: the element has said its default namespace. */
static bool take_attr(struct reader *r, uint32_t i, bool *has_ns)
{
    struct xmpp_dom *d = r->d;
    struct xmpp_slice ns = {0, 0};
    struct span name = take_name(r);
    if (span_is(name, "xml") && r->p < r->end && *r->p == ':') {
        r->p++;
        name = take_name(r);
        ns = r->ns_xml;
    }
    if (!name.n || (ns.n && !span_is(name, "lang")) || r->end - r->p < 2 || r->p[0] != '=' ||
        (r->p[1] != '\'' && r->p[1] != '"'))
        return false;
    uint8_t quote = r->p[1];
    r->p += 2;
    bool is_ns = !ns.n && span_is(name, "xmlns");
    if (is_ns ? *has_ns : d->node[i].n_attrs == ATTRS_MAX || !is_free_name(d, &d->node[i], ns, name))
        return false;
    struct xmpp_slice name_at = is_ns ? ns : put_word(d, name), value = {d->words.len, 0};
    if (!take_chars(r, quote, &d->words))
        return false;
    r->p++;
    value.n = d->words.len - value.at;
    if (!is_ns)
        return xmpp_dom_add_attr(d, i, &(struct xmpp_attr){ns, name_at, value});
    d->node[i].ns = value;
    *has_ns = true;
    return value.n && value.n <= XMPP_NS_MAX && !span_is(xmpp_word(d, value), NS_XML) &&
           !span_is(xmpp_word(d, value), NS_XMLNS);
}

static void close_node(struct reader *r, uint32_t i, const uint8_t *content_end)
{
    xmpp_dom_close(r->d, i);
    r->d->node[i].raw_content_end = (uint32_t)(content_end - r->begin);
    r->d->node[i].raw_to = (uint32_t)(r->p - r->begin);
}

static bool take_start(struct reader *r, struct xmpp_slice ns)
{
    struct xmpp_dom *d = r->d;
    uint32_t from = (uint32_t)(r->p++ - r->begin), i;
    struct span name = take_name(r);
    if (!name.n || r->depth == DEPTH_MAX ||
        (i = xmpp_dom_add(d, r->depth ? r->open[r->depth - 1] : 0, ns, put_word(d, name))) == UINT32_MAX)
        return false;
    bool has_ns = false, is_empty = false;
    for (;;) {
        const uint8_t *blank = r->p;
        while (r->p < r->end && *r->p == ' ')
            r->p++;
        is_empty = r->end - r->p >= 2 && r->p[0] == '/' && r->p[1] == '>';
        if (is_empty || r->p == r->end || *r->p == '>')
            break;
        if (blank == r->p || !take_attr(r, i, &has_ns))
            return false;
    }
    if (r->p == r->end)
        return false;
    r->p += 1 + is_empty;
    d->node[i].raw_from = from;
    d->node[i].raw_content = (uint32_t)(r->p - r->begin);
    if (is_empty)
        close_node(r, i, r->p);
    else
        r->open[r->depth++] = i;
    return true;
}

static bool take_end(struct reader *r)
{
    uint32_t i = r->open[r->depth - 1];
    struct span name = xmpp_name(r->d, i), rest = span_of(r->p + 2, (size_t)(r->end - r->p) - 2);
    if (!span_starts(rest, name) || rest.n == name.n || rest.p[name.n] != '>')
        return false;
    const uint8_t *content_end = r->p;
    r->p += 2 + name.n + 1;
    r->depth--;
    close_node(r, i, content_end);
    return true;
}

size_t xmpp_plain_read(struct span in, struct span ns, struct xmpp_dom *d)
{
    struct reader r = {.begin = in.p, .p = in.p, .end = in.p + MIN_OF(in.n, (size_t)XMPP_PLAIN_MAX), .d = d};
    size_t n = (size_t)(r.end - r.p);
    buf_reserve(&d->text, n); /* what is decoded is never longer than its source */
    buf_reserve(&d->words, ns.n + sizeof(NS_XML) + n);
    struct xmpp_slice outer = put_word(d, ns);
    r.ns_xml = put_word(d, span_of(NS_XML, sizeof(NS_XML) - 1));
    do {
        if (r.end - r.p < 2 || *r.p != '<')
            return 0;
        bool is_end = r.p[1] == '/' && r.depth;
        if (!(is_end ? take_end(&r) : take_start(&r, r.depth ? d->node[r.open[r.depth - 1]].ns : outer)))
            return 0;
        if (r.depth && !take_chars(&r, '<', &d->text))
            return 0;
    } while (r.depth);
    n = (size_t)(r.p - r.begin);
    return utf8_is_valid(span_of(in.p, n)) ? n : 0;
}

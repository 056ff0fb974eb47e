#include "proto/xmpp_stream.h"

#include "base/xalloc.h"
#include "proto/xmpp_parser.h"
#include "proto/xmpp_plain.h"
#include "proto/xmpp_skip.h"

enum {
    REMAKE_BYTES = 64 * 1024, /* a parser is made anew behind so many */
    /* What expat may have: what 4096 attributes or 2048 names need, of which no more are kept, is 0.7 MB; a long token
     * is held two to three times. */
    MEMORY_BYTES = 1 << 20,
    MEMORY_PER_BYTE = 4,      /* of the longest element */
    IDLE_MEMORY = 256 * 1024, /* a parser that has more is given back behind its element */
    TOKEN_BYTES = 4096, /* a longer token may only come in TOKEN_FEEDS pieces: each piece is a scan from its start */
    TOKEN_FEEDS = 500,
    PLAIN_BYTES = 512, /* a parser (10 kB) is given back behind so many bytes of elements that did not need it, and as
                          many as its header has, which a new one reads again */
};

struct xmpp_stream {
    struct xmpp_stream_options o;
    struct xmpp_pool *pool;
    struct xmpp_parser p; /* made with the next byte */
    struct buf header;    /* the start tag, to be fed again */
    size_t seen;          /* bytes of the current item that the parser has */
    size_t scanned;       /* bytes of the current item known to hold no '>' behind `seen` */
    unsigned stuck_feeds;
    uint32_t plain_bytes; /* since the parser was used */
    bool is_long;         /* the element under way is handed on in parts: */
    struct xmpp_skip skip;
    bool is_broken;
};

const char *xmpp_fault_condition(enum xmpp_fault f)
{
    static const char *const names[] = {
#define X(id, condition) [id] = condition,
        XMPP_FAULTS(X)
#undef X
    };
    return names[f];
}

static void refeed_header(struct xmpp_stream *s)
{
    s->p.is_refeeding = true;
    xmpp_parser_feed(&s->p, buf_span(&s->header));
    s->p.is_refeeding = false;
}

static void begin_item(struct xmpp_stream *s)
{
    if (!s->p.dom)
        s->p.dom = xmpp_pool_take(s->pool);
    xmpp_dom_reset(s->p.dom);
}

/* Between two elements, where it can be made again. */
static void give_parser_back(struct xmpp_stream *s)
{
    xmpp_parser_drop(&s->p);
    s->p.depth = 1; /* as it is in the stream */
}

static void begin_parser(struct xmpp_stream *s)
{
    bool is_inside = s->p.depth == 1;
    if (is_inside && s->p.fed > REMAKE_BYTES + s->header.len)
        give_parser_back(s);
    if (!s->p.xml) {
        s->p.depth = 0;
        xmpp_parser_make(&s->p);
        if (is_inside || s->o.is_framed)
            refeed_header(s);
    }
    xmpp_dom_reset(s->p.dom);
    s->p.item_base = s->p.last_event = s->p.fed;
    s->stuck_feeds = s->plain_bytes = 0;
}

struct xmpp_stream *xmpp_stream_new(struct xmpp_pool *pool, const struct xmpp_stream_options *o)
{
    struct xmpp_stream *s = xcalloc(1, sizeof(*s));
    s->o = *o;
    s->p.passes_long = o->passes_long;
    s->p.max_memory = MEMORY_BYTES + MEMORY_PER_BYTE * o->max_bytes;
    s->pool = pool;
    if (o->is_framed)
        buf_append_str(&s->header, "<s>");
    return s;
}

void xmpp_stream_free(struct xmpp_stream **sp)
{
    struct xmpp_stream *s = *sp;
    if (!s)
        return;
    xmpp_parser_drop(&s->p);
    xmpp_dom_free(&s->p.dom);
    buf_fini(&s->header);
    buf_fini(&s->p.ns);
    free(s);
    *sp = NULL;
}

void xmpp_stream_restart(struct xmpp_stream *s)
{
    xmpp_parser_drop(&s->p);
    if (!s->o.is_framed) {
        buf_fini(&s->header);
        buf_fini(&s->p.ns);
    }
    s->seen = s->scanned = 0;
    s->is_long = s->is_broken = s->p.has_fault = false;
}

void xmpp_stream_rest(struct xmpp_stream *s)
{
    if (s->p.dom && !s->seen && !s->scanned && !s->is_long)
        xmpp_pool_give(s->pool, &s->p.dom);
}

size_t xmpp_stream_max_memory(const struct xmpp_stream *s)
{
    return s->p.max_memory;
}

struct span xmpp_stream_tag(const struct xmpp_stream *s)
{
    struct span h = span_from(buf_span(&s->header), 1);
    size_t n = 0;
    while (n < h.n && !memchr(" \t\r\n/>", h.p[n], 6))
        n++;
    return span_of(h.p, n);
}

/* --- items --- */

static enum xmpp_got bad(struct xmpp_stream *s, enum xmpp_fault f, struct xmpp_item *out)
{
    s->is_broken = true;
    s->p.fault = f;
    out->fault = f;
    return XMPP_BAD;
}

static enum xmpp_got finish(struct xmpp_stream *s, enum xmpp_got got, struct span in, struct xmpp_item *out)
{
    out->raw = span_of(in.p, s->seen);
    out->dom = got == XMPP_PART ? NULL : s->p.dom;
    out->is_last = got == XMPP_PART;
    out->is_stanza = (got == XMPP_PART || got == XMPP_ELEMENT) && s->p.is_stanza;
    s->seen = s->scanned = 0;
    s->is_long = false;
    if (got == XMPP_HEADER) { /* node 0 was never closed */
        s->p.dom->node[0].end = 1;
        s->p.path[0] = UINT32_MAX; /* the tree is gone when its end tag comes */
        buf_reset(&s->header);
        buf_append_span(&s->header, span_from(out->raw, s->p.dom->node[0].raw_from));
    }
    return got;
}

/* Feeds up to behind the next '>': an element cannot end elsewhere. False: there is none. */
static bool feed_next(struct xmpp_stream *s, struct span in)
{
    size_t from = MAX_OF(s->seen, s->scanned);
    const uint8_t *gt = memchr(in.p + from, '>', in.n - from);
    s->scanned = in.n;
    if (!gt)
        return false;
    size_t to = (size_t)(gt - in.p) + 1;
    size_t n = to - s->seen;
    xmpp_parser_feed(&s->p, span_of(in.p + s->seen, n));
    s->seen = s->scanned = to;
    if (s->p.fed - s->p.last_event > TOKEN_BYTES && ++s->stuck_feeds > TOKEN_FEEDS)
        xmpp_parser_stop(&s->p, XMPP_TOO_BIG);
    return true;
}

/* The element under way, with all its bytes in `in`, is handed on from its first byte without the parser. */
static void begin_parts(struct xmpp_stream *s, struct span in)
{
    struct span tag = span_from(in, 1);
    if (s->p.depth < 2) { /* the start tag is not known: a server's stanzas have no prefix */
        size_t n = 0;
        while (n < tag.n && !memchr(" \t\r\n/>", tag.p[n], 6))
            n++;
        s->p.is_stanza = span_is(buf_span(&s->p.ns), "jabber:client") && xmpp_is_stanza_name(span_of(tag.p, n));
    }
    give_parser_back(s);
    s->p.has_fault = false;
    s->is_long = true;
    s->skip = (struct xmpp_skip){0};
}

static enum xmpp_got next_part(struct xmpp_stream *s, struct span in, struct xmpp_item *out)
{
    s->seen = in.n;
    s->scanned = 0;
    switch (xmpp_skip_next(&s->skip, in, &s->seen)) {
    case XMPP_SKIP_BAD:
        return bad(s, XMPP_RESTRICTED, out);
    case XMPP_SKIP_DONE:
        return finish(s, XMPP_PART, in, out);
    case XMPP_SKIP_MORE:
        break;
    }
    s->seen = 0;
    out->raw = in;
    return in.n ? XMPP_PART : XMPP_MORE;
}

/* p.fault says of what. Of a header there is no part. */
static enum xmpp_got take_too_much(struct xmpp_stream *s, struct span in, struct xmpp_item *out)
{
    if (!s->o.passes_long || s->p.depth == 0)
        return bad(s, s->p.fault, out);
    begin_parts(s, in);
    return next_part(s, in, out);
}

/* A whole plain element, which the parser need not see. */
static bool take_plain(struct xmpp_stream *s, struct span in)
{
    if (s->p.depth != 1 && !s->o.is_framed)
        return false;
    in.n = MIN_OF(in.n, s->o.max_bytes);
    s->seen = xmpp_plain_read(in, buf_span(&s->p.ns), s->p.dom);
    if (!s->seen)
        return false;
    s->p.is_stanza = span_is(xmpp_ns(s->p.dom, 0), "jabber:client") && xmpp_is_stanza_name(xmpp_name(s->p.dom, 0));
    s->plain_bytes += s->p.xml ? (uint32_t)s->seen : 0;
    if (s->p.xml && s->plain_bytes > PLAIN_BYTES + s->header.len)
        give_parser_back(s);
    return true;
}

static size_t max_bytes(const struct xmpp_stream *s)
{
    return s->p.depth == 0 ? (size_t)XMPP_HEADER_MAX : s->o.max_bytes;
}

enum xmpp_got xmpp_next(struct xmpp_stream *s, struct span in, struct xmpp_item *out)
{
    *out = (struct xmpp_item){0};
    if (s->is_broken)
        return bad(s, s->p.fault, out);
    if (s->is_long)
        return next_part(s, in, out);
    if (!s->seen && !s->scanned) {
        size_t blank = 0;
        while (blank < in.n && memchr(" \t\r\n", in.p[blank], 4))
            blank++;
        out->raw = span_of(in.p, blank);
        if (blank)
            return XMPP_SPACE;
        if (!in.n)
            return XMPP_MORE;
        if (in.p[0] != '<')
            return bad(s, XMPP_NOT_WELL_FORMED, out);
        begin_item(s);
        if (take_plain(s, in))
            return finish(s, XMPP_ELEMENT, in, out);
        begin_parser(s);
    }
    size_t max = max_bytes(s);
    while (feed_next(s, in)) {
        if (s->p.has_fault)
            return s->p.fault == XMPP_TOO_COMPLEX ? take_too_much(s, in, out) : bad(s, s->p.fault, out);
        if (s->p.has_end && !s->p.has_header)
            return finish(s, XMPP_END, in, out);
        if (s->p.has_header || s->p.has_element || s->p.has_end) {
            if (s->p.has_end) /* a stream that is one empty tag */
                return bad(s, XMPP_NOT_WELL_FORMED, out);
            if (s->seen > max && !s->o.passes_long)
                return bad(s, XMPP_TOO_BIG, out);
            if (s->p.has_header && memchr(in.p, 0, s->seen)) /* expat takes "<" and a NUL for UTF-16 all the same */
                return bad(s, XMPP_ENCODING, out);
            if (s->p.memory > IDLE_MEMORY) /* so that the next one has as much, and an idle stream little */
                give_parser_back(s);
            return finish(s, s->p.has_header ? XMPP_HEADER : XMPP_ELEMENT, in, out);
        }
    }
    if (in.n <= max)
        return XMPP_MORE;
    s->p.fault = XMPP_TOO_BIG;
    return take_too_much(s, in, out);
}

enum xmpp_got xmpp_message(struct xmpp_stream *s, struct span payload, struct xmpp_item *out)
{
    enum xmpp_got got = xmpp_next(s, payload, out);
    if (got == XMPP_ELEMENT && out->raw.n == payload.n)
        return got;
    out->fault = got == XMPP_BAD ? out->fault : XMPP_NOT_WELL_FORMED;
    xmpp_stream_restart(s);
    return XMPP_BAD;
}

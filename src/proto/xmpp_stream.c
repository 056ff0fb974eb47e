#include "proto/xmpp_stream.h"

#include <expat.h>
#include <strings.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "proto/xmpp_plain.h"

/* Debian's expat defers reparsing of long tokens since a security update, so an element could be reported late; older
 * builds do not have the switch. */
#pragma weak XML_SetReparseDeferralEnabled
XML_Bool XML_SetReparseDeferralEnabled(XML_Parser parser, XML_Bool enabled);

enum {
    REMAKE_BYTES = 64 * 1024, /* a parser is made anew behind so many */
    TOKEN_BYTES = 4096, /* a longer token may only come in TOKEN_FEEDS pieces: each piece is a scan from its start */
    TOKEN_FEEDS = 500,
    PLAIN_BYTES = 512, /* a parser (10 kB) is given back behind so many bytes of elements that did not need it, and as
                          many as its header has, which a new one reads again */
};

struct xmpp_stream {
    struct xmpp_stream_options o;
    struct xmpp_pool *pool;
    XML_Parser parser; /* NULL: made with the next byte */
    struct xmpp_dom *dom;
    struct buf header; /* the start tag, to be fed again */
    struct buf ns;     /* its default namespace */
    uint32_t path[XMPP_DEPTH_MAX];
    unsigned depth; /* open elements; 1: between top-level elements */
    size_t seen;    /* bytes of the current item that expat has */
    size_t scanned; /* bytes of the current item known to hold no '>' behind `seen` */
    uint64_t fed;   /* all bytes that this parser has */
    uint64_t item_base, last_event;
    unsigned stuck_feeds;
    uint32_t plain_bytes; /* since the parser was used */
    bool is_refeeding, is_long, is_broken;
    bool is_stanza;                        /* the element under way */
    bool has_header, has_element, has_end; /* what the last feed completed */
    bool has_fault;
    enum xmpp_fault fault;
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

/* --- expat's callbacks --- */

static void raise_fault(struct xmpp_stream *s, enum xmpp_fault f)
{
    if (s->has_fault)
        return;
    s->has_fault = true;
    s->fault = f;
    XML_StopParser(s->parser, XML_FALSE);
}

/* Where the current token begins and ends, from the item's first byte. */
static uint32_t token_from(struct xmpp_stream *s)
{
    return (uint32_t)((uint64_t)XML_GetCurrentByteIndex(s->parser) - s->item_base);
}

static uint32_t token_to(struct xmpp_stream *s)
{
    return token_from(s) + (uint32_t)XML_GetCurrentByteCount(s->parser);
}

static bool is_recording(const struct xmpp_stream *s)
{
    return s->dom && !s->is_long && !s->is_refeeding;
}

static bool is_stanza_name(struct span name)
{
    return span_is(name, "message") || span_is(name, "presence") || span_is(name, "iq");
}

/* From a client that is an end; a server, which only forwards what others say, is passed on what cannot be looked at.
 */
static void take_too_much(struct xmpp_stream *s)
{
    if (!s->o.passes_long)
        raise_fault(s, XMPP_TOO_BIG);
    else if (is_recording(s))
        s->dom->is_truncated = true;
}

static void XMLCALL on_namespace(void *arg, const XML_Char *prefix, const XML_Char *uri)
{
    struct xmpp_stream *s = arg;
    if (uri && strlen(uri) > XMPP_NS_MAX)
        take_too_much(s);
    if (s->depth || s->is_refeeding || prefix)
        return;
    buf_reset(&s->ns);
    buf_append_span(&s->ns, span_str(uri));
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
    static const char client[] = "jabber:client\x1f";
    struct xmpp_stream *s = arg;
    s->last_event = s->fed;
    if (s->depth >= XMPP_DEPTH_MAX) {
        take_too_much(s);
        s->depth++;
        return;
    }
    s->path[s->depth] = UINT32_MAX;
    if (s->depth == 0)
        s->has_header = true;
    else if (s->depth == 1)
        s->is_stanza =
            strncmp(name, client, sizeof(client) - 1) == 0 && is_stanza_name(span_str(name + sizeof(client) - 1));
    if (is_recording(s)) {
        uint32_t parent = s->depth > 1 ? s->path[s->depth - 1] : 0;
        uint32_t i = parent == UINT32_MAX ? UINT32_MAX : xmpp_dom_open(s->dom, parent, name, attrs);
        s->path[s->depth] = i;
        if (i != UINT32_MAX) {
            s->dom->node[i].raw_from = token_from(s);
            s->dom->node[i].raw_content = token_to(s);
        }
        if (s->depth <= 1 && s->dom->is_truncated) /* of a client's element all attributes are known */
            take_too_much(s);
    }
    s->depth++;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    (void)name;
    struct xmpp_stream *s = arg;
    s->last_event = s->fed;
    s->depth--;
    if (s->depth >= XMPP_DEPTH_MAX)
        return;
    uint32_t i = s->path[s->depth];
    if (is_recording(s) && i != UINT32_MAX) {
        xmpp_dom_close(s->dom, i);
        s->dom->node[i].raw_content_end = token_from(s); /* of an empty element: behind its only tag */
        s->dom->node[i].raw_to = token_to(s);
    }
    s->has_element = s->depth == 1;
    if (s->has_element && !s->is_stanza && is_recording(s) && s->dom->is_truncated)
        take_too_much(s); /* a stanza is judged as too complex, but logins and the like must be known */
    s->has_end = s->depth == 0;
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int n)
{
    struct xmpp_stream *s = arg;
    s->last_event = s->fed;
    if (s->depth <= 1) /* what begins an item is looked at before: this is text behind one */
        raise_fault(s, XMPP_NOT_WELL_FORMED);
    else if (is_recording(s))
        buf_append(&s->dom->text, text, (size_t)n);
}

static void XMLCALL on_comment(void *arg, const XML_Char *text)
{
    (void)text;
    raise_fault(arg, XMPP_RESTRICTED);
}

static void XMLCALL on_instruction(void *arg, const XML_Char *target, const XML_Char *data)
{
    (void)target, (void)data;
    raise_fault(arg, XMPP_RESTRICTED);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int has)
{
    (void)name, (void)sysid, (void)pubid, (void)has;
    raise_fault(arg, XMPP_RESTRICTED);
}

/* What the parser is told with XML_ParserCreateNS has more weight, but not for every server behind. */
static void XMLCALL on_declaration(void *arg, const XML_Char *version, const XML_Char *encoding, int standalone)
{
    (void)version, (void)standalone;
    if (encoding && strcasecmp(encoding, "UTF-8") != 0)
        raise_fault(arg, XMPP_ENCODING);
}

/* --- the parser's life --- */

static void drop_parser(struct xmpp_stream *s)
{
    if (s->parser)
        XML_ParserFree(s->parser);
    s->parser = NULL;
    s->fed = s->item_base = s->last_event = 0;
    s->depth = 0;
    s->stuck_feeds = 0;
}

static void make_parser(struct xmpp_stream *s)
{
    s->parser = XML_ParserCreateNS("UTF-8", '\x1f'); /* a character that no name can hold */
    if (!s->parser)
        abort();
    XML_SetHashSalt(s->parser, (unsigned long)rand_u64() | 1);
    if (XML_SetReparseDeferralEnabled)
        XML_SetReparseDeferralEnabled(s->parser, XML_FALSE);
    XML_SetUserData(s->parser, s);
    XML_SetElementHandler(s->parser, on_start, on_end);
    XML_SetStartNamespaceDeclHandler(s->parser, on_namespace);
    XML_SetCharacterDataHandler(s->parser, on_text);
    XML_SetCommentHandler(s->parser, on_comment);
    XML_SetProcessingInstructionHandler(s->parser, on_instruction);
    XML_SetStartDoctypeDeclHandler(s->parser, on_doctype);
    XML_SetXmlDeclHandler(s->parser, on_declaration);
}

static void feed(struct xmpp_stream *s, const uint8_t *p, size_t n)
{
    s->has_header = s->has_element = s->has_end = false;
    s->fed += n;
    if (XML_Parse(s->parser, (const char *)p, (int)n, XML_FALSE) == XML_STATUS_OK)
        return;
    if (s->has_fault)
        return;
    enum XML_Error why = XML_GetErrorCode(s->parser);
    s->has_fault = true;
    s->fault = why == XML_ERROR_UNDEFINED_ENTITY ? XMPP_RESTRICTED : XMPP_NOT_WELL_FORMED;
}

static void refeed_header(struct xmpp_stream *s)
{
    s->is_refeeding = true;
    feed(s, buf_span(&s->header).p, s->header.len);
    s->is_refeeding = false;
    s->item_base = s->last_event = s->fed;
}

static void begin_item(struct xmpp_stream *s)
{
    if (!s->dom)
        s->dom = xmpp_pool_take(s->pool);
    xmpp_dom_reset(s->dom);
}

static void begin_parser(struct xmpp_stream *s)
{
    bool is_inside = s->depth == 1;
    if (is_inside && s->fed > REMAKE_BYTES + s->header.len)
        drop_parser(s);
    if (!s->parser) {
        s->depth = 0;
        make_parser(s);
        if (is_inside || s->o.is_framed)
            refeed_header(s);
    }
    xmpp_dom_reset(s->dom);
    s->item_base = s->last_event = s->fed;
    s->stuck_feeds = s->plain_bytes = 0;
}

struct xmpp_stream *xmpp_stream_new(struct xmpp_pool *pool, const struct xmpp_stream_options *o)
{
    struct xmpp_stream *s = xcalloc(1, sizeof(*s));
    s->o = *o;
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
    drop_parser(s);
    xmpp_dom_free(&s->dom);
    buf_fini(&s->header);
    buf_fini(&s->ns);
    free(s);
    *sp = NULL;
}

void xmpp_stream_restart(struct xmpp_stream *s)
{
    drop_parser(s);
    if (!s->o.is_framed) {
        buf_fini(&s->header);
        buf_fini(&s->ns);
    }
    s->seen = s->scanned = 0;
    s->is_long = s->is_broken = s->has_fault = false;
}

void xmpp_stream_rest(struct xmpp_stream *s)
{
    if (s->dom && !s->seen && !s->scanned && !s->is_long)
        xmpp_pool_give(s->pool, &s->dom);
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
    s->fault = f;
    out->fault = f;
    return XMPP_BAD;
}

static enum xmpp_got finish(struct xmpp_stream *s, enum xmpp_got got, struct span in, struct xmpp_item *out)
{
    out->raw = span_of(in.p, s->seen);
    out->dom = s->dom;
    out->is_last = got == XMPP_PART;
    out->is_stanza = (got == XMPP_PART || got == XMPP_ELEMENT) && s->is_stanza;
    s->seen = s->scanned = 0;
    s->is_long = false;
    if (got == XMPP_HEADER) { /* node 0 was never closed */
        s->dom->node[0].end = 1;
        s->path[0] = UINT32_MAX; /* the tree is gone when its end tag comes */
        buf_reset(&s->header);
        buf_append_span(&s->header, span_from(out->raw, s->dom->node[0].raw_from));
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
    feed(s, in.p + s->seen, n);
    s->seen = s->scanned = to;
    if (s->fed - s->last_event > TOKEN_BYTES && ++s->stuck_feeds > TOKEN_FEEDS)
        raise_fault(s, XMPP_TOO_BIG);
    return true;
}

static enum xmpp_got next_part(struct xmpp_stream *s, struct span in, struct xmpp_item *out)
{
    s->is_long = true;
    feed(s, in.p + s->seen, in.n - s->seen);
    if (s->has_fault)
        return bad(s, s->fault, out);
    out->raw = in;
    out->is_last = false;
    out->dom = NULL;
    s->seen = s->scanned = 0;
    return in.n ? XMPP_PART : XMPP_MORE;
}

/* A whole plain element, which the parser need not see. */
static bool take_plain(struct xmpp_stream *s, struct span in)
{
    if (s->depth != 1 && !s->o.is_framed)
        return false;
    in.n = MIN_OF(in.n, s->o.max_bytes);
    s->seen = xmpp_plain_read(in, buf_span(&s->ns), s->dom);
    if (!s->seen)
        return false;
    s->is_stanza = span_is(xmpp_ns(s->dom, 0), "jabber:client") && is_stanza_name(xmpp_name(s->dom, 0));
    s->plain_bytes += s->parser ? (uint32_t)s->seen : 0;
    if (s->parser && s->plain_bytes > PLAIN_BYTES + s->header.len) {
        drop_parser(s);
        s->depth = 1; /* as it is in the stream */
    }
    return true;
}

static size_t max_bytes(const struct xmpp_stream *s)
{
    return s->depth == 0 ? (size_t)XMPP_HEADER_MAX : s->o.max_bytes;
}

enum xmpp_got xmpp_next(struct xmpp_stream *s, struct span in, struct xmpp_item *out)
{
    *out = (struct xmpp_item){0};
    if (s->is_broken)
        return bad(s, s->fault, out);
    if (!s->seen && !s->scanned && !s->is_long) {
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
        if (s->has_fault)
            return bad(s, s->fault, out);
        if (s->has_end && !s->has_header)
            return finish(s, XMPP_END, in, out);
        if (s->has_header || s->has_element || s->has_end) {
            if (s->is_long)
                return finish(s, XMPP_PART, in, out);
            if (s->has_end) /* a stream that is one empty tag */
                return bad(s, XMPP_NOT_WELL_FORMED, out);
            if (s->seen > max && !s->o.passes_long)
                return bad(s, XMPP_TOO_BIG, out);
            if (s->has_header && memchr(in.p, 0, s->seen)) /* expat takes "<" and a NUL for UTF-16 all the same */
                return bad(s, XMPP_ENCODING, out);
            return finish(s, s->has_header ? XMPP_HEADER : XMPP_ELEMENT, in, out);
        }
    }
    if (s->is_long)
        return next_part(s, in, out);
    if (in.n <= max)
        return XMPP_MORE;
    return s->o.passes_long && s->depth > 0 ? next_part(s, in, out) : bad(s, XMPP_TOO_BIG, out);
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

#include "proto/xmpp_parser.h"

#include <expat.h>
#include <strings.h>

#include "base/rand.h"
#include "base/xalloc.h"

/* Debian's expat defers reparsing of long tokens since a security update, so an element could be reported late; older
 * builds do not have the switch. */
#pragma weak XML_SetReparseDeferralEnabled
XML_Bool XML_SetReparseDeferralEnabled(XML_Parser parser, XML_Bool enabled);

/* --- expat's callbacks --- */

void xmpp_parser_stop(struct xmpp_parser *p, enum xmpp_fault f)
{
    if (p->has_fault)
        return;
    p->has_fault = true;
    p->fault = f;
    XML_StopParser(p->xml, XML_FALSE);
}

/* Where the current token begins and ends, from the item's first byte. */
static uint32_t token_from(struct xmpp_parser *p)
{
    return (uint32_t)((uint64_t)XML_GetCurrentByteIndex(p->xml) - p->item_base);
}

static uint32_t token_to(struct xmpp_parser *p)
{
    return token_from(p) + (uint32_t)XML_GetCurrentByteCount(p->xml);
}

static bool is_recording(const struct xmpp_parser *p)
{
    return p->dom && !p->is_refeeding;
}

bool xmpp_is_stanza_name(struct span name)
{
    return span_is(name, "message") || span_is(name, "presence") || span_is(name, "iq");
}

/* From a client that is an end; a server, which only forwards what others say, is passed on what cannot be looked at.
 */
static void take_too_much(struct xmpp_parser *p)
{
    if (!p->passes_long)
        xmpp_parser_stop(p, XMPP_TOO_BIG);
    else if (is_recording(p))
        p->dom->is_truncated = true;
}

static void XMLCALL on_namespace(void *arg, const XML_Char *prefix, const XML_Char *uri)
{
    struct xmpp_parser *p = arg;
    if (uri && strlen(uri) > XMPP_NS_MAX)
        take_too_much(p);
    if (p->depth || p->is_refeeding || prefix)
        return;
    buf_reset(&p->ns);
    buf_append_span(&p->ns, span_str(uri));
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
    static const char client[] = "jabber:client\x1f";
    struct xmpp_parser *p = arg;
    p->last_event = p->fed;
    if (p->depth >= XMPP_DEPTH_MAX) {
        take_too_much(p);
        p->depth++;
        return;
    }
    p->path[p->depth] = UINT32_MAX;
    if (p->depth == 0)
        p->has_header = true;
    else if (p->depth == 1)
        p->is_stanza =
            strncmp(name, client, sizeof(client) - 1) == 0 && xmpp_is_stanza_name(span_str(name + sizeof(client) - 1));
    if (is_recording(p)) {
        uint32_t parent = p->depth > 1 ? p->path[p->depth - 1] : 0;
        uint32_t i = parent == UINT32_MAX ? UINT32_MAX : xmpp_dom_open(p->dom, parent, name, attrs);
        p->path[p->depth] = i;
        if (i != UINT32_MAX) {
            p->dom->node[i].raw_from = token_from(p);
            p->dom->node[i].raw_content = token_to(p);
        }
        if (p->depth <= 1 && p->dom->is_truncated) /* of a client's element all attributes are known */
            take_too_much(p);
    }
    p->depth++;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    (void)name;
    struct xmpp_parser *p = arg;
    p->last_event = p->fed;
    p->depth--;
    if (p->depth >= XMPP_DEPTH_MAX)
        return;
    uint32_t i = p->path[p->depth];
    if (is_recording(p) && i != UINT32_MAX) {
        xmpp_dom_close(p->dom, i);
        p->dom->node[i].raw_content_end = token_from(p); /* of an empty element: behind its only tag */
        p->dom->node[i].raw_to = token_to(p);
    }
    p->has_element = p->depth == 1;
    if (p->has_element && !p->is_stanza && is_recording(p) && p->dom->is_truncated)
        take_too_much(p); /* a stanza is judged as too complex, but logins and the like must be known */
    p->has_end = p->depth == 0;
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int n)
{
    struct xmpp_parser *p = arg;
    p->last_event = p->fed;
    if (p->depth <= 1) /* what begins an item is looked at before: this is text behind one */
        xmpp_parser_stop(p, XMPP_NOT_WELL_FORMED);
    else if (is_recording(p))
        buf_append(&p->dom->text, text, (size_t)n);
}

static void XMLCALL on_comment(void *arg, const XML_Char *text)
{
    (void)text;
    xmpp_parser_stop(arg, XMPP_RESTRICTED);
}

static void XMLCALL on_instruction(void *arg, const XML_Char *target, const XML_Char *data)
{
    (void)target, (void)data;
    xmpp_parser_stop(arg, XMPP_RESTRICTED);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int has)
{
    (void)name, (void)sysid, (void)pubid, (void)has;
    xmpp_parser_stop(arg, XMPP_RESTRICTED);
}

/* What the parser is told with XML_ParserCreateNS has more weight, but not for every server behind. */
static void XMLCALL on_declaration(void *arg, const XML_Char *version, const XML_Char *encoding, int standalone)
{
    (void)version, (void)standalone;
    if (encoding && strcasecmp(encoding, "UTF-8") != 0)
        xmpp_parser_stop(arg, XMPP_ENCODING);
}

/* --- memory --- */

/* One prefixed attribute costs its whole namespace again, so 64 kB of a start tag can become 67 MB: what expat may have
 * is counted. Before each of its blocks stands the block's size. */
struct block {
    _Alignas(max_align_t) size_t bytes; /* with this head */
};

/* expat does not say for whom it wants memory: for the one that this thread is in. */
static _Thread_local struct xmpp_parser *under_way;

static void *give_memory(void *old, size_t n)
{
    struct xmpp_parser *p = under_way;
    struct block *b = old ? (struct block *)old - 1 : NULL;
    size_t had = b ? b->bytes : 0, free_bytes = p->max_memory - p->memory;
    if (n > free_bytes || n + sizeof(*b) > free_bytes) { /* a block that grows may need both places for a while */
        p->is_full = true;
        return NULL;
    }
    b = xrealloc(b, n + sizeof(*b));
    b->bytes = n + sizeof(*b);
    p->most_memory = MAX_OF(p->most_memory, p->memory + b->bytes);
    p->memory += b->bytes - had;
    return b + 1;
}

static void *give_new_memory(size_t n)
{
    return give_memory(NULL, n);
}

static void take_memory(void *old)
{
    struct block *b = old ? (struct block *)old - 1 : NULL;
    under_way->memory -= b ? b->bytes : 0;
    free(b);
}

/* --- the parser's life --- */

void xmpp_parser_drop(struct xmpp_parser *p)
{
    under_way = p;
    if (p->xml)
        XML_ParserFree(p->xml);
    under_way = NULL;
    p->xml = NULL;
    p->fed = p->item_base = p->last_event = 0;
    p->depth = 0;
}

void xmpp_parser_make(struct xmpp_parser *p)
{
    const XML_Memory_Handling_Suite memory = {give_new_memory, give_memory, take_memory};
    under_way = p;
    p->is_full = false;
    p->xml = XML_ParserCreate_MM("UTF-8", &memory, "\x1f"); /* a character that no name can hold */
    under_way = NULL;
    if (!p->xml)
        abort();
    XML_SetHashSalt(p->xml, (unsigned long)rand_u64() | 1);
    if (XML_SetReparseDeferralEnabled)
        XML_SetReparseDeferralEnabled(p->xml, XML_FALSE);
    XML_SetUserData(p->xml, p);
    XML_SetElementHandler(p->xml, on_start, on_end);
    XML_SetStartNamespaceDeclHandler(p->xml, on_namespace);
    XML_SetCharacterDataHandler(p->xml, on_text);
    XML_SetCommentHandler(p->xml, on_comment);
    XML_SetProcessingInstructionHandler(p->xml, on_instruction);
    XML_SetStartDoctypeDeclHandler(p->xml, on_doctype);
    XML_SetXmlDeclHandler(p->xml, on_declaration);
}

void xmpp_parser_feed(struct xmpp_parser *p, struct span in)
{
    p->has_header = p->has_element = p->has_end = false;
    p->fed += in.n;
    under_way = p;
    enum XML_Status status = XML_Parse(p->xml, (const char *)in.p, (int)in.n, XML_FALSE);
    under_way = NULL;
    if (status == XML_STATUS_OK || p->has_fault)
        return;
    enum XML_Error why = XML_GetErrorCode(p->xml);
    p->has_fault = true;
    if (why == XML_ERROR_NO_MEMORY || p->is_full)
        p->fault = XMPP_TOO_COMPLEX;
    else
        p->fault = why == XML_ERROR_UNDEFINED_ENTITY ? XMPP_RESTRICTED : XMPP_NOT_WELL_FORMED;
}

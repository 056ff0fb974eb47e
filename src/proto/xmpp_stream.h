/* One direction of an XMPP stream (RFC 6120), or of the WebSocket binding (RFC 7395): bytes to top-level elements. The
 * caller keeps the bytes and sends them on as they came; this module only says where each element ends and what is in
 * it. No event loop; it can be stopped at any byte.
 *
 * Refused, so that no two readers can understand a stream differently: comments, processing instructions, document
 * types and entities (RFC 6120 11.1), any encoding but UTF-8 (11.6). Bounded: bytes of an element, depth, memory (of
 * an element's names and attributes, and of all before it: the XML parser is made anew from time to time, with the
 * stream's header fed again, because it never forgets a name). */
#pragma once

#include "proto/xmpp_dom.h"

enum { XMPP_DEPTH_MAX = 64, XMPP_HEADER_MAX = 8192 };

/* X(id, stream error condition of RFC 6120 4.9.3). XMPP_TOO_COMPLEX: its names and attributes would take more memory
 * than xmpp_stream_max_memory. */
#define XMPP_FAULTS(X)                                                                                                 \
    X(XMPP_NOT_WELL_FORMED, "not-well-formed")                                                                         \
    X(XMPP_RESTRICTED, "restricted-xml")                                                                               \
    X(XMPP_ENCODING, "unsupported-encoding")                                                                           \
    X(XMPP_TOO_BIG, "policy-violation")                                                                                \
    X(XMPP_TOO_COMPLEX, "policy-violation")

enum xmpp_fault {
#define X(id, condition) id,
    XMPP_FAULTS(X)
#undef X
};
const char *xmpp_fault_condition(enum xmpp_fault f);

enum xmpp_got {
    XMPP_MORE,    /* nothing whole yet: call again with the same bytes and more behind them */
    XMPP_SPACE,   /* white space between elements (a keepalive) */
    XMPP_HEADER,  /* the stream's start tag, with the XML declaration before it */
    XMPP_ELEMENT, /* a whole top-level element */
    XMPP_PART,    /* a piece of an element that is longer or more complex than the bounds (only with `passes_long`) */
    XMPP_END,     /* the stream's end tag */
    XMPP_BAD,     /* see fault; the stream is of no more use */
};

struct xmpp_item {
    struct span raw;            /* its bytes: always the first ones of what was given */
    const struct xmpp_dom *dom; /* HEADER (node 0 without an end) and ELEMENT; until the next call */
    bool is_last;               /* PART: the element ends with it */
    bool is_stanza;             /* ELEMENT and the last PART: message, presence or iq, which stream management counts */
    enum xmpp_fault fault;      /* BAD */
};

struct xmpp_stream;

struct xmpp_stream_options {
    size_t max_bytes; /* of one element */
    bool passes_long; /* longer and more complex ones are handed on in parts, not looked at; else they are BAD */
    bool is_framed;   /* RFC 7395: no header, one element per message */
};
struct xmpp_stream *xmpp_stream_new(struct xmpp_pool *pool, const struct xmpp_stream_options *o);
void xmpp_stream_free(struct xmpp_stream **s);
/* Begins anew with a header (after STARTTLS, after SASL). Bytes seen of an unfinished item are forgotten: the caller
 * gives them again. */
void xmpp_stream_restart(struct xmpp_stream *s);
/* The next item of `in`, which begins with the first byte that no earlier item took. */
enum xmpp_got xmpp_next(struct xmpp_stream *s, struct span in, struct xmpp_item *out);
/* is_framed: one whole message, which must be exactly one element: ELEMENT or BAD. After BAD the next message can be
 * read all the same. */
enum xmpp_got xmpp_message(struct xmpp_stream *s, struct span payload, struct xmpp_item *out);
/* The caller is done with this turn's bytes: memory that nothing needs goes back. */
void xmpp_stream_rest(struct xmpp_stream *s);
/* Bytes that the XML parser may have for one element. */
size_t xmpp_stream_max_memory(const struct xmpp_stream *s);
/* Name of the start tag as it was written ("stream:stream"); empty before the header. */
struct span xmpp_stream_tag(const struct xmpp_stream *s);

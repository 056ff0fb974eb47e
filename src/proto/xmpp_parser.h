/* What expat makes of a stream: the tree of the element under way, and where it ends. Part of xmpp_stream.c, which says
 * when a parser is made, what it is fed and when it goes; elements that are read as plain never come here. */
#pragma once

#include "proto/xmpp_stream.h"

struct xmpp_parser {
    struct XML_ParserStruct *xml; /* NULL: none now */
    struct xmpp_dom *dom;         /* of the element under way; NULL: none is wanted */
    struct buf ns;                /* the header's default namespace */
    uint32_t path[XMPP_DEPTH_MAX];
    unsigned depth; /* open elements; 1: between top-level elements */
    uint64_t fed;   /* all bytes that this parser has */
    uint64_t item_base, last_event;
    size_t memory;      /* bytes that expat has now */
    size_t most_memory; /* and the most that it had */
    size_t max_memory;  /* it gets no more: XMPP_TOO_COMPLEX */
    bool passes_long;   /* of the stream's options */
    bool is_full;       /* it was refused memory */
    bool is_refeeding;
    bool is_stanza;                        /* the element under way */
    bool has_header, has_element, has_end; /* what the last feed completed */
    bool has_fault;
    enum xmpp_fault fault;
};

/* `max_memory` is set. */
void xmpp_parser_make(struct xmpp_parser *p);
/* Does nothing when there is none. */
void xmpp_parser_drop(struct xmpp_parser *p);
void xmpp_parser_feed(struct xmpp_parser *p, struct span in);
/* The stream is broken; the first reason counts. */
void xmpp_parser_stop(struct xmpp_parser *p, enum xmpp_fault f);
/* Of jabber:client: what stream management counts. */
bool xmpp_is_stanza_name(struct span name);

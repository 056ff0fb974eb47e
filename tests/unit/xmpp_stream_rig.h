/* What the stream reader makes of a text that comes in pieces, as a text to compare; for the tests of
 * proto/xmpp_stream.c. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "proto/xmpp_stream.h"

#define HEADER                                                                                                         \
    "<?xml version='1.0'?><stream:stream to='a.example' xmlns='jabber:client' "                                        \
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

/* Feeds `text` in pieces as a session does: what is not used yet is given again with more behind it, in fresh memory.
 */
void run(const char *text, size_t n, const size_t *cuts, size_t n_cuts, size_t max, struct buf *out);
/* What comes of it in one piece; the caller frees. */
struct buf whole(const char *text, size_t max);
/* In two pieces, cut anywhere, and byte by byte the same comes of it. */
void check_splits(const char *text, size_t max);

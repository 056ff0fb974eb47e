/* What stream management must remember over cuts and restarts: which stanzas were the gateway's own. One
 * file for the node, mapped into memory, so that it survives `kill -9`; two processes may have it open at a time (an
 * upgrade). Any thread.
 *
 * An entry belongs to the session that carries the stream now; one that the client has left behind cannot change it. */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "proto/xmpp_counts.h"
#include "proto/xmpp_token.h"

enum { XMPP_LEDGER_NAME = 16 };

struct xmpp_ledger;

/* Of one session: what the gateway added in both directions. */
struct xmpp_tally {
    struct xmpp_counts in;  /* to what the client counts: notices */
    struct xmpp_counts out; /* to what the server counts: messages approved later */
};

/* Opens `xmpp.sm` in the folder for at least that many sessions, or makes it. Without a file (err tells why) it is kept
 * in memory, until the process ends. Never NULL. `key` makes the names of entries. */
struct xmpp_ledger *xmpp_ledger_open(const char *folder, size_t n_sessions, const uint8_t key[XMPP_KEY_BYTES],
                                     struct err *e);
void xmpp_ledger_free(struct xmpp_ledger **l);
/* Random letters that tell this ledger from every other one, also from one that was here before. */
const char *xmpp_ledger_name(const struct xmpp_ledger *l);

/* Reads an entry; none: all zero, nothing was ever added to that session. */
void xmpp_ledger_read(struct xmpp_ledger *l, struct span sm_id, struct xmpp_tally *out);
/* Takes the entry over for `owner`. */
void xmpp_ledger_claim(struct xmpp_ledger *l, struct span sm_id, uint64_t owner, struct xmpp_tally *out);
/* Keeps the tally. False: there is no room, or the entry has another owner by now. */
bool xmpp_ledger_write(struct xmpp_ledger *l, struct span sm_id, uint64_t owner, const struct xmpp_tally *t) MUST_CHECK;
/* Its connection has ended: the entry is kept for so long, 0: not at all. */
void xmpp_ledger_leave(struct xmpp_ledger *l, struct span sm_id, uint64_t owner, int64_t keep_ms);

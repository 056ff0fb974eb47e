/* Stanzas of the gateway's own among those that a client counts (stream management, XEP-0198). The server does not know
 * them, so each `h` of the client is lowered on its way.
 *
 *   the server sends   1  2  3     4  5
 *   the client counts  1  2  3  N  5  6      at = {4}: its h=6 is 5 for the server, its h=3 is 3
 *
 * All numbers are modulo 2^32. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { XMPP_NOTES_MAX = 16 };

struct xmpp_counts {
    uint32_t below; /* own stanzas among the first `acked` */
    uint32_t acked; /* the highest h of the client */
    uint32_t n;
    uint32_t at[XMPP_NOTES_MAX]; /* their numbers as the client counts, rising, behind `acked` */
};

/* The client's stanza number `at` is one of ours. False: too many that the client has not acknowledged. */
bool xmpp_counts_add(struct xmpp_counts *c, uint32_t at);
/* What the client's h is for the server. */
uint32_t xmpp_counts_for_server(const struct xmpp_counts *c, uint32_t h);
/* The client has h of `sent` stanzas: what stands up to there is summed up. Another h than that changes nothing. */
void xmpp_counts_ack(struct xmpp_counts *c, uint32_t h, uint32_t sent);
/* The client comes back having h stanzas: ours behind it were lost with the connection, its next one is h + 1. */
void xmpp_counts_resume(struct xmpp_counts *c, uint32_t h);

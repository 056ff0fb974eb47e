/* Stanzas of the gateway's own among those that a receiver counts (stream management, XEP-0198). Their sender does not
 * know them, so each `h` of the receiver is lowered on its way back.
 *
 *   the sender sends     1  2  3     4  5
 *   the receiver counts  1  2  3  N  5  6      at = {4}: its h=6 is 5 for the sender, its h=3 is 3
 *
 * All numbers are modulo 2^32. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { XMPP_NOTES_MAX = 16 };

struct xmpp_counts {
    uint32_t below; /* own stanzas among the first `acked` */
    uint32_t acked; /* the highest h of the receiver */
    uint32_t n;
    uint32_t at[XMPP_NOTES_MAX]; /* their numbers as the receiver counts, rising, behind `acked` */
};

/* The receiver's stanza number `at` is one of ours. False: too many that it has not acknowledged. */
bool xmpp_counts_add(struct xmpp_counts *c, uint32_t at);
/* What the receiver's h is for the sender. */
uint32_t xmpp_counts_lower(const struct xmpp_counts *c, uint32_t h);
/* The receiver has h of `sent` stanzas: what stands up to there is summed up. Another h than that changes nothing. */
void xmpp_counts_ack(struct xmpp_counts *c, uint32_t h, uint32_t sent);
/* The session is resumed, the receiver having h stanzas: ours behind it were lost with the connection, its next one is
 * h + 1. */
void xmpp_counts_resume(struct xmpp_counts *c, uint32_t h);

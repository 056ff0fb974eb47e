#include "proto/xmpp_counts.h"

#include <string.h>

/* How many of ours are at or before h. */
static uint32_t n_up_to(const struct xmpp_counts *c, uint32_t h)
{
    uint32_t n = 0;
    while (n < c->n && c->at[n] - c->acked <= h - c->acked)
        n++;
    return n;
}

bool xmpp_counts_add(struct xmpp_counts *c, uint32_t at)
{
    if (c->n == XMPP_NOTES_MAX)
        return false;
    c->at[c->n++] = at;
    return true;
}

uint32_t xmpp_counts_lower(const struct xmpp_counts *c, uint32_t h)
{
    return h - c->below - n_up_to(c, h);
}

void xmpp_counts_ack(struct xmpp_counts *c, uint32_t h, uint32_t sent)
{
    if (h - c->acked > sent - c->acked)
        return;
    uint32_t n = n_up_to(c, h);
    c->below += n;
    c->acked = h;
    c->n -= n;
    memmove(c->at, c->at + n, c->n * sizeof(c->at[0]));
}

void xmpp_counts_resume(struct xmpp_counts *c, uint32_t h)
{
    xmpp_counts_ack(c, h, h);
    c->n = 0;
}

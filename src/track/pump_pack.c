#include "track/pump_pack.h"

#include "base/hash.h"
#include "track/event_plain.h"

enum { NUMBER_BYTES = 6, HEAD = NUMBER_BYTES + 2, HOUR_MS = 3600000, TALLY_BYTES = 9 + 3 + 3 + 3, LOG_MESSAGES = 1 };

void pack_reset(struct pack *p, unsigned parts)
{
    buf_reset(&p->frames);
    if (p->n_convs)
        memset(p->slot, 0, sizeof(p->slot));
    if (p->n_tallies)
        memset(p->tally_slot, 0, sizeof(p->tally_slot));
    p->n = p->n_convs = p->n_tallies = 0;
    p->parts = parts;
}

void pack_fini(struct pack *p)
{
    buf_fini(&p->frames);
    buf_fini(&p->figures);
}

static void note_conv(struct pack *p, struct span conv)
{
    if (!conv.n)
        return;
    size_t i = hash_stable(conv) % PACK_SLOTS;
    for (; p->slot[i]; i = (i + 1) % PACK_SLOTS)
        if (span_eq(p->conv[p->slot[i] - 1], conv)) {
            p->records[p->slot[i] - 1]++;
            return;
        }
    p->records[p->n_convs] = 1;
    p->conv[p->n_convs++] = conv;
    p->slot[i] = (uint16_t)p->n_convs;
}

static void note_count(struct pack *p, const struct event_plain_count *c, struct span who)
{
    int64_t hour = c->at_ms / (HOUR_MS / p->parts);
    size_t i = (hash_stable(who) + (uint64_t)hour) % PACK_SLOTS;
    struct pack_tally *t = NULL;
    for (; p->tally_slot[i]; i = (i + 1) % PACK_SLOTS) {
        t = &p->tally[p->tally_slot[i] - 1];
        if (t->hour == hour && span_eq(t->who, who))
            break;
    }
    if (!p->tally_slot[i]) {
        t = &p->tally[p->n_tallies++];
        *t = (struct pack_tally){.who = who, .hour = hour};
        p->tally_slot[i] = (uint16_t)p->n_tallies;
    }
    *(c->is_in ? &t->in : &t->pass) += 1;
}

void pack_add(struct pack *p, int64_t number, struct span record, int64_t offset_ms)
{
    _Static_assert(EVENT_ENCODED_MAX < 1 << 16, "a length is two bytes");
    if (p->n == PACK_MAX)
        abort();
    if (record.n > EVENT_ENCODED_MAX) /* nothing that this program wrote: counted as bad there */
        record.n = 0;
    uint8_t *at = buf_reserve(&p->frames, HEAD + record.n);
    for (int i = 0; i < NUMBER_BYTES; i++)
        at[i] = (uint8_t)((uint64_t)number >> 8 * (NUMBER_BYTES - 1 - i));
    at[NUMBER_BYTES] = (uint8_t)(record.n >> 8);
    at[NUMBER_BYTES + 1] = (uint8_t)record.n;
    if (record.n)
        memcpy(at + HEAD, record.p, record.n);
    event_shift(at + HEAD, record.n, offset_ms);
    buf_commit(&p->frames, HEAD + record.n);
    note_conv(p, event_plain_conv(record));
    struct event_plain_count c; /* of the copy, whose time is the one that the script sees */
    if (event_plain_count(span_of(at + HEAD, record.n), &c))
        note_count(p, &c, span_of(record.p + (c.who.p - at - HEAD), c.who.n));
    p->n++;
}

size_t pack_convs(const struct pack *p, struct span out[PACK_MAX])
{
    size_t n = 0, n_busy;
    for (size_t i = 0; i < p->n_convs; i++)
        if (p->records[i] > 1)
            out[n++] = p->conv[i];
    n_busy = n;
    for (size_t i = 0; i < p->n_convs; i++)
        if (p->records[i] == 1)
            out[n++] = p->conv[i];
    return n_busy;
}

/* ---- MessagePack ---- */

static uint8_t *put_be(uint8_t *at, uint64_t v, unsigned bytes)
{
    while (bytes)
        *at++ = (uint8_t)(v >> (8 * --bytes));
    return at;
}

/* Parts of an hour are no whole numbers: a float of 64 bits, as the script itself would write it. */
static uint8_t *put_hour(uint8_t *at, int64_t hour, unsigned parts)
{
    union {
        double d;
        uint64_t bits;
    } v = {.d = (double)hour / parts};
    *at++ = 0xcb;
    return put_be(at, v.bits, 8);
}

static uint8_t *put_count(uint8_t *at, unsigned n)
{
    *at++ = 0xcd;
    return put_be(at, n, 2);
}

struct span pack_figures(struct pack *p)
{
    buf_reset(&p->figures);
    if (!p->n_tallies)
        return span_of("", 0);
    uint8_t *at = buf_reserve(&p->figures, 4);
    *at++ = 0xdc; /* array 16 */
    at = put_be(at, 1 + 4 * p->n_tallies, 2);
    *at = LOG_MESSAGES;
    buf_commit(&p->figures, 4);
    for (size_t i = 0; i < p->n_tallies; i++) {
        const struct pack_tally *t = &p->tally[i];
        uint8_t *from = buf_reserve(&p->figures, TALLY_BYTES + t->who.n);
        at = put_hour(from, t->hour, p->parts);
        *at++ = 0xda; /* str 16 */
        at = put_be(at, t->who.n, 2);
        memcpy(at, t->who.p, t->who.n);
        at = put_count(put_count(at + t->who.n, t->in), t->pass);
        buf_commit(&p->figures, (size_t)(at - from));
    }
    return buf_span(&p->figures);
}

#include "track/pump_pack.h"

#include "base/hash.h"
#include "track/event_plain.h"

enum { NUMBER_BYTES = 6, HEAD = NUMBER_BYTES + 2 };

void pack_reset(struct pack *p)
{
    buf_reset(&p->frames);
    if (p->n_convs)
        memset(p->slot, 0, sizeof(p->slot));
    p->n = p->n_convs = 0;
}

void pack_fini(struct pack *p)
{
    buf_fini(&p->frames);
}

static void note_conv(struct pack *p, struct span conv)
{
    if (!conv.n)
        return;
    size_t i = hash_stable(conv) % PACK_SLOTS;
    for (; p->slot[i]; i = (i + 1) % PACK_SLOTS)
        if (span_eq(p->conv[p->slot[i] - 1], conv))
            return;
    p->conv[p->n_convs++] = conv;
    p->slot[i] = (uint16_t)p->n_convs;
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
    p->n++;
}

/* What a lane holds: positions of its records in the ring. */
#include "base/xalloc.h"
#include "track/pump_lane.h"

struct ring_record lane_record(const struct lane *l, size_t i)
{
    struct ring_record rec;
    uint64_t pos = lane_pos(l, i), next;
    if (!ring_read(l->ring->ring, &pos, &rec, &next))
        abort(); /* what is not released cannot go away */
    return rec;
}

int64_t lane_number(const struct lane *l, uint64_t seq)
{
    return (int64_t)(seq - ring_base(l->ring->ring, l->shard));
}

int64_t lane_number_at(const struct lane *l, size_t i)
{
    return lane_number(l, lane_record(l, i).seq);
}

void lane_push(struct lane *l, const struct ring_record *rec, uint64_t pos, bool is_done)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        uint64_t *wider = xmalloc(cap * sizeof(*wider));
        for (size_t i = 0; i < l->n; i++)
            wider[i] = lane_pos(l, i);
        free(l->pos);
        l->pos = wider;
        l->cap = cap;
        l->first = 0;
    }
    l->pos[(l->first + l->n) & (l->cap - 1)] = pos;
    l->n++;
    l->known = MAX_OF(l->known, rec->seq);
    /* The answer to what is applied may come before a long ring is read to its end; what Redis forgot since an earlier
     * run is sent again. */
    bool has_it = l->state >= LANE_READY ? lane_number(l, rec->seq) <= l->applied : is_done;
    if (has_it && l->done + 1 == l->n)
        l->done = l->n;
}

void lane_trim(struct lane *l, uint64_t pos)
{
    while (l->done && lane_pos(l, 0) < pos) {
        l->first = (l->first + 1) & (l->cap - 1);
        l->n--;
        l->done--;
    }
}

uint64_t lane_newest(const struct lane *l)
{
    return MAX_OF(l->known, ring_newest_seq(l->ring->ring, l->shard));
}

bool lane_has_work(const struct lane *l)
{
    return l->done < l->n || l->applied < lane_number(l, l->known);
}

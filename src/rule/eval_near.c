/* Words of several groups close together. */
#include "rule/eval.h"

enum { STATES_MAX = 1 << NEAR_GROUPS_MAX, CHAINS_PER_SET = 4 };

struct chain {
    uint32_t end;
    uint32_t piece[NEAR_GROUPS_MAX];
    bool is_used;
};

static void chain_done(struct eval *e, const struct rule *r, const struct near *near, const struct chain *c)
{
    struct found f = {.from = UINT32_MAX, .bfrom = UINT32_MAX, .n_pieces = near->n_groups};
    for (unsigned g = 0; g < near->n_groups; g++) {
        f.piece[g] = e->piece[c->piece[g]];
        f.from = MIN_OF(f.from, f.piece[g].from);
        f.to = MAX_OF(f.to, f.piece[g].to);
        f.bfrom = MIN_OF(f.bfrom, f.piece[g].bfrom);
        f.bto = MAX_OF(f.bto, f.piece[g].bto);
    }
    eval_consider(e, r, &f);
}

/* The chain of this set that ends last, among those that the piece may follow. */
static const struct chain *best_before(struct eval *e, const struct near *near, const struct chain *chain,
                                       const struct piece *p)
{
    const struct chain *best = NULL;
    for (int k = 0; k < CHAINS_PER_SET; k++) {
        const struct chain *c = &chain[k];
        if (c->is_used && c->end <= p->from && p->from - c->end <= near->within && (!best || c->end > best->end) &&
            eval_in_same(e, near->same, c->end ? c->end - 1 : 0, p->from))
            best = c;
    }
    return best;
}

/* Of the chains that end at or before `from` only the one that ends last can matter later; those that reach over it
 * (words that overlap) may all. */
static void keep_chain(struct chain *chain, const struct chain *c, uint32_t from)
{
    struct chain *into = NULL;
    uint32_t settled = 0;
    for (int k = 0; k < CHAINS_PER_SET; k++)
        if (chain[k].is_used && chain[k].end <= from)
            settled = MAX_OF(settled, chain[k].end);
    for (int k = 0; k < CHAINS_PER_SET && !into; k++)
        if (!chain[k].is_used || (chain[k].end <= from && chain[k].end < settled) || chain[k].end == c->end)
            into = &chain[k];
    for (int k = 0; k < CHAINS_PER_SET && !into; k++)
        if (chain[k].end > c->end)
            into = &chain[k];
    if (into)
        *into = *c;
}

/* Extends chains of pieces, one of every group, in text order; chain[set of groups] holds the best of each set. */
static void add_to_chains(struct eval *e, const struct rule *r, const struct near *near,
                          struct chain (*chain)[CHAINS_PER_SET], uint32_t i)
{
    const struct piece *p = &e->piece[i];
    const struct chain none = {0};
    unsigned g = p->index - near->first_group, full = (1u << near->n_groups) - 1;
    for (unsigned set = full; set-- > 0;) {
        bool is_next = near->is_ordered ? set == (1u << g) - 1 : !(set >> g & 1);
        const struct chain *c = !is_next ? NULL : set == 0 ? &none : best_before(e, near, chain[set], p);
        if (!c)
            continue;
        struct chain next = *c;
        next.is_used = true;
        next.end = p->to;
        next.piece[g] = i;
        unsigned to = set | 1u << g;
        if (to == full) {
            chain_done(e, r, near, &next);
            memset(chain, 0, sizeof(*chain) * (full + 1));
            return;
        }
        keep_chain(chain[to], &next, p->from);
    }
}

void eval_near(struct eval *e, const struct rule *r, const struct near *near)
{
    struct chain chain[STATES_MAX][CHAINS_PER_SET];
    memset(chain, 0, sizeof(*chain) << near->n_groups);
    for (uint32_t i = 0; i < e->n_pieces; i++) {
        const struct piece *p = &e->piece[i];
        if (p->role == ROLE_GROUP && p->index >= near->first_group && p->index < near->first_group + near->n_groups)
            add_to_chains(e, r, near, chain, i);
    }
}

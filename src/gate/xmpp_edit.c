/* Edited elements. */
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/xmpp.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"

enum xmpp_fate xmpp_carry_out(struct session *s, const struct xmpp_item *item, struct xmpp_cuts *cuts, bool ok)
{
    enum xmpp_fate fate = XMPP_AS_IS;
    buf_reset(&s->w->emitted);
    if (cuts->n || !ok)
        fate = ok && xmpp_splice(cuts, item->raw, &s->w->emitted) ? XMPP_REPLACED : XMPP_NOTHING;
    xmpp_cuts_fini(cuts);
    return fate;
}

struct span xmpp_lower_bare(struct worker *w, struct span jid)
{
    uint8_t *to = arena_alloc(&w->arena, xmpp_bare(jid).n + 1);
    return span_of(to, xmpp_write_bare(to, jid));
}

bool xmpp_edit(struct session *s, const struct xmpp_item *item, const struct xmpp_message *m, const struct judged *j)
{
    struct xmpp_cuts cuts = {.n = 0};
    bool ok = true;
    for (size_t i = 0; ok && i < j->n_edits; i++) {
        const struct text_edit *e = &j->edit[i];
        const struct xmpp_said *at = &m->said[e->text];
        if (at->kind == XMPP_TEXT_ELEMENT)
            ok = xmpp_cut_text(&cuts, item->dom, item->raw, at->node, e->from, e->to, e->with);
        else
            ok = at->kind == XMPP_TEXT_RICH; /* goes with the companions */
    }
    buf_reset(&s->w->emitted);
    ok = ok && xmpp_cut_companions(&cuts, item->dom) && xmpp_splice(&cuts, item->raw, &s->w->emitted);
    xmpp_cuts_fini(&cuts);
    return ok;
}

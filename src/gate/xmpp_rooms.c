#include "gate/xmpp_rooms.h"

#include "base/buf.h"
#include "base/xalloc.h"
#include "proto/xmpp_jid.h"

enum { ROOMS_MAX = 64, ADDRESS_MAX = 3071 };

#define NS_USER "http://jabber.org/protocol/muc#user"

/* The agent's address in each room; the oldest gives way when there are too many. */
struct xmpp_rooms {
    struct buf self[ROOMS_MAX];
    unsigned next;
};

void xmpp_rooms_free(struct xmpp_rooms **rp)
{
    struct xmpp_rooms *r = *rp;
    for (int i = 0; r && i < ROOMS_MAX; i++)
        buf_fini(&r->self[i]);
    free(r);
    *rp = NULL;
}

static const struct buf *find_in(const struct xmpp_rooms *r, struct span bare)
{
    for (int i = 0; i < ROOMS_MAX; i++)
        if (r->self[i].len && span_eq_nocase(xmpp_bare(buf_span(&r->self[i])), bare))
            return &r->self[i];
    return NULL;
}

static struct buf *find(struct xmpp_rooms *r, struct span bare)
{
    return (struct buf *)find_in(r, bare);
}

static bool is_own(const struct xmpp_dom *d)
{
    uint32_t x = xmpp_child(d, 0, NS_USER, "x");
    for (uint32_t c = x + 1; x && c < d->node[x].end; c = d->node[c].end)
        if (xmpp_is(d, c, NS_USER, "status") && span_is(xmpp_attr(d, c, "code"), "110"))
            return true;
    return false;
}

void xmpp_rooms_watch(struct xmpp_rooms **rp, const struct xmpp_dom *d)
{
    struct span from = xmpp_attr(d, 0, "from"), type = xmpp_attr(d, 0, "type");
    if (!from.n || from.n > ADDRESS_MAX || !is_own(d))
        return;
    if (!*rp)
        *rp = xcalloc(1, sizeof(**rp));
    struct xmpp_rooms *r = *rp;
    struct buf *at = find(r, xmpp_bare(from));
    if (!at && type.n)
        return;
    if (!at)
        at = &r->self[r->next++ % ROOMS_MAX];
    buf_fini(at);
    if (!type.n) /* else it has left, or takes another nick and the next presence tells it */
        buf_append_span(at, from);
}

bool xmpp_rooms_has(const struct xmpp_rooms *r, struct span bare)
{
    return r && find_in(r, bare);
}

bool xmpp_rooms_is_self(const struct xmpp_rooms *r, struct span jid)
{
    const struct buf *self = r ? find_in(r, xmpp_bare(jid)) : NULL;
    return self && span_eq(xmpp_resource(buf_span(self)), xmpp_resource(jid));
}

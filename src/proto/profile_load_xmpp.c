/* The `xmpp:` section of a profile file. */
#include "proto/profile_load.h"

static bool load_choice(struct profile_loader *l, const struct ynode *at, const char *key, const char *const *choices)
{
    int choice = 0;
    const struct ynode *value = yaml_get(at, key);
    return value && yaml_enum(value, key, choices, &choice, l->errs) == 0 && choice == 1;
}

void load_xmpp(struct profile_loader *l, const struct ynode *root, const struct ynode *xmpp)
{
    static const char *const allowed[] = {"stream_management", "notices", "refusals", "upstream_tls", NULL};
    static const char *const sms[] = {"swap", "strip", NULL}, *const tlses[] = {"direct", "starttls", NULL};
    static const char *const notices[] = {"counted", "none", NULL}, *const refusals[] = {"error", "message", NULL};
    struct profile *p = l->p;
    uint32_t n_framed = 0;
    for (uint32_t i = 0; i < p->n_sockets; i++)
        n_framed += p->socket[i].framing == FRAMING_XMPP;
    p->is_xmpp = xmpp != NULL;
    p->xmpp.counts_notices = true;
    p->xmpp.is_websocket = p->n_sockets > 0;
    if (n_framed && (!xmpp || n_framed != p->n_sockets))
        yaml_bad(l->errs, root, "ws: framing xmpp needs an `xmpp` section and no other framing beside it");
    if (!xmpp)
        return;
    if (p->n_sockets && !n_framed)
        yaml_bad(l->errs, xmpp, "xmpp: the sockets of the profile must have framing: xmpp");
    if (p->n_rules)
        yaml_bad(l->errs, xmpp, "xmpp: has no `rules`, its messages are known");
    if (xmpp->kind == YNODE_SCALAR && !*xmpp->text)
        return; /* all defaults */
    if (!load_map(l, xmpp, "xmpp", allowed))
        return;
    p->xmpp.strips_sm = load_choice(l, xmpp, "stream_management", sms);
    p->xmpp.counts_notices = !load_choice(l, xmpp, "notices", notices);
    p->xmpp.refuses_by_message = load_choice(l, xmpp, "refusals", refusals);
    p->xmpp.upstream_starttls = load_choice(l, xmpp, "upstream_tls", tlses);
}

const struct profile_xmpp *profile_xmpp(const struct profile *p)
{
    return p->is_xmpp ? &p->xmpp : NULL;
}

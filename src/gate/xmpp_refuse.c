/* Refusals and notices. Without stream management a refused stanza is left out and its error put in. With it both sides
 * count stanzas, so one takes the place of the other: a ping goes to the server, and its answer becomes the error. */
#include "gate/gate.h"
#include "gate/xmpp.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_token.h"

enum { INJECT_BYTES_MAX = 256 * 1024 };

void xmpp_flush_injected(struct session *s)
{
    struct buf b = s->xmpp->inject;
    s->xmpp->inject = (struct buf){0};
    session_to_client(s, b.data + b.start, b.len);
    buf_fini(&b);
}

void xmpp_inject(struct session *s, struct span stanza)
{
    struct xmpp *x = s->xmpp;
    if (x->is_framed) {
        ws_inject(s, WS_TEXT, stanza);
        return;
    }
    if (!x->is_long_in)
        session_to_client(s, stanza.p, stanza.n);
    else if (x->inject.len + stanza.n <= INJECT_BYTES_MAX)
        buf_append_span(&x->inject, stanza);
}

static enum xmpp_fate swap(struct session *s, const struct xmpp_bounce *b, bool wants_answer)
{
    struct buf *out = &s->w->emitted, id = {0};
    buf_reset(out);
    if (wants_answer && xmpp_token_make(s->w->gate->xmpp_key, b, &id))
        xmpp_write_ping(out, buf_span(&id));
    else
        xmpp_write_blank(out, span_str("cgb"));
    buf_fini(&id);
    return XMPP_REPLACED;
}

enum xmpp_fate xmpp_refuse(struct session *s, const struct xmpp_bounce *b, bool wants_answer)
{
    if (s->xmpp->counts)
        return swap(s, b, wants_answer);
    if (wants_answer) {
        struct buf out = {0};
        xmpp_write_bounce(&out, b);
        xmpp_inject(s, buf_span(&out));
        buf_fini(&out);
    }
    return XMPP_NOTHING;
}

enum xmpp_fate xmpp_answer(struct session *s, const struct xmpp_dom *d)
{
    struct xmpp *x = s->xmpp;
    struct xmpp_bounce b;
    struct buf *space = &s->w->plain;
    struct span from = xmpp_attr(d, 0, "from");
    /* the ping went to the agent's own account: nobody else answers it */
    if ((xmpp_is_person(from) && !span_eq_nocase(xmpp_bare(from), buf_span(&x->agent))) ||
        !xmpp_token_read(s->w->gate->xmpp_key, xmpp_attr(d, 0, "id"), space, &b))
        return XMPP_AS_IS;
    b.self = buf_span(&x->jid);
    buf_reset(&s->w->emitted);
    xmpp_write_bounce(&s->w->emitted, &b);
    return XMPP_REPLACED;
}

bool xmpp_notice(struct session *s, struct span conv, struct span text)
{
    struct xmpp *x = s->xmpp;
    char id[40];
    (void)conv; /* it must not stand in the client's history as the customer's words */
    if (x->counts || !x->jid.len || (s->state != SS_XMPP && s->state != SS_WS))
        return false;
    snprintf(id, sizeof(id), "cgn-%llx-%llu", (unsigned long long)s->id, (unsigned long long)++x->notices);
    struct buf out = {0};
    xmpp_write_notice(&out, xmpp_domain(buf_span(&x->jid)), buf_span(&x->jid), span_str(id), text);
    xmpp_inject(s, buf_span(&out));
    buf_fini(&out);
    counter_add(&s->w->count.notices, 1);
    return true;
}

/* Refusals and notices. Without stream management a refused stanza is left out and its error put in. With it both sides
 * count stanzas, so one takes the place of the other: a ping goes to the server, and its answer becomes the error. */
#include "base/rand.h"
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

static void write_refusal(struct session *s, const struct xmpp_bounce *b, struct buf *out)
{
    struct xmpp_bounce styled = *b;
    styled.is_as_message = profile_xmpp(s->entry->profile)->refuses_by_message;
    xmpp_write_bounce(out, &styled);
}

enum xmpp_fate xmpp_refuse(struct session *s, const struct xmpp_bounce *b, bool wants_answer)
{
    if (xmpp_sm_is_counting(&s->xmpp->sm))
        return swap(s, b, wants_answer);
    if (wants_answer) {
        struct buf out = {0};
        write_refusal(s, b, &out);
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
    write_refusal(s, &b, &s->w->emitted);
    return XMPP_REPLACED;
}

/* Where a stanza stands that is put in now would be known, and it would not wait. */
static bool is_between(const struct session *s)
{
    return s->xmpp->is_framed ? ws_may_inject(s) : !s->xmpp->is_long_in;
}

static void ask_for_ack(struct session *s)
{
    char ask[40];
    snprintf(ask, sizeof(ask), "<r xmlns='urn:xmpp:sm:%c'/>", s->xmpp->sm.version);
    xmpp_inject(s, span_str(ask));
}

bool xmpp_notice(struct session *s, struct span conv, struct span text)
{
    struct xmpp *x = s->xmpp;
    char id[40];
    (void)conv; /* it must not stand in the client's history as the customer's words */
    if (!x->jid.len || (s->state != SS_XMPP && s->state != SS_WS))
        return false;
    bool has_room = conn_queued(&s->client) <= 2 * (size_t)s->w->snap->conf->limits.buffer_bytes;
    if (!has_room || (xmpp_sm_is_counting(&x->sm) && !is_between(s)) || !xmpp_sm_add_in(s)) {
        counter_add(&s->w->count.notices_uncounted, 1);
        return false;
    }
    snprintf(id, sizeof(id), "cgn-%016llx", (unsigned long long)rand_u64()); /* new behind a restart as well */
    struct buf out = {0};
    xmpp_write_notice(&out, xmpp_domain(buf_span(&x->jid)), buf_span(&x->jid), span_str(id), text);
    xmpp_inject(s, buf_span(&out));
    buf_fini(&out);
    counter_add(&s->w->count.notices, 1);
    if (xmpp_sm_wants_ack(&x->sm))
        ask_for_ack(s);
    return true;
}

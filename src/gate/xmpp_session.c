/* An XMPP session's life: made, failed, drained, ended. */
#include "gate/xmpp.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "gate/xmpp_rooms.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_write.h"

struct xmpp *xmpp_new(struct session *s, bool is_framed)
{
    struct xmpp *x = xcalloc(1, sizeof(*x));
    struct xmpp_stream_options o = {.max_bytes = (size_t)s->w->snap->conf->limits.message_bytes,
                                    .is_framed = is_framed};
    x->is_framed = is_framed;
    x->out = xmpp_stream_new(&s->w->xmpp_pool, &o);
    o.passes_long = true;
    x->in = xmpp_stream_new(&s->w->xmpp_pool, &o);
    return x;
}

void xmpp_free(struct xmpp **xp)
{
    struct xmpp *x = *xp;
    if (!x)
        return;
    xmpp_stream_free(&x->out);
    xmpp_stream_free(&x->in);
    xmpp_rooms_free(&x->rooms);
    xmpp_sm_fini(&x->sm);
    struct buf *all[] = {&x->jid, &x->agent, &x->domain, &x->mechanism, &x->user, &x->bind_id, &x->inject};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_fini(all[i]);
    free(x);
    *xp = NULL;
}

/* --- the end --- */

void xmpp_linger(struct session *s, enum end_reason why)
{
    if (s->state == SS_DEAD || s->state == SS_LINGER)
        return;
    session_drop_backend(s);
    session_linger(s, why);
}

void xmpp_greet(struct session *s)
{
    struct xmpp *x = s->xmpp;
    struct buf b = {0};
    char id[33];
    rand_hex32(id);
    buf_append_str(&b, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                       "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en' id='");
    buf_append_str(&b, id);
    if (x->domain.len) {
        buf_append_str(&b, "' from='");
        xmpp_escape(&b, buf_span(&x->domain));
    }
    buf_append_str(&b, "'>");
    session_to_client(s, b.data, b.len);
    buf_fini(&b);
    x->has_greeted = true;
}

void xmpp_fail(struct session *s, const char *condition, enum end_reason why)
{
    struct xmpp *x = s->xmpp;
    if (s->state == SS_DEAD || s->state == SS_LINGER)
        return;
    if (x->is_long_in) { /* in the middle of the server's element nothing can be said */
        session_end(s, why);
        return;
    }
    if (!x->has_greeted)
        xmpp_greet(s);
    struct buf b = {0};
    struct span tag = xmpp_stream_tag(x->in);
    xmpp_write_error(&b, condition, tag.n ? tag : span_str("stream:stream"));
    session_to_client(s, b.data, b.len);
    buf_fini(&b);
    xmpp_linger(s, why);
}

void xmpp_backend_ended(struct session *s)
{
    if (s->state != SS_LINGER && s->state != SS_DEAD && !s->xmpp->has_greeted) {
        xmpp_no_backend(s);
        return;
    }
    /* Without the end of the stream: a client with stream management comes back and resumes. */
    xmpp_linger(s, END_BACKEND_CLOSED);
}

void xmpp_no_backend(struct session *s)
{
    xmpp_fail(s, "remote-connection-failed", END_BACKEND_ERROR);
}

void xmpp_drain(struct session *s)
{
    if (s->state == SS_HANDSHAKE) /* nothing can be said before TLS is there */
        session_end(s, END_DRAIN);
    else if (s->xmpp->is_framed) /* without <close/>, so that the session can be resumed */
        ws_close(s, WS_CLOSE_GOING_AWAY, "the gateway restarts", END_DRAIN);
    else if (xmpp_sm_is_counting(
                 &s->xmpp->sm)) /* a cut, not an end: the server keeps the session until the client resumes it */
        xmpp_linger(s, END_DRAIN);
    else
        xmpp_fail(s, "system-shutdown", END_DRAIN);
}

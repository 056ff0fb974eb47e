/* XMPP over WebSocket (RFC 7395): the same elements, one to a message. Frames are ws_out.c's and ws_in.c's. */
#include "gate/gate.h"
#include "gate/xmpp.h"

#define NS_FRAMING "urn:ietf:params:xml:ns:xmpp-framing"

enum xmpp_fate xmpp_ws_out(struct session *s, struct span payload, uint64_t end)
{
    struct xmpp_item item;
    if (xmpp_message(s->xmpp->out, payload, &item) == XMPP_ELEMENT) {
        enum xmpp_fate fate = xmpp_take_out(s, &item, end);
        xmpp_stream_rest(s->xmpp->out);
        return fate;
    }
    struct buf b = {0};
    counter_add(&s->w->count.protocol_errors, 1);
    xmpp_log_bad(s, s->xmpp->out, &item);
    xmpp_write_error(&b, xmpp_fault_condition(item.fault), span_of("", 0));
    ws_inject(s, WS_TEXT, buf_span(&b));
    buf_fini(&b);
    if (s->state == SS_WS)
        ws_inject(s, WS_TEXT, span_str("<close xmlns='" NS_FRAMING "'/>"));
    ws_close(s, WS_CLOSE_PROTOCOL, "not one legal element", END_PROTOCOL);
    return XMPP_NOTHING;
}

enum xmpp_fate xmpp_ws_in(struct session *s, struct span payload)
{
    struct xmpp_item item;
    enum xmpp_fate fate = XMPP_AS_IS;
    if (xmpp_message(s->xmpp->in, payload, &item) == XMPP_ELEMENT)
        fate = xmpp_take_in(s, &item);
    else
        counter_add(&s->w->count.observe_skipped, 1);
    xmpp_stream_rest(s->xmpp->in);
    return fate;
}

void xmpp_ws_pass(struct session *s, struct span begin)
{
    static const char *const stanzas[] = {"<message", "<presence", "<iq"};
    for (size_t i = 0; i < ARRAY_LEN(stanzas); i++) {
        struct span rest = span_from(begin, strlen(stanzas[i]));
        if (span_starts(begin, span_str(stanzas[i])) && rest.n && memchr(" \t\r\n/>", rest.p[0], 6))
            xmpp_sm_count_in(&s->xmpp->sm);
    }
}

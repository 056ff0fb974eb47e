/* What the client is told: refusals and notices in the backend's own form. */
#include "base/json_out.h"
#include "proto/profile_tpl.h"

static void put_sockjs(struct buf *out, struct span json)
{
    buf_append_str(out, "a[\"");
    json_escape(out, json);
    buf_append_str(out, "\"]");
}

static void put_socketio(struct buf *out, const char *type, struct span ns, struct span ack, struct span json)
{
    buf_append_str(out, type);
    if (ns.n) {
        buf_append_span(out, ns);
        buf_append_str(out, ",");
    }
    buf_append_span(out, ack);
    buf_append_span(out, json);
}

/* Wraps one rendered action as the socket's framing demands; false when the socket has no such thing. */
static bool put_framed(const struct profile_conn *c, enum action_how how, const struct packet *packet, struct span json,
                       struct buf *out)
{
    enum framing framing = c->profile->socket[c->ws].framing;
    if ((framing == FRAMING_SOCKETIO) != (how != ACTION_SEND))
        return false;
    if (framing == FRAMING_PLAIN)
        buf_append_span(out, json);
    else if (framing == FRAMING_SOCKJS)
        put_sockjs(out, json);
    else if (how == ACTION_EVENT)
        put_socketio(out, "42", packet->ns, span_of("", 0), json);
    else if (packet->has_ack)
        put_socketio(out, "43", packet->ns, packet->ack, json);
    else
        return false;
    return true;
}

static bool put_action(const struct action *a, const struct tpl_values *v, const struct packet *packet,
                       struct buf *rendered, struct buf *out, size_t *len)
{
    uint32_t before = out->len;
    if (a->if_ack >= 0 && a->if_ack != packet->has_ack)
        return false;
    buf_reset(rendered);
    if (!tpl_render(a->tpl, v, rendered) || !put_framed(v->conn, a->how, packet, buf_span(rendered), out))
        return false;
    *len = out->len - before;
    return true;
}

size_t profile_refuse(struct profile_scratch *s, const struct profile_conn *c, const struct unit *u,
                      const struct profile_words *w, int64_t now_ms, struct buf *out, size_t len[4])
{
    const struct unit_state *st = &s->state[u->id];
    const struct refusal *r = st->rule && st->rule->refuse ? st->rule->refuse : c->profile->fallback;
    const struct tpl_values v = {
        .s = s, .st = st, .conn = c, .reason = w->reason, .rule = w->rule, .notice = w->reason, .now_ms = now_ms};
    size_t n = 0;
    for (uint32_t i = 0; r && i < r->n; i++)
        n += put_action(&r->action[i], &v, &st->packet, &s->wrapped, out, &len[n]);
    return n;
}

size_t profile_notice(const struct profile_conn *c, struct span conv, struct span text, int64_t now_ms, struct buf *out,
                      size_t len[4])
{
    const struct profile *p = c->profile;
    const struct conn_ext *x = c->ext;
    if (p->notice.via != NOTICE_INLINE || !c->notice_ready)
        return 0;
    const struct tpl_values v = {.conn = c, .reason = text, .notice = text, .conv = conv, .now_ms = now_ms};
    struct packet packet = {.type = 2, .ns = x ? span_of(x->ns, x->ns_len) : span_of("", 0)};
    struct buf rendered = {0};
    size_t n = put_action(&p->notice.action, &v, &packet, &rendered, out, &len[0]);
    buf_fini(&rendered);
    return n;
}

#include "proto/xmpp_write.h"

void xmpp_escape(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        const char *as = c == '&'    ? "&amp;"
                         : c == '<'  ? "&lt;"
                         : c == '>'  ? "&gt;"
                         : c == '"'  ? "&quot;"
                         : c == '\'' ? "&apos;"
                                     : NULL;
        if (as)
            buf_append_str(out, as);
        else if (c >= 0x20 || c == '\t' || c == '\n')
            buf_append(out, &c, 1);
    }
}

size_t xmpp_entity(struct span at, uint8_t *is)
{
    static const struct {
        const char *name;
        uint8_t is;
    } predefined[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < ARRAY_LEN(predefined); i++)
        if (span_starts(at, span_str(predefined[i].name))) {
            *is = predefined[i].is;
            return strlen(predefined[i].name);
        }
    return 0;
}

static void attr(struct buf *out, const char *name, struct span value)
{
    if (!value.n)
        return;
    buf_printf(out, " %s='", name);
    xmpp_escape(out, value);
    buf_append_str(out, "'");
}

/* Without the id: the client must not take it for the message itself that comes back. */
static void write_reason(struct buf *out, const struct xmpp_bounce *b)
{
    buf_append_str(out, "><body xml:lang='zh'>");
    xmpp_escape(out, b->reason);
    buf_append_str(out, "</body><blocked xmlns='urn:chatgate:0'");
    attr(out, "rule", b->rule);
    attr(out, "id", b->id);
    buf_append_str(out, "/><no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/></message>");
}

void xmpp_write_bounce(struct buf *out, const struct xmpp_bounce *b)
{
    static const char *const names[] = {
        [XMPP_STANZA_MESSAGE] = "message",
        [XMPP_STANZA_GROUPCHAT] = "message",
        [XMPP_STANZA_IQ] = "iq",
        [XMPP_STANZA_PRESENCE] = "presence",
    };
    const char *name = names[b->kind];
    bool is_as_message = b->is_as_message && (b->kind == XMPP_STANZA_MESSAGE || b->kind == XMPP_STANZA_GROUPCHAT);
    const char *type = !is_as_message ? "error" : b->kind == XMPP_STANZA_GROUPCHAT ? "groupchat" : "chat";
    buf_printf(out, "<%s xmlns='jabber:client' type='%s'", name, type);
    attr(out, "from", b->to);
    attr(out, "to", b->self);
    if (is_as_message) {
        write_reason(out, b);
        return;
    }
    attr(out, "id", b->id);
    buf_append_str(out, "><error type='modify'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='zh'>");
    xmpp_escape(out, b->reason);
    buf_append_str(out, "</text><blocked xmlns='urn:chatgate:0'");
    attr(out, "rule", b->rule);
    buf_printf(out, "/></error></%s>", name);
}

void xmpp_write_notice(struct buf *out, struct span from, struct span to, struct span id, struct span text)
{
    buf_append_str(out, "<message xmlns='jabber:client' type='chat'");
    attr(out, "from", from);
    attr(out, "to", to);
    attr(out, "id", id);
    buf_append_str(out, "><body>");
    xmpp_escape(out, text);
    buf_append_str(out, "</body><no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/></message>");
}

void xmpp_write_ping(struct buf *out, struct span id)
{
    buf_append_str(out, "<iq xmlns='jabber:client' type='get'");
    attr(out, "id", id);
    buf_append_str(out, "><ping xmlns='urn:xmpp:ping'/></iq>");
}

void xmpp_write_blank(struct buf *out, struct span id)
{
    buf_append_str(out, "<iq xmlns='jabber:client' type='result'");
    attr(out, "id", id);
    buf_append_str(out, "/>");
}

void xmpp_write_error(struct buf *out, const char *condition, struct span tag)
{
    buf_printf(out,
               "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>"
               "<%s xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
               condition);
    if (tag.n) {
        buf_append_str(out, "</");
        buf_append_span(out, tag);
        buf_append_str(out, ">");
    }
}

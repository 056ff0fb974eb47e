#include "proto/xmpp_message.h"

struct name {
    struct span ns, name;
};
#define NAME(ns, name)                                                                                                 \
    {                                                                                                                  \
        {(const uint8_t *)(ns), sizeof(ns) - 1},                                                                       \
        {                                                                                                              \
            (const uint8_t *)(name), sizeof(name) - 1                                                                  \
        }                                                                                                              \
    }

/* Elements whose whole content people read. */
static const struct name carriers[] = {
    NAME(XMPP_NS_CLIENT, "body"),
    NAME(XMPP_NS_CLIENT, "subject"),
    NAME(XMPP_NS_CLIENT, "status"),
    NAME("jabber:x:oob", "url"),
    NAME("jabber:x:oob", "desc"),
    NAME("jabber:x:data", "value"),
    NAME("jabber:x:data", "title"),
    NAME("jabber:x:data", "instructions"),
    NAME("jabber:iq:oob", "url"),
    NAME("jabber:iq:oob", "desc"),
    NAME("http://jabber.org/protocol/muc#user", "reason"),
    NAME("http://jabber.org/protocol/muc#admin", "reason"),
    NAME("http://jabber.org/protocol/muc#owner", "reason"),
    NAME("http://jabber.org/protocol/nick", "nick"),
    NAME("urn:xmpp:reactions:0", "reaction"),
    NAME("urn:xmpp:spoiler:0", "spoiler"),
    NAME("urn:xmpp:json-msg:0", "json"),
    NAME("urn:xmpp:file:metadata:0", "name"),
    NAME("urn:xmpp:file:metadata:0", "desc"),
    NAME("urn:xmpp:jingle:1", "text"),
    NAME("urn:xmpp:jingle:apps:file-transfer:5", "name"),
    NAME("urn:xmpp:jingle:apps:file-transfer:5", "desc"),
    NAME("http://jabber.org/protocol/si/profile/file-transfer", "desc"),
    NAME("vcard-temp", "FN"),
    NAME("vcard-temp", "NICKNAME"),
    NAME("vcard-temp", "NOTE"),
    NAME("vcard-temp", "DESC"),
    NAME("vcard-temp", "TITLE"),
    NAME("vcard-temp", "ROLE"),
    NAME("vcard-temp", "URL"),
    NAME("vcard-temp", "ORGNAME"),
    NAME("vcard-temp", "NUMBER"),
    NAME("urn:ietf:params:xml:ns:vcard-4.0", "text"),
    NAME("urn:ietf:params:xml:ns:vcard-4.0", "uri"),
    NAME("http://www.w3.org/2005/Atom", "title"),
    NAME("http://www.w3.org/2005/Atom", "summary"),
    NAME("http://www.w3.org/2005/Atom", "content"),
    NAME("http://jabber.org/protocol/geoloc", "text"),
    NAME("http://jabber.org/protocol/geoloc", "description"),
    NAME("http://jabber.org/protocol/mood", "text"),
    NAME("http://jabber.org/protocol/activity", "text"),
};

/* Fields of a room's forms that people read; the others of that family are addresses and switches. */
static const char *const room_fields[] = {"muc#roomconfig_roomname", "muc#roomconfig_roomdesc",
                                          "muc#register_roomnick"};

#define XHTML_IM "http://jabber.org/protocol/xhtml-im"
#define XHTML    "http://www.w3.org/1999/xhtml"

static bool is_named(const struct xmpp_dom *d, uint32_t i, const struct name *n)
{
    return span_eq(xmpp_name(d, i), n->name) && span_eq(xmpp_ns(d, i), n->ns);
}

static void add(struct xmpp_message *m, struct span text, uint32_t node, enum xmpp_text_kind kind)
{
    if (!text.n)
        return;
    if (m->n_said == XMPP_TEXTS_MAX) {
        m->is_too_much = true;
        return;
    }
    m->said[m->n_said++] = (struct xmpp_said){text, node, kind};
}

/* The text of the copy, and the addresses of its links and pictures. */
static void add_rich(const struct xmpp_dom *d, uint32_t html, struct xmpp_message *m)
{
    static const char *const attrs[] = {"href", "src", "alt", "title"};
    add(m, xmpp_text(d, html), html, XMPP_TEXT_RICH);
    for (uint32_t i = html + 1; i < d->node[html].end; i++)
        for (size_t k = 0; k < ARRAY_LEN(attrs) && span_is(xmpp_ns(d, i), XHTML); k++)
            add(m, xmpp_attr(d, i, attrs[k]), html, XMPP_TEXT_RICH);
}

static bool is_text_field(const struct xmpp_dom *d, uint32_t field)
{
    struct span var = xmpp_attr(d, field, "var"), type = xmpp_attr(d, field, "type");
    if (span_is(var, "FORM_TYPE") || span_is(type, "hidden") || span_is(type, "boolean") ||
        span_starts(type, span_str("jid-")))
        return false;
    bool is_known = !span_starts(var, span_str("muc#"));
    for (size_t k = 0; k < ARRAY_LEN(room_fields); k++)
        is_known = is_known || span_is(var, room_fields[k]);
    return is_known;
}

static bool is_carrier(const struct xmpp_dom *d, uint32_t i)
{
    if (xmpp_is(d, i, "jabber:x:data", "value") && !is_text_field(d, d->node[i].parent))
        return false;
    for (size_t k = 0; k < ARRAY_LEN(carriers); k++)
        if (is_named(d, i, &carriers[k]))
            return true;
    return false;
}

static bool is_encrypted(const struct xmpp_dom *d, uint32_t i)
{
    struct span ns = xmpp_ns(d, i);
    if (span_is(xmpp_name(d, i), "encrypted") &&
        (span_is(ns, "eu.siacs.conversations.axolotl") || span_starts(ns, span_str("urn:xmpp:omemo:"))))
        return xmpp_child(d, i, NULL, "payload") != 0; /* without one it carries keys, no words */
    return span_is(ns, "urn:xmpp:openpgp:0") || span_is(ns, "jabber:x:encrypted") || span_is(ns, "urn:xmpp:eme:0") ||
           span_is(ns, "urn:ietf:params:xml:ns:xmpp-e2e") ||
           (span_is(ns, "http://jabber.org/protocol/ibb") && !span_is(xmpp_name(d, i), "close"));
}

/* Attributes that are shown, or lead somewhere. */
static void add_attributes(const struct xmpp_dom *d, uint32_t i, struct xmpp_message *m)
{
    if (xmpp_is(d, i, "jabber:x:conference", "x")) {
        add(m, xmpp_attr(d, i, "reason"), i, XMPP_TEXT_FIXED);
    } else if (xmpp_is(d, i, "http://jabber.org/protocol/url-data", "url-data")) {
        add(m, xmpp_attr(d, i, "target"), i, XMPP_TEXT_FIXED);
    } else if (xmpp_is(d, i, "urn:xmpp:reference:0", "reference")) {
        struct span uri = xmpp_attr(d, i, "uri");
        if (!span_starts(uri, span_str("xmpp:"))) /* the address of somebody who is mentioned */
            add(m, uri, i, XMPP_TEXT_RICH);
    } else if (xmpp_is(d, i, "http://jabber.org/protocol/si/profile/file-transfer", "file")) {
        add(m, xmpp_attr(d, i, "name"), i, XMPP_TEXT_FIXED);
    }
}

static void read_texts(const struct xmpp_dom *d, uint32_t at, struct xmpp_message *m)
{
    m->is_too_much = d->is_truncated;
    for (uint32_t i = at + 1; i < d->node[at].end;) {
        if (xmpp_is(d, i, XHTML_IM, "html")) {
            add_rich(d, i, m);
            i = d->node[i].end;
            continue;
        }
        m->is_opaque = m->is_opaque || is_encrypted(d, i);
        m->has_live_text = m->has_live_text || xmpp_is(d, i, "urn:xmpp:rtt:0", "rtt");
        add_attributes(d, i, m);
        if (is_carrier(d, i)) {
            bool is_body = xmpp_is(d, i, XMPP_NS_CLIENT, "body");
            m->has_body = m->has_body || (is_body && d->node[i].parent == at);
            m->is_opaque = m->is_opaque || (is_body && span_starts(xmpp_text(d, i), span_str("?OTR")));
            add(m, xmpp_text(d, i), i, XMPP_TEXT_ELEMENT);
        }
        i++;
    }
}

void xmpp_message_read(const struct xmpp_dom *d, uint32_t at, struct xmpp_message *out)
{
    struct span type = xmpp_attr(d, at, "type");
    out->n_said = 0;
    out->is_opaque = out->has_live_text = out->has_body = false;
    out->is_error = span_is(type, "error");
    out->is_groupchat = span_is(type, "groupchat");
    out->is_correction = xmpp_child(d, at, "urn:xmpp:message-correct:0", "replace") != 0;
    out->to = xmpp_attr(d, at, "to");
    out->from = xmpp_attr(d, at, "from");
    out->id = xmpp_attr(d, at, "id");
    read_texts(d, at, out);
}

bool xmpp_cut_companions(struct xmpp_cuts *c, const struct xmpp_dom *d)
{
    static const struct name companions[] = {
        NAME(XHTML_IM, "html"),
        NAME("urn:xmpp:reference:0", "reference"),
        NAME("urn:xmpp:markup:0", "markup"),
        NAME("urn:xmpp:fallback:0", "fallback"),
        NAME("urn:xmpp:rtt:0", "rtt"),
    };
    for (uint32_t i = 1; i < d->node[0].end; i++)
        for (size_t k = 0; k < ARRAY_LEN(companions); k++)
            if (is_named(d, i, &companions[k]) && !xmpp_cut_node(c, d, i))
                return false;
    return true;
}

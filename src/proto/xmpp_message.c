#include "proto/xmpp_message.h"

struct name {
    const char *ns, *name;
};

/* Elements whose whole content people read. */
static const struct name carriers[] = {
    {XMPP_NS_CLIENT, "body"},
    {XMPP_NS_CLIENT, "subject"},
    {XMPP_NS_CLIENT, "status"},
    {"jabber:x:oob", "url"},
    {"jabber:x:oob", "desc"},
    {"jabber:x:data", "value"},
    {"jabber:x:data", "title"},
    {"jabber:x:data", "instructions"},
    {"jabber:iq:oob", "url"},
    {"jabber:iq:oob", "desc"},
    {"http://jabber.org/protocol/muc#user", "reason"},
    {"http://jabber.org/protocol/muc#admin", "reason"},
    {"http://jabber.org/protocol/muc#owner", "reason"},
    {"http://jabber.org/protocol/nick", "nick"},
    {"urn:xmpp:reactions:0", "reaction"},
    {"urn:xmpp:spoiler:0", "spoiler"},
    {"urn:xmpp:json-msg:0", "json"},
    {"urn:xmpp:file:metadata:0", "name"},
    {"urn:xmpp:file:metadata:0", "desc"},
    {"urn:xmpp:jingle:1", "text"},
    {"urn:xmpp:jingle:apps:file-transfer:5", "name"},
    {"urn:xmpp:jingle:apps:file-transfer:5", "desc"},
    {"http://jabber.org/protocol/si/profile/file-transfer", "desc"},
    {"vcard-temp", "FN"},
    {"vcard-temp", "NICKNAME"},
    {"vcard-temp", "NOTE"},
    {"vcard-temp", "DESC"},
    {"vcard-temp", "TITLE"},
    {"vcard-temp", "ROLE"},
    {"vcard-temp", "URL"},
    {"vcard-temp", "ORGNAME"},
    {"vcard-temp", "NUMBER"},
    {"urn:ietf:params:xml:ns:vcard-4.0", "text"},
    {"urn:ietf:params:xml:ns:vcard-4.0", "uri"},
    {"http://www.w3.org/2005/Atom", "title"},
    {"http://www.w3.org/2005/Atom", "summary"},
    {"http://www.w3.org/2005/Atom", "content"},
    {"http://jabber.org/protocol/geoloc", "text"},
    {"http://jabber.org/protocol/geoloc", "description"},
    {"http://jabber.org/protocol/mood", "text"},
    {"http://jabber.org/protocol/activity", "text"},
};

/* Fields of a room's forms that people read; the others of that family are addresses and switches. */
static const char *const room_fields[] = {"muc#roomconfig_roomname", "muc#roomconfig_roomdesc",
                                          "muc#register_roomnick"};

static const char xhtml_im[] = "http://jabber.org/protocol/xhtml-im";
static const char xhtml[] = "http://www.w3.org/1999/xhtml";

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
        for (size_t k = 0; k < ARRAY_LEN(attrs) && span_is(xmpp_ns(d, i), xhtml); k++)
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
        if (xmpp_is(d, i, carriers[k].ns, carriers[k].name))
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
        if (xmpp_is(d, i, xhtml_im, "html")) {
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
        {xhtml_im, "html"},
        {"urn:xmpp:reference:0", "reference"},
        {"urn:xmpp:markup:0", "markup"},
        {"urn:xmpp:fallback:0", "fallback"},
        {"urn:xmpp:rtt:0", "rtt"},
    };
    for (uint32_t i = 1; i < d->node[0].end; i++)
        for (size_t k = 0; k < ARRAY_LEN(companions); k++)
            if (xmpp_is(d, i, companions[k].ns, companions[k].name) && !xmpp_cut_node(c, d, i))
                return false;
    return true;
}

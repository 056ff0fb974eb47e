/* What the XMPP backend answers, and to whom stanzas go. */
#include "bench_xmpp_parts.h"
#include "proto/xmpp_jid.h"
#include "proto/xmpp_message.h"
#include "proto/xmpp_write.h"

#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_BIND "urn:ietf:params:xml:ns:xmpp-bind"

enum { JID_PART_MAX = 1023 }; /* RFC 7622 3.1 */

static void say(struct xmpp_conn *c, const char *text)
{
    buf_append_str(xmpp_conn_out(c), text);
}

static void put_attr(struct buf *out, const char *name, struct span value)
{
    buf_printf(out, " %s='", name);
    xmpp_escape(out, value);
    buf_append_str(out, "'");
}

/* --- the stream and the login --- */

static void greet(struct xmpp_conn *c)
{
    struct buf *out = xmpp_conn_out(c);
    buf_printf(out,
               "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
               "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='b%llu'",
               (unsigned long long)c->backend->counts.accepted);
    if (c->domain.len)
        put_attr(out, "from", buf_span(&c->domain));
    buf_append_str(out, ">");
}

static void fail(struct xmpp_conn *c, const char *condition)
{
    if (!xmpp_stream_tag(c->stream).n)
        greet(c);
    xmpp_write_error(xmpp_conn_out(c), condition, span_str("stream:stream"));
    c->state = XC_LAST;
}

static void take_header(struct xmpp_conn *c, const struct xmpp_dom *d)
{
    struct span to = xmpp_attr(d, 0, "to");
    bool is_known = to.n && to.n <= JID_PART_MAX && xmpp_is(d, 0, "http://etherx.jabber.org/streams", "stream");
    buf_reset(&c->domain);
    if (is_known)
        xmpp_append_bare(&c->domain, to);
    greet(c);
    if (!is_known)
        fail(c, "host-unknown");
    else if (c->state == XC_LOGIN)
        say(c, "<stream:features><mechanisms xmlns='" NS_SASL "'><mechanism>PLAIN</mechanism></mechanisms>"
               "</stream:features>");
    else
        say(c, "<stream:features><bind xmlns='" NS_BIND "'/></stream:features>");
}

static void take_auth(struct xmpp_conn *c, const struct xmpp_dom *d)
{
    struct span mechanism = xmpp_attr(d, 0, "mechanism");
    struct buf first = {0}, user = {0};
    const char *why = NULL;
    if (!xmpp_is(d, 0, NS_SASL, "auth") || !span_is(mechanism, "PLAIN"))
        why = "invalid-mechanism";
    else if (!xmpp_base64_decode(span_trim(xmpp_text(d, 0)), &first) ||
             !xmpp_sasl_user(mechanism, buf_span(&first), &user))
        why = "not-authorized";
    if (why) {
        buf_printf(xmpp_conn_out(c), "<failure xmlns='" NS_SASL "'><%s/></failure>", why);
    } else {
        size_t local = 0;
        while (local < user.len && buf_span(&user).p[local] != '@') /* an authorization identity has a domain */
            local++;
        user.len = (uint32_t)local;
        buf_append_str(&user, "@");
        buf_append_span(&user, buf_span(&c->domain));
        buf_reset(&c->bare);
        xmpp_append_bare(&c->bare, buf_span(&user));
        say(c, "<success xmlns='" NS_SASL "'/>");
        c->state = XC_BIND;
        xmpp_stream_restart(c->stream);
    }
    buf_fini(&first);
    buf_fini(&user);
}

static void put_result(struct xmpp_conn *c, const struct xmpp_dom *d)
{
    struct buf *out = xmpp_conn_out(c);
    buf_append_str(out, "<iq type='result'");
    put_attr(out, "id", xmpp_attr(d, 0, "id"));
}

static void take_bind(struct xmpp_conn *c, const struct xmpp_dom *d)
{
    struct xmpp_backend *b = c->backend;
    uint32_t bind = xmpp_child(d, 0, NS_BIND, "bind"), resource = bind ? xmpp_child(d, bind, NS_BIND, "resource") : 0;
    if (!bind || !span_is(xmpp_attr(d, 0, "type"), "set") || (resource && xmpp_text(d, resource).n > JID_PART_MAX)) {
        fail(c, "not-authorized");
        return;
    }
    buf_append_span(&c->full, buf_span(&c->bare));
    buf_append_str(&c->full, "/");
    if (resource && xmpp_text(d, resource).n)
        buf_append_span(&c->full, xmpp_text(d, resource));
    else
        buf_printf(&c->full, "%llu", (unsigned long long)b->counts.accepted);
    put_attr(&c->from, "from", buf_span(&c->full));
    struct xmpp_conn *old = map_put(&b->by_full, buf_span(&c->full), c);
    map_put(&b->by_bare, buf_span(&c->bare), c);
    if (old)
        fail(old, "conflict");
    c->state = XC_OPEN;
    put_result(c, d);
    buf_append_str(&c->out, "><bind xmlns='" NS_BIND "'><jid>");
    xmpp_escape(&c->out, buf_span(&c->full));
    buf_append_str(&c->out, "</jid></bind></iq>");
}

static void forget(struct map *m, struct span key, const struct xmpp_conn *c)
{
    if (map_get(m, key) == c)
        map_del(m, key);
}

void xmpp_route_forget(struct xmpp_conn *c)
{
    forget(&c->backend->by_full, buf_span(&c->full), c);
    forget(&c->backend->by_bare, buf_span(&c->bare), c);
}

/* --- stanzas --- */

/* Answers and presence that nobody takes are dropped (RFC 6120 8.3.1, RFC 6121 8.5). */
static void give_back(struct xmpp_conn *c, const struct xmpp_dom *d)
{
    struct span type = xmpp_attr(d, 0, "type"), name = xmpp_name(d, 0), to = xmpp_attr(d, 0, "to");
    bool is_iq = span_is(name, "iq");
    if (span_is(type, "error") || span_is(type, "result") || !(is_iq || span_is(name, "message")))
        return;
    c->backend->counts.returned++;
    struct buf *out = xmpp_conn_out(c);
    buf_append_str(out, is_iq ? "<iq type='error'" : "<message type='error'");
    put_attr(out, "id", xmpp_attr(d, 0, "id"));
    if (to.n)
        put_attr(out, "from", to);
    buf_printf(out, "><error type='cancel'><service-unavailable xmlns='" XMPP_NS_STANZA_ERROR "'/></error></%s>",
               is_iq ? "iq" : "message");
}

/* Addressed to the server, or to the client's own account. */
static void answer(struct xmpp_conn *c, const struct xmpp_dom *d)
{
    static const char *const done[] = {"urn:xmpp:ping", "urn:ietf:params:xml:ns:xmpp-session", "jabber:iq:roster"};
    struct span type = xmpp_attr(d, 0, "type"), what = d->n > 1 ? xmpp_ns(d, 1) : span_of("", 0);
    bool is_request = span_is(xmpp_name(d, 0), "iq") && (span_is(type, "get") || span_is(type, "set"));
    for (size_t i = 0; is_request && i < ARRAY_LEN(done); i++)
        if (span_is(what, done[i])) {
            put_result(c, d);
            buf_append_str(&c->out, "/>");
            return;
        }
    give_back(c, d);
}

static struct xmpp_conn *find(struct xmpp_backend *b, struct span to)
{
    struct span resource = xmpp_resource(to);
    buf_reset(&b->key);
    xmpp_append_bare(&b->key, to);
    if (!resource.n)
        return map_get(&b->by_bare, buf_span(&b->key));
    buf_append_str(&b->key, "/");
    buf_append_span(&b->key, resource);
    return map_get(&b->by_full, buf_span(&b->key));
}

/* The element as it came, with the sender's address behind its name and none of its own. */
static bool put_stanza(struct xmpp_conn *c, const struct xmpp_item *item, struct buf *out)
{
    struct span raw = item->raw, name = xmpp_name(item->dom, 0);
    struct buf *space = &c->backend->space;
    buf_reset(space);
    if (memmem(raw.p, item->dom->node[0].raw_content, "from", 4)) {
        struct xmpp_cuts cuts = {.n = 0};
        bool is_cut = xmpp_cut_attr(&cuts, item->dom, raw, 0, "from", span_of(NULL, 0));
        if (is_cut && xmpp_splice(&cuts, raw, space))
            raw = buf_span(space);
        xmpp_cuts_fini(&cuts);
    }
    if (!span_starts(span_from(raw, 1), name) || raw.p[1 + name.n] == ':')
        return false; /* a prefix that the receiver's stream need not have */
    buf_append(out, raw.p, 1 + name.n);
    buf_append_span(out, buf_span(&c->from));
    buf_append_span(out, span_from(raw, 1 + name.n));
    return true;
}

static void take_stanza(struct xmpp_conn *c, const struct xmpp_item *item)
{
    struct span to = xmpp_attr(item->dom, 0, "to");
    if (!xmpp_is_person(to) || span_eq_nocase(to, buf_span(&c->bare))) {
        answer(c, item->dom);
        return;
    }
    struct xmpp_conn *other = find(c->backend, to);
    if (!other || other->state != XC_OPEN) {
        give_back(c, item->dom);
        return;
    }
    if (!put_stanza(c, item, xmpp_conn_out(other))) {
        fail(c, "bad-namespace-prefix");
        return;
    }
    c->backend->counts.delivered++;
    if (other->out.len >= XMPP_BACKLOG_BYTES)
        c->waits_for = other;
}

void xmpp_route(struct xmpp_conn *c, enum xmpp_got got, const struct xmpp_item *item)
{
    if (got == XMPP_HEADER) {
        take_header(c, item->dom);
    } else if (got == XMPP_END) {
        say(c, "</stream:stream>");
        c->state = XC_LAST;
    } else if (got == XMPP_BAD) {
        fail(c, xmpp_fault_condition(item->fault));
    } else if (got == XMPP_ELEMENT) {
        if (c->state == XC_LOGIN)
            take_auth(c, item->dom);
        else if (c->state == XC_BIND)
            take_bind(c, item->dom);
        else if (item->is_stanza)
            take_stanza(c, item);
        else
            fail(c, "unsupported-stanza-type");
    }
}

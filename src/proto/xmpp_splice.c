/* Edits of an element's source. */
#include "proto/xmpp_message.h"
#include "proto/xmpp_write.h"

#include "base/utf8.h"

void xmpp_cuts_fini(struct xmpp_cuts *c)
{
    buf_fini(&c->with);
    c->n = 0;
}

static bool add_cut(struct xmpp_cuts *c, struct xmpp_cut cut)
{
    if (c->n == XMPP_CUTS_MAX)
        return false;
    size_t i = c->n++;
    for (; i && c->cut[i - 1].from > cut.from; i--) /* few, and nearly in order */
        c->cut[i] = c->cut[i - 1];
    c->cut[i] = cut;
    return true;
}

bool xmpp_cut_node(struct xmpp_cuts *c, const struct xmpp_dom *d, uint32_t node)
{
    return add_cut(c, (struct xmpp_cut){.from = d->node[node].raw_from, .to = d->node[node].raw_to});
}

/* A walk over character data: `at` in the source, `done` in the decoded text. */
struct walk {
    struct span raw, text;
    size_t at, done;
    bool in_cdata;
};

/* "&#12;" or "&#xc;": its length in the source, 0 when it is none. */
static size_t char_ref(struct span s, uint8_t out[4], size_t *n_out)
{
    bool is_hex = s.n > 2 && s.p[2] == 'x';
    uint32_t cp = 0;
    size_t i = is_hex ? 3 : 2;
    if (s.n < 4 || s.p[1] != '#')
        return 0;
    for (; i < s.n && s.p[i] != ';'; i++) {
        uint8_t c = s.p[i], low = c | 0x20;
        uint32_t digit = c >= '0' && c <= '9'                 ? c - '0' + 0u
                         : is_hex && low >= 'a' && low <= 'f' ? low - 'a' + 10u
                                                              : 99;
        if (digit == 99 || cp > 0x10ffff)
            return 0;
        cp = cp * (is_hex ? 16 : 10) + digit;
    }
    if (i >= s.n || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
        return 0;
    *n_out = utf8_encode(cp, out);
    return i + 1;
}

/* Steps over the marks of a CDATA section. */
static void skip_marks(struct walk *w)
{
    for (;;) {
        struct span rest = span_from(w->raw, w->at);
        if (!w->in_cdata && span_starts(rest, span_str("<![CDATA[")))
            w->at += 9;
        else if (w->in_cdata && span_starts(rest, span_str("]]>")))
            w->at += 3;
        else
            return;
        w->in_cdata = !w->in_cdata;
    }
}

/* One character (or one byte of one); false: the source is not what the text was decoded from. */
static bool step(struct walk *w)
{
    uint8_t c[4];
    size_t n_raw = 1, n = 1;
    struct span rest = span_from(w->raw, w->at);
    if (!rest.n)
        return false;
    c[0] = rest.p[0];
    if (c[0] == '\r') {
        c[0] = '\n';
        n_raw = rest.n > 1 && rest.p[1] == '\n' ? 2 : 1;
    } else if (c[0] == '<' && !w->in_cdata) {
        return false;
    } else if (c[0] == '&' && !w->in_cdata) {
        n_raw = char_ref(rest, c, &n);
        if (!n_raw && !(n_raw = xmpp_entity(rest, c)))
            return false;
    }
    if (!span_starts(span_from(w->text, w->done), span_of(c, n)))
        return false;
    w->at += n_raw;
    w->done += n;
    return true;
}

static bool walk_to(struct walk *w, size_t done)
{
    while (w->done < done) {
        skip_marks(w);
        if (!step(w))
            return false;
    }
    return w->done == done;
}

bool xmpp_cut_text(struct xmpp_cuts *c, const struct xmpp_dom *d, struct span raw, uint32_t node, uint32_t from,
                   uint32_t to, struct span with)
{
    const struct xmpp_node *at = &d->node[node];
    struct walk w = {.raw = span_of(raw.p + at->raw_content, at->raw_content_end - at->raw_content),
                     .text = xmpp_text(d, node)};
    if (from > to || to > w.text.n || !walk_to(&w, from))
        return false;
    if (from < to)
        skip_marks(&w);
    struct xmpp_cut cut = {.from = at->raw_content + (uint32_t)w.at, .at = c->with.len};
    if (w.in_cdata)
        buf_append_str(&c->with, "]]>");
    xmpp_escape(&c->with, with);
    if (!walk_to(&w, to))
        return false;
    if (w.in_cdata)
        buf_append_str(&c->with, "<![CDATA[");
    cut.to = at->raw_content + (uint32_t)w.at;
    cut.n = c->with.len - cut.at;
    return add_cut(c, cut);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Its bytes in a start tag that expat has found well-formed, from the blank before the name to behind the quote. */
static bool find_attr(struct span tag, const char *name, struct span *whole, struct span *value)
{
    size_t at = 0;
    while (at < tag.n && !is_blank(tag.p[at]))
        at++;
    while (at < tag.n) {
        size_t from = at;
        while (at < tag.n && is_blank(tag.p[at]))
            at++;
        size_t name_at = at;
        while (at < tag.n && tag.p[at] != '=' && !is_blank(tag.p[at]))
            at++;
        struct span found = span_of(tag.p + name_at, at - name_at);
        while (at < tag.n && tag.p[at] != '\'' && tag.p[at] != '"')
            at++;
        const uint8_t *end = at < tag.n ? memchr(tag.p + at + 1, tag.p[at], tag.n - at - 1) : NULL;
        if (!end)
            return false; /* behind the last one */
        *value = span_of(tag.p + at + 1, (size_t)(end - tag.p) - at - 1);
        at = (size_t)(end - tag.p) + 1;
        *whole = span_of(tag.p + from, at - from);
        if (span_is(found, name))
            return true;
    }
    return false;
}

bool xmpp_cut_attr(struct xmpp_cuts *c, const struct xmpp_dom *d, struct span raw, uint32_t node, const char *name,
                   struct span with)
{
    struct span tag = span_of(raw.p + d->node[node].raw_from, d->node[node].raw_content - d->node[node].raw_from);
    struct span whole, value;
    if (!find_attr(tag, name, &whole, &value))
        return false;
    struct span out = with.p ? value : whole;
    struct xmpp_cut cut = {
        .from = (uint32_t)(out.p - raw.p), .to = (uint32_t)(out.p - raw.p + out.n), .at = c->with.len};
    if (with.p)
        xmpp_escape(&c->with, with);
    cut.n = c->with.len - cut.at;
    return add_cut(c, cut);
}

/* Appends a piece; what a cut brings together must not become "]]>" or one end of a line. A piece that begins with
 * "]]>" ends a CDATA section: nothing else does, text has it escaped. */
static void join(struct buf *out, uint32_t before, struct span next)
{
    if (!next.n)
        return;
    uint8_t last = out->len > before ? out->data[out->start + out->len - 1] : 0, first = next.p[0];
    const char *as = NULL;
    if (last == '\r' && first == '\n')
        as = "&#10;";
    else if (last == ']' && (first == ']' || first == '>') && !span_starts(next, span_str("]]>")))
        as = "&#93;";
    if (as) {
        out->len--;
        buf_append_str(out, as);
    }
    buf_append_span(out, next);
}

bool xmpp_splice(struct xmpp_cuts *c, struct span raw, struct buf *out)
{
    uint32_t at = 0, before = out->len;
    for (size_t i = 0; i < c->n; i++) {
        const struct xmpp_cut *k = &c->cut[i];
        if (k->to <= at && k->from < at)
            continue; /* inside what was taken out */
        if (k->from < at || k->to > raw.n)
            return false;
        join(out, before, span_of(raw.p + at, k->from - at));
        join(out, before, span_of(buf_span(&c->with).p + k->at, k->n));
        at = k->to;
    }
    join(out, before, span_from(raw, at));
    return true;
}

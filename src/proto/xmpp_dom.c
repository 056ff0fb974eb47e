#include "proto/xmpp_dom.h"

#include "base/xalloc.h"

enum { KEEP_BYTES = 64 * 1024, KEEP_NODES = 256 };

struct xmpp_dom *xmpp_dom_new(void)
{
    return xcalloc(1, sizeof(struct xmpp_dom));
}

void xmpp_dom_free(struct xmpp_dom **dp)
{
    struct xmpp_dom *d = *dp;
    if (!d)
        return;
    buf_fini(&d->text);
    buf_fini(&d->words);
    free(d->node);
    free(d->attr);
    free(d);
    *dp = NULL;
}

void xmpp_dom_reset(struct xmpp_dom *d)
{
    d->n = d->n_attrs = d->ns_bytes = 0;
    d->last_ns = (struct xmpp_slice){0, 0};
    d->is_truncated = false;
    if (d->text.cap > KEEP_BYTES)
        buf_fini(&d->text);
    if (d->words.cap > KEEP_BYTES)
        buf_fini(&d->words);
    buf_reset(&d->text);
    buf_reset(&d->words);
    if (d->cap > KEEP_NODES) {
        free(d->node);
        d->node = NULL;
        d->cap = 0;
    }
    if (d->cap_attrs > KEEP_NODES) {
        free(d->attr);
        d->attr = NULL;
        d->cap_attrs = 0;
    }
}

void xmpp_pool_fini(struct xmpp_pool *p)
{
    xmpp_dom_free(&p->spare);
}

struct xmpp_dom *xmpp_pool_take(struct xmpp_pool *p)
{
    struct xmpp_dom *d = p->spare ? p->spare : xmpp_dom_new();
    p->spare = NULL;
    xmpp_dom_reset(d);
    return d;
}

void xmpp_pool_give(struct xmpp_pool *p, struct xmpp_dom **d)
{
    if (p->spare) {
        xmpp_dom_free(d);
        return;
    }
    p->spare = *d;
    *d = NULL;
}

static struct xmpp_slice put(struct xmpp_dom *d, const char *p, size_t n)
{
    struct xmpp_slice at = {d->words.len, (uint32_t)n};
    buf_append(&d->words, p, n);
    return at;
}

static struct xmpp_slice put_ns(struct xmpp_dom *d, struct span ns)
{
    if (!span_eq(xmpp_word(d, d->last_ns), ns)) {
        d->last_ns = put(d, (const char *)ns.p, ns.n);
        d->ns_bytes += d->last_ns.n;
    }
    return d->last_ns;
}

static void put_name(struct xmpp_dom *d, const char *both, struct xmpp_slice *ns, struct xmpp_slice *name)
{
    const char *mark = strchr(both, '\x1f');
    *ns = put_ns(d, span_of(both, mark ? (size_t)(mark - both) : 0));
    both = mark ? mark + 1 : both;
    *name = put(d, both, strlen(both));
}

static bool grow_attrs(struct xmpp_dom *d)
{
    if (d->n_attrs == XMPP_ATTRS_MAX)
        return false;
    if (d->n_attrs == d->cap_attrs) {
        d->cap_attrs = d->cap_attrs ? d->cap_attrs * 2 : 16;
        d->attr = xrealloc(d->attr, d->cap_attrs * sizeof(*d->attr));
    }
    return true;
}

static bool grow(struct xmpp_dom *d)
{
    if (d->n >= XMPP_NODES_MAX)
        return false;
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 16;
        d->node = xrealloc(d->node, d->cap * sizeof(*d->node));
    }
    return true;
}

/* False: there are too many, and the node has none. */
static bool put_attrs(struct xmpp_dom *d, struct xmpp_node *node, const char **attrs)
{
    for (; *attrs; attrs += 2) {
        if (d->ns_bytes > XMPP_NS_BYTES_MAX || !grow_attrs(d)) {
            d->n_attrs = node->attr;
            node->n_attrs = 0;
            return false;
        }
        struct xmpp_attr *a = &d->attr[d->n_attrs++];
        put_name(d, attrs[0], &a->ns, &a->name);
        a->value = put(d, attrs[1], strlen(attrs[1]));
        node->n_attrs++;
    }
    return true;
}

uint32_t xmpp_dom_open(struct xmpp_dom *d, uint32_t parent, const char *name, const char **attrs)
{
    if (d->n && (d->is_truncated || d->ns_bytes > XMPP_NS_BYTES_MAX || !grow(d))) {
        d->is_truncated = true;
        return UINT32_MAX;
    }
    if (!d->n)
        grow(d);
    struct xmpp_node *node = &d->node[d->n];
    *node = (struct xmpp_node){.parent = parent, .attr = d->n_attrs, .text_from = d->text.len};
    put_name(d, name, &node->ns, &node->name);
    if (!put_attrs(d, node, attrs))
        d->is_truncated = true;
    return !d->is_truncated || !d->n ? d->n++ : UINT32_MAX;
}

uint32_t xmpp_dom_add(struct xmpp_dom *d, uint32_t parent, struct xmpp_slice ns, struct xmpp_slice name)
{
    if (!grow(d))
        return UINT32_MAX;
    d->node[d->n] =
        (struct xmpp_node){.parent = parent, .ns = ns, .name = name, .attr = d->n_attrs, .text_from = d->text.len};
    return d->n++;
}

bool xmpp_dom_add_attr(struct xmpp_dom *d, uint32_t i, const struct xmpp_attr *a)
{
    if (!grow_attrs(d))
        return false;
    d->attr[d->n_attrs++] = *a;
    d->node[i].n_attrs++;
    return true;
}

void xmpp_dom_close(struct xmpp_dom *d, uint32_t i)
{
    d->node[i].text_to = d->text.len;
    d->node[i].end = d->n;
}

struct span xmpp_text(const struct xmpp_dom *d, uint32_t i)
{
    const struct xmpp_node *node = &d->node[i];
    return span_of(buf_span(&d->text).p + node->text_from, node->text_to - node->text_from);
}

struct span xmpp_attr(const struct xmpp_dom *d, uint32_t i, const char *name)
{
    const struct xmpp_node *node = &d->node[i];
    struct span wanted = span_str(name);
    for (uint32_t k = node->attr; k < node->attr + node->n_attrs; k++)
        if (!d->attr[k].ns.n && span_eq(xmpp_word(d, d->attr[k].name), wanted))
            return xmpp_word(d, d->attr[k].value);
    return span_of("", 0);
}

uint32_t xmpp_child(const struct xmpp_dom *d, uint32_t i, const char *ns, const char *name)
{
    for (uint32_t c = i + 1; c < d->node[i].end; c = d->node[c].end)
        if (xmpp_is(d, c, ns, name))
            return c;
    return 0;
}

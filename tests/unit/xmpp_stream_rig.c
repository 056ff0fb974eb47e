#include "xmpp_stream_rig.h"

static const char *const got_names[] = {"more", "space", "header", "element", "part", "end", "bad"};

static void tell_attr(struct buf *out, const struct xmpp_dom *d, const struct xmpp_attr *a)
{
    const struct xmpp_slice all[] = {a->ns, a->name, a->value};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        buf_append_str(out, i ? "|" : " @");
        buf_append(out, buf_span(&d->words).p + all[i].at, all[i].n);
    }
}

/* One line per item: kind, bytes, tree. */
static void tell(struct buf *out, enum xmpp_got got, const struct xmpp_item *item)
{
    if (got == XMPP_SPACE) { /* comes in as many pieces as it was given */
        buf_append_span(out, item->raw);
        return;
    }
    buf_printf(out, "%s%s:", got_names[got], item->is_stanza ? "!" : "");
    if (got == XMPP_BAD)
        buf_append_str(out, xmpp_fault_condition(item->fault));
    buf_append_span(out, item->raw);
    for (uint32_t i = 0; got == XMPP_ELEMENT && i < item->dom->n; i++) {
        const struct xmpp_node *n = &item->dom->node[i];
        buf_printf(out, " (%u>%u %u %u %u %u ", n->parent, n->end, n->raw_from, n->raw_content, n->raw_content_end,
                   n->raw_to);
        buf_append_span(out, xmpp_ns(item->dom, i));
        buf_append_str(out, "|");
        buf_append_span(out, xmpp_name(item->dom, i));
        buf_append_str(out, "|");
        buf_append_span(out, xmpp_text(item->dom, i));
        buf_append_str(out, "|");
        buf_append_span(out, xmpp_attr(item->dom, i, "id"));
        for (uint32_t a = n->attr; a < n->attr + n->n_attrs; a++)
            tell_attr(out, item->dom, &item->dom->attr[a]);
        buf_append_str(out, ")");
    }
    buf_append_str(out, "\n");
}

void run(const char *text, size_t n, const size_t *cuts, size_t n_cuts, size_t max, struct buf *out)
{
    struct xmpp_pool pool = {NULL};
    struct xmpp_stream_options o = {.max_bytes = max};
    struct xmpp_stream *s = xmpp_stream_new(&pool, &o);
    struct buf hold = {0};
    bool is_over = false;
    for (size_t c = 0, at = 0; c <= n_cuts && !is_over; c++) {
        size_t to = c < n_cuts ? cuts[c] : n;
        buf_append(&hold, text + at, to - at);
        at = to;
        while (!is_over) {
            char *copy = xmemdup0(buf_span(&hold).p, hold.len);
            struct xmpp_item item;
            enum xmpp_got got = xmpp_next(s, span_of(copy, hold.len), &item);
            if (got != XMPP_MORE)
                tell(out, got, &item);
            is_over = got == XMPP_BAD;
            size_t used = item.raw.n;
            free(copy);
            if (got == XMPP_MORE)
                break;
            buf_consume(&hold, used);
        }
        xmpp_stream_rest(s);
    }
    buf_fini(&hold);
    xmpp_stream_free(&s);
    xmpp_pool_fini(&pool);
}

struct buf whole(const char *text, size_t max)
{
    struct buf out = {0};
    run(text, strlen(text), NULL, 0, max, &out);
    return out;
}

void check_splits(const char *text, size_t max)
{
    size_t n = strlen(text), all[4096] = {0};
    struct buf want = whole(text, max);
    assert_in_range(n, 1, 4095);
    for (size_t i = 0; i < n; i++)
        all[i] = i + 1;
    struct buf got = {0};
    run(text, n, all, n, max, &got);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    for (size_t a = 1; a < n; a++) {
        buf_reset(&got);
        run(text, n, &a, 1, max, &got);
        assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    }
    buf_fini(&got);
    buf_fini(&want);
}

#include "proto/xmpp_skip.h"

enum state {
    CONTENT,  /* text, up to the next '<' */
    MARK,     /* behind '<' */
    START,    /* in a start tag, between quoted values */
    SLASH,    /* behind a '/' in it */
    SINGLE,   /* in a quoted value */
    DOUBLE,   /* in a quoted value */
    END,      /* in an end tag */
    BANG,     /* behind "<!" */
    CDATA,    /* in a section */
    BRACKET,  /* behind one ']' in it */
    BRACKETS, /* behind two or more */
};

static const char cdata[] = "[CDATA[";

static size_t find(struct span in, size_t from, char c)
{
    const uint8_t *at = memchr(in.p + from, c, in.n - from);
    return at ? (size_t)(at - in.p) : in.n;
}

static enum state behind_mark(struct xmpp_skip *k, uint8_t c)
{
    k->matched = 0;
    if (c == '!')
        return BANG;
    k->depth += c != '/';
    return c == '/' ? END : START;
}

static enum state in_start(uint8_t c)
{
    switch (c) {
    case '/':
        return SLASH;
    case '>':
        return CONTENT;
    case '\'':
        return SINGLE;
    case '"':
        return DOUBLE;
    default:
        return START;
    }
}

static enum state in_cdata(enum state now, uint8_t c)
{
    if (c == ']')
        return now == CDATA ? BRACKET : BRACKETS;
    return now == BRACKETS && c == '>' ? CONTENT : CDATA;
}

/* What byte `c` leads to. An element was closed when the depth is less than before. */
static enum state next_state(struct xmpp_skip *k, uint8_t c)
{
    switch ((enum state)k->state) {
    case CONTENT:
        return c == '<' ? MARK : CONTENT;
    case MARK:
        return behind_mark(k, c);
    case SLASH:
        k->depth -= c == '>';
        return in_start(c);
    case START:
        return in_start(c);
    case SINGLE:
        return c == '\'' ? START : SINGLE;
    case DOUBLE:
        return c == '"' ? START : DOUBLE;
    case END:
        k->depth -= c == '>';
        return c == '>' ? CONTENT : END;
    case BANG:
        return ++k->matched == sizeof(cdata) - 1 ? CDATA : BANG;
    case CDATA:
    case BRACKET:
    case BRACKETS:
        return in_cdata(k->state, c);
    }
    __builtin_unreachable();
}

/* Bytes from `from` on that change nothing. */
static size_t skip_quiet(const struct xmpp_skip *k, struct span in, size_t from)
{
    switch ((enum state)k->state) {
    case CONTENT:
        return find(in, from, '<');
    case SINGLE:
        return find(in, from, '\'');
    case DOUBLE:
        return find(in, from, '"');
    case CDATA:
        return find(in, from, ']');
    default:
        return from;
    }
}

enum xmpp_skipped xmpp_skip_next(struct xmpp_skip *k, struct span in, size_t *used)
{
    for (size_t i = skip_quiet(k, in, 0); i < in.n; i = skip_quiet(k, in, i + 1)) {
        uint8_t c = in.p[i];
        if ((k->state == MARK && c == '?') || (k->state == BANG && c != (uint8_t)cdata[k->matched]))
            return XMPP_SKIP_BAD;
        k->state = next_state(k, c);
        if (k->state == CONTENT && c == '>' && k->depth == 0) {
            *used = i + 1;
            return XMPP_SKIP_DONE;
        }
    }
    return XMPP_SKIP_MORE;
}

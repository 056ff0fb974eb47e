#include "base/buf.h"

#include <stdarg.h>

#include "base/xalloc.h"

static const size_t BUF_LIMIT = (size_t)1 << 30;

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_reset(struct buf *b)
{
    b->start = b->len = 0;
}

uint8_t *buf_make_room(struct buf *b, size_t n)
{
    if (b->start) {
        memmove(b->data, b->data + b->start, b->len);
        b->start = 0;
    }
    size_t need = (size_t)b->len + n;
    if (need > BUF_LIMIT)
        abort();
    if (need > b->cap || !b->data) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < need)
            cap *= 2;
        b->data = xrealloc(b->data, cap);
        b->cap = (uint32_t)cap;
    }
    return b->data + b->len;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (!n)
        return;
    memcpy(buf_reserve(b, n), p, n);
    b->len += (uint32_t)n;
}

void buf_set(struct buf *b, struct span s)
{
    buf_reset(b);
    if (s.n > BUF_LIMIT)
        abort();
    if (s.n > b->cap) {
        free(b->data);
        b->data = xmalloc(s.n);
        b->cap = (uint32_t)s.n;
    }
    buf_append_span(b, s);
}

void buf_append_str(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0) {
        char *at = (char *)buf_reserve(b, (size_t)n + 1);
        vsnprintf(at, (size_t)n + 1, fmt, again);
        b->len += (uint32_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        buf_fini(b);
        return;
    }
    b->start += (uint32_t)n;
    b->len -= (uint32_t)n;
}

const char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = 0;
    return (const char *)b->data + b->start;
}

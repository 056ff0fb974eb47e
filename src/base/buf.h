/* A growing byte queue: append at the end, consume at the front. An idle buffer holds no memory. */
#pragma once

#include "base/span.h"

/*   data                       start            start+len        cap
 *   |  consumed, will be moved  |  bytes in use  |  free          |   */
struct buf {
    uint8_t *data;
    uint32_t start, len, cap;
};

/* Frees the memory and leaves an empty buffer. */
void buf_fini(struct buf *b);
/* Empties it, keeps the memory. */
void buf_reset(struct buf *b);
/* What buf_reserve does when there is no room. */
uint8_t *buf_make_room(struct buf *b, size_t n);
/* At least n free bytes behind the end; returns where to write. Sizes above 1 GiB abort: bound before you call. */
static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
    bool has_room = b->data && (size_t)b->cap - b->start - b->len >= n;
    return has_room ? b->data + b->start + b->len : buf_make_room(b, n);
}
/* Tells that n reserved bytes were written. */
static inline void buf_commit(struct buf *b, size_t n)
{
    b->len += (uint32_t)n;
}
void buf_append(struct buf *b, const void *p, size_t n);
static inline void buf_append_span(struct buf *b, struct span s)
{
    if (s.n)
        buf_append(b, s.p, s.n);
}
/* Replaces what is in it by bytes of elsewhere and takes no more memory than they need: for what is kept for long. */
void buf_set(struct buf *b, struct span s);
void buf_append_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Drops n bytes (at most len) at the front; frees the memory when nothing is left. */
void buf_consume(struct buf *b, size_t n);
/* A NUL behind the last byte (not counted in len) and the text. */
const char *buf_cstr(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->data ? b->data + b->start : (const uint8_t *)"", b->len};
}

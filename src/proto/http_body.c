#include "proto/http.h"

#include "proto/http_chars.h"

enum { SIZE_DIGITS_MAX = 15, TRAILERS_MAX_BYTES = 8192 };

enum body_state {
    BODY_SIZE,          /* the first digit of a chunk size */
    BODY_SIZE_MORE,     /* further digits or CR */
    BODY_SIZE_LF,       /* LF behind a chunk size */
    BODY_DATA,          /* `left` bytes of data (also Content-Length bodies) */
    BODY_DATA_CR,       /* CR behind the data of a chunk */
    BODY_DATA_LF,       /* its LF */
    BODY_TRAILER,       /* the first byte of a trailer line, or CR of the empty line */
    BODY_TRAILER_NAME,  /* further bytes of a name, or the colon */
    BODY_TRAILER_VALUE, /* bytes of a value, or CR */
    BODY_TRAILER_LF,    /* LF behind a trailer line */
    BODY_END_LF,        /* LF of the empty line */
    BODY_DONE,          /* nothing, the message is over */
    BODY_BROKEN,        /* nothing, the bytes were refused */
};

void http_body_init(struct http_body *b, const struct http_head *h)
{
    *b = (struct http_body){.framing = h->framing, .state = BODY_DONE};
    if (h->framing == HTTP_BODY_LENGTH && h->content_length) {
        b->state = BODY_DATA;
        b->left = h->content_length;
    } else if (h->framing == HTTP_BODY_CHUNKED) {
        b->state = BODY_SIZE;
    } else if (h->framing == HTTP_BODY_TO_CLOSE) {
        b->state = BODY_DATA;
        b->left = UINT64_MAX;
    }
}

static enum body_state on_size(struct http_body *b, uint8_t c, bool is_first)
{
    int digit = http_hex(c);
    if (digit < 0)
        return c == '\r' && !is_first ? BODY_SIZE_LF : BODY_BROKEN; /* ';' too: extensions are refused */
    if (is_first)
        b->left = 0, b->line_len = 0;
    if (++b->line_len > SIZE_DIGITS_MAX)
        return BODY_BROKEN;
    b->left = b->left << 4 | (unsigned)digit;
    return BODY_SIZE_MORE;
}

/* Behind the last chunk `left` counts the trailer bytes. */
static enum body_state on_trailer(struct http_body *b, uint8_t c)
{
    if (++b->left > TRAILERS_MAX_BYTES)
        return BODY_BROKEN;
    switch ((enum body_state)b->state) {
    case BODY_TRAILER:
        return c == '\r' ? BODY_END_LF : http_is_tchar(c) ? BODY_TRAILER_NAME : BODY_BROKEN;
    case BODY_TRAILER_NAME:
        return c == ':' ? BODY_TRAILER_VALUE : http_is_tchar(c) ? BODY_TRAILER_NAME : BODY_BROKEN;
    case BODY_TRAILER_VALUE:
        if (c == '\r')
            return BODY_TRAILER_LF;
        return http_is_text(span_of(&c, 1)) ? BODY_TRAILER_VALUE : BODY_BROKEN;
    default:
        return c == '\n' ? BODY_TRAILER : BODY_BROKEN;
    }
}

static enum body_state on_byte(struct http_body *b, uint8_t c)
{
    switch ((enum body_state)b->state) {
    case BODY_SIZE:
        return on_size(b, c, true);
    case BODY_SIZE_MORE:
        return on_size(b, c, false);
    case BODY_SIZE_LF:
        return c != '\n' ? BODY_BROKEN : b->left ? BODY_DATA : BODY_TRAILER;
    case BODY_DATA_CR:
        return c == '\r' ? BODY_DATA_LF : BODY_BROKEN;
    case BODY_DATA_LF:
        return c == '\n' ? BODY_SIZE : BODY_BROKEN;
    case BODY_TRAILER:
    case BODY_TRAILER_NAME:
    case BODY_TRAILER_VALUE:
    case BODY_TRAILER_LF:
        return on_trailer(b, c);
    case BODY_END_LF:
        return c == '\n' ? BODY_DONE : BODY_BROKEN;
    default:
        return BODY_BROKEN;
    }
}

enum parse http_body_feed(struct http_body *b, struct span in, size_t *used)
{
    size_t at = 0;
    if (b->framing == HTTP_BODY_TO_CLOSE) {
        *used = in.n;
        return PARSE_MORE;
    }
    while (b->state < BODY_DONE && at < in.n) {
        if (b->state != BODY_DATA) {
            b->state = (uint8_t)on_byte(b, in.p[at]);
            at += b->state != BODY_BROKEN;
            continue;
        }
        size_t n = (size_t)MIN_OF(b->left, (uint64_t)(in.n - at));
        at += n;
        b->left -= n;
        if (!b->left)
            b->state = b->framing == HTTP_BODY_CHUNKED ? BODY_DATA_CR : BODY_DONE;
    }
    *used = at;
    return b->state == BODY_DONE ? PARSE_DONE : b->state == BODY_BROKEN ? PARSE_BAD : PARSE_MORE;
}

#include "proto/http.h"

#include "proto/http_chars.h"

/* "scheme://authority" is taken off; what stays starts with '/' or '?' or is empty. */
static struct span strip_authority(struct span t)
{
    static const char *const scheme[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(scheme); i++) {
        size_t n = strlen(scheme[i]);
        if (t.n < n || !span_is_nocase(span_of(t.p, n), scheme[i]))
            continue;
        t = span_from(t, n);
        while (t.n && t.p[0] != '/' && t.p[0] != '?')
            t = span_from(t, 1);
        break;
    }
    return t;
}

/* The byte at the front of *in, %XX decoded and taken off; -1 when it may not stand in a path. */
static int next_byte(struct span *in)
{
    int c = in->p[0];
    size_t n = 1;
    if (c == ';' || c == '#')
        return -1;
    if (c == '%') {
        int hi = in->n > 2 ? http_hex(in->p[1]) : -1, lo = in->n > 2 ? http_hex(in->p[2]) : -1;
        if (hi < 0 || lo < 0)
            return -1;
        c = hi << 4 | lo;
        n = 3;
        if (c == '/')
            return -1;
    }
    if (c < 0x20 || c == 0x7f || c == '\\')
        return -1;
    *in = span_from(*in, n);
    return c;
}

static bool is_dots(const char *p, size_t n)
{
    return (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
}

/* One segment, without its slashes, to out[*at …]. */
static int decode_segment(struct span seg, char *out, size_t cap, size_t *at, struct err *e)
{
    size_t from = *at;
    while (seg.n) {
        int c = next_byte(&seg);
        if (c < 0)
            return err_set(e, "path: bad or forbidden byte or escape in a segment");
        if (*at + 1 >= cap)
            return err_set(e, "path: longer than %zu bytes", cap - 1);
        out[(*at)++] = (char)c;
    }
    return is_dots(out + from, *at - from) ? err_set(e, "path: segment '.' or '..'") : 0;
}

static int decode_path(struct span path, char *out, size_t cap, struct err *e)
{
    size_t at = 0;
    while (path.n) {
        path = span_from(path, 1);
        const uint8_t *slash = path.n ? memchr(path.p, '/', path.n) : NULL;
        struct span seg = span_of(path.p, slash ? (size_t)(slash - path.p) : path.n);
        if (slash && !seg.n)
            return err_set(e, "path: empty segment");
        if (at + 1 >= cap)
            return err_set(e, "path: longer than %zu bytes", cap - 1);
        out[at++] = '/';
        if (decode_segment(seg, out, cap, &at, e) < 0)
            return -1;
        path = span_from(path, seg.n);
    }
    out[at] = 0;
    return 0;
}

int http_split_target(struct span target, char *out, size_t cap, struct span *query, struct err *e)
{
    struct span path = span_is(target, "*") ? target : strip_authority(target);
    const uint8_t *mark = path.n ? memchr(path.p, '?', path.n) : NULL;
    *query = span_of("", 0);
    if (mark) {
        *query = span_from(path, (size_t)(mark + 1 - path.p));
        path.n = (size_t)(mark - path.p);
    }
    if (cap < 2)
        return err_set(e, "path: no room");
    if (span_is(target, "*") || (!path.n && target.n && target.p[0] != '?')) {
        out[0] = span_is(target, "*") ? '*' : '/';
        out[1] = 0;
        return 0;
    }
    if (!path.n || path.p[0] != '/')
        return err_set(e, "path: does not start with '/'");
    return decode_path(path, out, cap, e);
}

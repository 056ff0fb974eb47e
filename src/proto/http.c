#include "proto/http.h"

#include "proto/http_chars.h"
#include "proto/http_meaning.h"

static int refuse(int *status, int code, struct err *e, const char *why)
{
    *status = code;
    return err_set(e, "%s", why);
}

/* HTTP/1.0 and HTTP/1.1 are read; another version that is written properly is 505. */
static int read_version(struct span s, int *minor, int *status, struct err *e)
{
    if (span_is(s, "HTTP/1.1") || span_is(s, "HTTP/1.0")) {
        *minor = s.p[7] - '0';
        return 0;
    }
    bool well_formed = s.n == 8 && memcmp(s.p, "HTTP/", 5) == 0 && s.p[5] >= '0' && s.p[5] <= '9' && s.p[6] == '.' &&
                       s.p[7] >= '0' && s.p[7] <= '9';
    return well_formed ? refuse(status, 505, e, "http version: not 1.0 or 1.1")
                       : refuse(status, 400, e, "http version: malformed");
}

static int read_request_line(struct span line, struct http_head *h, int *status, struct err *e)
{
    const uint8_t *sp1 = memchr(line.p, ' ', line.n);
    const uint8_t *sp2 = sp1 ? memrchr(line.p, ' ', line.n) : NULL;
    if (!sp1 || sp1 == sp2)
        return refuse(status, 400, e, "request line: not METHOD TARGET VERSION");
    h->method = span_of(line.p, (size_t)(sp1 - line.p));
    h->target = span_of(sp1 + 1, (size_t)(sp2 - sp1 - 1));
    if (!http_is_token(h->method))
        return refuse(status, 400, e, "request line: method is not a token");
    return read_version(span_from(line, (size_t)(sp2 + 1 - line.p)), &h->minor, status, e);
}

/* The space behind the status code may be missing together with the reason, as several servers do. */
static int read_status_line(struct span line, struct http_head *h, int *status, struct err *e)
{
    if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
        return refuse(status, 502, e, "status line: not VERSION STATUS REASON");
    if (read_version(span_of(line.p, 8), &h->minor, status, e) < 0)
        return -1;
    uint64_t code;
    if (!span_u64(span_of(line.p + 9, 3), &code) || code < 100 || code > 599)
        return refuse(status, 502, e, "status line: code is not 100 to 599");
    h->status = (int)code;
    if (!http_is_text(span_from(line, 12)))
        return refuse(status, 502, e, "status line: control character");
    return 0;
}

static int read_field(struct span line, struct http_head *h, int *status, struct err *e)
{
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return refuse(status, 400, e, "header: folded line (obs-fold)");
    const uint8_t *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return refuse(status, 400, e, "header: no colon");
    struct span name = span_of(line.p, (size_t)(colon - line.p));
    struct span value = span_from(line, name.n + 1);
    if (!http_is_token(name))
        return refuse(status, 400, e, "header: name is not a token (empty, or white space before the colon)");
    if (!http_is_text(value))
        return refuse(status, 400, e, "header: control character in value");
    if (h->n_headers == HTTP_HEADERS_MAX)
        return refuse(status, 431, e, "header: more than 100 fields");
    h->header[h->n_headers++] = (struct http_header){name, span_trim(value)};
    return 0;
}

typedef int (*start_line_fn)(struct span line, struct http_head *h, int *status, struct err *e);

/* Reads line by line; only complete lines are judged, so the answer does not depend on how the bytes were cut. */
static enum parse read_lines(struct span in, size_t max_bytes, start_line_fn start_line, struct http_head *h,
                             int *status, struct err *e)
{
    size_t at = 0;
    for (bool is_first = true;; is_first = false) {
        struct span rest = span_of(in.p + at, MIN_OF(in.n, max_bytes) - at);
        const uint8_t *lf = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
        if (!lf)
            break;
        struct span line = span_of(rest.p, (size_t)(lf - rest.p));
        at += line.n + 1;
        if (!line.n || line.p[line.n - 1] != '\r') {
            refuse(status, 400, e, "line ends in LF without CR");
            return PARSE_BAD;
        }
        line.n--;
        if (!line.n && !is_first) {
            h->head_bytes = at;
            return PARSE_DONE;
        }
        if (!line.n) {
            refuse(status, 400, e, "empty line before the start line");
            return PARSE_BAD;
        }
        if ((is_first ? start_line : read_field)(line, h, status, e) < 0)
            return PARSE_BAD;
    }
    if (in.n <= max_bytes)
        return PARSE_MORE;
    *status = 431;
    err_set(e, "head: no end within %zu bytes", max_bytes);
    return PARSE_BAD;
}

static void head_reset(struct http_head *h)
{
    /* The table of 100 headers stays as it is: n_headers says which are set. */
    h->method = h->target = h->ws_key = (struct span){(const uint8_t *)"", 0};
    h->status = h->minor = 0;
    h->n_headers = h->head_bytes = 0;
    h->framing = HTTP_NO_BODY;
    h->content_length = 0;
    h->keep_alive = h->expect_continue = h->wants_websocket = h->wants_upgrade = h->is_websocket = false;
}

enum parse http_parse_request(struct span in, size_t max_bytes, struct http_head *out, int *status, struct err *e)
{
    *status = 400;
    head_reset(out);
    /* A TLS hello on a plain port is told at once, not when its first 0x0a comes by. */
    if (in.n && !http_is_tchar(in.p[0]) && in.p[0] != '\r' && in.p[0] != '\n') {
        err_set(e, "request line: does not start with a method (first byte 0x%02x)", in.p[0]);
        return PARSE_BAD;
    }
    enum parse r = read_lines(in, max_bytes, read_request_line, out, status, e);
    if (r != PARSE_DONE)
        return r;
    return http_mean_request(out, status, e) < 0 ? PARSE_BAD : PARSE_DONE;
}

enum parse http_parse_response(struct span in, size_t max_bytes, struct span request_method, struct http_head *out,
                               struct err *e)
{
    int status;
    head_reset(out);
    enum parse r = read_lines(in, max_bytes, read_status_line, out, &status, e);
    if (r != PARSE_DONE)
        return r;
    return http_mean_response(out, request_method, e) < 0 ? PARSE_BAD : PARSE_DONE;
}

const struct http_header *http_find(const struct http_head *h, const char *name)
{
    struct span want = span_str(name);
    for (size_t i = 0; i < h->n_headers; i++)
        if (span_eq_nocase(h->header[i].name, want))
            return &h->header[i];
    return NULL;
}

bool http_has_token(const struct http_head *h, const char *name, const char *token)
{
    struct span want = span_str(name), element;
    for (size_t i = 0; i < h->n_headers; i++) {
        if (!span_eq_nocase(h->header[i].name, want))
            continue;
        struct span list = h->header[i].value;
        while (http_next_element(&list, &element))
            if (span_is_nocase(element, token))
                return true;
    }
    return false;
}

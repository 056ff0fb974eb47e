#include "proto/http.h"

#include "proto/http_chars.h"

static bool is_hop_by_hop(struct span name, bool keep_upgrade)
{
    static const char *const hop[] = {"Keep-Alive", "Proxy-Connection", "TE"};
    static const char *const upgrade[] = {"Connection", "Upgrade"};
    for (size_t i = 0; i < ARRAY_LEN(hop); i++)
        if (span_is_nocase(name, hop[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(upgrade) && !keep_upgrade; i++)
        if (span_is_nocase(name, upgrade[i]))
            return true;
    return false;
}

/* Listed in Connection, and so meant for this hop only. Framing fields never are (the parser refuses such heads). */
static bool is_listed(const struct http_head *h, struct span name, bool keep_upgrade)
{
    if (span_is_nocase(name, "Connection") || (keep_upgrade && span_is_nocase(name, "Upgrade")))
        return false;
    for (size_t i = 0; i < h->n_headers; i++) {
        struct span list = h->header[i].value, element;
        if (!span_is_nocase(h->header[i].name, "Connection"))
            continue;
        while (http_next_element(&list, &element))
            if (span_eq_nocase(element, name))
                return true;
    }
    return false;
}

static bool is_dropped(const char *const *drop, struct span name)
{
    for (; drop && *drop; drop++)
        if (span_is_nocase(name, *drop))
            return true;
    return false;
}

/* From p to the LF that ends the line, inclusive. */
static struct span line_at(struct span raw, const uint8_t *p)
{
    const uint8_t *end = raw.p + raw.n;
    const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
    return span_of(p, (size_t)((lf ? lf + 1 : end) - p));
}

void http_write_head(struct buf *out, const struct http_head *h, struct span raw, const struct http_edit *edit)
{
    bool keep_upgrade = edit && edit->keep_upgrade;
    buf_reserve(out, h->head_bytes + (edit ? edit->add.n : 0));
    buf_append_span(out, line_at(raw, raw.p));
    for (size_t i = 0; i < h->n_headers; i++) {
        struct span name = h->header[i].name;
        if (is_hop_by_hop(name, keep_upgrade) || is_listed(h, name, keep_upgrade) ||
            (edit && is_dropped(edit->drop, name)))
            continue;
        buf_append_span(out, line_at(raw, name.p));
    }
    if (edit)
        buf_append_span(out, edit->add);
    buf_append_str(out, "\r\n");
}

void http_write_answer(struct buf *out, int status, const char *content_type, struct span extra_headers,
                       struct span body, bool keep_alive)
{
    buf_printf(out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    if (content_type)
        buf_printf(out, "Content-Type: %s\r\n", content_type);
    if (status >= 200 && status != 204 && status != 304)
        buf_printf(out, "Content-Length: %zu\r\n", body.n);
    if (!keep_alive)
        buf_append_str(out, "Connection: close\r\n");
    buf_append_span(out, extra_headers);
    buf_append_str(out, "\r\n");
    buf_append_span(out, body);
}

#define REASONS(X)                                                                                                     \
    X(100, "Continue")                                                                                                 \
    X(101, "Switching Protocols")                                                                                      \
    X(200, "OK")                                                                                                       \
    X(201, "Created")                                                                                                  \
    X(202, "Accepted")                                                                                                 \
    X(204, "No Content")                                                                                               \
    X(301, "Moved Permanently")                                                                                        \
    X(302, "Found")                                                                                                    \
    X(303, "See Other")                                                                                                \
    X(304, "Not Modified")                                                                                             \
    X(307, "Temporary Redirect")                                                                                       \
    X(308, "Permanent Redirect")                                                                                       \
    X(400, "Bad Request")                                                                                              \
    X(401, "Unauthorized")                                                                                             \
    X(403, "Forbidden")                                                                                                \
    X(404, "Not Found")                                                                                                \
    X(405, "Method Not Allowed")                                                                                       \
    X(406, "Not Acceptable")                                                                                           \
    X(408, "Request Timeout")                                                                                          \
    X(409, "Conflict")                                                                                                 \
    X(411, "Length Required")                                                                                          \
    X(413, "Content Too Large")                                                                                        \
    X(414, "URI Too Long")                                                                                             \
    X(415, "Unsupported Media Type")                                                                                   \
    X(417, "Expectation Failed")                                                                                       \
    X(421, "Misdirected Request")                                                                                      \
    X(422, "Unprocessable Content")                                                                                    \
    X(426, "Upgrade Required")                                                                                         \
    X(429, "Too Many Requests")                                                                                        \
    X(431, "Request Header Fields Too Large")                                                                          \
    X(451, "Unavailable For Legal Reasons")                                                                            \
    X(500, "Internal Server Error")                                                                                    \
    X(501, "Not Implemented")                                                                                          \
    X(502, "Bad Gateway")                                                                                              \
    X(503, "Service Unavailable")                                                                                      \
    X(504, "Gateway Timeout")                                                                                          \
    X(505, "HTTP Version Not Supported")

const char *http_reason(int status)
{
    switch (status) {
#define X(code, text)                                                                                                  \
    case code:                                                                                                         \
        return text;
        REASONS(X)
#undef X
    default:
        return "Unknown";
    }
}

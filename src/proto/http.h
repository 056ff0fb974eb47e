/* HTTP/1.1 heads and body framing (RFC 9110, 9112), strict: what could be read in two ways is refused. No normalising:
 * names, values and targets are spans of the bytes that came. No event loop, no allocation. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum { HTTP_HEADERS_MAX = 100 };

struct http_header {
    struct span name, value; /* value without white space around it */
};

enum http_framing {
    HTTP_NO_BODY,     /* nothing follows the head */
    HTTP_BODY_LENGTH, /* content_length bytes */
    HTTP_BODY_CHUNKED,
    HTTP_BODY_TO_CLOSE, /* responses only: until the connection ends */
};

struct http_head {
    struct span method, target; /* request */
    int status;                 /* response, 100 to 599 */
    int minor;                  /* HTTP/1.minor, 0 or 1 */
    struct http_header header[HTTP_HEADERS_MAX];
    size_t n_headers;
    size_t head_bytes; /* start line to the empty line, inclusive */
    enum http_framing framing;
    uint64_t content_length;
    bool keep_alive;      /* by version and Connection */
    bool expect_continue; /* request: Expect: 100-continue */
    bool wants_websocket; /* request: a complete and valid RFC 6455 section 4.1 opening handshake */
    bool wants_upgrade;   /* request: any Upgrade (also websocket) or CONNECT */
    bool is_websocket;    /* response: 101 with Upgrade: websocket and Connection: upgrade */
    struct span ws_key;   /* request: Sec-WebSocket-Key */
};

/* Reads a request head from the front of `in` (all bytes so far). BAD: err says why; answer 400 (or 431 when `in` holds
 * more than max_bytes without an end, 505 for another version: *status tells) and close. Refused as BAD, among others:
 * Content-Length with Transfer-Encoding, differing Content-Length copies, Transfer-Encoding other than one final
 * chunked or with HTTP/1.0, obs-fold, bare CR or LF, NUL, space before the colon, several or missing Host,
 * absolute-form with another authority, methods and targets with bytes that RFC 9112 does not allow. */
enum parse http_parse_request(struct span in, size_t max_bytes, struct http_head *out, int *status, struct err *e);
/* Reads a response head. `request_method` decides whether a body follows (HEAD, CONNECT). 1xx heads are returned like
 * others. BAD: answer 502. */
enum parse http_parse_response(struct span in, size_t max_bytes, struct span request_method, struct http_head *out,
                               struct err *e);

/* The first header of that name (case-insensitive), or NULL. */
const struct http_header *http_find(const struct http_head *h, const char *name);
/* True when a comma-separated header value (all copies) contains the token, case-insensitive. */
bool http_has_token(const struct http_head *h, const char *name, const char *token);

/* Tracks where a body ends while its bytes are relayed untouched. */
struct http_body {
    enum http_framing framing;
    uint8_t state;
    uint8_t line_len; /* bytes of the current chunk-size or trailer line, bounded */
    uint64_t left;    /* of the body or of the current chunk */
};
void http_body_init(struct http_body *b, const struct http_head *h);
/* Looks at the next bytes: *used of them belong to this message. MORE: all are used and more will come; DONE: the
 * message ended after *used; BAD: broken chunking (chunk extensions are refused, trailers are read and allowed up to 8
 * KiB). */
enum parse http_body_feed(struct http_body *b, struct span in, size_t *used);

/* What to change when a head is sent on; everything else is copied byte for byte, in order. */
struct http_edit {
    const char *const *drop; /* NULL-terminated header names to leave out, beside the hop-by-hop ones */
    struct span add;         /* complete header lines, each with CRLF, put before the empty line */
    bool keep_upgrade;       /* leave Connection and Upgrade as they came (websocket handshakes) */
};
/* Appends the head: start line and headers as they came, without `Connection`, the names listed in it, Keep-Alive,
 * Proxy-Connection, TE, Upgrade (unless keep_upgrade); Transfer-Encoding and Content-Length stay. `raw` is the bytes
 * the head was parsed from. */
void http_write_head(struct buf *out, const struct http_head *h, struct span raw, const struct http_edit *edit);

/* A complete local answer with Content-Length: "HTTP/1.1 STATUS reason", extra header lines, body. */
void http_write_answer(struct buf *out, int status, const char *content_type, struct span extra_headers,
                       struct span body, bool keep_alive);
const char *http_reason(int status);

/* The path of a target: decodes %XX per segment into `out` (cap bytes, '/' between segments); refuses (-1) empty, "."
 * and
 * ".." segments, ';' parameters, encoded '/', '\\' and NUL, bad escapes, absolute-form is reduced to its path. *query
 * gets the bytes behind '?' or an empty span. */
int http_split_target(struct span target, char *out, size_t cap, struct span *query, struct err *e) MUST_CHECK;

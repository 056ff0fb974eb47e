/* The input is what a peer sends: read as a request, as a response, and, behind a request's head, as its body. Checks
 * that cutting the bytes changes no answer, that spans stay inside, that a head written again reads the same. */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "proto/http.h"

enum { MAX_BYTES = 8192, PATH_MAX_BYTES = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span s, const uint8_t *data, size_t size)
{
    assert(!s.n || (s.p >= data && s.p + s.n <= data + size));
}

static void check_body(const struct http_head *h, struct span body)
{
    struct http_body whole, bytes;
    size_t used, at = 0, one;
    http_body_init(&whole, h);
    http_body_init(&bytes, h);
    enum parse want = http_body_feed(&whole, body, &used), got = PARSE_MORE;
    assert(used <= body.n);
    while (got == PARSE_MORE && at < body.n) {
        got = http_body_feed(&bytes, span_of(body.p + at, 1), &one);
        at += one;
    }
    if (got == PARSE_MORE) /* an empty body is over without a byte */
        got = http_body_feed(&bytes, span_of(body.p + at, 0), &one);
    assert(got == want && at == used);
}

static void check_rewritten(const struct http_head *h, struct span raw)
{
    static const struct http_edit keep = {.keep_upgrade = true};
    struct buf out = {0};
    struct http_head again;
    struct err e;
    int status;
    http_write_head(&out, h, raw, h->wants_websocket ? &keep : NULL);
    enum parse r = http_parse_request(buf_span(&out), MAX_BYTES, &again, &status, &e);
    assert(r == PARSE_DONE && again.head_bytes == out.len);
    assert(again.framing == h->framing && again.content_length == h->content_length);
    assert(span_eq(again.target, h->target) && again.wants_websocket == h->wants_websocket);
    buf_fini(&out);
}

static void check_path(struct span target)
{
    char path[PATH_MAX_BYTES];
    struct span query;
    struct err e;
    if (http_split_target(target, path, sizeof(path), &query, &e) < 0)
        return;
    assert(strlen(path) < sizeof(path) && (path[0] == '/' || path[0] == '*'));
    assert(!strstr(path, "//") && !strstr(path, "/../") && !strstr(path, "/./") && !strchr(path, '\\'));
    check_inside(query, target.p, target.n);
}

static void check_request(struct span in)
{
    struct http_head h, part;
    struct err e;
    int status, part_status;
    enum parse r = http_parse_request(in, MAX_BYTES, &h, &status, &e);
    size_t cut = in.n / 2;
    enum parse cut_r = http_parse_request(span_of(in.p, cut), MAX_BYTES, &part, &part_status, &e);
    assert(cut_r == PARSE_MORE || (cut_r == r && (r == PARSE_DONE || part_status == status)));
    if (r != PARSE_DONE)
        return;
    assert(h.head_bytes <= in.n && h.head_bytes <= MAX_BYTES && h.framing != HTTP_BODY_TO_CLOSE);
    check_inside(h.method, in.p, h.head_bytes);
    check_inside(h.target, in.p, h.head_bytes);
    for (size_t i = 0; i < h.n_headers; i++) {
        check_inside(h.header[i].name, in.p, h.head_bytes);
        check_inside(h.header[i].value, in.p, h.head_bytes);
    }
    check_rewritten(&h, span_of(in.p, h.head_bytes));
    check_path(h.target);
    check_body(&h, span_from(in, h.head_bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct http_head h;
    struct err e;
    check_request(in);
    if (http_parse_response(in, MAX_BYTES, span_str("GET"), &h, &e) == PARSE_DONE)
        check_body(&h, span_from(in, h.head_bytes));
    check_path(in);
    h.framing = HTTP_BODY_CHUNKED;
    check_body(&h, in);
    return 0;
}

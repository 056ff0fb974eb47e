#include "track/webhook_post.h"

#include <inttypes.h>

#include "base/xalloc.h"
#include "conf/conf_addr.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "proto/http.h"

enum { HEAD_MAX = 16 << 10, RETRY_AFTER_MAX_MS = 600000 };

struct webhook_post {
    struct webhook_post_options o;
    struct conf_url url;
    struct buf request, in;
    struct resolve *look_up;
    struct stream *stream;
    struct timer *late;
    webhook_post_fn fn;
    void *ctx;
    bool has_head;
    struct http_body body;
    size_t body_at, fed; /* in `in`: where the body begins, and how far it was looked at */
    int status;
    int64_t retry_after_ms;
};

/* Where nobody outside can be: RFC 6890 and multicast. */
static const char *const private_networks[] = {
    "0.0.0.0/8",     "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",   "169.254.0.0/16",  "172.16.0.0/12",
    "192.0.0.0/24",  "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4",   "240.0.0.0/4",  "::/128",         "::1/128",       "64:ff9b::/96",    "100::/64",
    "2001:db8::/32", "fc00::/7",     "fe80::/10",      "ff00::/8",
};

bool webhook_is_public(const struct addr *a)
{
    for (size_t i = 0; i < ARRAY_LEN(private_networks); i++) {
        struct conf_cidr c;
        const char *why;
        if (conf_cidr_parse(private_networks[i], &c, &why) < 0 || addr_in_cidr(a, &c, 1))
            return false;
    }
    return a->any.sa.sa_family != AF_UNIX;
}

static void release(struct webhook_post *p)
{
    resolve_cancel(&p->look_up);
    stream_close(&p->stream);
    timer_free(&p->late);
    buf_fini(&p->request);
    buf_fini(&p->in);
    free(p);
}

static void end(struct webhook_post *p, const struct webhook_answer *a)
{
    p->fn(p->ctx, a);
    release(p);
}

static void fail(struct webhook_post *p, const char *why)
{
    end(p, &(struct webhook_answer){.why = why});
}

/* Takes the chunk sizes out; they were checked by http_body_feed. */
static struct span join_chunks(struct span in)
{
    uint8_t *out = (uint8_t *)in.p;
    size_t n = 0, at = 0;
    while (at < in.n) {
        size_t size = 0;
        for (; at < in.n && in.p[at] != '\r'; at++)
            size = size << 4 | (size_t)(in.p[at] <= '9' ? in.p[at] - '0' : (in.p[at] | 0x20) - 'a' + 10);
        at = MIN_OF(at + 2, in.n);
        if (!size || size > in.n - at)
            break;
        memmove(out + n, in.p + at, size);
        n += size;
        at += size + 2;
    }
    return span_of(out, n);
}

static void answer(struct webhook_post *p)
{
    struct span body = span_of(p->in.data + p->in.start + p->body_at, p->fed - p->body_at);
    if (p->body.framing == HTTP_BODY_CHUNKED)
        body = join_chunks(body);
    end(p, &(struct webhook_answer){
               .status = p->status, .body = body, .retry_after_ms = p->retry_after_ms, .why = "answered"});
}

static void read_retry_after(struct webhook_post *p, const struct http_head *h)
{
    const struct http_header *f = http_find(h, "Retry-After");
    uint64_t s;
    if (f && span_u64(f->value, &s)) /* a date is left to our own back-off */
        p->retry_after_ms = (int64_t)MIN_OF(s, (uint64_t)RETRY_AFTER_MAX_MS / 1000) * 1000;
}

/* MORE, DONE, or BAD with the reason. Interim answers (1xx) are passed over. */
static enum parse read_head(struct webhook_post *p, struct err *e)
{
    static struct http_head h; /* control thread only; large */
    for (;;) {
        struct span in = span_from(buf_span(&p->in), p->body_at);
        enum parse r = http_parse_response(in, HEAD_MAX, span_str("POST"), &h, e);
        if (r != PARSE_DONE)
            return r;
        p->body_at += h.head_bytes;
        if (h.status >= 200)
            break;
    }
    p->has_head = true;
    p->status = h.status;
    p->fed = p->body_at;
    read_retry_after(p, &h);
    http_body_init(&p->body, &h);
    return PARSE_DONE;
}

static void on_open(void *ctx)
{
    struct webhook_post *p = ctx;
    struct span s = buf_span(&p->request);
    stream_write(p->stream, s.p, s.n);
}

static size_t on_data(void *ctx, struct span in)
{
    struct webhook_post *p = ctx;
    struct err e;
    size_t room = WEBHOOK_ANSWER_MAX - MIN_OF(p->in.len, (uint32_t)WEBHOOK_ANSWER_MAX), used = 0;
    buf_append(&p->in, in.p, MIN_OF(in.n, room));
    enum parse r = p->has_head ? PARSE_DONE : read_head(p, &e);
    if (r == PARSE_BAD) {
        fail(p, e.text);
        return 0;
    }
    if (p->has_head) {
        r = http_body_feed(&p->body, span_from(buf_span(&p->in), p->fed), &used);
        p->fed += used;
        if (r == PARSE_BAD || (r == PARSE_MORE && in.n >= room)) { /* the status is what matters */
            p->body.framing = HTTP_NO_BODY;
            answer(p);
            return 0;
        }
        if (r == PARSE_DONE) {
            answer(p);
            return 0;
        }
    } else if (in.n >= room) {
        fail(p, "its answer has no end");
        return 0;
    }
    return in.n;
}

static void on_end(void *ctx, const char *why)
{
    struct webhook_post *p = ctx;
    if (p->has_head && p->body.framing == HTTP_BODY_TO_CLOSE)
        answer(p);
    else
        fail(p, why);
}

static void on_late(void *ctx)
{
    fail(ctx, "no answer in time");
}

static const struct stream_handlers handlers = {on_open, on_data, on_end};

static const struct addr *choose(const struct webhook_post *p, const struct addr *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct addr *a = &list[(i + p->o.turn) % n];
        if (webhook_is_public(a) ? p->url.is_tls : addr_in_cidr(a, p->o.network, p->o.n_networks))
            return a;
    }
    return NULL;
}

static void on_found(void *ctx, const struct addr *list, size_t n, const char *why)
{
    struct webhook_post *p = ctx;
    char host[ADDR_TEXT_MAX];
    struct err e;
    p->look_up = NULL;
    const struct addr *a = choose(p, list, n);
    if (!a) {
        fail(p, n ? "its address is private and not in webhooks.allow_networks, or http to a public one" : why);
        return;
    }
    struct stream_options o = {.host = addr_host_text(a, host),
                               .port = p->url.port,
                               .connect_timeout_ms = p->o.timeout_ms,
                               .tls = p->url.is_tls ? p->o.tls : NULL,
                               .server_name = p->url.host};
    p->stream = stream_open(p->o.loop, &o, &handlers, p, &e);
    if (!p->stream)
        fail(p, e.text);
}

struct webhook_post *webhook_post_start(const struct webhook_post_options *o, struct span headers, struct span body,
                                        webhook_post_fn fn, void *ctx)
{
    struct webhook_post *p = xcalloc(1, sizeof(*p));
    p->o = *o;
    p->url = *o->url;
    p->o.url = NULL;
    p->fn = fn;
    p->ctx = ctx;
    bool is_v6 = strchr(p->url.host, ':');
    buf_printf(&p->request, "POST %s HTTP/1.1\r\nHost: %s%s%s", p->url.target, is_v6 ? "[" : "", p->url.host,
               is_v6 ? "]" : "");
    if (p->url.has_port)
        buf_printf(&p->request, ":%u", p->url.port);
    buf_append_str(&p->request, "\r\n");
    buf_append_span(&p->request, headers);
    buf_printf(&p->request, "Content-Length: %zu\r\nConnection: close\r\n\r\n", body.n);
    buf_append_span(&p->request, body);
    p->late = timer_new(o->loop, on_late, p);
    timer_start(p->late, o->timeout_ms, false);
    p->look_up = resolve_start(o->loop, p->url.host, p->url.port, on_found, p);
    return p;
}

void webhook_post_cancel(struct webhook_post **p)
{
    if (*p)
        release(*p);
    *p = NULL;
}

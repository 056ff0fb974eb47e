#include "bench_echo.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json_out.h"
#include "base/xalloc.h"
#include "proto/http.h"
#include "proto/json.h"
#include "proto/ws.h"

enum {
    READ_BYTES = 65536,
    HEAD_MAX_BYTES = 16384,
    MESSAGE_MAX_BYTES = 4 << 20,
    BACKLOG_BYTES = 1 << 20, /* unread answers above this stop the reading */
    ACCEPTS_PER_TURN = 64,
};

enum echo_state {
    ECHO_HEAD, /* a request head is awaited */
    ECHO_BODY, /* the rest of a request body is awaited */
    ECHO_WS,   /* frames are awaited */
    ECHO_LAST, /* the last bytes have to go out, then it is over */
};

struct echo_conn {
    struct source src;
    struct echo *echo;
    struct echo_conn *next, *prev;
    enum echo_state state;
    struct http_body body;
    struct buf in, out;
};

struct echo {
    struct source src;
    struct loop *loop;
    struct echo_conn *head;
    struct echo_counts counts;
    struct json_doc doc;
    bool is_paused; /* out of descriptors */
};

static void conn_end(struct echo_conn *c)
{
    struct echo *s = c->echo;
    loop_remove(s->loop, &c->src);
    *(c->prev ? &c->prev->next : &s->head) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    buf_fini(&c->in);
    buf_fini(&c->out);
    free(c);
    s->counts.open--;
    if (s->is_paused) {
        s->is_paused = false;
        loop_set(s->loop, &s->src, EPOLLIN);
    }
}

/* A server's frame around `payload`. */
static void put_frame(struct buf *out, uint8_t opcode, struct span payload)
{
    uint8_t head[WS_HEAD_MAX];
    buf_append(out, head, ws_write_head(head, true, opcode, payload.n, NULL));
    buf_append_span(out, payload);
}

/* `{"type":"auth","token":T}` gets auth_ok with T as the agent's id. True when it was one. */
static bool answer_auth(struct echo_conn *c, struct span text)
{
    struct json_doc *doc = &c->echo->doc;
    struct err e;
    uint8_t token[256];
    if (json_read(doc, text, 0, &e) != JSON_OK || doc->node[0].kind != JSON_OBJECT)
        return false;
    uint32_t type = json_member(doc, 0, span_str("type")), tok = json_member(doc, 0, span_str("token"));
    if (!type || !span_is(json_raw_span(doc, type), "\"auth\""))
        return false;
    size_t n = 0;
    if (tok && doc->node[tok].kind == JSON_STRING && json_raw_span(doc, tok).n <= sizeof(token))
        n = json_decode(doc, tok, token, NULL);
    struct buf b = {0};
    struct json_out j = {.buf = &b};
    json_obj(&j);
    json_key(&j, "type"), json_str(&j, "auth_ok");
    json_key(&j, "agentId"), json_span(&j, span_of(token, n));
    json_key(&j, "name"), json_span(&j, span_of(token, n));
    json_obj_end(&j);
    put_frame(&c->out, WS_TEXT, buf_span(&b));
    buf_fini(&b);
    return true;
}

static void on_message(struct echo_conn *c, uint8_t opcode, struct span payload)
{
    static const char message[] = "{\"type\":\"message\"";
    c->echo->counts.messages++;
    bool is_plain = payload.n >= sizeof(message) && memcmp(payload.p, message, sizeof(message) - 1) == 0;
    if (opcode != WS_TEXT || is_plain || !answer_auth(c, payload))
        put_frame(&c->out, opcode, payload);
}

/* One whole frame; the fragments of a message are echoed as they came. */
static void on_frame(struct echo_conn *c, const struct ws_head *h, uint8_t *payload)
{
    struct span p = span_of(payload, (size_t)h->len);
    ws_mask(payload, payload, p.n, h->mask, 0);
    if (h->opcode == WS_CLOSE) {
        put_frame(&c->out, WS_CLOSE, p.n >= 2 ? span_of(p.p, 2) : p);
        c->state = ECHO_LAST;
    } else if (h->opcode == WS_PING) {
        put_frame(&c->out, WS_PONG, p);
    } else if (h->opcode != WS_PONG && h->fin && h->opcode != WS_CONT) {
        on_message(c, h->opcode, p);
    } else if (h->opcode != WS_PONG) {
        uint8_t head[WS_HEAD_MAX];
        buf_append(&c->out, head, ws_write_head(head, h->fin, h->opcode, h->len, NULL));
        buf_append_span(&c->out, p);
    }
}

/* Frames at the front of in; the bytes taken, or -1. */
static ssize_t feed_ws(struct echo_conn *c, uint8_t *p, size_t n)
{
    size_t at = 0;
    while (c->state == ECHO_WS) {
        struct ws_head h;
        enum parse r = ws_parse_head(span_of(p + at, n - at), true, &h);
        if (r == PARSE_BAD || (r == PARSE_DONE && h.len > MESSAGE_MAX_BYTES))
            return -1;
        if (r == PARSE_MORE || n - at < h.head_len + h.len)
            break;
        on_frame(c, &h, p + at + h.head_len);
        at += h.head_len + (size_t)h.len;
    }
    return (ssize_t)at;
}

static void answer_request(struct echo_conn *c, const struct http_head *h)
{
    static const char page[] = "<!doctype html><title>echo</title><p>chatgate-bench echo backend\n";
    if (h->wants_websocket) {
        char accept[29];
        wire_accept_key(h->ws_key, accept);
        buf_printf(&c->out,
                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: %s\r\n\r\n",
                   accept);
        c->state = ECHO_WS;
        return;
    }
    bool is_head = span_is(h->method, "HEAD"), is_get = is_head || span_is(h->method, "GET");
    http_write_answer(&c->out, is_get ? 200 : 405, "text/html", span_str(NULL), span_str(is_get ? page : ""),
                      h->keep_alive);
    if (is_head)
        c->out.len -= (uint32_t)sizeof(page) - 1;
    http_body_init(&c->body, h);
    c->state = h->keep_alive ? ECHO_BODY : ECHO_LAST;
}

static ssize_t feed_head(struct echo_conn *c, const uint8_t *p, size_t n)
{
    struct http_head h;
    struct err e;
    int status;
    enum parse r = http_parse_request(span_of(p, n), HEAD_MAX_BYTES, &h, &status, &e);
    if (r == PARSE_MORE)
        return 0;
    if (r == PARSE_BAD) {
        http_write_answer(&c->out, status, NULL, span_str(NULL), span_str(NULL), false);
        c->state = ECHO_LAST;
        return 0;
    }
    answer_request(c, &h);
    return (ssize_t)h.head_bytes;
}

static ssize_t feed_body(struct echo_conn *c, const uint8_t *p, size_t n)
{
    size_t used;
    enum parse r = http_body_feed(&c->body, span_of(p, n), &used);
    if (r == PARSE_DONE)
        c->state = ECHO_HEAD;
    return r == PARSE_BAD ? -1 : (ssize_t)used;
}

/* Takes what it can of the bytes; -1: the connection is to end. */
static ssize_t feed(struct echo_conn *c, uint8_t *p, size_t n)
{
    size_t at = 0;
    for (;;) {
        enum echo_state before = c->state;
        ssize_t took = 0;
        if (c->state == ECHO_HEAD)
            took = at < n ? feed_head(c, p + at, n - at) : 0;
        else if (c->state == ECHO_BODY)
            took = feed_body(c, p + at, n - at);
        else if (c->state == ECHO_WS)
            took = feed_ws(c, p + at, n - at);
        if (took < 0)
            return -1;
        at += (size_t)took;
        if (c->state == before && took == 0)
            return (ssize_t)at;
    }
}

/* False: the connection is over and freed. */
static bool flush(struct echo_conn *c)
{
    while (c->out.len) {
        ssize_t n = send(c->src.fd, buf_span(&c->out).p, c->out.len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) {
            conn_end(c);
            return false;
        }
        buf_consume(&c->out, (size_t)n);
    }
    if (!c->out.len && c->state == ECHO_LAST) {
        conn_end(c);
        return false;
    }
    bool may_read = c->out.len < BACKLOG_BYTES && c->state != ECHO_LAST;
    loop_set(c->echo->loop, &c->src, (may_read ? EPOLLIN : 0u) | (c->out.len ? EPOLLOUT : 0u));
    return true;
}

static void on_readable(struct echo_conn *c)
{
    static uint8_t shared[READ_BYTES];
    ssize_t n = read(c->src.fd, shared, sizeof(shared));
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            conn_end(c);
        return;
    }
    ssize_t took;
    if (c->in.len) {
        buf_append(&c->in, shared, (size_t)n);
        took = feed(c, c->in.data + c->in.start, c->in.len);
        if (took > 0)
            buf_consume(&c->in, (size_t)took);
    } else {
        took = feed(c, shared, (size_t)n);
        if (took >= 0)
            buf_append(&c->in, shared + took, (size_t)(n - took));
    }
    if (took < 0)
        conn_end(c);
    else
        flush(c);
}

static void on_conn_ready(struct source *src, uint32_t ready)
{
    struct echo_conn *c = CONTAINER_OF(src, struct echo_conn, src);
    if ((ready & EPOLLOUT) && !flush(c))
        return;
    if (ready & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(c);
}

static void on_listener_ready(struct source *src, uint32_t ready)
{
    struct echo *s = CONTAINER_OF(src, struct echo, src);
    (void)ready;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(s->src.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if ((errno == EMFILE || errno == ENFILE) && s->counts.open) {
                s->is_paused = true; /* until a connection ends */
                loop_set(s->loop, &s->src, 0);
            }
            return;
        }
        struct echo_conn *c = xcalloc(1, sizeof(*c));
        c->echo = s;
        c->src.fd = fd;
        c->src.on_ready = on_conn_ready;
        c->next = s->head;
        if (s->head)
            s->head->prev = c;
        s->head = c;
        s->counts.accepted++, s->counts.open++;
        loop_add(s->loop, &c->src, EPOLLIN);
    }
}

struct echo *echo_start(struct loop *l, const struct endpoint *at, struct err *e)
{
    int fd = wire_listen(at, e);
    if (fd < 0)
        return NULL;
    struct echo *s = xcalloc(1, sizeof(*s));
    s->loop = l;
    s->src.fd = fd;
    s->src.on_ready = on_listener_ready;
    loop_add(l, &s->src, EPOLLIN);
    return s;
}

void echo_stop(struct echo **s)
{
    if (!*s)
        return;
    while ((*s)->head)
        conn_end((*s)->head);
    loop_remove((*s)->loop, &(*s)->src);
    json_doc_fini(&(*s)->doc);
    free(*s);
    *s = NULL;
}

struct echo_counts echo_counts(const struct echo *s)
{
    return s->counts;
}

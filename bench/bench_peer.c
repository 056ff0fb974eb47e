#include "bench_peer.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sys/epoll.h>

#include "base/rand.h"
#include "bench_text.h"
#include "proto/http.h"
#include "proto/ws.h"

enum { READ_BYTES = 65536, HEAD_MAX_BYTES = 16384, MESSAGE_MAX_BYTES = 4 << 20 };

static void end_with(struct peer *p, const char *why)
{
    peer_abort(p, false);
    p->calls->on_end(p, why);
}

void peer_abort(struct peer *p, bool reset)
{
    if (p->state == PEER_NONE)
        return;
    struct linger now = {.l_onoff = 1};
    if (reset && p->src.fd >= 0)
        setsockopt(p->src.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    wire_fini(&p->wire);
    loop_remove(p->loop, &p->src);
    buf_fini(&p->in);
    buf_fini(&p->out);
    buf_fini(&p->parts);
    p->state = PEER_NONE;
}

/* Writes what it can, keeps the rest, watches for writability as long as there is a rest. */
static void flush(struct peer *p)
{
    while (p->out.len && !p->has_failed) {
        ssize_t n = wire_write(&p->wire, buf_span(&p->out).p, p->out.len);
        if (n == WIRE_AGAIN)
            break;
        if (n < 0)
            p->has_failed = true, p->error = p->wire.ssl ? 0 : errno;
        else
            buf_consume(&p->out, (size_t)n);
    }
    /* After a failure the socket is readable or broken: its event ends the peer. */
    loop_set(p->loop, &p->src, EPOLLIN | (p->out.len ? EPOLLOUT : 0u));
}

static void put_frame(struct peer *p, uint8_t opcode, struct span payload)
{
    static uint64_t state;
    if (!state)
        state = rand_u64() | 1;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    uint8_t mask[4];
    memcpy(mask, &state, sizeof(mask));
    uint8_t *to = buf_reserve(&p->out, WS_HEAD_MAX + payload.n);
    size_t n = ws_write_head(to, true, opcode, payload.n, mask);
    ws_mask(to + n, payload.p, payload.n, mask, 0);
    buf_commit(&p->out, n + payload.n);
}

static void put_request(struct peer *p, struct span text)
{
    const struct peer_target *t = p->target;
    buf_printf(&p->out, "%s %s HTTP/1.1\r\nHost: %s\r\n", t->post ? "POST" : "GET", t->url.path, t->url.host);
    if (t->origin)
        buf_printf(&p->out, "Origin: %s\r\n", t->origin);
    if (t->post)
        buf_printf(&p->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", text.n);
    buf_append_str(&p->out, "\r\n");
    if (t->post)
        buf_append_span(&p->out, text);
}

void peer_send(struct peer *p, struct span text)
{
    bool was_empty = !p->out.len;
    if (p->target->url.is_http)
        put_request(p, text);
    else
        put_frame(p, WS_TEXT, text);
    if (was_empty)
        flush(p);
}

void peer_close(struct peer *p)
{
    if (p->state != PEER_OPEN) {
        if (p->state != PEER_NONE)
            end_with(p, "closed while connecting");
        return;
    }
    if (p->target->url.is_http) { /* there is no word for it */
        end_with(p, "closed");
        return;
    }
    put_frame(p, WS_CLOSE, span_of("\x03\xe8", 2));
    p->state = PEER_CLOSING;
    flush(p);
}

static void start_talk(struct peer *p)
{
    const struct peer_target *t = p->target;
    uint8_t nonce[16];
    if (t->url.is_http) {
        loop_set(p->loop, &p->src, EPOLLIN);
        p->state = PEER_OPEN;
        p->calls->on_open(p);
        return;
    }
    rand_bytes(nonce, sizeof(nonce));
    EVP_EncodeBlock((unsigned char *)p->key, nonce, sizeof(nonce));
    buf_printf(&p->out, "GET %s HTTP/1.1\r\nHost: %s\r\n", t->url.path, t->url.host);
    if (t->origin)
        buf_printf(&p->out, "Origin: %s\r\n", t->origin);
    buf_printf(&p->out,
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
               "Sec-WebSocket-Version: 13\r\n\r\n",
               p->key);
    p->state = PEER_UPGRADING;
    flush(p);
}

static void on_handshake(struct peer *p)
{
    struct err e;
    bool want_out = false;
    int rc = wire_handshake(&p->wire, &want_out, &e);
    if (rc < 0)
        end_with(p, e.text);
    else if (rc == 0)
        loop_set(p->loop, &p->src, want_out ? EPOLLOUT : EPOLLIN);
    else
        start_talk(p);
}

/* Nobody waits for TCP's answer: on the loopback it is there, and elsewhere the first bytes stay in `out`, or in
 * OpenSSL's hands, until the socket is writable. */
static void start(struct peer *p)
{
    struct err e;
    if (!p->target->url.is_tls) {
        start_talk(p);
    } else if (wire_start_tls(&p->wire, p->target->tls, &e) < 0) {
        end_with(p, e.text);
    } else {
        p->state = PEER_TLS;
        on_handshake(p);
    }
}

static void on_upgraded(struct peer *p)
{
    if (!p->target->login) {
        p->state = PEER_OPEN;
        p->calls->on_open(p);
        return;
    }
    struct buf b = {0};
    struct text_fill fill = {.agent = p->index + (unsigned)p->target->first_agent, .text = span_str("")};
    text_build(&b, p->target->login, &fill);
    p->state = PEER_LOGIN;
    peer_send(p, buf_span(&b));
    buf_fini(&b);
}

/* The bytes of the 101 head, 0 when it is incomplete, -1 when the peer has failed. */
static ssize_t feed_head(struct peer *p, struct span in, const char **why)
{
    static char text[200];
    struct http_head h;
    struct err e;
    char accept[29];
    enum parse r = http_parse_response(in, HEAD_MAX_BYTES, span_str("GET"), &h, &e);
    if (r == PARSE_MORE)
        return 0;
    const struct http_header *a = r == PARSE_DONE ? http_find(&h, "Sec-WebSocket-Accept") : NULL;
    wire_accept_key(span_str(p->key), accept);
    *why = text;
    if (r == PARSE_BAD)
        snprintf(text, sizeof(text), "the answer to the handshake: %.150s", e.text);
    else if (!h.is_websocket)
        snprintf(text, sizeof(text), "the handshake was answered with status %d", h.status);
    else if (!a || !span_is(a->value, accept))
        snprintf(text, sizeof(text), "the handshake's Sec-WebSocket-Accept is wrong");
    else
        return (ssize_t)h.head_bytes;
    return -1;
}

static void on_message(struct peer *p, struct span payload)
{
    if (p->state == PEER_OPEN) {
        p->calls->on_message(p, payload);
    } else if (p->state == PEER_LOGIN) {
        const char *ok = p->target->login_ok;
        if (payload.n && memmem(payload.p, payload.n, ok, strlen(ok))) {
            p->state = PEER_OPEN;
            p->calls->on_open(p);
        }
    }
}

static const char *on_frame(struct peer *p, const struct ws_head *h, struct span payload)
{
    switch ((enum ws_opcode)h->opcode) {
    case WS_PING:
        put_frame(p, WS_PONG, payload);
        flush(p);
        return NULL;
    case WS_PONG:
        return NULL;
    case WS_CLOSE:
        if (p->state != PEER_CLOSING) {
            put_frame(p, WS_CLOSE, payload.n >= 2 ? span_of(payload.p, 2) : payload);
            flush(p);
        }
        return p->state == PEER_CLOSING ? "closed" : "the other side closed";
    default:
        if (h->fin && h->opcode != WS_CONT) {
            on_message(p, payload);
            return NULL;
        }
        if (p->parts.len + payload.n > MESSAGE_MAX_BYTES)
            return "a message is too long";
        buf_append_span(&p->parts, payload);
        if (h->fin) {
            on_message(p, buf_span(&p->parts));
            buf_fini(&p->parts);
        }
        return NULL;
    }
}

/* Answers, one behind the other. */
static size_t feed_http(struct peer *p, struct span in, const char **why)
{
    size_t at = 0;
    while (at < in.n && p->state == PEER_OPEN) {
        size_t used = 0;
        if (!p->is_in_body) {
            struct http_head h;
            struct err e;
            enum parse r = http_parse_response(span_from(in, at), HEAD_MAX_BYTES,
                                               span_str(p->target->post ? "POST" : "GET"), &h, &e);
            if (r == PARSE_MORE)
                return at;
            if (r == PARSE_BAD || h.framing == HTTP_BODY_TO_CLOSE) {
                *why = "an answer is malformed, or ends with the connection";
                return at;
            }
            at += h.head_bytes;
            p->status = h.status;
            p->is_in_body = h.status >= 200;
            http_body_init(&p->body, &h);
        }
        enum parse r = p->is_in_body ? http_body_feed(&p->body, span_from(in, at), &used) : PARSE_MORE;
        at += used;
        if (r == PARSE_BAD)
            *why = "the body of an answer is malformed";
        if (r == PARSE_BAD || (p->is_in_body && r == PARSE_MORE))
            return at;
        if (!p->is_in_body) /* 1xx */
            continue;
        p->is_in_body = false;
        p->calls->on_message(p, span_of("", 0));
    }
    return at;
}

/* Takes what it can; *why is set when the peer is to end. */
static size_t feed(struct peer *p, struct span in, const char **why)
{
    size_t at = 0;
    if (p->target->url.is_http)
        return feed_http(p, in, why);
    if (p->state == PEER_UPGRADING) {
        ssize_t n = feed_head(p, in, why);
        if (n <= 0)
            return 0;
        *why = NULL;
        at = (size_t)n;
        on_upgraded(p);
    }
    while (!*why && p->state != PEER_NONE) {
        struct ws_head h;
        struct span rest = span_from(in, at);
        enum parse r = ws_parse_head(rest, false, &h);
        if (r == PARSE_BAD || (r == PARSE_DONE && h.len > MESSAGE_MAX_BYTES))
            *why = "a frame is malformed or too long";
        if (r != PARSE_DONE || *why || rest.n < h.head_len + h.len)
            break;
        *why = on_frame(p, &h, span_of(rest.p + h.head_len, (size_t)h.len));
        at += h.head_len + (size_t)h.len;
    }
    return at;
}

/* Several reads, since TLS may hold decrypted bytes for which the socket never becomes readable. */
static void on_readable(struct peer *p)
{
    static uint8_t shared[READ_BYTES];
    const char *why = NULL;
    for (;;) {
        ssize_t n = wire_read(&p->wire, shared, sizeof(shared));
        if (n == WIRE_AGAIN)
            return;
        if (n < 0)
            why = p->state == PEER_CLOSING ? "closed" : "the connection was cut";
        else if (p->in.len) {
            buf_append(&p->in, shared, (size_t)n);
            buf_consume(&p->in, feed(p, buf_span(&p->in), &why));
        } else {
            size_t took = feed(p, span_of(shared, (size_t)n), &why);
            if (p->state != PEER_NONE)
                buf_append(&p->in, shared + took, (size_t)n - took);
        }
        if (p->state == PEER_NONE)
            return;
        if (why) {
            end_with(p, why);
            return;
        }
        if (!p->wire.ssl && (size_t)n < sizeof(shared))
            return;
    }
}

/* What ended a connection attempt; 0: nothing did. */
static int connect_error(struct peer *p)
{
    int error = 0;
    socklen_t n = sizeof(error);
    getsockopt(p->src.fd, SOL_SOCKET, SO_ERROR, &error, &n);
    return error ? error : p->error;
}

static void on_ready(struct source *src, uint32_t ready)
{
    struct peer *p = CONTAINER_OF(src, struct peer, src);
    int error = p->state < PEER_LOGIN && (ready & EPOLLERR) ? connect_error(p) : 0;
    if (error) {
        end_with(p, strerror(error));
        return;
    }
    if (p->state == PEER_CONNECTING || p->state == PEER_TLS) {
        p->state == PEER_TLS ? on_handshake(p) : start(p);
        return;
    }
    if (ready & EPOLLOUT)
        flush(p);
    if (p->has_failed)
        end_with(p, p->error ? strerror(p->error) : "the connection was cut");
    else if (ready & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(p);
}

bool peer_is_refused(const struct peer *p, struct span payload)
{
    if (p->target->url.is_http)
        return p->status >= 400;
    return memmem(payload.p, payload.n, "\"error\"", 7) != NULL;
}

void peer_start(struct peer *p, struct loop *l, const struct peer_target *t, const struct peer_calls *calls,
                unsigned index, void *owner)
{
    struct err e;
    int fd = wire_connect(&t->url.to, index, &e);
    *p = (struct peer){.src = {.fd = fd, .on_ready = on_ready},
                       .wire = {.fd = fd},
                       .loop = l,
                       .target = t,
                       .calls = calls,
                       .owner = owner,
                       .index = index,
                       .state = PEER_CONNECTING};
    if (fd < 0) {
        p->state = PEER_NONE;
        calls->on_end(p, e.text);
        return;
    }
    loop_add(l, &p->src, t->url.is_http ? EPOLLOUT : EPOLLIN);
    if (!t->url.is_http) /* its on_open must not come before this returns */
        start(p);
}

/* The HTTP phase: one exchange at a time per client connection, heads checked and sent on byte for byte but for the hop
 * headers, bodies relayed untouched. */
#include "base/clock.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "gate/session.h"

enum { BODY_BYTES_PER_S_MIN = 100 };

void exchange_free(struct session *s)
{
    if (!s->x)
        return;
    buf_fini(&s->x->pending);
    buf_fini(&s->x->query);
    free(s->x);
    s->x = NULL;
}

/* --- local answers --- */

static void write_answer(struct session *s, int status, const char *why, bool keep)
{
    struct buf *b = &s->w->wire, body = {0};
    struct json_out j = {.buf = &body};
    json_obj(&j);
    json_key(&j, "error");
    json_str(&j, why);
    json_key(&j, "status");
    json_int(&j, status);
    json_obj_end(&j);
    buf_reset(b);
    /* without this a browser shows a network error instead of the refusal, and tries again */
    http_write_answer(b, status, "application/json", span_str("Access-Control-Allow-Origin: *\r\n"), buf_span(&body),
                      keep);
    size_t n = s->x && s->x->is_head ? b->len - body.len : b->len;
    buf_fini(&body);
    session_to_client(s, b->data + b->start, n);
}

void http_answer(struct session *s, int status, const char *why)
{
    if (s->x && s->x->has_answer_begun) { /* half an answer is out: only cutting it short tells the client */
        session_end(s, END_BACKEND_ERROR);
        return;
    }
    session_drop_backend(s);
    write_answer(s, status, why, false);
    if (s->state != SS_DEAD)
        session_linger(s, status < 500 ? END_PROTOCOL : END_BACKEND_ERROR);
}

/* --- request --- */

static const char *const drop_always[] = {"X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", NULL};
static const char *const drop_websocket[] = {"X-Forwarded-For", "X-Forwarded-Proto",        "X-Real-IP",
                                             "Forwarded",       "Sec-WebSocket-Extensions", NULL};
static const char *const drop_extensions[] = {"Sec-WebSocket-Extensions", NULL};
static const char *const drop_nothing[] = {NULL};

static void write_request_head(struct session *s, const struct http_head *h, struct span raw)
{
    struct exchange *x = s->x;
    bool forwarded = s->entry->forwarded_headers;
    struct http_edit edit = {.keep_upgrade = x->is_websocket};
    if (x->is_websocket)
        edit.drop = forwarded ? drop_websocket : drop_extensions;
    else
        edit.drop = forwarded ? drop_always : drop_nothing;
    char host[ADDR_TEXT_MAX], line[256];
    if (forwarded) {
        int n = snprintf(line, sizeof(line), "X-Forwarded-For: %s\r\nX-Forwarded-Proto: %s\r\n",
                         host_text(&s->peer, host), s->entry->tls ? "https" : "http");
        edit.add = span_of(line, (size_t)n);
    }
    http_write_head(&x->pending, h, raw, &edit);
}

/* False: answered locally. */
static bool route_request(struct session *s, const struct http_head *h)
{
    struct exchange *x = s->x;
    const struct http_header *override = http_find(h, "X-HTTP-Method-Override");
    char method[32] = "";
    if (override)
        snprintf(method, sizeof(method), "%.*s", (int)MIN_OF(override->value.n, 31u), (const char *) override->value.p);
    struct route r = profile_route(s->entry->profile, h->method, h->target, override ? method : NULL);
    if (r.kind == ROUTE_BAD) {
        counter_add(&s->w->count.http_bad, 1);
        http_answer(s, 400, "the request target can be read in more than one way");
        return false;
    }
    if (r.kind == ROUTE_DENY) {
        counter_add(&s->w->count.http_denied, 1);
        http_answer(s, 403, "this route can carry messages that are not inspected; the gateway refuses it");
        return false;
    }
    x->is_websocket = r.kind == ROUTE_WEBSOCKET && h->wants_websocket;
    if (h->wants_upgrade && !x->is_websocket) {
        counter_add(&s->w->count.http_denied, 1);
        http_answer(s, 403, "an upgrade is only possible to a WebSocket on a chat route of the profile");
        return false;
    }
    x->ws = r.ws;
    x->ws_opcode = r.ws_opcode;
    return true;
}

static bool is_safe(struct span method)
{
    return span_is(method, "GET") || span_is(method, "HEAD") || span_is(method, "OPTIONS");
}

static void begin_exchange(struct session *s, const struct http_head *h, struct span raw)
{
    struct exchange *x = s->x = xcalloc(1, sizeof(*x));
    s->requests++;
    counter_add(&s->w->count.http_requests, 1);
    x->is_old = h->minor == 0; /* its keep-alive would need an answer in its own words */
    x->keep_client = h->keep_alive && !x->is_old && !s->w->is_draining;
    x->is_head = span_is(h->method, "HEAD");
    if (!route_request(s, h))
        return;
    http_body_init(&x->req, h);
    x->req_done = h->framing == HTTP_NO_BODY || (h->framing == HTTP_BODY_LENGTH && !h->content_length);
    x->body_until_ms = s->w->now_ms + s->w->snap->conf->timeouts.request_ms;
    if (x->is_websocket) {
        const uint8_t *q = memchr(h->target.p, '?', h->target.n);
        if (q)
            buf_append(&x->query, q + 1, (size_t)(h->target.p + h->target.n - q) - 1);
    }
    write_request_head(s, h, raw);
    if (s->backend.state == CONN_OPEN) {
        x->may_retry = x->req_done && is_safe(h->method);
        session_set_state(s, SS_RELAY);
        session_set_deadline(s, s->w->snap->conf->timeouts.request_ms);
        session_to_backend(s, x->pending.data + x->pending.start, x->pending.len);
        if (!x->may_retry && s->state == SS_RELAY)
            buf_fini(&x->pending);
    } else {
        session_set_state(s, SS_CONNECT);
        session_connect_backend(s);
    }
}

static size_t read_request_head(struct session *s, struct span in)
{
    struct http_head h;
    struct err e = {{0}};
    int status = 400;
    size_t skip = 0;
    while (skip + 1 < in.n && in.p[skip] == '\r' && in.p[skip + 1] == '\n' && skip < 8)
        skip += 2; /* RFC 9112 2.2: empty lines before a request line */
    switch (http_parse_request(span_from(in, skip), (size_t)s->w->snap->conf->limits.head_bytes, &h, &status, &e)) {
    case PARSE_MORE:
        return 0;
    case PARSE_DONE:
        begin_exchange(s, &h, span_of(in.p + skip, h.head_bytes));
        return skip + h.head_bytes;
    case PARSE_BAD:
        break;
    }
    counter_add(&s->w->count.http_bad, 1);
    log_event(LOG_INFO, "bad_request", "session=%llx status=%d why=\"%s\"", (unsigned long long)s->id, status, e.text);
    http_answer(s, status, e.text);
    return in.n;
}

size_t http_from_client(struct session *s, struct span in)
{
    if (s->state == SS_HEAD)
        return read_request_head(s, in);
    struct exchange *x = s->x;
    if (x->req_done)
        return 0; /* the next request waits for the answer */
    size_t used = 0;
    enum parse p = http_body_feed(&x->req, in, &used);
    if (p == PARSE_BAD) {
        counter_add(&s->w->count.http_bad, 1);
        http_answer(s, 400, "the body's chunks are broken");
        return in.n;
    }
    x->req_done = p == PARSE_DONE;
    /* every piece extends the time, but a trickle runs into body_until_ms */
    x->body_until_ms += (int64_t)used * 1000 / BODY_BYTES_PER_S_MIN;
    int64_t more_ms = s->w->snap->conf->timeouts.request_ms;
    if (!x->req_done)
        more_ms = MAX_OF(MIN_OF(more_ms, x->body_until_ms - s->w->now_ms), 1);
    session_set_deadline(s, more_ms);
    session_to_backend(s, in.p, used);
    return used;
}

/* --- backend --- */

void http_backend_open(struct session *s)
{
    struct exchange *x = s->x;
    session_set_state(s, SS_RELAY);
    session_set_deadline(s, s->w->snap->conf->timeouts.request_ms);
    session_to_backend(s, x->pending.data + x->pending.start, x->pending.len);
    if (s->state != SS_RELAY)
        return;
    buf_fini(&x->pending);
    session_feed_client(s);
}

/* The exchange is over: the next one, or the end. */
static void finish_exchange(struct session *s)
{
    struct exchange *x = s->x;
    bool keep = x->keep_client && x->req_done && !s->client_eof;
    if (!x->keep_backend) {
        conn_close(&s->backend);
        upstream_done(s->entry->upstream, s->server);
        s->server = -1;
    }
    if (keep) {
        exchange_free(s);
        session_set_state(s, SS_HEAD);
        session_set_deadline(s, s->w->snap->conf->timeouts.request_ms);
        session_feed_client(s);
        return;
    }
    session_drop_backend(s);
    session_linger(s, END_DONE);
}

static void become_websocket(struct session *s, const struct http_head *h, struct span raw)
{
    struct exchange *x = s->x;
    const struct http_header *chosen = http_find(h, "Sec-WebSocket-Protocol");
    struct span subprotocol = chosen ? chosen->value : span_of("", 0);
    if (!x->is_websocket || !h->is_websocket || http_find(h, "Sec-WebSocket-Extensions") ||
        !profile_subprotocol_ok(s->entry->profile, x->ws, subprotocol)) {
        log_event(LOG_WARN, "bad_upgrade", "session=%llx upstream=%s", (unsigned long long)s->id,
                  upstream_name(s->entry->upstream));
        http_answer(s, 502, "the backend switched to a protocol that was not asked for");
        return;
    }
    x->has_answer_begun = true;
    session_to_client(s, raw.p, raw.n);
    if (s->state == SS_DEAD)
        return;
    session_set_state(s, SS_WS);
    ws_start(s, buf_span(&x->query));
    exchange_free(s);
    session_feed_client(s);
}

static void relay_response_head(struct session *s, const struct http_head *h, struct span raw)
{
    struct exchange *x = s->x;
    bool interim = h->status < 200;
    x->may_retry = false;
    if (interim && x->is_old)
        return; /* RFC 9110 15.2 */
    if (!interim) {
        x->res_head_done = x->has_answer_begun = true;
        http_body_init(&x->res, h);
        x->res_done = h->framing == HTTP_NO_BODY;
        x->keep_backend = h->keep_alive && h->framing != HTTP_BODY_TO_CLOSE;
        if (h->framing == HTTP_BODY_TO_CLOSE || !x->req_done)
            x->keep_client = false;
        session_set_deadline(s, s->w->snap->conf->timeouts.idle_ms);
    }
    struct http_edit edit = {.drop = drop_nothing};
    if (!interim && !x->keep_client)
        edit.add = span_str("Connection: close\r\n");
    struct buf *b = &s->w->wire;
    buf_reset(b);
    http_write_head(b, h, raw, &edit);
    session_to_client(s, b->data + b->start, b->len);
}

static size_t read_response_head(struct session *s, struct span in)
{
    struct http_head h;
    struct err e = {{0}};
    struct span method = span_str(s->x->is_head ? "HEAD" : "GET");
    switch (http_parse_response(in, (size_t)s->w->snap->conf->limits.head_bytes, method, &h, &e)) {
    case PARSE_MORE:
        return 0;
    case PARSE_BAD:
        log_event(LOG_WARN, "bad_response", "session=%llx upstream=%s why=\"%s\"", (unsigned long long)s->id,
                  upstream_name(s->entry->upstream), e.text);
        counter_add(&s->w->count.backend_failures, 1);
        http_answer(s, 502, "the backend's answer is not valid HTTP");
        return in.n;
    case PARSE_DONE:
        break;
    }
    if (h.status == 101)
        become_websocket(s, &h, span_of(in.p, h.head_bytes));
    else
        relay_response_head(s, &h, span_of(in.p, h.head_bytes));
    if (s->state == SS_RELAY && s->x->res_done) {
        s->x->keep_backend = s->x->keep_backend && in.n == h.head_bytes;
        finish_exchange(s);
    }
    return h.head_bytes;
}

size_t http_from_backend(struct session *s, struct span in)
{
    struct exchange *x = s->x;
    if (!x->res_head_done)
        return read_response_head(s, in);
    size_t used = 0;
    enum parse p = http_body_feed(&x->res, in, &used);
    if (p == PARSE_BAD) {
        session_end(s, END_BACKEND_ERROR);
        return in.n;
    }
    session_to_client(s, in.p, used);
    if (s->state == SS_DEAD)
        return used;
    session_set_deadline(s, s->w->snap->conf->timeouts.idle_ms);
    x->res_done = p == PARSE_DONE;
    if (x->res_done) {
        if (in.n > used)
            x->keep_backend = false; /* bytes that nobody asked for: never taken for the next answer */
        finish_exchange(s);
    }
    return used;
}

void http_backend_ended(struct session *s)
{
    struct exchange *x = s->x;
    if (s->state == SS_DEAD)
        return;
    bool is_idle = s->state != SS_RELAY; /* between exchanges: the next one connects anew */
    bool is_race = !is_idle && x->may_retry && !s->bin.len;
    if (is_idle || is_race) {
        session_drop_backend(s);
        if (s->server >= 0)
            upstream_done(s->entry->upstream, s->server);
        s->server = -1;
        if (is_race) { /* it closed the used connection just when the request came: RFC 9112 9.3.1 */
            x->may_retry = false;
            session_set_state(s, SS_CONNECT);
            session_connect_backend(s);
        }
        return;
    }
    if (x->res_head_done && x->res.framing == HTTP_BODY_TO_CLOSE) {
        x->keep_backend = false;
        finish_exchange(s);
        return;
    }
    counter_add(&s->w->count.backend_failures, 1);
    http_answer(s, 502, "the backend closed the connection without an answer");
}

#include "board/web.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/addr.h"
#include "net/listen.h"
#include "net/tls.h"

enum { TIMEOUT_S = 30 };

static const struct route {
    enum evhttp_cmd_type method;
    const char *path;
    enum scope scope;
    void (*fn)(struct request *r);
} routes[] = {
#define X(method, path, scope, fn) {method, path, scope, fn},
    ROUTES(X)
#undef X
};

/* --- answers --- */

void web_header(struct evhttp_request *http, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(http), name, value);
}

void web_json(struct evhttp_request *http, int code, struct buf *body)
{
    struct evbuffer *out = evbuffer_new();
    web_header(http, "Content-Type", "application/json; charset=utf-8");
    evbuffer_add(out, buf_span(body).p, body->len);
    evhttp_send_reply(http, code, NULL, out);
    evbuffer_free(out);
    buf_fini(body);
}

void web_error(struct evhttp_request *http, int code, const char *word, const char *text)
{
    struct buf b = {0};
    struct json_out j = {&b, false};
    json_obj(&j);
    json_key(&j, "error");
    json_str(&j, word);
    json_key(&j, "message");
    json_str(&j, text);
    json_obj_end(&j);
    web_json(http, code, &b);
}

static void secure_headers(struct request *r)
{
    static const char *const pairs[][2] = {
        {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        web_header(r->http, pairs[i][0], pairs[i][1]);
    if (r->board->tls)
        web_header(r->http, "Strict-Transport-Security", "max-age=31536000");
    if (strncmp(r->path, "/api/", 5) == 0)
        web_header(r->http, "Cache-Control", "no-store");
}

/* --- what a request brings --- */

const char *web_query(const struct request *r, const char *key)
{
    const char *v = evhttp_find_header(r->query, key);
    return v ? v : "";
}

bool web_text(const struct request *r, const char *key, char *out, size_t cap)
{
    uint32_t i = json_member(r->body, 0, span_str(key));
    if (!i || r->body->node[i].kind != JSON_STRING || r->body->node[i].to - r->body->node[i].from > 6 * cap)
        return false;
    uint8_t *text = xmalloc(r->body->node[i].to - r->body->node[i].from + 1);
    size_t n = json_decode(r->body, i, text, NULL);
    bool fits = n < cap;
    if (fits) {
        memcpy(out, text, n);
        out[n] = '\0';
    }
    explicit_bzero(text, n);
    free(text);
    return fits;
}

static const char *header(const struct request *r, const char *name)
{
    const char *v = evhttp_find_header(evhttp_request_get_input_headers(r->http), name);
    return v ? v : "";
}

const char *web_cookie_name(const struct board *b)
{
    return b->set->cookie_secure ? "__Host-chatgate" : "chatgate";
}

static struct span cookie(const struct request *r)
{
    const char *name = web_cookie_name(r->board);
    size_t n = strlen(name);
    for (const char *at = header(r, "Cookie"); *at; at += strcspn(at, ";"), at += *at == ';') {
        at += strspn(at, " ");
        if (strncmp(at, name, n) == 0 && at[n] == '=')
            return span_of(at + n + 1, strcspn(at + n + 1, "; "));
    }
    return (struct span){0};
}

/* Does the path fit? {id} stands for one decoded part. */
static bool fits_path(const char *pattern, const char *path, char id[WEB_ID_MAX])
{
    const char *mark = strstr(pattern, "{id}");
    if (!mark)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(mark - pattern);
    if (strncmp(pattern, path, before) != 0)
        return false;
    size_t n = strcspn(path + before, "/");
    if (!n || n >= WEB_ID_MAX || strcmp(mark + 4, path + before + n) != 0)
        return false;
    char *raw = xmemdup0(path + before, n);
    size_t len = 0;
    char *plain = evhttp_uridecode(raw, 0, &len);
    bool is_fine = plain && len < WEB_ID_MAX && strlen(plain) == len;
    if (is_fine)
        memcpy(id, plain, len + 1);
    free(plain);
    free(raw);
    return is_fine;
}

/* --- may it? --- */

/* A change comes from a page of ours, with the token of its session, or with an API token; as JSON. Answers itself when
 * it does not. */
static bool is_own_change(struct request *r)
{
    const char *site = header(r, "Sec-Fetch-Site");
    bool is_token = r->user && r->user->is_token; /* no browser adds it by itself */
    if (!is_token && *site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        web_error(r->http, 403, "cross_site", "changes are accepted from this site's own pages only");
    } else if (strncmp(header(r, "Content-Type"), "application/json", 16) != 0) {
        web_error(r->http, 415, "content_type", "the body must be application/json");
    } else if (r->login && strcmp(header(r, "X-CSRF-Token"), r->login->csrf) != 0) {
        web_error(r->http, 403, "csrf", "the header X-CSRF-Token must be that of GET /api/v1/session");
    } else {
        return true;
    }
    return false;
}

static void run_change(struct request *r, const struct route *route)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(r->http);
    size_t n = evbuffer_get_length(in);
    struct json_doc doc = {0};
    struct err e;
    struct span text = span_of(evbuffer_pullup(in, -1), n);
    if (!is_own_change(r))
        return;
    if (!n || json_read(&doc, text, 0, &e) != JSON_OK || doc.node[0].kind != JSON_OBJECT) {
        web_error(r->http, 400, "bad_json", "the body must be one JSON object");
    } else {
        r->body = &doc;
        route->fn(r);
    }
    json_doc_fini(&doc);
}

/* Who asks: an API token, which then counts alone, or a login. False: the token is none of ours, and it was answered.
 */
static bool identify(struct request *r)
{
    const char *given = header(r, "Authorization");
    if (!*given) {
        r->login = logins_find(&r->board->logins, r->board->users, cookie(r), clock_mono_ms(), &r->user);
        return true;
    }
    r->user = strncmp(given, "Bearer ", 7) == 0 ? tokens_find(r->board->tokens, span_str(given + 7)) : NULL;
    if (r->user)
        return true;
    r->board->count.login_failures++;
    web_header(r->http, "WWW-Authenticate", "Bearer");
    web_error(r->http, 401, "token", "this token is unknown or has expired");
    return false;
}

static void run_route(struct request *r, const struct route *route)
{
    if (route->scope != SCOPE_NONE && !identify(r)) /* to log in anew needs no token of an old session */
        return;
    if (route->scope != SCOPE_NONE && !r->user)
        web_error(r->http, 401, "login", "log in first");
    else if (route->scope != SCOPE_NONE && !user_may(r->user, route->scope))
        web_error(r->http, 403, "role",
                  r->user->is_token ? "this token has no such scope" : "your role does not allow this");
    else if (route->method == EVHTTP_REQ_POST)
        run_change(r, route);
    else
        route->fn(r);
}

static void dispatch(struct request *r)
{
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!fits_path(routes[i].path, r->path, r->id))
            continue;
        is_known = true;
        if (routes[i].method == r->method) {
            run_route(r, &routes[i]);
            return;
        }
    }
    if (is_known) {
        web_error(r->http, 405, "method", "this method does not fit the path");
    } else if (strncmp(r->path, "/api/", 5) == 0) {
        web_error(r->http, 404, "path", "no such path");
    } else if (r->method == EVHTTP_REQ_GET || r->method == EVHTTP_REQ_HEAD) {
        web_static(r);
    } else {
        web_error(r->http, 405, "method", "pages are read only");
    }
}

/* The answer went out. */
static void on_answered(struct evhttp_request *http, void *ctx)
{
    struct board *b = ctx;
    unsigned class = (unsigned)evhttp_request_get_response_code(http) / 100;
    if (class >= 1 && class <= ARRAY_LEN(b->count.requests))
        b->count.requests[class - 1]++;
}

static void on_request(struct evhttp_request *http, void *ctx)
{
    struct evkeyvalq query = {0};
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL, *text = uri ? evhttp_uri_get_query(uri) : NULL;
    char *from = NULL;
    uint16_t port;
    evhttp_connection_get_peer(evhttp_request_get_connection(http), &from, &port);
    struct request r = {.board = ctx,
                        .http = http,
                        .method = evhttp_request_get_command(http),
                        .path = path ? path : "",
                        .from = from && *from ? from : "local",
                        .query = &query};
    evhttp_request_set_on_complete_cb(http, on_answered, ctx);
    secure_headers(&r);
    if (evhttp_parse_query_str(text ? text : "", &query) != 0)
        web_error(http, 400, "query", "the query cannot be read");
    else
        dispatch(&r);
    evhttp_clear_headers(&query);
}

/* --- life --- */

static struct bufferevent *on_tls_connection(struct event_base *base, void *ctx)
{
    struct board *b = ctx;
    return tls_stream_accept(base, b->tls, BEV_OPT_CLOSE_ON_FREE);
}

static unsigned port_of(int fd)
{
    struct addr a = {.len = sizeof(a.any)};
    if (getsockname(fd, &a.any.sa, &a.len) != 0 || a.any.sa.sa_family == AF_UNIX)
        return 0;
    return a.any.sa.sa_family == AF_INET6 ? ntohs(a.any.in6.sin6_port) : ntohs(a.any.in.sin_port);
}

static void set_up(struct board *b)
{
    evhttp_set_allowed_methods(b->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                            EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_max_headers_size(b->http, WEB_HEAD_MAX);
    evhttp_set_max_body_size(b->http, WEB_BODY_MAX);
    evhttp_set_timeout(b->http, TIMEOUT_S);
    evhttp_set_gencb(b->http, on_request, b);
    if (b->tls)
        evhttp_set_bevcb(b->http, on_tls_connection, b);
}

int web_start(struct board *b, struct err *e)
{
    struct addr a;
    if (b->set->tls.is_on && !(b->tls = tls_server_new(b->set->tls.certificate, b->set->tls.key, e)))
        return -1;
    if (addr_resolve(&b->set->listen, true, &a, e))
        return err_prefix(e, "listen");
    int fd = listen_socket(&a, false, e);
    if (fd < 0)
        return err_prefix(e, "listen %s", b->set->listen.text);
    b->port = port_of(fd);
    struct evconnlistener *l =
        evconnlistener_new(loop_base(b->loop), NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    b->http = evhttp_new(loop_base(b->loop));
    if (!l || !b->http || !evhttp_bind_listener(b->http, l))
        return err_set(e, "listen: out of memory");
    set_up(b);
    return 0;
}

void web_stop(struct board *b)
{
    if (b->http)
        evhttp_free(b->http);
    b->http = NULL;
    if (b->tls)
        tls_server_unref(&b->tls);
}

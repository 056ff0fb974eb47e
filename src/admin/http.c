#include "admin/http.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <unistd.h>

#include "admin/stale.h"
#include "base/xalloc.h"
#include "net/addr.h"

enum { HEAD_MAX = 8192, BODY_MAX = 4096, TIMEOUT_S = 10, BACKLOG = 64 };

struct http_admin {
    struct evhttp *http;
    const struct admin_ops *ops;
    void *ctx;
    unsigned port;
    char *path; /* Unix socket */
};

static void answer(struct evhttp_request *req, int code, const char *type, struct span body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    struct evbuffer *out = evbuffer_new();
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "Connection", "close"); /* a scraper's idle connection is not worth a descriptor */
    if (code == 405)
        evhttp_add_header(headers, "Allow", "GET, HEAD");
    if (out && evhttp_request_get_command(req) != EVHTTP_REQ_HEAD)
        evbuffer_add(out, body.p, body.n);
    evhttp_send_reply(req, code, NULL, out);
    if (out)
        evbuffer_free(out);
}

static void answer_text(struct evhttp_request *req, int code, const char *text)
{
    answer(req, code, "text/plain; charset=utf-8", span_str(text));
}

static void answer_metrics(struct http_admin *h, struct evhttp_request *req)
{
    struct buf out = {0};
    h->ops->metrics(h->ctx, &out);
    answer(req, 200, "text/plain; version=0.0.4; charset=utf-8", buf_span(&out));
    buf_fini(&out);
}

static void answer_ready(struct http_admin *h, struct evhttp_request *req)
{
    const char *why = NULL;
    if (h->ops->is_ready(h->ctx, &why)) {
        answer_text(req, 200, "ready\n");
        return;
    }
    char *text = xasprintf("not ready: %s\n", why ? why : "unknown");
    answer_text(req, 503, text);
    free(text);
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct http_admin *h = arg;
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD)
        answer_text(req, 405, "only GET\n");
    else if (path && strcmp(path, "/metrics") == 0)
        answer_metrics(h, req);
    else if (path && strcmp(path, "/healthz") == 0)
        answer_text(req, 200, "ok\n"); /* the control loop turns, or this would not be sent */
    else if (path && strcmp(path, "/readyz") == 0)
        answer_ready(h, req);
    else
        answer_text(req, 404, "/metrics, /healthz, /readyz\n");
}

static int bind_addr(const struct addr *a, const char *text, unsigned *port, struct err *e)
{
    int fd = socket(a->any.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    struct addr bound = {.len = sizeof(bound.any)};
    if (fd < 0)
        return err_sys(e, "admin: socket");
    bool is_inet = a->any.sa.sa_family != AF_UNIX;
    if ((is_inet && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) ||
        bind(fd, &a->any.sa, a->len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &bound.any.sa, &bound.len) != 0) {
        err_sys(e, "admin: cannot listen on %s", text);
        close(fd);
        return -1;
    }
    *port = !is_inet                             ? 0
            : bound.any.sa.sa_family == AF_INET6 ? ntohs(bound.any.in6.sin6_port)
                                                 : ntohs(bound.any.in.sin_port);
    return fd;
}

static int start_http(struct http_admin *h, struct event_base *base, int fd, struct err *e)
{
    struct evconnlistener *l =
        evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!l) {
        close(fd);
        return err_set(e, "admin: out of memory");
    }
    h->http = evhttp_new(base);
    if (!h->http || !evhttp_bind_listener(h->http, l)) {
        evconnlistener_free(l);
        return err_set(e, "admin: out of memory");
    }
    evhttp_set_allowed_methods(h->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                            EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_max_headers_size(h->http, HEAD_MAX);
    evhttp_set_max_body_size(h->http, BODY_MAX);
    evhttp_set_timeout(h->http, TIMEOUT_S);
    evhttp_set_gencb(h->http, on_request, h);
    return 0;
}

struct http_admin *http_admin_start(struct loop *l, const struct conf_addr *addr, const struct admin_ops *ops,
                                    void *ctx, struct err *e)
{
    struct addr a;
    if (addr_resolve(addr, true, &a, e)) {
        err_prefix(e, "admin");
        return NULL;
    }
    if (addr->path && stale_remove(addr->path, "admin", e))
        return NULL;
    struct http_admin *h = xcalloc(1, sizeof(*h));
    h->ops = ops;
    h->ctx = ctx;
    h->path = addr->path ? xstrdup(addr->path) : NULL;
    int fd = bind_addr(&a, addr->text, &h->port, e);
    if (fd < 0 || start_http(h, loop_base(l), fd, e))
        http_admin_stop(&h);
    else
        log_event(LOG_INFO, "admin", "listening=%s port=%u", addr->text, h->port);
    return h;
}

unsigned http_admin_port(const struct http_admin *h)
{
    return h->port;
}

void http_admin_stop(struct http_admin **h)
{
    struct http_admin *gone = *h;
    *h = NULL;
    if (!gone)
        return;
    if (gone->http) {
        evhttp_free(gone->http);
        if (gone->path)
            unlink(gone->path);
    }
    free(gone->path);
    free(gone);
}

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>

#include "base/hash.h"
#include "board/assets.h"
#include "board/web.h"

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".svg", "image/svg+xml"}};
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end && i < ARRAY_LEN(types); i++)
        if (strcmp(end, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

void web_static(struct request *r)
{
    const char *name = strcmp(r->path, "/") == 0 ? "index.html" : r->path + (*r->path == '/');
    const struct asset *a = asset_find(name);
    char tag[32];
    if (!a) {
        web_error(r->http, 404, "path", "no such page");
        return;
    }
    struct span body = span_of(a->data, a->len);
    snprintf(tag, sizeof(tag), "\"%016llx\"", (unsigned long long)hash_stable(body));
    web_header(r->http, "ETag", tag);
    web_header(r->http, "Cache-Control", "no-cache");
    const char *held = evhttp_find_header(evhttp_request_get_input_headers(r->http), "If-None-Match");
    if (held && strcmp(held, tag) == 0) {
        evhttp_send_reply(r->http, 304, NULL, NULL);
        return;
    }
    struct evbuffer *out = evbuffer_new();
    web_header(r->http, "Content-Type", type_of(name));
    if (r->method != EVHTTP_REQ_HEAD)
        evbuffer_add_reference(out, a->data, a->len, NULL, NULL);
    evhttp_send_reply(r->http, 200, NULL, out);
    evbuffer_free(out);
}

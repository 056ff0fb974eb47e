/* Requests over libevent's HTTP server: routes with the role that each needs, sessions, CSRF tokens, answers. */
#pragma once

#include <event2/http.h>

#include "base/json_out.h"
#include "board/board.h"
#include "proto/json.h"

enum { WEB_BODY_MAX = 8192, WEB_HEAD_MAX = 16384, WEB_ID_MAX = 256 };

struct request {
    struct board *board;
    struct evhttp_request *http;
    enum evhttp_cmd_type method;
    const char *path;
    const char *from;    /* peer's address */
    struct login *login; /* NULL: nobody. Valid until the handler returns, as is `user` */
    const struct user *user;
    char id[WEB_ID_MAX]; /* what stands for {id} */
    struct evkeyvalq *query;
    struct json_doc *body; /* POST: an object; node 0 */
};

/* Of the cookie that holds the session. */
const char *web_cookie_name(const struct board *b);
/* The value of a query's key, or "". */
const char *web_query(const struct request *r, const char *key);
/* A string member of the body, decoded into out; false when it is missing, no string, or longer than cap - 1. */
bool web_text(const struct request *r, const char *key, char *out, size_t cap) MUST_CHECK;

/* Every request is answered exactly once, by one of these; `http` must not be used afterwards. */
void web_json(struct evhttp_request *http, int code, struct buf *body); /* frees the body's memory */
void web_error(struct evhttp_request *http, int code, const char *word, const char *text);
void web_header(struct evhttp_request *http, const char *name, const char *value);

int web_start(struct board *b, struct err *e) MUST_CHECK;
void web_stop(struct board *b);

/* The handlers. X(method, path, least role, function) */
#define ROUTES(X)                                                                                                      \
    X(EVHTTP_REQ_POST, "/api/v1/login", ROLE_NOBODY, api_login)                                                        \
    X(EVHTTP_REQ_GET, "/api/v1/session", ROLE_VIEWER, api_session)                                                     \
    X(EVHTTP_REQ_POST, "/api/v1/logout", ROLE_VIEWER, api_logout)                                                      \
    X(EVHTTP_REQ_GET, "/api/v1/now", ROLE_VIEWER, api_now)                                                             \
    X(EVHTTP_REQ_GET, "/api/v1/events", ROLE_VIEWER, api_events)                                                       \
    X(EVHTTP_REQ_GET, "/api/v1/agents", ROLE_VIEWER, api_agents)                                                       \
    X(EVHTTP_REQ_GET, "/api/v1/agents/{id}", ROLE_VIEWER, api_agent)                                                   \
    X(EVHTTP_REQ_GET, "/api/v1/agents.csv", ROLE_VIEWER, api_agents_csv)                                               \
    X(EVHTTP_REQ_GET, "/api/v1/cases", ROLE_VIEWER, api_cases)                                                         \
    X(EVHTTP_REQ_GET, "/api/v1/cases/{id}", ROLE_VIEWER, api_case)                                                     \
    X(EVHTTP_REQ_POST, "/api/v1/cases/{id}/move", ROLE_SUPERVISOR, api_case_move)                                      \
    X(EVHTTP_REQ_GET, "/api/v1/violations", ROLE_VIEWER, api_violations)                                               \
    X(EVHTTP_REQ_GET, "/api/v1/reminders", ROLE_VIEWER, api_reminders)                                                 \
    X(EVHTTP_REQ_GET, "/api/v1/health", ROLE_ADMIN, api_health)                                                        \
    X(EVHTTP_REQ_GET, "/api/v1/audit", ROLE_ADMIN, api_audit)

#define X(method, path, role, fn) void fn(struct request *r);
ROUTES(X)
#undef X

/* A file of www/, or 404. */
void web_static(struct request *r);

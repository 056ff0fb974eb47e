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
    struct login *login; /* NULL: nobody, or a token's request. Valid until the handler returns, as is `user` */
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

/* The handlers. X(method, path, scope, function) */
#define ROUTES(X)                                                                                                      \
    X(EVHTTP_REQ_POST, "/api/v1/login", SCOPE_NONE, api_login)                                                         \
    X(EVHTTP_REQ_GET, "/api/v1/session", SCOPE_SESSION, api_session)                                                   \
    X(EVHTTP_REQ_POST, "/api/v1/logout", SCOPE_SESSION, api_logout)                                                    \
    X(EVHTTP_REQ_GET, "/api/v1/now", SCOPE_NOW, api_now)                                                               \
    X(EVHTTP_REQ_GET, "/api/v1/events", SCOPE_NOW, api_events)                                                         \
    X(EVHTTP_REQ_GET, "/api/v1/agents", SCOPE_AGENTS, api_agents)                                                      \
    X(EVHTTP_REQ_GET, "/api/v1/agents/{id}", SCOPE_AGENTS, api_agent)                                                  \
    X(EVHTTP_REQ_GET, "/api/v1/agents.csv", SCOPE_AGENTS, api_agents_csv)                                              \
    X(EVHTTP_REQ_GET, "/api/v1/cases", SCOPE_CASES, api_cases)                                                         \
    X(EVHTTP_REQ_POST, "/api/v1/cases", SCOPE_CASES_ACT, api_case_open)                                                \
    X(EVHTTP_REQ_GET, "/api/v1/cases/{id}", SCOPE_CASES, api_case)                                                     \
    X(EVHTTP_REQ_POST, "/api/v1/cases/{id}/move", SCOPE_CASES_ACT, api_case_move)                                      \
    X(EVHTTP_REQ_POST, "/api/v1/cases/{id}/act", SCOPE_CASES_ACT, api_case_act)                                        \
    X(EVHTTP_REQ_GET, "/api/v1/cases/{id}/transcript", SCOPE_TRANSCRIPT, api_case_transcript)                          \
    X(EVHTTP_REQ_GET, "/api/v1/held", SCOPE_HELD, api_held)                                                            \
    X(EVHTTP_REQ_POST, "/api/v1/held/{id}/decide", SCOPE_HELD_DECIDE, api_held_decide)                                 \
    X(EVHTTP_REQ_GET, "/api/v1/violations", SCOPE_VIOLATIONS, api_violations)                                          \
    X(EVHTTP_REQ_POST, "/api/v1/violations/{id}/text", SCOPE_UNMASK, api_violation_text)                               \
    X(EVHTTP_REQ_POST, "/api/v1/violations/{id}/feedback", SCOPE_FEEDBACK, api_violation_feedback)                     \
    X(EVHTTP_REQ_GET, "/api/v1/rules", SCOPE_RULES, api_rules)                                                         \
    X(EVHTTP_REQ_GET, "/api/v1/reminders", SCOPE_REMINDERS, api_reminders)                                             \
    X(EVHTTP_REQ_POST, "/api/v1/reminders/{id}/snooze", SCOPE_SNOOZE, api_reminder_snooze)                             \
    X(EVHTTP_REQ_GET, "/api/v1/health", SCOPE_HEALTH, api_health)                                                      \
    X(EVHTTP_REQ_GET, "/api/v1/audit", SCOPE_AUDIT, api_audit)

#define X(method, path, scope, fn) void fn(struct request *r);
ROUTES(X)
#undef X

/* A file of www/, or 404. */
void web_static(struct request *r);

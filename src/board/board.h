/* chatgate-board: what its parts share. */
#pragma once

#include "board/live.h"
#include "board/logins.h"
#include "board/model.h"
#include "board/password.h"
#include "board/settings.h"
#include "board/tokens.h"
#include "board/users.h"

struct evhttp;
struct http_admin;

struct board_counts {
    uint64_t requests[5]; /* by class of the status, 1xx to 5xx */
    uint64_t login_failures, login_locked;
};

struct board {
    struct loop *loop;
    struct settings *set;
    struct users *users;
    struct tokens *tokens;
    int64_t users_mark, tokens_mark; /* of the files as they were read: read again when this changes */
    struct logins logins;
    struct password_checker *checker;
    struct redis *redis;
    struct model *model;
    struct live live;
    struct evhttp *http;
    struct tls_server *tls;
    struct timer *timer;
    struct http_admin *metrics; /* NULL: none */
    struct board_counts count;
    unsigned port;
};

/* A user or token by the name that a request came with; NULL: gone meanwhile. */
const struct user *board_user(const struct board *b, struct span name);
/* For logs and the audit trail: the role's name, or "token". */
const char *user_role_name(const struct user *u);

/* What was done: one log line, and one entry of the stream `cg:audit` (bounded, without Redis the log line stands
 * alone). Texts of people are escaped in the log. `target` and `why` may be empty. */
struct audit {
    const char *who, *role, *from, *action, *result;
    struct span target, why;
};
void board_audit(struct board *b, const struct audit *a);

/* Who may log in: the users file, one line each, `name:hash:role:teams:shops`; teams and shops are lists with commas or
 * `*` for all; lines that begin with # are comments. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

/* In rising order: whoever may do more may do all of the lesser. */
#define ROLES(X)                                                                                                       \
    X(ROLE_NOBODY, "nobody")         /* not logged in; no role of a file */                                            \
    X(ROLE_AGENT, "agent")           /* sees what rules made of their own messages, and may object */                  \
    X(ROLE_VIEWER, "viewer")         /* looks */                                                                       \
    X(ROLE_SUPERVISOR, "supervisor") /* looks and acts */                                                              \
    X(ROLE_ADMIN, "admin")           /* and sees the machinery and the audit trail */

enum role {
#define X(id, name) id,
    ROLES(X)
#undef X
};
const char *role_name(enum role role);
/* False when it is no role of a file. */
bool role_from_name(struct span name, enum role *out) MUST_CHECK;

/* What may be asked for. X(id, name, the least role that has it); a token has those that it was given. */
#define SCOPES(X)                                                                                                      \
    X(SCOPE_NONE, "none", ROLE_NOBODY)                                                                                 \
    X(SCOPE_SESSION, "session", ROLE_AGENT) /* one's own login: no token's */                                          \
    X(SCOPE_NOW, "now", ROLE_VIEWER)                                                                                   \
    X(SCOPE_AGENTS, "agents", ROLE_VIEWER)                                                                             \
    X(SCOPE_CASES, "cases", ROLE_VIEWER)                                                                               \
    X(SCOPE_CASES_ACT, "cases.act", ROLE_SUPERVISOR)                                                                   \
    X(SCOPE_TRANSCRIPT, "cases.transcript", ROLE_SUPERVISOR)                                                           \
    X(SCOPE_VIOLATIONS, "violations", ROLE_AGENT)                                                                      \
    X(SCOPE_FEEDBACK, "violations.feedback", ROLE_AGENT)                                                               \
    X(SCOPE_UNMASK, "violations.unmask", ROLE_SUPERVISOR)                                                              \
    X(SCOPE_HELD, "held", ROLE_SUPERVISOR)                                                                             \
    X(SCOPE_HELD_DECIDE, "held.decide", ROLE_SUPERVISOR)                                                               \
    X(SCOPE_REMINDERS, "reminders", ROLE_VIEWER)                                                                       \
    X(SCOPE_SNOOZE, "reminders.snooze", ROLE_SUPERVISOR)                                                               \
    X(SCOPE_RULES, "rules", ROLE_VIEWER)                                                                               \
    X(SCOPE_HEALTH, "health", ROLE_ADMIN)                                                                              \
    X(SCOPE_AUDIT, "audit", ROLE_ADMIN)

enum scope {
#define X(id, name, role) id,
    SCOPES(X)
#undef X
        SCOPE_COUNT
};
const char *scope_name(enum scope s);
enum role scope_role(enum scope s);
/* False when it is no scope that a token can have. */
bool scope_from_name(struct span name, enum scope *out) MUST_CHECK;

struct name_list {
    bool is_all;
    size_t n;
    struct span *name;
};

struct user {
    const char *name, *hash; /* hash: crypt(5) */
    enum role role;
    struct name_list teams, shops;
    bool is_token;   /* role is nobody; what it may stands in `scopes` */
    uint32_t scopes; /* bits by enum scope */
};

struct users {
    struct arena arena;
    struct user *list;
    size_t n;
};

enum { USERS_MAX = 10000, USER_NAME_MAX = 64 };

/* NULL: reported, every line with its place. */
struct users *users_load(const char *path, struct err_list *errs);
void users_free(struct users **u);
/* NULL: there is none. */
const struct user *users_find(const struct users *u, struct span name);
/* Letters, digits, dot, dash, underscore, @; at most USER_NAME_MAX. */
bool user_name_fits(struct span name);
bool user_may(const struct user *u, enum scope s);
/* May this user see what belongs to that team and that shop? Both lists must agree. */
bool user_sees(const struct user *u, struct span team, struct span shop);

/* Sets the line of one user and replaces the file in one step (mode 0600 if it is new). A NULL field keeps what is
 * there, or takes `viewer`, `*`, `*`; hash NULL with is_gone removes the user. */
struct user_change {
    const char *name, *hash, *role, *teams, *shops;
    bool is_gone;
};
int users_write(const char *path, const struct user_change *c, struct err *e) MUST_CHECK;

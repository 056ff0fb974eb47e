/* Sessions of logged-in people and locks of names with failed logins. In memory: a restart logs everybody out. */
#pragma once

#include "base/map.h"
#include "board/users.h"

enum { TOKEN_LEN = 64, LOGINS_MAX = 2000, LOCKS_MAX = 10000 };

struct login {
    char token[TOKEN_LEN + 1]; /* in the cookie */
    char csrf[TOKEN_LEN + 1];  /* in the header X-CSRF-Token of every change */
    char name[USER_NAME_MAX + 1];
    uint64_t hash_mark; /* of the password's hash: a new password ends the login */
    int64_t since_ms, used_ms;
};

struct logins {
    struct map by_token, locks;
    int64_t idle_ms, life_ms, lock_tries, lock_ms;
};

/* At LOGINS_MAX the one that was used longest ago ends. Owned by `l`. All times: the monotonic clock. */
struct login *logins_add(struct logins *l, const struct user *u, int64_t now_ms);
/* The login and its user, or NULL: unknown, expired, or the user is gone or has another password. Counts as use. */
struct login *logins_find(struct logins *l, const struct users *users, struct span token, int64_t now_ms,
                          const struct user **user);
void logins_end(struct logins *l, struct login *login);

/* How long logins of this name are still refused; 0: not locked. */
int64_t logins_locked_ms(const struct logins *l, struct span name, int64_t now_ms);
/* A try begins: it counts as failed until logins_succeeded says otherwise, so that tries at the same time count. Names
 * of users always have a place in the table; others only up to LOCKS_MAX names. */
void logins_try(struct logins *l, struct span name, bool is_user, int64_t now_ms);
void logins_succeeded(struct logins *l, struct span name);
/* Forgets what has expired. */
void logins_sweep(struct logins *l, int64_t now_ms);
void logins_fini(struct logins *l);

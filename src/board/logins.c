#include "board/logins.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/xalloc.h"

struct lock {
    int64_t failed, last_ms;
};

static void draw_token(char out[TOKEN_LEN + 1])
{
    rand_hex32(out);
    rand_hex32(out + TOKEN_LEN / 2);
}

static bool is_over(const struct logins *l, const struct login *login, int64_t now_ms)
{
    return now_ms - login->used_ms > l->idle_ms || now_ms - login->since_ms > l->life_ms;
}

static struct login *oldest(const struct logins *l)
{
    struct login *found = NULL;
    size_t pos = 0;
    struct span key;
    void *value;
    while (map_next(&l->by_token, &pos, &key, &value)) {
        struct login *login = value;
        if (!found || login->used_ms < found->used_ms)
            found = login;
    }
    return found;
}

struct login *logins_add(struct logins *l, const struct user *u, int64_t now_ms)
{
    if (l->by_token.len >= LOGINS_MAX)
        logins_end(l, oldest(l));
    struct login *login = xcalloc(1, sizeof(*login));
    draw_token(login->token);
    draw_token(login->csrf);
    snprintf(login->name, sizeof(login->name), "%s", u->name);
    login->hash_mark = hash_stable(span_str(u->hash));
    login->since_ms = login->used_ms = now_ms;
    map_put(&l->by_token, span_str(login->token), login);
    return login;
}

struct login *logins_find(struct logins *l, const struct users *users, struct span token, int64_t now_ms,
                          const struct user **user)
{
    struct login *login = map_get(&l->by_token, token); /* a keyed hash: its timing tells nothing about tokens */
    if (!login)
        return NULL;
    const struct user *u = users_find(users, span_str(login->name));
    if (!u || hash_stable(span_str(u->hash)) != login->hash_mark || is_over(l, login, now_ms)) {
        logins_end(l, login);
        return NULL;
    }
    login->used_ms = now_ms;
    *user = u;
    return login;
}

void logins_end(struct logins *l, struct login *login)
{
    map_del(&l->by_token, span_str(login->token));
    free(login);
}

int64_t logins_locked_ms(const struct logins *l, struct span name, int64_t now_ms)
{
    const struct lock *k = map_get(&l->locks, name);
    if (!k || k->failed < l->lock_tries)
        return 0;
    return MAX_OF(k->last_ms + l->lock_ms - now_ms, 0);
}

void logins_try(struct logins *l, struct span name, bool is_user, int64_t now_ms)
{
    struct lock *k = map_get(&l->locks, name);
    if (!k) {
        if (l->locks.len >= LOCKS_MAX && !is_user)
            return;
        k = xcalloc(1, sizeof(*k));
        map_put(&l->locks, name, k);
    }
    if (now_ms - k->last_ms > l->lock_ms)
        k->failed = 0;
    k->failed++;
    k->last_ms = now_ms;
}

void logins_succeeded(struct logins *l, struct span name)
{
    free(map_del(&l->locks, name));
}

void logins_sweep(struct logins *l, int64_t now_ms)
{
    struct span key;
    void *value;
    for (bool is_more = true; is_more;) {
        is_more = false;
        for (size_t pos = 0; map_next(&l->by_token, &pos, &key, &value);) {
            if (is_over(l, value, now_ms)) {
                logins_end(l, value);
                is_more = true;
                break;
            }
        }
        for (size_t pos = 0; map_next(&l->locks, &pos, &key, &value);) {
            const struct lock *k = value;
            if (now_ms - k->last_ms > l->lock_ms) {
                free(map_del(&l->locks, key));
                is_more = true;
                break;
            }
        }
    }
}

void logins_fini(struct logins *l)
{
    struct span key;
    void *value;
    for (size_t pos = 0; map_next(&l->by_token, &pos, &key, &value);)
        free(value);
    for (size_t pos = 0; map_next(&l->locks, &pos, &key, &value);)
        free(value);
    map_fini(&l->by_token);
    map_fini(&l->locks);
}

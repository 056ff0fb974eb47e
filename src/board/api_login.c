#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "board/web.h"

struct attempt {
    struct board *board;
    struct evhttp_request *http;
    char name[USER_NAME_MAX + 1];
    char *from;
};

static void put_names(struct json_out *j, const char *key, const struct name_list *l)
{
    json_key(j, key);
    if (l->is_all) {
        json_str(j, "*");
        return;
    }
    json_arr(j);
    for (size_t i = 0; i < l->n; i++)
        json_span(j, l->name[i]);
    json_arr_end(j);
}

/* So that a page shows the times of the desk, wherever it is looked at. */
static void put_zone(struct json_out *j, const struct board *b)
{
    char name[SETTINGS_ZONE_MAX];
    json_key(j, "timezone");
    json_str(j, model_zone_name(b->model, name));
    json_key(j, "utc_offset_min");
    json_int(j, model_offset_ms(b->model, clock_wall_ms()) / MINUTE_MS);
}

static void put_session(struct evhttp_request *http, const struct board *b, const struct login *l, const struct user *u)
{
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, "user");
    json_str(&j, u->name);
    json_key(&j, "role");
    json_str(&j, role_name(u->role));
    put_names(&j, "teams", &u->teams);
    put_names(&j, "shops", &u->shops);
    json_key(&j, "scopes");
    json_arr(&j);
    for (int s = SCOPE_SESSION + 1; s < SCOPE_COUNT; s++)
        if (user_may(u, (enum scope)s))
            json_str(&j, scope_name((enum scope)s));
    json_arr_end(&j);
    json_key(&j, "csrf");
    json_str(&j, l->csrf);
    json_key(&j, "amber_ms");
    json_int(&j, b->set->amber_ms);
    json_key(&j, "red_ms");
    json_int(&j, b->set->red_ms);
    put_zone(&j, b);
    json_obj_end(&j);
    web_json(http, 200, &out);
}

static void set_cookie(struct evhttp_request *http, const struct board *b, const char *token, int64_t seconds)
{
    char *text = xasprintf("%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", web_cookie_name(b), token,
                           (long long)seconds, b->set->cookie_secure ? "; Secure" : "");
    web_header(http, "Set-Cookie", text);
    free(text);
}

static void audit_login(struct board *b, const char *name, const char *from, const struct user *u, const char *result)
{
    board_audit(b, &(struct audit){.who = name,
                                   .role = role_name(u ? u->role : ROLE_NOBODY),
                                   .from = from,
                                   .action = "login",
                                   .result = result});
}

static void on_checked(void *ctx, bool is_right)
{
    struct attempt *a = ctx;
    struct board *b = a->board;
    const struct user *u = users_find(b->users, span_str(a->name)); /* the file may have changed meanwhile */
    if (!is_right || !u) {
        b->count.login_failures++;
        audit_login(b, a->name, a->from, u, "refused");
        web_error(a->http, 401, "credentials", "name or password is wrong");
    } else {
        int64_t now = clock_mono_ms();
        logins_succeeded(&b->logins, span_str(a->name));
        audit_login(b, a->name, a->from, u, "ok");
        const struct login *l = logins_add(&b->logins, u, now);
        set_cookie(a->http, b, l->token, b->set->life_ms / 1000);
        put_session(a->http, b, l, u);
    }
    free(a->from);
    free(a);
}

void api_login(struct request *r)
{
    struct board *b = r->board;
    char name[USER_NAME_MAX + 1], password[PASSWORD_MAX + 1], wait[24];
    if (!web_text(r, "user", name, sizeof(name)) || !web_text(r, "password", password, sizeof(password)) ||
        !user_name_fits(span_str(name))) {
        web_error(r->http, 401, "credentials", "name or password is wrong");
        return;
    }
    int64_t now = clock_mono_ms(), locked = logins_locked_ms(&b->logins, span_str(name), now);
    if (locked) {
        explicit_bzero(password, sizeof(password));
        snprintf(wait, sizeof(wait), "%lld", (long long)(locked / 1000 + 1));
        web_header(r->http, "Retry-After", wait);
        b->count.login_locked++;
        audit_login(b, name, r->from, users_find(b->users, span_str(name)), "locked");
        web_error(r->http, 429, "locked", "too many failed logins; try later");
        return;
    }
    const struct user *u = users_find(b->users, span_str(name));
    struct attempt *a = xcalloc(1, sizeof(*a));
    *a = (struct attempt){.board = b, .http = r->http, .from = xstrdup(r->from)};
    memcpy(a->name, name, sizeof(a->name));
    if (password_check(b->checker, u ? u->hash : NULL, span_str(password), on_checked, a)) {
        logins_try(&b->logins, span_str(name), u != NULL, now);
    } else {
        web_error(r->http, 503, "busy", "too many logins at the same time; try again");
        free(a->from);
        free(a);
    }
    explicit_bzero(password, sizeof(password));
}

void api_session(struct request *r)
{
    put_session(r->http, r->board, r->login, r->user); /* a token has no scope for this */
}

void api_logout(struct request *r)
{
    struct buf out = {0};
    board_audit(r->board, &(struct audit){.who = r->user->name,
                                          .role = role_name(r->user->role),
                                          .from = r->from,
                                          .action = "logout",
                                          .result = "ok"});
    logins_end(&r->board->logins, r->login);
    set_cookie(r->http, r->board, "", 0);
    buf_append_str(&out, "{}");
    web_json(r->http, 200, &out);
}

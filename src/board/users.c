#include "board/users.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "board/lines.h"

enum { FIELDS = 5 };

static const char *const role_names[] = {
#define X(id, name) [id] = name,
    ROLES(X)
#undef X
};

static const struct {
    const char *name;
    enum role least;
} scopes[] = {
#define X(id, name, role) [id] = {name, role},
    SCOPES(X)
#undef X
};

const char *scope_name(enum scope s)
{
    return scopes[s].name;
}

enum role scope_role(enum scope s)
{
    return scopes[s].least;
}

bool scope_from_name(struct span name, enum scope *out)
{
    for (size_t i = SCOPE_SESSION + 1; i < ARRAY_LEN(scopes); i++) {
        if (span_is(name, scopes[i].name)) {
            *out = (enum scope)i;
            return true;
        }
    }
    return false;
}

bool user_may(const struct user *u, enum scope s)
{
    return u->is_token ? (u->scopes >> s & 1) != 0 : u->role >= scopes[s].least;
}

const char *role_name(enum role role)
{
    return role_names[role];
}

bool role_from_name(struct span name, enum role *out)
{
    for (size_t i = ROLE_AGENT; i <= ROLE_ADMIN; i++) {
        if (span_is(name, role_names[i])) {
            *out = (enum role)i;
            return true;
        }
    }
    return false;
}

bool user_name_fits(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = name.p[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                       c == '-' || c == '_' || c == '@';
        if (!is_fine)
            return false;
    }
    return name.n > 0 && name.n <= USER_NAME_MAX;
}

/* NULL or what is wrong. */
static const char *read_line(struct users *u, struct span line)
{
    struct span field[FIELDS] = {{0}};
    size_t n = 0;
    struct span rest = line;
    for (; rest.p && n < FIELDS; n++)
        field[n] = span_trim(lines_cut(&rest, ':'));
    struct user *user = &u->list[u->n];
    if (n != FIELDS || rest.p)
        return "must be name:hash:role:teams:shops";
    if (!user_name_fits(field[0]))
        return "the name must be 1 to 64 letters, digits, `.`, `-`, `_`, `@`";
    if (users_find(u, field[0]))
        return "this name stands above already";
    if (field[1].n < 4 || field[1].p[0] != '$')
        return "the hash is none of crypt(5); use chatgate-board passwd";
    if (!role_from_name(field[2], &user->role))
        return "the role must be agent, viewer, supervisor or admin";
    user->name = arena_strdup(&u->arena, field[0]);
    user->hash = arena_strdup(&u->arena, field[1]);
    lines_names(&u->arena, field[3], &user->teams);
    lines_names(&u->arena, field[4], &user->shops);
    u->n++;
    return NULL;
}

static void begin_list(void *ctx, size_t lines)
{
    struct users *u = ctx;
    u->list = xcalloc(MIN_OF(lines, (size_t)USERS_MAX), sizeof(*u->list));
}

static const char *add_line(void *ctx, struct span line)
{
    struct users *u = ctx;
    return u->n < USERS_MAX ? read_line(u, line) : "too many users";
}

struct users *users_load(const char *path, struct err_list *errs)
{
    static const struct lines_reader reader = {begin_list, add_line};
    struct users *u = xcalloc(1, sizeof(*u));
    if (lines_load(path, false, &reader, u, errs) < 0)
        users_free(&u);
    return u;
}

void users_free(struct users **u)
{
    if (!*u)
        return;
    arena_fini(&(*u)->arena);
    free((*u)->list);
    free(*u);
    *u = NULL;
}

const struct user *users_find(const struct users *u, struct span name)
{
    for (size_t i = 0; i < u->n; i++)
        if (span_is(name, u->list[i].name))
            return &u->list[i];
    return NULL;
}

static bool is_listed(const struct name_list *l, struct span name)
{
    for (size_t i = 0; i < l->n && !l->is_all; i++)
        if (span_eq(l->name[i], name))
            return true;
    return l->is_all;
}

bool user_sees(const struct user *u, struct span team, struct span shop)
{
    return is_listed(&u->teams, team) && is_listed(&u->shops, shop);
}

/* --- writing --- */

static struct span pick(const char *given, struct span held, const char *otherwise)
{
    return given ? span_str(given) : held.n ? held : span_str(otherwise);
}

static void append_user(struct buf *out, const struct user_change *c, struct span old)
{
    struct span field[FIELDS] = {{0}};
    for (size_t i = 0; old.p && i < FIELDS; i++)
        field[i] = span_trim(lines_cut(&old, ':'));
    struct span hash = pick(c->hash, field[1], ""), role = pick(c->role, field[2], "viewer");
    struct span teams = pick(c->teams, field[3], "*"), shops = pick(c->shops, field[4], "*");
    buf_printf(out, "%s:%.*s:%.*s:%.*s:%.*s\n", c->name, (int)hash.n, (const char *)hash.p, (int)role.n,
               (const char *)role.p, (int)teams.n, (const char *)teams.p, (int)shops.n, (const char *)shops.p);
}

int users_write(const char *path, const struct user_change *c, struct err *e)
{
    char *text = lines_read(path, true, e);
    if (!text)
        return -1;
    struct buf out = {0};
    bool is_done = false;
    for (struct span rest = span_str(text); rest.p && rest.n;) {
        struct span line = lines_cut(&rest, '\n'), name = span_trim(line);
        if (name.n && name.p[0] != '#' && span_is(lines_cut(&name, ':'), c->name)) {
            is_done = true;
            if (!c->is_gone)
                append_user(&out, c, span_trim(line));
            continue;
        }
        buf_append_span(&out, line);
        buf_append_str(&out, "\n");
    }
    int rc = 0;
    if (!is_done && c->is_gone)
        rc = err_set(e, "%s: no user %s", path, c->name);
    else if (!is_done && !c->hash)
        rc = err_set(e, "%s: no user %s, and no password was given", path, c->name);
    else if (!is_done)
        append_user(&out, c, (struct span){0});
    if (rc == 0)
        rc = lines_replace(path, &out, e);
    buf_fini(&out);
    free(text);
    return rc;
}

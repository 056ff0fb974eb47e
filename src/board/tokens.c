#include "board/tokens.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "board/lines.h"
#include "board/password.h"

enum { FIELDS = 6, TOKENS_MAX = 1000, KNOWN_MAX = 1000 };

struct token {
    struct user user; /* the name is "token:NAME" */
    int64_t expires_ms;
};

struct tokens {
    struct arena arena;
    struct token *list;
    size_t n;
    struct map known; /* texts that were checked before, to their token */
};

static const struct token *by_user_name(const struct tokens *t, struct span name)
{
    for (size_t i = 0; i < t->n; i++)
        if (span_is(name, t->list[i].user.name))
            return &t->list[i];
    return NULL;
}

static bool is_over(const struct token *t)
{
    return t->expires_ms && clock_wall_ms() >= t->expires_ms;
}

/* --- the file --- */

/* False: *wrong is a name that is no scope. */
static bool read_scopes(struct span text, uint32_t *out, struct span *wrong)
{
    enum scope s;
    *out = 0;
    for (struct span rest = text; rest.p && rest.n;) {
        *wrong = span_trim(lines_cut(&rest, ','));
        if (!scope_from_name(*wrong, &s))
            return false;
        *out |= 1U << s;
    }
    return true;
}

/* NULL or what is wrong. */
static const char *read_line(struct tokens *t, struct span line)
{
    struct span field[FIELDS] = {{0}}, rest = line, wrong;
    size_t n = 0;
    uint64_t expires = 0;
    for (; rest.p && n < FIELDS; n++)
        field[n] = span_trim(lines_cut(&rest, ':'));
    struct token *token = &t->list[t->n];
    if (n != FIELDS || rest.p)
        return "must be name:hash:scopes:teams:shops:expires";
    if (!user_name_fits(field[0]))
        return "the name must be 1 to 64 letters, digits, `.`, `-`, `_`, `@`";
    if (field[1].n < 4 || field[1].p[0] != '$')
        return "the hash is none of crypt(5); use chatgate-board token";
    if (!read_scopes(field[2], &token->user.scopes, &wrong))
        return "names a scope that does not exist; `chatgate-board token` lists them";
    if (!span_u64(field[5], &expires) || expires > INT64_MAX / 1000)
        return "the last field must be 0 or seconds since 1970";
    char name[TOKEN_USER_MAX];
    snprintf(name, sizeof(name), "token:%.*s", (int)field[0].n, (const char *)field[0].p);
    if (by_user_name(t, span_str(name)))
        return "this name stands above already";
    token->user.name = arena_strdup(&t->arena, span_str(name));
    token->user.hash = arena_strdup(&t->arena, field[1]);
    token->user.is_token = true;
    lines_names(&t->arena, field[3], &token->user.teams);
    lines_names(&t->arena, field[4], &token->user.shops);
    token->expires_ms = (int64_t)expires * 1000;
    t->n++;
    return NULL;
}

static void begin_list(void *ctx, size_t lines)
{
    struct tokens *t = ctx;
    t->list = xcalloc(MIN_OF(lines, (size_t)TOKENS_MAX), sizeof(*t->list));
}

static const char *add_line(void *ctx, struct span line)
{
    struct tokens *t = ctx;
    return t->n < TOKENS_MAX ? read_line(t, line) : "too many tokens";
}

struct tokens *tokens_load(const char *path, struct err_list *errs)
{
    static const struct lines_reader reader = {begin_list, add_line};
    struct tokens *t = xcalloc(1, sizeof(*t));
    if (lines_load(path, true, &reader, t, errs) < 0)
        tokens_free(&t);
    return t;
}

void tokens_free(struct tokens **tp)
{
    struct tokens *t = *tp;
    *tp = NULL;
    if (!t)
        return;
    map_fini(&t->known);
    arena_fini(&t->arena);
    free(t->list);
    free(t);
}

size_t tokens_count(const struct tokens *t)
{
    return t->n;
}

/* --- finding --- */

/* "cgt_NAME_SECRET" into its parts. */
static bool split(struct span text, struct span *name, char secret[TOKEN_SECRET_LEN + 1])
{
    if (text.n < 4 + 1 + 1 + TOKEN_SECRET_LEN || text.n > TOKEN_TEXT_MAX || memcmp(text.p, "cgt_", 4) != 0 ||
        text.p[text.n - TOKEN_SECRET_LEN - 1] != '_')
        return false;
    *name = span_of(text.p + 4, text.n - 4 - TOKEN_SECRET_LEN - 1);
    memcpy(secret, text.p + text.n - TOKEN_SECRET_LEN, TOKEN_SECRET_LEN);
    secret[TOKEN_SECRET_LEN] = '\0';
    return user_name_fits(*name);
}

const struct user *tokens_find(struct tokens *t, struct span text)
{
    struct span name;
    char secret[TOKEN_SECRET_LEN + 1], user[TOKEN_USER_MAX];
    const struct token *found = map_get(&t->known, text); /* a keyed hash: its timing tells nothing about tokens */
    if (!found && split(text, &name, secret)) {
        snprintf(user, sizeof(user), "token:%.*s", (int)name.n, (const char *)name.p);
        found = by_user_name(t, span_str(user));
        if (found && !password_is(found->user.hash, secret))
            found = NULL;
        if (found && t->known.len < KNOWN_MAX)
            map_put(&t->known, text, (void *)(uintptr_t)found);
        explicit_bzero(secret, sizeof(secret));
    }
    return found && !is_over(found) ? &found->user : NULL;
}

const struct user *tokens_named(const struct tokens *t, struct span user_name)
{
    const struct token *found = by_user_name(t, user_name);
    return found && !is_over(found) ? &found->user : NULL;
}

/* --- writing --- */

static int make(const struct token_change *c, struct buf *out, char text[TOKEN_TEXT_MAX], struct err *e)
{
    char secret[TOKEN_SECRET_LEN + 1], hash[PASSWORD_HASH_MAX];
    rand_hex32(secret);
    rand_hex32(secret + TOKEN_SECRET_LEN / 2);
    if (password_hash_fast(secret, hash, e))
        return -1;
    snprintf(text, TOKEN_TEXT_MAX, "cgt_%s_%s", c->name, secret);
    buf_printf(out, "%s:%s:%s:%s:%s:%" PRId64 "\n", c->name, hash, c->scopes, c->teams ? c->teams : "*",
               c->shops ? c->shops : "*", c->expires_ms / 1000);
    return 0;
}

static int check(const struct token_change *c, struct err *e)
{
    uint32_t bits = 0;
    struct span wrong = {0};
    if (!user_name_fits(span_str(c->name)))
        return err_set(e, "the name must be 1 to %d letters, digits, `.`, `-`, `_`, `@`", USER_NAME_MAX);
    if (c->is_gone)
        return 0;
    if (!c->scopes || !read_scopes(span_str(c->scopes), &bits, &wrong) || !bits) {
        struct buf all = {0};
        for (int s = SCOPE_SESSION + 1; s < SCOPE_COUNT; s++)
            buf_printf(&all, " %s", scope_name((enum scope)s));
        err_set(e, "--scopes: \"%.*s\" is no scope, must be one or more of%s", (int)MIN_OF(wrong.n, 40),
                (const char *)wrong.p, buf_cstr(&all));
        buf_fini(&all);
        return -1;
    }
    if ((c->teams && strpbrk(c->teams, ":\n")) || (c->shops && strpbrk(c->shops, ":\n")))
        return err_set(e, "names of teams and shops must not contain `:`");
    return 0;
}

int tokens_write(const char *path, const struct token_change *c, char out[TOKEN_TEXT_MAX], struct err *e)
{
    if (check(c, e))
        return -1;
    char *text = lines_read(path, true, e);
    if (!text)
        return -1;
    struct buf lines = {0};
    bool is_there = false;
    for (struct span rest = span_str(text); rest.p && rest.n;) {
        struct span line = lines_cut(&rest, '\n'), name = span_trim(line);
        if (name.n && name.p[0] != '#' && span_is(lines_cut(&name, ':'), c->name)) {
            is_there = true;
            continue;
        }
        buf_append_span(&lines, line);
        buf_append_str(&lines, "\n");
    }
    int rc = 0;
    if (!c->is_gone)
        rc = make(c, &lines, out, e);
    else if (!is_there)
        rc = err_set(e, "%s: no token %s", path, c->name);
    if (rc == 0)
        rc = lines_replace(path, &lines, e);
    buf_fini(&lines);
    free(text);
    return rc;
}

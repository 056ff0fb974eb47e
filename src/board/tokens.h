/* API tokens: lines `name:hash:scopes:teams:shops:expires` of the tokens file. A token is `cgt_NAME_SECRET`; of the
 * secret (256 random bits) the file holds a hash (crypt(5), SHA-256), which one check a request can afford. */
#pragma once

#include "board/users.h"

enum {
    TOKEN_SECRET_LEN = 64,
    TOKEN_TEXT_MAX = USER_NAME_MAX + TOKEN_SECRET_LEN + 8,
    TOKEN_USER_MAX = USER_NAME_MAX + 8
};

struct tokens;

/* A missing file is an empty one. NULL: reported, every line with its place. */
struct tokens *tokens_load(const char *path, struct err_list *errs);
void tokens_free(struct tokens **t);
size_t tokens_count(const struct tokens *t);
/* The token as a user named "token:NAME", or NULL: unknown, wrong, or expired. */
const struct user *tokens_find(struct tokens *t, struct span text);
/* The same by its user's name, for an answer that comes later; NULL: it is gone or has expired meanwhile. */
const struct user *tokens_named(const struct tokens *t, struct span user_name);

/* Makes a token, writes its line (replacing one of the same name) and gives its text, which is told once. `scopes`:
 * names with commas; expires_ms 0: never. With is_gone the line is removed. */
struct token_change {
    const char *name, *scopes, *teams, *shops;
    int64_t expires_ms;
    bool is_gone;
};
int tokens_write(const char *path, const struct token_change *c, char out[TOKEN_TEXT_MAX], struct err *e) MUST_CHECK;

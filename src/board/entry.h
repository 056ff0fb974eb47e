/* Entries of the shards' streams, as scripts answer them: {stream id, field, value…}. */
#pragma once

#include "board/model.h"
#include "board/users.h"

/* Empty when it is missing. */
struct span entry_field(const struct redis_reply *row, const char *name);
/* 0 when it is missing or no number. */
int64_t entry_int(const struct redis_reply *row, const char *name);
/* The entries that the user sees, the newest first; the list is freed by the caller, its rows are the gathering's. */
const struct redis_reply **entries_of(const struct gather *g, const struct user *u, size_t *n);
bool entry_is_visible(const struct user *u, const struct redis_reply *row);

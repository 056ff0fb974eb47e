/* chatgate cases VERB …: one case shown, opened or moved. */
#pragma once

#include "base/json_out.h"
#include "track/redis.h"

/* The members of a case, in the order of lua/read.lua. */
enum { CASE_COLUMNS = 17 };
/* Its name in JSON; times end in "_ms". */
const char *case_column_name(size_t column);
/* Writes them all, keys and values, into an open object. */
void case_json_members(struct json_out *j, const struct redis_reply *row);

/* Is this word a verb of `cases` (show, open, ack, wait, solve, close, reopen)? */
bool case_is_verb(const char *word);
/* Runs `cases VERB …`; argv[1] is the verb. Returns the exit code. */
int case_run(int argc, char **argv);

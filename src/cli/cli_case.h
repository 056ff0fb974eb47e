/* chatgate cases VERB …: one case shown, opened or moved. */
#pragma once

#include "base/json_out.h"
#include "track/redis.h"

/* The members of a case, in the order of lua/read.lua. */
enum { CASE_COLUMNS = 21 };
/* Its name in JSON; times end in "_ms". */
const char *case_column_name(size_t column);
/* Writes them all, keys and values, into an open object. */
void case_json_members(struct json_out *j, const struct redis_reply *row);

/* The answer of `read case` for people, or as JSON (cli_case_show.c). */
void case_show_text(const struct redis_reply *r);
void case_show_json(const struct redis_reply *r);

/* Is this word a verb of `cases` (show, open, ack, wait, solve, close, reopen, assign, call, …)? */
bool case_is_verb(const char *word);
struct tracked;
/* The shard of a case id (SHARD-NUMBER). -1: this is none of this deployment (reported). */
int case_shard(struct tracked *t, const char *id);
/* Runs `cases VERB …`; argv[1] is the verb. Returns the exit code. */
int case_run(int argc, char **argv);

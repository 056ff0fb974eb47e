/* What the commands agents, cases and reminders share: options, and reading the tracked state of all shards from
 * Redis. */
#pragma once

#include "base/json_out.h"
#include "conf/conf.h"
#include "track/pseudonym.h"
#include "track/redis.h"

struct tracked_args {
    const char *config; /* --config FILE */
    bool want_json;     /* --json */
    bool want_all;      /* --all */
    int64_t hours;      /* --hours N, 1 to 168 */
    int64_t most;       /* --most N, 1 to 1000 */
    const char *word;   /* the one other argument, or NULL */
};

/* Reads the options; `allowed` names those that the command takes besides --config and --json, for example "--all
 * --most WORD". -1: something else (reported). */
int tracked_read_args(int argc, char **argv, const char *allowed, struct tracked_args *out) MUST_CHECK;

struct tracked;
/* Connects to the Redis of the configuration. NULL: the errors were printed. */
struct tracked *tracked_open(const struct tracked_args *args);
/* The same, also where cg:meta says nothing usable: then tracked_shards is 0. */
struct tracked *tracked_open_any(const struct tracked_args *args);
void tracked_close(struct tracked **t);
struct redis_sync *tracked_redis(struct tracked *t);
const struct conf *tracked_conf(const struct tracked *t);

typedef void (*tracked_fn)(void *ctx, const struct redis_reply *row);
/* Puts a question of lua/read.lua (name and arguments, ended by NULL) to every shard; fn gets each row of the answers,
 * valid during the call. -1: the error was printed. */
int tracked_ask(struct tracked *t, tracked_fn fn, void *ctx, ...) MUST_CHECK __attribute__((sentinel));
/* The pseudonym of a customer or conversation by privacy.key. -1: the key cannot be read (reported). */
int tracked_pseudonym(struct tracked *t, const char *id, char out[PSEUDONYM_MAX]) MUST_CHECK;
/* An entry of the audit stream (cg:audit), as the dashboard writes them. Redis being away by now is no error. */
void tracked_audit(struct tracked *t, const char *who, const char *action, const char *target, const char *why);
/* 0: no gateway has written there yet. */
unsigned tracked_shards(const struct tracked *t);
/* As tracked_ask with another script of src/track/lua. */
int tracked_ask_script(struct tracked *t, tracked_fn fn, void *ctx, const char *script, size_t n_args,
                       const struct span *args) MUST_CHECK;
/* Runs one script of src/track/lua on one shard, arguments ended by NULL. The list it answers, valid until the next
 * call; NULL: the error was printed. */
const struct redis_reply *tracked_run(struct tracked *t, unsigned shard, const char *script, ...)
    __attribute__((sentinel));
/* Rows that are kept, of all shards. */
struct tracked_rows {
    struct redis_reply **row;
    size_t n, cap;
};
/* A tracked_fn; ctx is a struct tracked_rows. */
void tracked_keep(void *ctx, const struct redis_reply *row);
/* Sorts by the number at `column`: `sign` 1 smallest first, -1 largest first. */
void tracked_sort(struct tracked_rows *rows, size_t column, int sign);
void tracked_rows_fini(struct tracked_rows *rows);
/* A column of rows in JSON. */
struct tracked_column {
    const char *key;
    bool is_number;
};
/* The first `most` rows as a list of objects, to standard output. */
void tracked_print_json(const struct tracked_rows *rows, size_t most, const struct tracked_column *column,
                        size_t n_columns);
/* The answers that are stream entries or rows: item `at` as text (empty when missing), as a number (0). */
struct span tracked_text(const struct redis_reply *row, size_t at);
int64_t tracked_int(const struct redis_reply *row, size_t at);

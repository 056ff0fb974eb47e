/* One link to a Redis server (RESP2 over net/stream): login, pipelining, time-outs, reconnecting, scripts. Every
 * command ends exactly once, with a reply or a named error. hiredis is known to redis.c only; the link
 * itself is in redis_link.c. */
#pragma once

#include "base/span.h"
#include "conf/conf.h"
#include "net/stream.h"

#define REDIS_KINDS(X)                                                                                                 \
    X(REDIS_NIL, "nil")                                                                                                \
    X(REDIS_INT, "integer")                                                                                            \
    X(REDIS_TEXT, "string")                                                                                            \
    X(REDIS_STATUS, "status")                                                                                          \
    X(REDIS_ARRAY, "array")                                                                                            \
    X(REDIS_ERROR, "error") /* text begins with a code word: Redis's own, or LINK, TIMEOUT, BUSY of this module */

enum redis_kind {
#define X(id, name) id,
    REDIS_KINDS(X)
#undef X
};

struct redis_reply {
    enum redis_kind kind;
    int64_t integer;
    struct span text; /* TEXT, STATUS, ERROR; NUL-terminated behind its end */
    size_t n;         /* ARRAY */
    struct redis_reply **item;
};

/* Never NULL; valid during the call only. May issue commands, must not free the link. */
typedef void (*redis_fn)(void *ctx, const struct redis_reply *reply);

bool redis_is_error(const struct redis_reply *reply);
/* Is it an error with this code word (`NOSCRIPT`, `LINK`)? */
bool redis_has_code(const struct redis_reply *reply, const char *code);
/* Item `at` of an array, or a nil reply when there is none. */
const struct redis_reply *redis_item(const struct redis_reply *array, size_t at);
/* An integer reply, or a string reply that is a decimal number with an optional sign. False: neither. */
bool redis_get_int(const struct redis_reply *reply, int64_t *out) MUST_CHECK;
const char *redis_kind_name(enum redis_kind kind);
/* The text of an error or string reply for logs: printable ASCII, cut. */
const char *redis_text(const struct redis_reply *reply, char out[160]);
/* A copy that outlives the call; redis_reply_free takes NULL, too. */
struct redis_reply *redis_reply_copy(const struct redis_reply *reply);
void redis_reply_free(struct redis_reply *reply);

struct redis_options {
    const char *host; /* numeric, name, or the path of a Unix socket */
    uint16_t port;
    const char *username, *password_file; /* NULL: no login; the file is read at every connect */
    const char *client_name;              /* for CLIENT LIST; letters, digits, - only */
    int64_t timeout_ms;                   /* to connect, and for the answer to any command */
    struct tls_client *tls;               /* NULL: plain */
    const char *server_name;
};
/* What `redis:` of a configuration says; the strings stay the configuration's. Name and tls are left empty. */
struct redis_options redis_options_of(const struct conf *conf);

struct redis;

/* Starts to connect and goes on for ever, waiting 0.1 to 5 s (with jitter) between attempts. The options' strings are
 * copied. */
struct redis *redis_new(struct loop *l, const struct redis_options *o);
/* Ends all commands with LINK before it returns. */
void redis_free(struct redis **r);
/* fn(ctx) after every login, when scripts are loaded and commands can be sent; at once in the next turn when that is so
 * already. At most 8. */
void redis_on_up(struct redis *r, loop_fn fn, void *ctx);
bool redis_is_up(const struct redis *r);
/* Commands sent and not answered, and their bytes: callers stop at a bound of their own; at 65,536 commands or 64 MiB a
 * command ends with BUSY. */
size_t redis_in_flight(const struct redis *r);
size_t redis_in_flight_bytes(const struct redis *r);
/* Drops the link and connects anew after the usual wait: the server no longer is what we need. */
void redis_reconnect(struct redis *r, const char *why);
/* "" or why the link is down or was lost last. */
const char *redis_last_error(const struct redis *r);
/* Times the link came up. */
uint64_t redis_connects(const struct redis *r);

/* Sends one command; fn is called exactly once, never before this returns. Without a link it ends with LINK: nothing is
 * kept for later. LINK and TIMEOUT say nothing about whether Redis ran the command. fn may be NULL. */
void redis_command(struct redis *r, redis_fn fn, void *ctx, size_t argc, const struct span *argv);
/* As above with C strings, ended by NULL. */
void redis_command_str(struct redis *r, redis_fn fn, void *ctx, ...) __attribute__((sentinel));

/* A Lua script: loaded at every connect (SCRIPT LOAD), called by its SHA-1. `text` must outlive the link. Add before
 * the first loop turn. At most 32. Returns its handle. */
struct redis_script;
struct redis_script *redis_script_add(struct redis *r, const char *text);
/* EVALSHA. On NOSCRIPT (a SCRIPT FLUSH, a new master) the script is loaded again and the call repeated once, so a later
 * call of the same pipeline may overtake it. */
void redis_eval(struct redis *r, redis_fn fn, void *ctx, const struct redis_script *s, size_t n_keys,
                const struct span *keys, size_t n_args, const struct span *args);

/* EVAL, for scripts that run seldom. */
void redis_eval_text(struct redis *r, redis_fn fn, void *ctx, const char *text, size_t n_keys, const struct span *keys,
                     size_t n_args, const struct span *args);

/* For the command line: the same link, waited for. */
struct redis_sync;
/* Connects (with the options' time-out). NULL and err: what was tried and why it failed. */
struct redis_sync *redis_sync_open(const struct redis_options *o, struct err *e);
void redis_sync_close(struct redis_sync **s);
/* The reply, valid until the next call, or NULL and err (an error reply of Redis is a reply, too). */
const struct redis_reply *redis_sync_command(struct redis_sync *s, size_t argc, const struct span *argv, struct err *e);
const struct redis_reply *redis_sync_command_str(struct redis_sync *s, struct err *e, ...) __attribute__((sentinel));
/* Runs a script (EVAL; text as for redis_script_add). */
const struct redis_reply *redis_sync_eval(struct redis_sync *s, const char *text, size_t n_keys,
                                          const struct span *keys, size_t n_args, const struct span *args,
                                          struct err *e);

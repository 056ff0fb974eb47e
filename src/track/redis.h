/* Redis as everything else sees it, be it one server, a master that Sentinels watch, or a Cluster: login, pipelining,
 * time-outs, reconnecting, scripts, and finding the master that serves a key. Every command ends exactly once, with a
 * reply or a named error. RESP2 over net/stream.
 *
 *   redis_send.c ─▶ redis_route.c ─▶ redis_link.c (one connection per master) ─▶ redis_login.c
 *                     ├ redis_sentinel.c: who is the master?        redis.c: the wire, the only file with hiredis
 *                     └ redis_cluster.c: who serves which slot?     redis_sync.c: waited for, for the command line */
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
/* What a script that lists or does something answers; else an error, or what is none of ours. */
bool redis_is_array(const struct redis_reply *reply);
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
/* The value of `name` in the text of INFO: lines `name:value`, ended by CR LF. Empty when it is not there. */
struct span redis_info_field(struct span info, const char *name);

struct redis_options {
    /* One server: */
    const char *host; /* numeric, name, or the path of a Unix socket */
    uint16_t port;
    /* … or Sentinels, which name the master: */
    const struct conf_addr *sentinel;
    size_t n_sentinels;
    const char *master_name;
    const char *sentinel_username, *sentinel_password_file;
    /* … or some nodes of a Cluster: */
    const struct conf_addr *cluster;
    size_t n_cluster;

    const char *username, *password_file; /* NULL: no login; the file is read at every connect */
    const char *client_name;              /* for CLIENT LIST; letters, digits, - only */
    int64_t timeout_ms;                   /* to connect, and for the answer to any command */
    struct tls_client *tls;               /* NULL: plain; for the Sentinels, too */
    const char *server_name;              /* to verify; NULL: each server's host */
};
/* What `redis:` of a configuration says; the strings stay the configuration's. Name and tls are left empty. */
struct redis_options redis_options_of(const struct conf *conf);
struct redis_options redis_options_from(const struct conf_redis *conf);

struct redis;

/* Starts to connect and goes on for ever, waiting 0.1 to 5 s (with jitter) between attempts. The options are copied,
 * but for tls. */
struct redis *redis_new(struct loop *l, const struct redis_options *o);
/* Ends all commands with LINK before it returns. */
void redis_free(struct redis **r);
/* fn(ctx) after every login at a master, when scripts are loaded and commands can be sent, and whenever another server
 * serves something, or the same one with other data (a fail-over, a slot that moved, a changed replication id): what
 * was confirmed may have to be asked anew. At once in the next turn when a master is there already. At most 8. */
void redis_on_up(struct redis *r, loop_fn fn, void *ctx);
/* Is there any master that takes commands? In a Cluster others may be away: redis_is_whole tells. */
bool redis_is_up(const struct redis *r);
/* Is every slot served by a master that we are connected to? */
bool redis_is_whole(const struct redis *r);
/* Commands sent and not answered: callers stop at a bound of their own; at 65,536 commands or 64 MiB on one link a
 * command ends with BUSY. */
size_t redis_in_flight(const struct redis *r);
/* Drops all links and connects anew after the usual wait: the server no longer is what we need. */
void redis_reconnect(struct redis *r, const char *why);
/* "" or why a link is down or was lost last. */
const char *redis_last_error(const struct redis *r);
/* Times a link to a master came up. */
uint64_t redis_connects(const struct redis *r);
/* "127.0.0.1:6379", "master shop of the Sentinels", … for people. */
const char *redis_where(const struct redis *r);

/* The hash slot of a key, as Redis Cluster counts: CRC16 of the part in braces, or of all, modulo 16384. */
unsigned redis_slot(struct span key);
/* Does the master that serves this slot take a command, with fewer than so many bytes unanswered? */
bool redis_can_send(const struct redis *r, unsigned slot, size_t most_bytes);
/* Redis TIME of that master minus this machine's clock, measured at login and every 10 s; 0 until then. */
int64_t redis_clock_offset_ms(const struct redis *r, unsigned slot);
/* The largest of all masters, with its sign. */
int64_t redis_clock_offset_worst_ms(const struct redis *r);

/* Sends one command to the master that serves its key; fn is called exactly once, never before this returns. Without a
 * link it ends with LINK: nothing is kept for later. LINK and TIMEOUT say nothing about whether Redis ran the command,
 * but "LINK not connected" does: it was not sent. In a Cluster MOVED is followed, once the new master is connected;
 * ASK, TRYAGAIN and CLUSTERDOWN are for the caller to wait out. Commands without a key go to any master. fn may be
 * NULL. */
void redis_command(struct redis *r, redis_fn fn, void *ctx, size_t argc, const struct span *argv);
/* As above with C strings, ended by NULL. */
void redis_command_str(struct redis *r, redis_fn fn, void *ctx, ...) __attribute__((sentinel));

/* The masters (1 but in a Cluster), numbered until the next loop turn; the n-th one's address, and a command to it. */
size_t redis_masters(const struct redis *r);
const char *redis_master_name(const struct redis *r, size_t master, char out[80]);
void redis_command_at(struct redis *r, size_t master, redis_fn fn, void *ctx, size_t argc, const struct span *argv);
void redis_command_at_str(struct redis *r, size_t master, redis_fn fn, void *ctx, ...) __attribute__((sentinel));

/* WAIT on the link to the master that serves this key: how many replicas have all that was sent there before. The link
 * takes nothing else meanwhile: keep ms short. */
void redis_wait(struct redis *r, redis_fn fn, void *ctx, struct span key, unsigned replicas, int64_t ms);

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

/* For the command line: the same, waited for. What a Cluster cannot take now (ASK, TRYAGAIN, a master that is away) is
 * tried again for the options' time-out. */
struct redis_sync;
/* Connects, in a Cluster to all masters (with the options' time-out). NULL and err: what was tried and why it failed.
 */
struct redis_sync *redis_sync_open(const struct redis_options *o, struct err *e);
void redis_sync_close(struct redis_sync **s);
/* The reply, valid until the next call, or NULL and err (an error reply of Redis is a reply, too). */
const struct redis_reply *redis_sync_command(struct redis_sync *s, size_t argc, const struct span *argv, struct err *e);
const struct redis_reply *redis_sync_command_str(struct redis_sync *s, struct err *e, ...) __attribute__((sentinel));
/* Runs a script (EVAL; text as for redis_script_add). */
const struct redis_reply *redis_sync_eval(struct redis_sync *s, const char *text, size_t n_keys,
                                          const struct span *keys, size_t n_args, const struct span *args,
                                          struct err *e);
size_t redis_sync_masters(const struct redis_sync *s);
const char *redis_sync_master_name(const struct redis_sync *s, size_t master, char out[80]);
const struct redis_reply *redis_sync_at_str(struct redis_sync *s, size_t master, struct err *e, ...)
    __attribute__((sentinel));

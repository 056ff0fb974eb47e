/* Inside of a link: shared by redis_link.c (connecting, receiving, ending), redis_login.c and redis_send.c. */
#pragma once

#include "base/log.h"
#include "track/redis_wire.h"

enum {
    ON_UP_MAX = 8,
    SCRIPTS_MAX = 32,
    IN_FLIGHT_MAX = 65536,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
};
#define IN_FLIGHT_BYTES_MAX ((size_t)64 << 20)

#define LINK_STATES(X)                                                                                                 \
    X(LINK_WAITING, "waiting")       /* for the next attempt, or for ever when it is being freed */                    \
    X(LINK_CONNECTING, "connecting") /* for the stream to open */                                                      \
    X(LINK_GREETING, "greeting")     /* for the answers to login and script loading */                                 \
    X(LINK_UP, "up")

enum link_state {
#define X(id, name) id,
    LINK_STATES(X)
#undef X
};

struct redis_script {
    const char *text;
    char sha[41]; /* "" before the first load */
};

/* A command from its issue to its callback. */
struct pending {
    redis_fn fn;
    void *ctx;
    struct pending *next;
    int64_t sent_ms;
    size_t bytes;
    char *repeat; /* scripts: the formatted EVALSHA, sent again once after NOSCRIPT */
    struct redis_script *script;
    const char *refusal; /* in the list of refused ones: why */
};

struct pending_list {
    struct pending *first, **last;
    size_t n, bytes;
};

/*  commands ──▶ awaiting (in wire order) ──reply──▶ callback
 *      └ no link ▶ refused ──next turn──▶ callback           */
struct redis {
    struct loop *loop;
    struct redis_options o;
    char *host, *username, *password_file, *client_name, *server_name;
    enum link_state state;
    struct stream *stream;
    struct wire *wire;
    struct pending_list awaiting, refused;
    struct timer *retry, *refuse, *watch, *notify;
    int64_t backoff_ms;
    bool is_busy, want_drop; /* inside on_data; the link is to be dropped at its end */
    char drop_why[200], last_error[200];
    uint64_t connects;
    unsigned greetings; /* answers still awaited while greeting */
    struct redis_script script[SCRIPTS_MAX];
    size_t n_scripts;
    loop_fn up_fn[ON_UP_MAX];
    void *up_ctx[ON_UP_MAX];
    bool up_is_due[ON_UP_MAX];
    size_t n_up;
    struct log_limit limit;
};

void link_set_state(struct redis *r, enum link_state to);
/* Drops the link; in the middle of a callback only when that has returned. */
void link_drop_soon(struct redis *r, const char *why);
/* Login and loading of scripts are through. */
void link_is_up(struct redis *r);

struct pending *link_pending_new(redis_fn fn, void *ctx);
/* Ends it in the next turn; `why` is a literal that begins with a code word. */
void link_refuse(struct redis *r, struct pending *p, const char *why);
/* Writes p->bytes bytes and waits for the answer. */
void link_send(struct redis *r, struct pending *p, const char *wire);

/* AUTH, CLIENT SETNAME, SCRIPT LOAD of all scripts, PING; then link_is_up, or the link is dropped. */
void login_begin(struct redis *r);
void login_load_script(struct redis *r, struct redis_script *s);

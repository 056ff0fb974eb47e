/* Inside of the client. A link is one connection to one server: redis_link.c (connecting, receiving, ending) and
 * redis_login.c (greeting, watching); which servers there are is redis_route.h's. */
#pragma once

#include "track/redis_wire.h"

enum {
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

enum link_role {
    LINK_DATA,     /* to a master */
    LINK_SENTINEL, /* to a Sentinel */
    LINK_SCOUT,    /* to a node of a Cluster that may know the masters */
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
    char *wire; /* kept when it may be sent again: scripts, and all commands in a Cluster */
    struct redis_script *script;
    int slot;
    uint8_t hops;        /* how often it was sent again */
    const char *refusal; /* in the list of refused ones: why */
};

struct pending_list {
    struct pending *first, **last;
    size_t n, bytes;
};
void list_push(struct pending_list *l, struct pending *p);
/* Calls back and frees it. */
void pending_end(struct pending *p, const struct redis_reply *reply);
/* Takes the list as it is now: what callbacks add is for a later turn. text NULL: each one's refusal. */
void list_end(struct pending_list *l, const char *text);

/*  commands ──▶ awaiting (in wire order) ──reply──▶ callback */
struct link {
    struct redis *owner;
    enum link_role role;
    enum link_state state;
    char *host;
    uint16_t port;
    struct stream *stream;
    struct wire *wire;
    struct pending_list awaiting;
    struct timer *retry, *watch, *health;
    int64_t backoff_ms;
    bool is_busy, want_drop; /* inside on_data; the link is to be dropped at its end */
    bool is_dead;            /* out of use, to be freed in the next turn */
    bool is_leaving;         /* dropped on purpose: nothing to complain about */
    char drop_why[200];
    unsigned greetings; /* answers still awaited while greeting */
    int step;           /* of the greeting: login, then scripts, then the clock */
    char replid[48];    /* which data the server has */
    int64_t time_sent_ms, time_due_ms, offset_ms;
    unsigned n_slots; /* Cluster: that it serves */
    struct link *next;
};

/* Connects in the next turn when there is a host; else link_dial tells. host may be NULL. */
struct link *link_new(struct redis *owner, enum link_role role, const char *host, uint16_t port);
/* Connects to this server now, or drops the link first. */
void link_dial(struct link *l, const char *host, uint16_t port);
/* Ends its commands with LINK; freed in a later turn. */
void link_dispose(struct link *l);
void link_free(struct link *l);

void link_set_state(struct link *l, enum link_state to);
/* Drops the link; in the middle of a callback only when that has returned. */
void link_drop_soon(struct link *l, const char *why);
/* Login and loading of scripts are through. */
void link_is_up(struct link *l);
static inline bool link_takes_commands(const struct link *l)
{
    return l && l->state == LINK_UP && !l->want_drop;
}

struct pending *link_pending_new(redis_fn fn, void *ctx);
/* Writes p->bytes bytes and waits for the answer. */
void link_send(struct link *l, struct pending *p, const char *wire);
/* The link's own commands; for callers that know that the stream is open. */
void link_command(struct link *l, redis_fn fn, void *ctx, size_t argc, const struct span *argv);

/* AUTH, CLIENT SETNAME, SCRIPT LOAD of all scripts, PING, then TIME and INFO; then link_is_up, or the link is dropped.
 */
void login_begin(struct link *l);
void login_load_script(struct link *l, struct redis_script *s);
/* Every 2 s while it is up: is it still a master, with the same data, and how late is it? */
void login_on_health(void *link);

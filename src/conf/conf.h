/* The configuration (conf/chatgate.yaml, docs/configuration.md): one immutable object per load. Every key stands in the
 * key table of conf_table.c with type, default, range, whether a reload takes it, and help; `chatgate check` and the
 * generated part of docs/configuration.md come from that table. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/cause.h"
#include "base/err.h"
#include "base/log.h"
#include "conf/measure.h"

struct conf_addr {
    char *text; /* as written; NULL: none */
    char *host; /* numeric, name, or NULL for a Unix socket */
    uint16_t port;
    char *path; /* Unix socket */
};

/* Where a key stands in conf.file, for problems that show only when its file is opened. Line 0: not given. */
struct conf_place {
    int line, col;
};

struct conf_tls {
    bool is_on;
    char *certificate, *key; /* PEM files; server side */
    char *ca;                /* PEM; client side: NULL takes the system's */
    bool verify;             /* client side */
    char *server_name;       /* client side: name to send and verify; NULL: the host */
    struct conf_place place;
};

struct conf_cidr {
    uint8_t addr[16]; /* IPv4 mapped */
    uint8_t bits;     /* of 128 */
};

struct conf_listener {
    char *name;
    struct conf_addr addr; /* "systemd" in addr.text: the inherited socket of that name */
    char *profile, *upstream;
    struct conf_tls tls;
    struct conf_cidr *proxy_protocol_from; /* senders whose PROXY header is read (and required) */
    size_t n_proxy_protocol_from;
    bool forwarded_headers; /* add X-Forwarded-For to the backend's request (default true) */
};

struct conf_upstream {
    char *name;
    struct conf_addr *server;
    size_t n_servers;
    struct conf_tls tls;
    int64_t health_interval_ms, health_timeout_ms;
    int64_t health_fall, health_rise;
};

#define WEBHOOK_KINDS(X)                                                                                               \
    X(WEBHOOK_GENERIC, "generic")   /* JSON with an HMAC-SHA256 signature */                                           \
    X(WEBHOOK_DINGTALK, "dingtalk") /* custom robots of group chats, in their own format */                            \
    X(WEBHOOK_WECOM, "wecom")                                                                                          \
    X(WEBHOOK_FEISHU, "feishu")

enum webhook_kind {
#define X(id, name) id,
    WEBHOOK_KINDS(X)
#undef X
};

struct conf_webhook {
    char *name;
    enum webhook_kind kind;
    char *url, *url_file; /* one of them */
    char *secret_file;    /* NULL: unsigned */
    char **events, **shops;
    size_t n_events, n_shops; /* no shops: all */
    int64_t min_severity, timeout_ms;
    int64_t per_minute; /* 0: what the kind allows */
    char *ca;
};

struct conf_reminder_step {
    int64_t after_ms;
    bool to_supervisor; /* else the agent */
    bool is_call;       /* of a review: by telephone, when the chat stays without an answer */
};

struct conf_quiet_shop {
    char *shop;
    char **hours;
    size_t n_hours;
};

/* One of: a server (addr), a master that Sentinels know, a Cluster. */
struct conf_redis {
    bool is_on;
    struct conf_addr addr;
    struct {
        char *master; /* NULL: no Sentinel */
        struct conf_addr *addr;
        size_t n;
        char *username, *password_file; /* of the Sentinels themselves */
    } sentinel;
    struct {
        struct conf_addr *addr; /* some of its nodes; the others are learned */
        size_t n;
    } cluster;
    char *username, *password_file;
    struct conf_tls tls;
    int64_t shards, wait_replicas, keep_ms, timeout_ms;
};

/* Keys of `tracking` as given: words by number from 1, 0 and NULL: not given. */
struct conf_tracking {
    char *zone;
    int preset, unit, stopper, window_by, within;
    char *window, *horizon;
    int64_t session_gap_ms;
    struct measure measure; /* what comes of them */
};

struct conf {
    char *file; /* where it was read from */
    enum log_level log_level;
    char *node;      /* node id; default: host name */
    int64_t workers; /* 0: one per core */
    struct conf_listener *listener;
    size_t n_listeners;
    struct conf_upstream *upstream;
    size_t n_upstreams;
    char *profiles_dir; /* where NAME.yaml of a listener's profile is */

    struct {
        char **packs; /* files or folders */
        size_t n_packs;
        bool are_named; /* else the default */
        char *local;
        char *preset; /* strict, standard, lenient */
        char **allow_domains;
        size_t n_allow_domains;
    } rules;

    char *directory; /* YAML file, or NULL */
    bool refuse_unknown_agents;
    enum policy policy[CAUSE_COUNT];

    struct {
        int64_t connections, connections_per_address, head_bytes, message_bytes, buffer_bytes;
        int64_t messages_per_s, bytes_per_s; /* per session, 0: no limit */
    } limits;
    struct {
        int64_t connect_ms, handshake_ms, request_ms, idle_ms, drain_ms;
        int64_t websocket_idle_ms; /* 0: never */
    } timeouts;

    struct conf_redis redis;
    struct {
        char *dir;
        int64_t size_bytes; /* per worker */
    } ring;

    struct {
        bool is_kept, is_full; /* texts around hits, for the dashboard: at all; as they were sent, too */
    } violations;

    struct {
        bool is_on;
        char *dir;
        bool is_full; /* texts as they were sent; else masked */
        int64_t max_bytes, keep, sample;
    } capture;

    struct {
        bool is_on, is_full; /* full: as they were sent; else masked */
        int64_t keep_ms;
    } transcripts;

    struct {
        bool is_pseudonymous;
        char *key; /* file with the secret of the pseudonyms */
        struct conf_place key_place;
        int64_t keep_cases_ms, keep_words_ms, keep_events_ms; /* 0: as long as the bounds allow */
    } privacy;

    struct {
        char *key; /* private Ed25519 key, PEM; NULL: nothing is sealed */
        struct conf_place key_place;
        int64_t seal_every_ms;
    } evidence;

    struct {
        int64_t ttl_ms, send_within_ms, keep_ms;
        bool is_sent_on_expiry; /* else refused */
    } hold;

    struct conf_tracking tracking;

    struct {
        struct conf_reminder_step *unanswered; /* a customer without an answer */
        size_t n_unanswered;
        struct conf_reminder_step *stale_case; /* an open case without news */
        size_t n_stale_case;
        int64_t commitment_before_ms;          /* before a promised time */
        struct conf_reminder_step *commitment; /* from the promised time on */
        size_t n_commitment;
        struct conf_reminder_step *cold_case; /* an open case whose customer hears nothing */
        size_t n_cold_case;
        struct conf_reminder_step *review; /* a case about a bad review */
        size_t n_review;
        struct conf_reminder_step *follow_up; /* a case that was solved */
        size_t n_follow_up;
        struct {
            char *time_zone;
            char **hours;
            size_t n_hours;
            struct conf_quiet_shop *shop;
            size_t n_shops;
        } quiet;
        int64_t lease_ms; /* how long a node that took a step may work on it */
    } reminders;

    struct {
        char **allow_hosts;
        size_t n_allow_hosts;
        struct conf_cidr *allow_networks;
        size_t n_allow_networks;
        int64_t retry_for_ms;
        struct conf_webhook *target;
        size_t n_targets;
    } webhooks;

    struct conf_addr admin; /* /metrics, /healthz, /readyz; text NULL: none */
    char *control;          /* control socket path */
    char *control_group;    /* its group, or NULL */

    struct arena arena; /* holds every text and list above */
};

/* Reads and checks a file: 0 and a new object, or -1 with every problem in errs as `file:line:column: key: what is
 * wrong, what was found, what is allowed`. Relative paths are taken from the file's folder. */
int conf_load(const char *path, struct conf **out, struct err_list *errs) MUST_CHECK;
/* The same for commands beside the daemon, whose users may not be allowed to read its keys: files that only the daemon
 * opens are not looked at. */
int conf_load_to_ask(const char *path, struct conf **out, struct err_list *errs) MUST_CHECK;
/* For `chatgate check`: also returns what could be read of a file with errors (texts that could not be read are NULL),
 * so that the rest can be checked in the same run; NULL when the file is no map of keys. Adds to `warnings` what is
 * allowed but seldom meant. */
struct conf *conf_load_for_check(const char *path, struct err_list *errs, struct err_list *warnings);
/* Where the programs look without --config. */
const char *conf_default_path(void);
/* Where shipped rules and profiles are: $CHATGATE_DATA, else where `cmake --install` puts them. */
const char *conf_data_dir(void);
void conf_free(struct conf **c);
/* Names of keys that differ between two configurations but only take effect at a restart, one err_list line each. */
void conf_restart_needed(const struct conf *old, const struct conf *now, struct err_list *keys);
/* Prints the key table (for docs and --help): plain text or Markdown. */
void conf_print_keys(FILE *to, bool markdown);

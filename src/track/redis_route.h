/* Inside of the client: which servers there are and which of them serves a command. */
#pragma once

#include "base/log.h"
#include "track/redis_link.h"
#include "track/redis_slot.h"

enum { ON_UP_MAX = 8, SCRIPTS_MAX = 32, MASTERS_MAX = 128, WHERE_MAX = 120 };

enum topology { TOPOLOGY_SINGLE, TOPOLOGY_SENTINEL, TOPOLOGY_CLUSTER };

struct place {
    char *host;
    uint16_t port;
};

struct redis {
    struct loop *loop;
    enum topology topology;
    char *username, *password_file, *client_name, *server_name;
    char where[WHERE_MAX];
    int64_t timeout_ms;
    struct tls_client *tls;

    struct link *links; /* to masters; the only one, but in a Cluster */
    struct link *dead;  /* to be freed */
    struct pending_list refused;
    struct timer *refuse, *notify, *bury;

    /* the Sentinels, or the Cluster's seeds */
    struct place *place;
    size_t n_places, at_place;
    struct link *guide; /* to a Sentinel; to a scout of a Cluster, when there is one */

    char *master_name, *sentinel_username, *sentinel_password_file;
    bool want_address; /* the link to the master waits for it */

    struct link **slot; /* Cluster: who serves it, NULL nobody */
    struct timer *map;
    bool has_map, is_map_asked, is_map_wanted;
    unsigned n_unserved, n_old_maps, at_link;
    uint64_t epoch, told_epoch;

    struct redis_script script[SCRIPTS_MAX];
    size_t n_scripts;
    loop_fn up_fn[ON_UP_MAX];
    void *up_ctx[ON_UP_MAX];
    bool up_is_due[ON_UP_MAX];
    size_t n_up;
    char last_error[200];
    uint64_t connects;
    struct log_limit limit;
};

/* The link for a slot (SLOT_ANY: one that is up, if there is one), or NULL. */
struct link *route_link(const struct redis *r, int slot);
/* NULL: a command can be sent on it; else why not, beginning with a code word. */
const char *route_why_not(const struct link *l);
/* Ends it in the next turn; `why` is a literal that begins with a code word. */
void route_refuse(struct redis *r, struct pending *p, const char *why);
/* Another server, or other data: tells those who asked by redis_on_up. */
void route_changed(struct redis *r);

/* What links tell. */
void route_link_up(struct link *l);
void route_link_lost(struct link *l, const char *why);
/* Time for the next attempt. False: there is no address yet. */
bool route_choose_address(struct link *l);
/* An answer to p. True: p was sent again, its callback waits. */
bool route_take_over(struct link *l, struct pending *p, const struct redis_reply *reply);

/* redis_sentinel.c */
void sentinel_start(struct redis *r);
void sentinel_is_up(struct link *l);
/* The link to the master needs an address. */
void sentinel_ask(struct redis *r);
/* True: it was no answer, but a message of the subscription. */
bool sentinel_take_push(struct link *l, const struct redis_reply *reply);

/* redis_cluster.c */
void cluster_start(struct redis *r);
void cluster_link_up(struct link *l);
void cluster_link_lost(struct link *l);
/* MOVED: the link to the server that the error names. NULL: the error cannot be read. */
struct link *cluster_moved(struct link *from, int slot, const struct redis_reply *error);
/* The map is old: another one is asked for soon. */
void cluster_want_map(struct redis *r);

/* The receivers of a configuration, and what this node knows of each (inside of webhook*.c). */
#pragma once

#include "base/hist.h"
#include "conf/conf_url.h"
#include "net/tls.h"
#include "track/webhook.h"
#include "track/webhook_body.h"

enum { SECRET_MAX = 512 };

struct webhook_target {
    char *name;
    enum webhook_kind kind;
    struct conf_url url;
    char secret[SECRET_MAX];
    struct tls_client *tls;
    char trouble[200]; /* not "": it cannot be sent to */
    bool wants_reminders, wants_cases;
    int64_t min_severity, timeout_ms;
    unsigned per_minute, per_second; /* 0: no limit */
    char **shop;
    size_t n_shops;
    /* what happened, carried over from the set before */
    int64_t closed_until_ms[2]; /* monotonic; [1] for urgent events */
    char closed_why[16];
    unsigned in_flight;
    struct webhook_counts count;
    char last_error[160];
    struct hist *latency_ms;
};

struct webhook_set {
    unsigned refs;
    int64_t retry_for_ms;
    struct conf_cidr *network;
    size_t n_networks;
    struct webhook_target *target;
    size_t n;
};

/* Reads the files it names; a target that cannot be used is logged and keeps its place. `before` (may be NULL): whose
 * counters go on. */
struct webhook_set *webhook_set_new(const struct conf *conf, struct webhook_set *before);
void webhook_set_ref(struct webhook_set *s);
void webhook_set_unref(struct webhook_set **s);
/* NULL: none of that name. */
struct webhook_target *webhook_set_find(struct webhook_set *s, struct span name);
bool webhook_target_wants(const struct webhook_target *t, struct span kind, int64_t severity, struct span shop);
/* Takes nothing for so long (0: from now on it does); with is_common nothing but urgent events. */
void webhook_target_close(struct webhook_target *t, bool is_common, int64_t ms, struct span why);
int64_t webhook_target_closed_ms(const struct webhook_target *t, bool is_urgent);

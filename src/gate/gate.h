/* The gateway as a whole: workers, the current snapshot, tracking, and what the operator can ask for. Control thread
 * only, unless said otherwise. */
#pragma once

#include <stdatomic.h>

#include "base/json_out.h"
#include "gate/worker.h"
#include "proto/xmpp_token.h"
#include "track/track.h"

#define MODES(X)                                                                                                       \
    X(MODE_ENFORCE, "enforce") /* verdicts are carried out */                                                          \
    X(MODE_OBSERVE, "observe") /* verdicts are recorded, everything is delivered as it came */                         \
    X(MODE_BYPASS, "bypass")   /* nothing is inspected */

enum mode {
#define X(id, name) id,
    MODES(X)
#undef X
};

struct gate {
    char *conf_path;
    char *node_id;
    struct loop *loop; /* control */
    struct snapshot *snap;
    struct conf *started_conf; /* what the daemon was started with: some keys stay as they were there */
    struct worker **worker;
    unsigned n_workers;
    struct node *node;
    struct capture *capture;
    struct alias *alias; /* NULL: customers stand in Redis under their own ids */
    uint8_t xmpp_key[XMPP_KEY_BYTES];
    struct xmpp_ledger *xmpp_ledger; /* NULL: no listener takes XMPP */
    struct track *track;             /* NULL: redis.enabled is false */
    _Atomic int mode;                /* enum mode; read by workers */
    struct timer *mode_timer;
    int64_t mode_until_ms; /* wall time, 0: until changed */
    atomic_uint connections;
    unsigned descriptor_sessions; /* how many sessions the descriptor limit allows */
    struct addr_limit *addr_limit;
    bool is_draining;
    struct timer *drain_timer;
    int64_t drain_deadline_ms;
    int64_t started_ms;
    struct reload *reload;             /* under way; NULL: none */
    struct reload_wish *reload_wishes; /* asked for meanwhile: read once more behind it */
    uint64_t reloads, reloads_failed;
    int64_t last_reload_ms;
    int64_t last_failed_ms;
    char last_reload_error[300];
};

/* Loads the configuration and starts everything. NULL: every problem is in errs. */
struct gate *gate_start(const char *conf_path, struct loop *loop, struct err_list *errs);
/* Reads configuration, rules and certificates anew in a thread of the lowest priority, then hands them to the workers;
 * nothing waits meanwhile, on any error nothing changes. `done` is told on the control thread: rc 0 (errs: keys that
 * need a restart) or -1 with every problem. */
typedef void (*gate_reloaded_fn)(void *ctx, int rc, const struct err_list *errs);
void gate_reload(struct gate *g, gate_reloaded_fn done, void *ctx);
/* Waits for what is under way and gives it up; who asked is told. After the loop has ended. */
void gate_end_reload(struct gate *g);
/* Stops accepting, ends the sessions within the configured time, then stops the control loop. */
void gate_drain(struct gate *g);
/* for_ms 0: until changed again. */
void gate_set_mode(struct gate *g, enum mode m, int64_t for_ms);
const char *mode_name(enum mode m);
/* Ends whatever is left and frees everything. */
void gate_stop(struct gate **g);

/* Any thread: counts a connection against limits.connections. False: refuse it. */
bool gate_admit(struct gate *g, const struct conf *conf);
void gate_leave(struct gate *g);
/* Whether descriptors are left for one more session. */
bool gate_has_room(struct gate *g);
/* The same by the client's address, which behind a balancer is known later (PROXY header). */
bool gate_admit_address(struct gate *g, const struct conf *conf, const struct host *peer);
void gate_leave_address(struct gate *g, const struct host *peer);

/* describe.c: for the heart-beat; the rules' version, and with j their list. */
void gate_describe(void *gate, struct json_out *j);
const char *gate_list_rules(void *gate, struct json_out *j);

/* report.c: for the admin room. */
void gate_report_status(struct gate *g, struct json_out *j);
void gate_report_metrics(struct gate *g, struct buf *out);
/* False with the reason: listeners, rules, and at least one well server of every upstream; never Redis. */
bool gate_is_ready(struct gate *g, const char **why);

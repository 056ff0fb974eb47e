/* The operator's doors: the control socket (docs/operations.md) and the HTTP listener with /metrics, /healthz and
 * /readyz. Both run in the control thread's loop and only through the operations that the daemon supplies. */
#pragma once

#include "base/json_out.h"
#include "conf/conf.h"
#include "net/loop.h"

struct admin;

/* A reload has ended: 0, errs may hold names of keys that need a restart, shown as warnings; or -1 with every problem
 * in errs, and nothing has changed. */
typedef void (*admin_reloaded_fn)(void *done_ctx, int rc, const struct err_list *errs);

/* Called on the control thread; none may block for long. */
struct admin_ops {
    /* Writes one JSON object: the daemon's state. */
    void (*status)(void *ctx, struct json_out *j);
    /* Begins to reload; `done` is told when it has ended, perhaps at once. */
    void (*reload)(void *ctx, admin_reloaded_fn done, void *done_ctx);
    /* Begins to drain; the daemon ends by itself. */
    void (*drain)(void *ctx);
    /* 0, or -1 with what is allowed in err. for_ms 0: until changed again. */
    int (*set_mode)(void *ctx, const char *mode, int64_t for_ms, struct err *e);
    /* Appends the text of /metrics (base/metrics.h). */
    void (*metrics)(void *ctx, struct buf *out);
    /* False, and why. */
    bool (*is_ready)(void *ctx, const char **why);
};

/* Opens the control socket (conf->control) and the HTTP listener (conf->admin, unless none). A socket file that nobody
 * listens on is replaced. NULL and err when one of them cannot be opened. `ops` is copied. */
struct admin *admin_start(struct loop *l, const struct conf *conf, const struct admin_ops *ops, void *ctx,
                          struct err *e);
/* Port of the HTTP listener (the one drawn when port 0 was configured), 0: none. */
unsigned admin_http_port(const struct admin *a);
/* Closes everything and removes the socket file. */
void admin_stop(struct admin **a);

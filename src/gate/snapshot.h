/* All that a reload replaces: configuration, rules, directory, profiles, certificates, upstreams. Immutable and
 * reference-counted. A session keeps its entry alone (profile, upstream, TLS); everything else is looked up in the
 * worker's current one, and the control thread frees what is no longer current. */
#pragma once

#include <stdatomic.h>

#include "conf/conf.h"
#include "conf/directory.h"
#include "net/tls.h"
#include "net/upstream.h"
#include "proto/profile.h"
#include "rule/set.h"

/* One per listener of the configuration, same order. */
struct entry {
    atomic_uint refs;
    char *name;
    bool forwarded_headers;
    struct profile *profile;
    struct upstream *upstream; /* a reference */
    struct tls_server *tls;    /* NULL: plain */
};
/* Any thread. A session holds the entry that it came in by, so that rules and directory of its time can be freed. */
struct entry *entry_ref(struct entry *e);
void entry_unref(struct entry **e);

struct snapshot {
    atomic_uint refs;
    struct conf *conf;
    struct ruleset *rules;
    struct directory *directory;
    struct entry **entry; /* conf->n_listeners */
    struct upstream **upstream;
    size_t n_upstreams;
    int64_t loaded_ms; /* wall time */
};

/* Loads everything that the file names. All problems are reported; on any, *out stays NULL and -1 is returned. `old`
 * (may be NULL): upstreams whose settings did not change are shared with it, health included; listeners cannot change.
 */
int snapshot_load(const char *path, const struct snapshot *old, struct snapshot **out,
                  struct err_list *errs) MUST_CHECK;
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot **s);

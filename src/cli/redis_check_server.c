#include <inttypes.h>

#include "base/clock.h"
#include "cli/redis_check.h"
#include "net/tls.h"
#include "track/redis.h"

enum { OFFSET_MOST_MS = 500, WHERE_MAX = 80, REDIS_MAJOR = 7 };

struct master {
    struct redis_check *c;
    size_t number;
    char name[WHERE_MAX];
};

static int64_t number_of(struct span s, int64_t otherwise)
{
    uint64_t v;
    return span_u64(s, &v) && v <= INT64_MAX ? (int64_t)v : otherwise;
}

/* NULL: the error was reported. `acl`: what it takes, as an ACL rule. */
static const struct redis_reply *ask(const struct master *m, const char *acl, const char *a, const char *b,
                                     const char *arg)
{
    struct err e;
    char text[160];
    const struct redis_reply *r = redis_sync_at_str(m->c->redis, m->number, &e, a, b, arg, NULL);
    if (r && !redis_is_error(r))
        return r;
    if (!r)
        report_problem(&m->c->report, "unreachable", m->name, "%s", e.text);
    else if (redis_has_code(r, "NOPERM"))
        report_problem(&m->c->report, "acl", m->name, "the user may not %s; give it %s", a, acl);
    else
        report_problem(&m->c->report, "command_refused", m->name, "%s: %s", a, redis_text(r, text));
    return NULL;
}

static void check_version(const struct master *m, struct span info)
{
    struct span v = redis_info_field(info, "redis_version");
    const uint8_t *dot = v.n ? memchr(v.p, '.', v.n) : NULL;
    int64_t major = dot ? number_of(span_of(v.p, (size_t)(dot - v.p)), 0) : 0;
    if (major < REDIS_MAJOR)
        report_problem(&m->c->report, "version", m->name, "Redis is version %.*s, must be %d.0 or newer", (int)v.n,
                       (const char *)v.p, REDIS_MAJOR);
}

static void check_durable(const struct master *m, struct span info)
{
    struct report *r = &m->c->report;
    struct span policy = redis_info_field(info, "maxmemory_policy");
    if (policy.n && !span_is(policy, "noeviction"))
        report_problem(
            r, "evicts", m->name,
            "maxmemory-policy is %.*s, must be noeviction: Redis may drop what the gateways already let go of",
            (int)policy.n, (const char *)policy.p);
    if (span_is(redis_info_field(info, "aof_enabled"), "0"))
        report_problem(r, "not_durable", m->name, "appendonly is no, must be yes: a restart loses what was confirmed");
    if (span_is(redis_info_field(info, "aof_last_write_status"), "err"))
        report_problem(r, "disk", m->name,
                       "the append-only file could not be written (full disk?): Redis refuses writes");
    if (span_is(redis_info_field(info, "loading"), "1"))
        report_problem(r, "loading", m->name, "Redis is still reading its data");
    int64_t most = number_of(redis_info_field(info, "maxmemory"), 0);
    int64_t used = number_of(redis_info_field(info, "used_memory"), 0);
    if (most && used > most / 10 * 9)
        report_problem(r, "memory", m->name, "%" PRId64 " of %" PRId64 " bytes are used: at the limit events must wait",
                       used, most);
}

static void check_fsync(const struct master *m)
{
    const struct redis_reply *r = ask(m, "+config|get", "CONFIG", "GET", "appendfsync");
    struct span how = r ? redis_item(r, 1)->text : span_of("", 0);
    if (span_is(how, "no"))
        report_note(&m->c->report, "fsync", m->name,
                    "appendfsync is no: a crash of that machine may lose half a minute; everysec is usual");
}

static void check_truncated(const struct master *m)
{
    const struct redis_reply *r = ask(m, "+config|get", "CONFIG", "GET", "aof-load-truncated");
    if (r && span_is(redis_item(r, 1)->text, "yes"))
        report_note(
            &m->c->report, "truncated", m->name,
            "aof-load-truncated is yes: killed while it writes, Redis keeps half a transaction and counts it at "
            "its second start; set it to no and run redis-repair before each start");
}

static unsigned online_replicas(struct span info, int64_t connected)
{
    unsigned n = 0;
    for (int64_t i = 0; i < MIN_OF(connected, 64); i++) {
        char name[16];
        snprintf(name, sizeof(name), "slave%" PRId64, i);
        struct span line = redis_info_field(info, name);
        n += line.n && memmem(line.p, line.n, "state=online", 12) != NULL;
    }
    return n;
}

static void check_replicas(const struct master *m, struct span info)
{
    struct report *r = &m->c->report;
    const struct conf_redis *conf = &m->c->conf->redis;
    int64_t connected = number_of(redis_info_field(info, "connected_slaves"), 0);
    unsigned online = online_replicas(info, connected);
    if (span_is(redis_info_field(info, "role"), "slave"))
        report_problem(r, "replica", m->name, "is a replica, which takes no events; name the master, or its Sentinels");
    if (online < conf->wait_replicas)
        report_problem(r, "replicas", m->name,
                       "%u replicas are up to date, redis.wait_replicas is %" PRId64 ": records cannot be let go of",
                       online, conf->wait_replicas);
    else if (online && !conf->wait_replicas)
        report_note(
            r, "no_wait", m->name,
            "has %u replicas, but redis.wait_replicas is 0: after a fail-over events older than redis.keep may be "
            "missing",
            online);
    if (!online && (conf->sentinel.n || conf->cluster.n))
        report_problem(r, "no_replica", m->name, "has no replica that could take over");
}

static void check_clock(const struct master *m)
{
    int64_t s, us, before = clock_wall_ms();
    const struct redis_reply *r = ask(m, "+time", "TIME", NULL, NULL);
    int64_t after = clock_wall_ms();
    if (!r || !redis_get_int(redis_item(r, 0), &s) || !redis_get_int(redis_item(r, 1), &us))
        return;
    int64_t off = s * 1000 + us / 1000 - (before + after) / 2;
    if (llabs(off) > OFFSET_MOST_MS + (after - before))
        report_problem(&m->c->report, "clock", m->name,
                       "its clock differs from this machine's by %" PRId64 " ms, should be less than %d", off,
                       OFFSET_MOST_MS);
}

static void check_rights(const struct master *m)
{
    if (ask(m, "+@scripting", "SCRIPT", "LOAD", "return 1") && ask(m, "+wait", "WAIT", "0", "1") &&
        m->c->conf->redis.cluster.n)
        (void)ask(m, "+cluster|info", "CLUSTER", "INFO", NULL);
}

static void check_cluster(const struct master *m)
{
    const struct redis_reply *r = ask(m, "+cluster|info", "CLUSTER", "INFO", NULL);
    if (!r)
        return;
    struct span state = redis_info_field(r->text, "cluster_state");
    if (!span_is(state, "ok"))
        report_problem(&m->c->report, "cluster", m->name, "cluster_state is %.*s, must be ok", (int)state.n,
                       (const char *)state.p);
    int64_t fine = number_of(redis_info_field(r->text, "cluster_slots_ok"), 0);
    if (fine != 16384)
        report_problem(&m->c->report, "cluster", m->name, "%" PRId64 " of 16384 slots are served", fine);
    r = ask(m, "+config|get", "CONFIG", "GET", "cluster-require-full-coverage");
    if (r && span_is(redis_item(r, 1)->text, "yes"))
        report_note(&m->c->report, "full_coverage", m->name,
                    "cluster-require-full-coverage is yes: one master without a replica that is lost stops all shards");
}

static void check_master(struct redis_check *c, size_t number)
{
    struct master m = {.c = c, .number = number};
    redis_sync_master_name(c->redis, number, m.name);
    const struct redis_reply *info = ask(&m, "+info", "INFO", NULL, NULL);
    if (info) {
        struct span text = info->text;
        check_version(&m, text);
        check_durable(&m, text);
        check_replicas(&m, text);
    }
    check_fsync(&m);
    check_truncated(&m);
    check_clock(&m);
    check_rights(&m);
    if (c->conf->redis.cluster.n)
        check_cluster(&m);
}

/* ---- Sentinels ---- */

static void check_sentinel(struct redis_check *c, const struct conf_addr *at, struct tls_client *tls,
                           char named[WHERE_MAX])
{
    const struct conf_redis *conf = &c->conf->redis;
    struct redis_options o = {.host = at->host,
                              .port = at->port,
                              .username = conf->sentinel.username,
                              .password_file = conf->sentinel.password_file,
                              .client_name = "chatgate-cli",
                              .timeout_ms = conf->timeout_ms,
                              .tls = tls,
                              .server_name = conf->tls.server_name};
    struct err e;
    char text[160], master[WHERE_MAX] = "";
    struct redis_sync *s = redis_sync_open(&o, &e);
    const struct redis_reply *r =
        s ? redis_sync_command_str(s, &e, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", conf->sentinel.master, NULL) : NULL;
    if (!r)
        report_problem(&c->report, "sentinel", at->text, "%s", e.text);
    else if (redis_is_error(r))
        report_problem(&c->report, "sentinel", at->text, "SENTINEL GET-MASTER-ADDR-BY-NAME: %s", redis_text(r, text));
    else if (r->kind != REDIS_ARRAY)
        report_problem(&c->report, "sentinel", at->text, "knows no master \"%s\"", conf->sentinel.master);
    else
        snprintf(master, sizeof(master), "%.60s:%.6s", redis_item(r, 0)->text.p, redis_item(r, 1)->text.p);
    if (*master && !*named)
        snprintf(named, WHERE_MAX, "%s", master);
    else if (*master && strcmp(master, named) != 0)
        report_problem(&c->report, "sentinel", at->text, "says that the master is %s, another one says %s", master,
                       named);
    redis_sync_close(&s);
}

static void check_sentinels(struct redis_check *c)
{
    const struct conf_redis *conf = &c->conf->redis;
    struct tls_client *tls = NULL;
    struct err e;
    char named[WHERE_MAX] = "";
    if (conf->tls.is_on && !(tls = tls_client_new(conf->tls.ca, conf->tls.verify, &e)))
        return; /* the masters would not have been reached */
    for (size_t i = 0; i < conf->sentinel.n; i++)
        check_sentinel(c, &conf->sentinel.addr[i], tls, named);
    if (conf->sentinel.n < 3)
        report_note(&c->report, "sentinels", conf->sentinel.master,
                    "%zu Sentinels are configured: three in different places survive the loss of one",
                    conf->sentinel.n);
    tls_client_unref(&tls);
}

void check_servers(struct redis_check *c)
{
    for (size_t i = 0, n = redis_sync_masters(c->redis); i < n; i++)
        check_master(c, i);
    if (c->conf->redis.sentinel.n)
        check_sentinels(c);
}

/* What the pump asks when a link comes up: shard count, schema, settings. */
#include <inttypes.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/log.h"
#include "track/pump_lane.h"

enum { META_RETRY_MS = 1000 };

static void refuse_meta(struct pump *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void refuse_meta(struct pump *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->trouble, sizeof(p->trouble), fmt, ap);
    va_end(ap);
    if (!p->is_refused_told)
        log_event(LOG_ERROR, "pump_refused", "why=\"%s\" then=\"events stay in the rings\"", p->trouble);
    p->is_refused_told = true;
}

static bool is_passing(const struct redis_reply *reply)
{
    static const char *const codes[] = {"LINK", "TIMEOUT", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (redis_has_code(reply, codes[i]))
            return true;
    return false;
}

/* The count that stands in Redis decides; rings made for another one wait. */
static void on_meta(void *ctx, const struct redis_reply *reply)
{
    struct pump *p = ctx;
    p->is_meta_asked = false;
    p->meta_retry_ms = clock_mono_ms() + META_RETRY_MS;
    if (is_passing(reply))
        return; /* what is known holds */
    p->meta_shards = 0;
    int64_t shards, version;
    const struct redis_reply *schema = redis_item(reply, 1);
    char text[160];
    if (redis_is_error(reply)) {
        refuse_meta(p, "cg:meta cannot be read: %s", redis_text(reply, text));
    } else if (span_is(redis_item(reply, 0)->text, "moving")) {
        refuse_meta(p, "a reshard is under way, or was broken off: `chatgate redis reshard` ends it");
    } else if (!redis_get_int(redis_item(reply, 0), &shards) || shards < 1 || shards > RING_SHARDS_MAX) {
        refuse_meta(p, "cg:meta could not be written, or its shards are no number from 1 to %d", RING_SHARDS_MAX);
    } else if (!redis_get_int(schema, &version) || llabs(version - SCHEMA_VERSION) > 1) {
        refuse_meta(p, "cg:meta: version is \"%s\", this program writes %d and lives with one more or less",
                    redis_text(schema, text), SCHEMA_VERSION);
    } else {
        if (version < SCHEMA_VERSION) /* so that the next version finds its neighbour */
            redis_command_str(p->o.redis, NULL, NULL, "HSET", SCHEMA_META_KEY, "version", p->schema, NULL);
        p->meta_shards = (unsigned)shards;
        p->is_meta_fresh = true;
        p->trouble[0] = 0;
        if (shards != p->o.n_shards)
            refuse_meta(p, "redis.shards is %u, but cg:meta in Redis says %" PRId64 ", which cannot be changed",
                        p->o.n_shards, shards);
        else
            p->is_refused_told = false;
    }
}

void pump_ask_meta(struct pump *p)
{
    char shards[16];
    snprintf(shards, sizeof(shards), "%u", p->o.n_shards);
    p->is_meta_asked = true;
    redis_command_str(p->o.redis, NULL, NULL, "HSETNX", SCHEMA_META_KEY, "shards", shards, NULL);
    redis_command_str(p->o.redis, NULL, NULL, "HSETNX", SCHEMA_META_KEY, "version", p->schema, NULL);
    redis_command_str(p->o.redis, on_meta, p, "HMGET", SCHEMA_META_KEY, "shards", "version", NULL);
}

/* Settings under which Redis may drop what it has confirmed. Said at every connect, since they can change. */
static void on_info(void *ctx, const struct redis_reply *reply)
{
    (void)ctx;
    if (redis_is_error(reply))
        return; /* not allowed to ask: nothing to say */
    struct span policy = redis_info_field(reply->text, "maxmemory_policy");
    if (policy.n && !span_is(policy, "noeviction"))
        log_event(LOG_WARN, "redis_may_evict", "maxmemory_policy=%.*s wanted=noeviction", (int)MIN_OF(policy.n, 40),
                  (const char *)policy.p);
    if (span_is(redis_info_field(reply->text, "aof_enabled"), "0"))
        log_event(LOG_WARN, "redis_not_durable", "appendonly=no wanted=yes");
}

void pump_ask_info(struct pump *p)
{
    p->info_connects = redis_connects(p->o.redis);
    for (size_t i = 0, n = redis_masters(p->o.redis); i < n; i++)
        redis_command_at_str(p->o.redis, i, on_info, NULL, "INFO", NULL);
}

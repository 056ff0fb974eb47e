/* What the pump asks a server when the link comes up: shard count, schema, clock, settings. */
#include <inttypes.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/log.h"
#include "track/pump_lane.h"

enum { META_RETRY_MS = 1000, TIME_EVERY_MS = 10000, SLOW_TRIP_MS = 50, OFFSET_WARN_MS = 500 };

static void refuse_meta(struct pump *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void refuse_meta(struct pump *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->trouble, sizeof(p->trouble), fmt, ap);
    va_end(ap);
    p->meta_retry_ms = clock_mono_ms() + META_RETRY_MS;
    if (!p->is_refused_told)
        log_event(LOG_ERROR, "pump_refused", "why=\"%s\" then=\"events stay in the rings\"", p->trouble);
    p->is_refused_told = true;
}

/* The count that stands in Redis decides; rings made for another one wait. */
static void on_meta(void *ctx, const struct redis_reply *reply)
{
    struct pump *p = ctx;
    p->is_meta_asked = false;
    if (redis_has_code(reply, "LINK") || redis_has_code(reply, "TIMEOUT"))
        return;
    int64_t shards, version;
    const struct redis_reply *schema = redis_item(reply, 1);
    char text[160];
    if (redis_is_error(reply)) {
        refuse_meta(p, "cg:meta cannot be read: %s", redis_text(reply, text));
    } else if (!redis_get_int(redis_item(reply, 0), &shards) || shards < 1 || shards > RING_SHARDS_MAX) {
        refuse_meta(p, "cg:meta could not be written, or its shards are no number from 1 to %d", RING_SHARDS_MAX);
    } else if (!redis_get_int(schema, &version) || llabs(version - SCHEMA_VERSION) > 1) {
        refuse_meta(p, "cg:meta: version is \"%s\", this program writes %d and lives with one more or less",
                    redis_text(schema, text), SCHEMA_VERSION);
    } else {
        p->meta_shards = (unsigned)shards;
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

/* Redis TIME against the middle of the round trip (as Cristian 1989); a slow round trip says too little. */
static void on_time(void *ctx, const struct redis_reply *reply)
{
    struct pump *p = ctx;
    int64_t s, us, now = clock_wall_ms();
    p->is_time_asked = false;
    if (!redis_get_int(redis_item(reply, 0), &s) || !redis_get_int(redis_item(reply, 1), &us))
        return;
    if (p->has_offset && now - p->time_sent_ms > SLOW_TRIP_MS)
        return;
    p->offset_ms = s * 1000 + us / 1000 - (now + p->time_sent_ms) / 2;
    p->has_offset = true;
    if (llabs(p->offset_ms) > OFFSET_WARN_MS)
        log_event(LOG_WARN, "redis_clock_offset", "ms=%" PRId64 " limit=%d", p->offset_ms, OFFSET_WARN_MS);
}

void pump_ask_time(struct pump *p, int64_t now_ms)
{
    p->is_time_asked = true;
    p->time_due_ms = now_ms + TIME_EVERY_MS;
    p->time_sent_ms = clock_wall_ms();
    redis_command_str(p->o.redis, on_time, p, "TIME", NULL);
}

/* The value of `name` in the text of INFO: lines `name:value`, ended by CR LF. */
static struct span info_field(struct span info, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < info.n;) {
        const uint8_t *end = memchr(info.p + i, '\n', info.n - i);
        struct span line = span_of(info.p + i, end ? (size_t)(end - info.p) - i : info.n - i);
        i += line.n + 1;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n > n && line.p[n] == ':' && memcmp(line.p, name, n) == 0)
            return span_from(line, n + 1);
    }
    return span_of("", 0);
}

/* Settings under which Redis may drop what it has confirmed. Said at every connect, since they can change. */
static void on_info(void *ctx, const struct redis_reply *reply)
{
    (void)ctx;
    if (redis_is_error(reply))
        return; /* not allowed to ask: nothing to say */
    struct span policy = info_field(reply->text, "maxmemory_policy");
    if (policy.n && !span_is(policy, "noeviction"))
        log_event(LOG_WARN, "redis_may_evict", "maxmemory_policy=%.*s wanted=noeviction", (int)MIN_OF(policy.n, 40),
                  (const char *)policy.p);
    if (span_is(info_field(reply->text, "aof_enabled"), "0"))
        log_event(LOG_WARN, "redis_not_durable", "appendonly=no wanted=yes");
}

void pump_ask_info(struct pump *p)
{
    redis_command_str(p->o.redis, on_info, p, "INFO", NULL);
}

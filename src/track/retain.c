#include "track/retain.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "track/schema.h"
#include "track/script.h"

enum { FIRST_MS = 2000, EVERY_MS = 60000, NUMBER_LEN = 24, KINDS = 3 };

struct retain {
    struct retain_options o;
    struct redis_script *script;
    struct timer *timer;
    char keep[KINDS][NUMBER_LEN];
    bool is_needed;
    struct log_limit limit;
};

static void on_answer(void *ctx, const struct redis_reply *reply)
{
    struct retain *r = ctx;
    char text[160];
    if (redis_is_error(reply) && !redis_has_code(reply, "LINK"))
        log_event_limited(&r->limit, LOG_WARN, "retain_trouble", "error=\"%s\"", redis_text(reply, text));
}

static void on_time(void *ctx)
{
    struct retain *r = ctx;
    struct span args[KINDS];
    timer_start(r->timer, EVERY_MS, false);
    for (size_t i = 0; i < KINDS; i++)
        args[i] = span_str(r->keep[i]);
    for (unsigned shard = 0; r->is_needed && redis_is_up(r->o.redis) && shard < r->o.n_shards; shard++) {
        struct schema_keys keys;
        schema_apply_keys(shard, &keys);
        redis_eval(r->o.redis, on_answer, r, r->script, SCHEMA_KEY_COUNT, keys.span, KINDS, args);
    }
}

void retain_reconfigure(struct retain *r, const struct conf *conf)
{
    const int64_t keep_ms[KINDS] = {conf->privacy.keep_cases_ms, conf->privacy.keep_words_ms,
                                    conf->privacy.keep_events_ms};
    r->is_needed = false;
    for (size_t i = 0; i < KINDS; i++) {
        snprintf(r->keep[i], NUMBER_LEN, "%" PRId64, keep_ms[i]);
        r->is_needed = r->is_needed || keep_ms[i];
    }
}

struct retain *retain_start(const struct retain_options *o)
{
    struct retain *r = xcalloc(1, sizeof(*r));
    r->o = *o;
    retain_reconfigure(r, o->conf);
    r->o.conf = NULL;
    r->script = redis_script_add(o->redis, script_text("retain"));
    r->timer = timer_new(o->loop, on_time, r);
    timer_start(r->timer, FIRST_MS, false);
    return r;
}

void retain_stop(struct retain **rp)
{
    struct retain *r = *rp;
    if (!r)
        return;
    timer_free(&r->timer);
    free(r);
    *rp = NULL;
}

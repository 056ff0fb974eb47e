#include "track/beat.h"

#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "track/script.h"

enum { BEAT_MS = 5000, VERSION_MAX = 32 };

struct beat {
    struct beat_options o;
    char *node_id;
    struct redis_script *script;
    struct timer *timer, *soon;
    char told[VERSION_MAX], telling[VERSION_MAX]; /* version of the rules whose list Redis has; is being given */
    struct log_limit limit;
};

static void on_beat(void *ctx, const struct redis_reply *reply)
{
    struct beat *b = ctx;
    int64_t has_rules = 0;
    char text[160];
    if (redis_get_int(reply, &has_rules)) {
        snprintf(b->told, sizeof(b->told), "%s", has_rules ? b->telling : "");
        return;
    }
    b->told[0] = '\0';
    if (!redis_has_code(reply, "LINK"))
        log_event_limited(&b->limit, LOG_WARN, "beat_failed", "error=\"%s\"", redis_text(reply, text));
}

static void beat(void *ctx)
{
    struct beat *b = ctx;
    if (!redis_is_up(b->o.redis))
        return;
    struct buf state = {0}, rules = {0};
    struct json_out js = {&state, false}, jr = {&rules, false};
    b->o.state(b->o.ctx, &js);
    const char *version = b->o.rules(b->o.ctx, NULL);
    if (strcmp(b->told, version) != 0)
        b->o.rules(b->o.ctx, &jr);
    char key[sizeof(BEAT_RULES_PREFIX) + VERSION_MAX];
    snprintf(key, sizeof(key), BEAT_RULES_PREFIX "%.*s", VERSION_MAX - 1, version);
    snprintf(b->telling, sizeof(b->telling), "%s", version);
    struct span keys[] = {span_str(BEAT_AT_KEY), span_str(BEAT_STATE_KEY), span_str(key)};
    struct span args[] = {span_str(b->node_id), buf_span(&state), buf_span(&rules)};
    redis_eval(b->o.redis, on_beat, b, b->script, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
    buf_fini(&state);
    buf_fini(&rules);
}

void beat_now(struct beat *b)
{
    if (b)
        timer_fire_soon(b->soon);
}

static void on_up(void *ctx)
{
    beat_now(ctx);
}

struct beat *beat_start(const struct beat_options *o)
{
    struct beat *b = xcalloc(1, sizeof(*b));
    b->o = *o;
    b->node_id = xstrdup(o->node_id);
    b->script = redis_script_add(o->redis, script_text("node_beat"));
    b->timer = timer_new(o->loop, beat, b);
    b->soon = timer_new(o->loop, beat, b);
    timer_start(b->timer, BEAT_MS, true);
    redis_on_up(o->redis, on_up, b);
    return b;
}

void beat_stop(struct beat **bp)
{
    struct beat *b = *bp;
    *bp = NULL;
    if (!b)
        return;
    timer_free(&b->timer);
    timer_free(&b->soon);
    free(b->node_id);
    free(b);
}

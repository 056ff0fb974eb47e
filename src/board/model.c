#include "board/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "board/model_read.h"
#include "net/loop.h"
#include "track/schema.h"
#include "track/script.h"

enum {
    TICK_MS = 1000,
    LOOK_MS = 15000,   /* reading goes on for so long after somebody looked */
    NODE_TICKS = 2,    /* gateways' heart-beats */
    SESSION_TICKS = 4, /* every agent's sessions are read once in so many ticks */
    HOUR_TICKS = 8,    /* and the current hour's figures */
    SWEEP_FIRST = 32,  /* closed hours and shards a tick, until all were read once */
    SWEEP_LATER = 1    /* after that: late events may still change them */
};

static const char *const count_names[] = {
#define X(id, name) [id] = name,
    COUNTS(X)
#undef X
};

const char *count_name(enum count c)
{
    return count_names[c];
}

int64_t row_int(const struct redis_reply *row, size_t at)
{
    int64_t v = 0;
    return redis_get_int(redis_item(row, at), &v) ? v : 0;
}

struct span row_text(const struct redis_reply *row, size_t at)
{
    const struct redis_reply *r = redis_item(row, at);
    return r->kind == REDIS_TEXT ? r->text : (struct span){(const uint8_t *)"", 0};
}

/* --- the day --- */

void model_turn_day(struct model *m)
{
    int64_t first;
    if (!model_zones_turn(m, &first))
        return;
    if (first < m->first_hour || !m->first_hour || !m->is_swept) {
        m->sweep = 0;
        m->is_swept = false;
    }
    model_recount(m, first);
}

/* --- one question, one answer --- */

struct question {
    struct model *m;
    unsigned shard, hour;
    uint64_t tick;
    void (*take)(struct model *m, unsigned shard, unsigned hour, const struct redis_reply *reply);
};

static void forget_left(struct model *m)
{
    for (size_t i = 0; i < m->n_left; i++) {
        free(m->left[i].key);
        free(m->left[i].team);
        free(m->left[i].shop);
    }
    m->n_left = 0;
}

static void end_tick(struct model *m)
{
    m->failed_ticks += !m->was_complete;
    if (m->was_complete) {
        m->complete_ms = m->redis_now_ms;
        m->is_fresh = true;
    }
    model_count_waiting(m);
    m->publish(m->ctx);
    forget_left(m);
    if (m->was_complete && !m->had_agents && m->agents.len)
        timer_fire_soon(m->timer);
}

static void on_answer(void *ctx, const struct redis_reply *reply)
{
    struct question *q = ctx;
    struct model *m = q->m;
    if (!redis_is_array(reply) || !reply->n) {
        char text[160];
        log_event_limited(&m->limit, LOG_WARN, "redis_read", "shard=%u error=\"%s\"", q->shard,
                          redis_text(reply, text));
        m->was_complete = false;
    } else {
        int64_t now = 0;
        if (redis_get_int(redis_item(reply, 0), &now) && now > m->redis_now_ms)
            m->redis_now_ms = now;
        q->take(m, q->shard, q->hour, reply);
    }
    free(q);
    if (--m->pending == 0)
        end_tick(m);
}

static void ask(struct model *m, struct question like, const struct redis_script *s, size_t n, const struct span *args)
{
    struct schema_keys keys;
    schema_apply_keys(like.shard, &keys);
    struct question *q = xmalloc(sizeof(*q));
    *q = like;
    q->m = m;
    m->pending++;
    m->calls++;
    redis_eval(m->redis, on_answer, q, s, SCHEMA_KEY_COUNT, keys.span, n, args);
}

static void ask_waiting(struct model *m, unsigned shard)
{
    char most[16];
    snprintf(most, sizeof(most), "%d", WAITING_MOST);
    struct span args[] = {span_str("waiting"), span_str(most)};
    ask(m, (struct question){.shard = shard, .take = model_take_waiting}, m->read, 2, args);
}

static void ask_sessions(struct model *m, unsigned shard)
{
    struct span args[] = {span_str("sessions")};
    ask(m, (struct question){.shard = shard, .take = model_take_sessions}, m->read, 1, args);
}

static void ask_open(struct model *m, unsigned shard)
{
    char since[24];
    snprintf(since, sizeof(since), "%" PRId64, m->redis_now_ms - m->set->open_ms);
    struct span args[] = {span_str("open"), span_str(since)};
    ask(m, (struct question){.shard = shard, .take = model_take_open}, m->extra, 2, args);
}

static void ask_sizes(struct model *m, unsigned shard)
{
    struct span args[] = {span_str("sizes")};
    ask(m, (struct question){.shard = shard, .take = model_take_sizes}, m->extra, 1, args);
}

static void ask_hour(struct model *m, unsigned shard, unsigned hour)
{
    char number[24];
    size_t n = 2, pos = 0;
    struct span key;
    void *value;
    struct span *args = xcalloc(m->agents.len + 2, sizeof(*args));
    snprintf(number, sizeof(number), "%u", hour);
    args[0] = span_str("hour");
    args[1] = span_str(number);
    while (map_next(&m->agents, &pos, &key, &value))
        args[n++] = key;
    if (n > 2)
        ask(m, (struct question){.shard = shard, .hour = hour, .take = model_take_hour}, m->extra, n, args);
    free(args);
}

/* --- the tick --- */

static void ask_closed_hours(struct model *m, unsigned closed, unsigned most)
{
    unsigned all = closed * (unsigned)m->n_shards;
    for (unsigned i = 0; i < most && all; i++) {
        if (m->sweep >= all) {
            m->sweep = 0;
            m->is_swept = true;
            if (i)
                return;
        }
        ask_hour(m, m->sweep % (unsigned)m->n_shards, (unsigned)m->first_hour + m->sweep / (unsigned)m->n_shards);
        m->sweep++;
    }
    if (!all)
        m->is_swept = true;
}

/* From the first one to the present one. */
static unsigned hours_to_read(const struct model *m)
{
    int64_t hours = m->redis_now_ms / HOUR_MS - m->first_hour + 1;
    return hours < 0 ? 0 : (unsigned)MIN_OF(hours, DAY_HOURS_MAX);
}

static void run_tick(struct model *m)
{
    bool is_first = !m->is_fresh || (!m->had_agents && m->agents.len);
    if (!m->had_agents) { /* without agents there are no figures; with the first one the reading begins */
        m->had_agents = m->agents.len > 0;
        m->is_swept = !m->had_agents;
    }
    unsigned hours = m->had_agents ? hours_to_read(m) : 0;
    m->tick++;
    m->was_complete = true;
    m->is_cut = false;
    m->pending++; /* so that it does not end before all is asked */
    for (unsigned s = 0; s < m->n_shards; s++) {
        if (is_first || s % SESSION_TICKS == m->tick % SESSION_TICKS)
            ask_sessions(m, s);
        ask_waiting(m, s);
        if (is_first || s == m->tick % (uint64_t)m->n_shards)
            ask_open(m, s), ask_sizes(m, s);
        if (hours && (is_first || s % HOUR_TICKS == m->tick % HOUR_TICKS))
            ask_hour(m, s, (unsigned)m->first_hour + hours - 1);
    }
    if (hours > 0)
        ask_closed_hours(m, hours - 1, m->is_swept ? SWEEP_LATER : SWEEP_FIRST);
    m->pending--;
    if (is_first || m->tick % NODE_TICKS == 0)
        nodes_ask(&m->nodes);
}

static void on_meta(void *ctx, const struct redis_reply *reply)
{
    struct model *m = ctx;
    int64_t shards = 0, version = 0;
    m->pending = 0;
    bool is_known = reply->kind == REDIS_ARRAY && redis_get_int(redis_item(reply, 0), &shards) &&
                    redis_get_int(redis_item(reply, 1), &version);
    m->is_empty = reply->kind == REDIS_ARRAY && redis_item(reply, 0)->kind == REDIS_NIL;
    if (!is_known || shards < 1 || shards > 1024) {
        log_event_limited(&m->limit, LOG_WARN, "redis_meta",
                          "error=\"cg:meta has no shards: no gateway was here yet\"");
    } else if (version > SCHEMA_VERSION + 1) {
        log_event_limited(&m->limit, LOG_ERROR, "redis_meta", "error=\"schema version %" PRId64 " is newer than %d\"",
                          version, SCHEMA_VERSION);
    } else {
        m->n_shards = shards;
        m->is_empty = false;
        m->shard = xcalloc((size_t)shards, sizeof(*m->shard));
        model_poke(m);
        return;
    }
    m->publish(m->ctx);
}

static void tick(struct model *m)
{
    if (!redis_is_up(m->redis)) {
        m->was_complete = m->is_fresh = m->is_empty = false;
        m->publish(m->ctx);
        return;
    }
    if (!m->n_shards) {
        m->pending = 1;
        redis_command_str(m->redis, on_meta, m, "HMGET", SCHEMA_META_KEY, "shards", "version", NULL);
        return;
    }
    if (!m->redis_now_ms || !m->is_fresh)
        m->redis_now_ms = MAX_OF(m->redis_now_ms, clock_wall_ms()); /* until Redis says */
    model_turn_day(m);
    run_tick(m);
}

static void on_timer(void *ctx)
{
    struct model *m = ctx;
    if (m->pending)
        return; /* Redis takes its time; the link's time-out ends it */
    if (clock_mono_ms() - m->wanted_ms > LOOK_MS)
        m->is_fresh = false;
    else
        tick(m);
}

void model_poke(struct model *m)
{
    if (!m->pending)
        tick(m);
}

void model_keep(struct model *m)
{
    m->wanted_ms = clock_mono_ms();
}

void model_want(struct model *m)
{
    bool was_idle = clock_mono_ms() - m->wanted_ms > LOOK_MS;
    model_keep(m);
    if (was_idle) {
        m->is_fresh = false;
        model_poke(m);
    }
}

/* --- life --- */

static void on_up(void *ctx)
{
    struct model *m = ctx;
    if (clock_mono_ms() - m->wanted_ms <= LOOK_MS || !m->n_shards)
        model_poke(m);
}

struct model *model_new(struct loop *l, struct redis *r, const struct settings *set, loop_fn publish, void *ctx)
{
    struct model *m = xcalloc(1, sizeof(*m));
    *m = (struct model){.loop = l, .redis = r, .set = set, .publish = publish, .ctx = ctx, .wanted_ms = INT64_MIN / 2};
    m->read = redis_script_add(r, script_text("read"));
    m->extra = redis_script_add(r, script_text("board"));
    m->move = redis_script_add(r, script_text("case_move"));
    m->act = redis_script_add(r, script_text("case_act"));
    m->held_read = redis_script_add(r, script_text("held_read"));
    m->remind_list = redis_script_add(r, script_text("remind_list"));
    m->remind_snooze = redis_script_add(r, script_text("remind_snooze"));
    m->said = redis_script_add(r, script_text("said_read"));
    m->hooks = redis_script_add(r, script_text("hooks_read"));
    m->feedback = redis_script_add(r, script_text("feedback"));
    m->held_decide = redis_script_add(r, script_text("held_decide"));
    nodes_init(&m->nodes, r);
    m->timer = timer_new(l, on_timer, m);
    timer_start(m->timer, TICK_MS, true);
    redis_on_up(r, on_up, m);
    return m;
}

void model_free(struct model **mm)
{
    struct model *m = *mm;
    *mm = NULL;
    if (!m)
        return;
    timer_free(&m->timer);
    model_recount(m, 0); /* which forgets all hours */
    model_ask_end(m);
    nodes_fini(&m->nodes);
    day_zone_fini(&m->zone);
    model_zones_fini(m);
    model_forget_all(m);
    forget_left(m);
    for (unsigned s = 0; s < m->n_shards; s++)
        redis_reply_free(m->shard[s].open);
    free(m->left);
    free(m->shard);
    free(m);
}

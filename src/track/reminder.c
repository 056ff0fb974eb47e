#include "track/reminder.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "track/reminder_plan.h"
#include "track/reminder_quiet.h"
#include "track/schema.h"
#include "track/script.h"

enum {
    POLL_MS = 500,
    GRACE_MS = 4000, /* how long a node with the agent's session goes first */
    SEEN_MAX = 128,
    DUE_MOST = 16, /* steps of one shard at a time */
    NUMBER_LEN = 24,
    WAIT_MS = 200,     /* for replicas to have a step's record before it is shown */
    HOLD_MS = 600000,  /* quiet hours are looked at again, they may have been changed */
    SEVERITY_LOUD = 4, /* not held back by quiet hours */
};

/* What remind_due answers for one step; the numbers are positions in a row. */
enum {
    ROW_ITEM,
    ROW_KIND,
    ROW_STEP,
    ROW_ANCHOR,
    ROW_DUE,
    ROW_TO,
    ROW_AGENT,
    ROW_CONV,
    ROW_CUSTOMER,
    ROW_SINCE,
    ROW_REF,
    ROW_N, /* of cases: their severity */
    ROW_SHOP
};

struct shard {
    struct reminder *owner;
    unsigned number;
    bool is_polling;
    unsigned n_jobs; /* while there are any, the shard is not asked again */
    struct sight {
        uint64_t step; /* hash of item, anchor and step */
        int64_t first_ms, last_ms;
    } seen[SEEN_MAX]; /* steps left to the node that holds the agent; the newest overwrite the oldest */
    unsigned n_seen;
};

struct reminder {
    struct reminder_options o;
    char *node_id;
    struct reminder_plan plan;
    char lease[NUMBER_LEN];
    unsigned wait_replicas;
    struct redis_script *due, *claim, *raise, *done, *hold;
    struct quiet *quiet;
    struct timer *timer;
    struct shard *shard;
    uint64_t raised, delivered, held;
    struct log_limit limit;
};

/* One step on its way: claim, raise, (show), done. */
struct job {
    struct shard *shard;
    struct redis_reply *row; /* of remind_due */
    int64_t now_ms;          /* Redis's clock when it was found */
    bool is_chat;
    char fence[NUMBER_LEN];
};

static struct span field(const struct job *j, size_t at)
{
    return redis_item(j->row, at)->text;
}

static void job_end(struct job *j)
{
    j->shard->n_jobs--;
    redis_reply_free(j->row);
    free(j);
}

static void run(struct reminder *r, const struct redis_script *s, const struct shard *sh, redis_fn fn, void *ctx,
                size_t n, struct span *args)
{
    struct schema_keys keys;
    schema_apply_keys(sh->number, &keys);
    for (size_t i = 0; i < REMINDER_PLAN_ARGS; i++)
        args[n++] = span_str(r->plan.text[i]);
    redis_eval(r->o.redis, fn, ctx, s, SCHEMA_KEY_COUNT, keys.span, n, args);
}

/* The first four arguments of claim, raise and done: item, step, anchor and who. */
static void run_job(struct job *j, const struct redis_script *s, redis_fn fn, const char *who, const char *what)
{
    char step[NUMBER_LEN];
    int64_t n = 0;
    struct span args[5 + REMINDER_PLAN_ARGS] = {field(j, ROW_ITEM)};
    if (!redis_get_int(redis_item(j->row, ROW_STEP), &n))
        n = 0;
    snprintf(step, sizeof(step), "%" PRId64, n);
    args[1] = span_str(step);
    args[2] = field(j, ROW_ANCHOR);
    args[3] = span_str(who);
    args[4] = span_str(what);
    run(j->shard->owner, s, j->shard, fn, j, 5, args);
}

static void on_done(void *ctx, const struct redis_reply *reply)
{
    (void)reply; /* lost or stale: the lease ends and the step is taken up again */
    job_end(ctx);
}

static bool show(const struct job *j)
{
    struct reminder *r = j->shard->owner;
    char text[REMINDER_TEXT_MAX];
    int64_t since;
    if (!redis_get_int(redis_item(j->row, ROW_SINCE), &since))
        return false;
    reminder_text(field(j, ROW_KIND), field(j, ROW_CUSTOMER), field(j, ROW_REF), since, j->now_ms, text);
    return r->o.notify(r->o.ctx, field(j, ROW_AGENT), field(j, ROW_CONV), span_str(text));
}

static bool says(const struct redis_reply *reply, const char *word)
{
    return span_is(redis_item(reply, 0)->text, word);
}

static void complain(struct reminder *r, const char *where, const struct redis_reply *reply)
{
    char text[LOG_ESC_MAX];
    log_event_limited(&r->limit, LOG_WARN, "reminder_trouble", "script=%s error=%s", where, log_esc(reply->text, text));
}

/* Shows it if it is ours to show, and ends the step. */
static void tell(struct job *j, bool is_send, bool is_uncertain)
{
    struct reminder *r = j->shard->owner;
    bool is_shown = is_send && show(j);
    r->delivered += is_shown;
    run_job(j, r->done, on_done, j->fence, is_shown ? "delivered" : is_uncertain ? "uncertain" : "undelivered");
}

/* A master that is gone may have taken the record with it: whoever comes next shows it, or knows that it was shown.
 * Replicas that are merely slow hold nobody's reminder back. */
static void on_waited(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    if (redis_is_error(reply))
        job_end(j);
    else
        tell(j, true, false);
}

static void on_raise(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    struct reminder *r = j->shard->owner;
    bool is_send = says(reply, "SEND"), is_uncertain = says(reply, "UNCERTAIN");
    if (!is_send && !is_uncertain && !says(reply, "NOTED")) { /* answered meanwhile, or another node has it */
        if (redis_is_error(reply) && !redis_has_code(reply, "LINK"))
            complain(r, "remind_raise", reply);
        job_end(j);
        return;
    }
    r->raised++;
    if (is_send && r->wait_replicas) {
        struct schema_keys keys;
        schema_apply_keys(j->shard->number, &keys);
        redis_wait(r->o.redis, on_waited, j, keys.span[KEY_REMIND], r->wait_replicas, WAIT_MS);
    } else {
        tell(j, is_send, is_uncertain);
    }
}

static void on_claim(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    struct reminder *r = j->shard->owner;
    if (!says(reply, "OK") || redis_item(reply, 1)->text.n >= NUMBER_LEN) {
        if (redis_is_error(reply) && !redis_has_code(reply, "LINK"))
            complain(r, "remind_claim", reply);
        job_end(j);
        return;
    }
    struct span fence = redis_item(reply, 1)->text;
    memcpy(j->fence, fence.p, fence.n);
    run_job(j, r->raise, on_raise, j->fence, j->is_chat ? "chat" : "none");
}

static void send_claim(struct job *j)
{
    struct reminder *r = j->shard->owner;
    run_job(j, r->claim, on_claim, r->node_id, r->lease);
}

static void on_hold(void *ctx, const struct redis_reply *reply)
{
    struct shard *sh = ctx;
    if (redis_is_error(reply) && !redis_has_code(reply, "LINK"))
        complain(sh->owner, "remind_hold", reply);
}

/* True: its shop wants quiet now; it is looked at again when that ends. */
static bool is_held(struct shard *sh, const struct redis_reply *row, int64_t now_ms)
{
    struct reminder *r = sh->owner;
    char until[NUMBER_LEN];
    int64_t severity = 0;
    bool is_case =
        span_is(redis_item(row, ROW_KIND)->text, "stale_case") || span_is(redis_item(row, ROW_KIND)->text, "cold_case");
    int64_t end = quiet_until_ms(r->quiet, redis_item(row, ROW_SHOP)->text, now_ms);
    if (!end || (is_case && redis_get_int(redis_item(row, ROW_N), &severity) && severity >= SEVERITY_LOUD))
        return false;
    snprintf(until, sizeof(until), "%" PRId64, MIN_OF(end, now_ms + HOLD_MS));
    struct schema_keys keys;
    schema_apply_keys(sh->number, &keys);
    struct span args[] = {redis_item(row, ROW_ITEM)->text, span_str(until)};
    redis_eval(r->o.redis, on_hold, sh, r->hold, SCHEMA_KEY_COUNT, keys.span, ARRAY_LEN(args), args);
    r->held++;
    return true;
}

/* Is it so long since this node saw the step first that whoever holds the agent would have taken it? Counted from then,
 * not from the due time: behind an outage every step is late. */
static bool is_left(struct shard *sh, const struct redis_reply *row)
{
    int64_t n = 0, now_ms = clock_mono_ms();
    uint64_t step = hash_keyed(redis_item(row, ROW_ITEM)->text) ^ hash_keyed(redis_item(row, ROW_ANCHOR)->text) << 1;
    if (redis_get_int(redis_item(row, ROW_STEP), &n))
        step += (uint64_t)n * 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < MIN_OF(sh->n_seen, (unsigned)SEEN_MAX); i++) {
        struct sight *s = &sh->seen[i];
        if (s->step != step)
            continue;
        if (now_ms - s->last_ms > GRACE_MS) /* it was put off or taken in between */
            s->first_ms = now_ms;
        s->last_ms = now_ms;
        return now_ms - s->first_ms >= GRACE_MS;
    }
    sh->seen[sh->n_seen++ % SEEN_MAX] = (struct sight){step, now_ms, now_ms};
    return false;
}

/* The node that holds the agent's session goes first; without one anybody records the step after a while. */
static void consider(struct shard *sh, const struct redis_reply *row, int64_t now_ms)
{
    struct reminder *r = sh->owner;
    struct span agent = redis_item(row, ROW_AGENT)->text;
    bool is_for_agent = span_is(redis_item(row, ROW_TO)->text, "agent");
    bool is_chat = is_for_agent && agent.n && r->o.has_agent(r->o.ctx, agent);
    if (is_held(sh, row, now_ms) || (is_for_agent && !is_chat && !is_left(sh, row)))
        return;
    struct job *j = xcalloc(1, sizeof(*j));
    j->shard = sh;
    j->row = redis_reply_copy(row);
    j->now_ms = now_ms;
    j->is_chat = is_chat;
    sh->n_jobs++;
    send_claim(j);
}

static void on_due(void *ctx, const struct redis_reply *reply)
{
    struct shard *sh = ctx;
    int64_t now_ms;
    sh->is_polling = false;
    if (reply->kind != REDIS_ARRAY || !redis_get_int(redis_item(reply, 0), &now_ms)) {
        if (!redis_has_code(reply, "LINK"))
            complain(sh->owner, "remind_due", reply);
        return;
    }
    for (size_t i = 1; i < reply->n && i <= DUE_MOST; i++)
        consider(sh, reply->item[i], now_ms);
}

static void on_poll(void *ctx)
{
    struct reminder *r = ctx;
    char most[NUMBER_LEN];
    snprintf(most, sizeof(most), "%d", DUE_MOST);
    if (!redis_is_up(r->o.redis))
        return;
    for (unsigned i = 0; i < r->o.n_shards; i++) {
        struct shard *sh = &r->shard[i];
        struct span args[1 + REMINDER_PLAN_ARGS] = {span_str(most)};
        if (sh->is_polling || sh->n_jobs)
            continue;
        sh->is_polling = true;
        run(r, r->due, sh, on_due, sh, 1, args);
    }
}

void reminder_reconfigure(struct reminder *r, const struct conf *conf, const struct directory *d)
{
    reminder_plan_init(&r->plan, conf);
    quiet_free(&r->quiet);
    r->quiet = quiet_new(conf, d, clock_wall_ms());
    snprintf(r->lease, sizeof(r->lease), "%" PRId64, conf->reminders.lease_ms);
    r->wait_replicas = (unsigned)conf->redis.wait_replicas;
}

struct reminder *reminder_start(const struct reminder_options *o)
{
    struct reminder *r = xcalloc(1, sizeof(*r));
    r->o = *o;
    r->node_id = xstrdup(o->node_id);
    reminder_reconfigure(r, o->conf, o->directory);
    r->o.conf = NULL;
    r->due = redis_script_add(o->redis, script_text("remind_due"));
    r->claim = redis_script_add(o->redis, script_text("remind_claim"));
    r->raise = redis_script_add(o->redis, script_text("remind_raise"));
    r->done = redis_script_add(o->redis, script_text("remind_done"));
    r->hold = redis_script_add(o->redis, script_text("remind_hold"));
    r->shard = xcalloc(o->n_shards, sizeof(*r->shard));
    for (unsigned i = 0; i < o->n_shards; i++)
        r->shard[i] = (struct shard){.owner = r, .number = i};
    r->timer = timer_new(o->loop, on_poll, r);
    timer_start(r->timer, POLL_MS, true);
    return r;
}

void reminder_get_counts(const struct reminder *r, uint64_t *raised, uint64_t *delivered, uint64_t *held)
{
    *raised = r->raised;
    *delivered = r->delivered;
    *held = r->held;
}

void reminder_stop(struct reminder **rp)
{
    struct reminder *r = *rp;
    if (!r)
        return;
    timer_free(&r->timer);
    quiet_free(&r->quiet);
    free(r->shard);
    free(r->node_id);
    free(r);
    *rp = NULL;
}

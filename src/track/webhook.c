#include "track/webhook.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "track/schema.h"
#include "track/script.h"
#include "track/webhook_impl.h"

enum {
    POLL_SOON_MS = 20,
    DUE_MOST = 32, /* of one shard and round */
    JOBS_MAX = 16, /* under way on this node */
    JOBS_PER_TARGET = 4,
};

/* What hook_due answers for one delivery. */
enum { ROW_ID, ROW_TARGET, ROW_URGENT, ROW_AT, ROW_KIND, ROW_SEVERITY, ROW_SHOP };

struct due {
    unsigned shard;
    struct redis_reply *row;
    bool is_taken;
};

void webhook_complain(struct webhook *w, const char *where, const struct redis_reply *reply)
{
    char text[LOG_ESC_MAX];
    if (redis_is_error(reply) && !redis_has_code(reply, "LINK"))
        log_event_limited(&w->limit, LOG_WARN, "webhook_trouble", "script=%s error=%s", where,
                          log_esc(reply->text, text));
}

void webhook_run(struct webhook *w, const struct redis_script *s, unsigned shard, redis_fn fn, void *ctx, size_t n,
                 const struct span *args)
{
    struct schema_keys keys;
    schema_apply_keys(shard, &keys);
    redis_eval(w->o.redis, fn, ctx, s, SCHEMA_KEY_COUNT, keys.span, n, args);
}

/* --- a round over all shards --- */

static void on_expand(void *ctx, const struct redis_reply *reply)
{
    struct webhook *w = ctx;
    webhook_complain(w, "hook_expand", reply);
    webhook_poll_soon(w);
}

/* A new event: who wants it? */
static void expand(struct webhook *w, const struct due *d)
{
    struct span args[1 + WEBHOOK_TARGETS_MAX] = {redis_item(d->row, ROW_ID)->text};
    size_t n = 1;
    int64_t severity;
    if (!redis_get_int(redis_item(d->row, ROW_SEVERITY), &severity))
        severity = 1;
    for (size_t i = 0; i < w->set->n && n < ARRAY_LEN(args); i++)
        if (webhook_target_wants(&w->set->target[i], redis_item(d->row, ROW_KIND)->text, severity,
                                 redis_item(d->row, ROW_SHOP)->text))
            args[n++] = span_str(w->set->target[i].name);
    webhook_run(w, w->s_expand, d->shard, on_expand, w, n, args);
}

/* Urgent ones first, then the oldest. */
static int compare(const void *a, const void *b)
{
    const struct due *x = a, *y = b;
    int64_t ux = 0, uy = 0, ax = 0, ay = 0;
    bool is_good = redis_get_int(redis_item(x->row, ROW_URGENT), &ux) &&
                   redis_get_int(redis_item(y->row, ROW_URGENT), &uy) &&
                   redis_get_int(redis_item(x->row, ROW_AT), &ax) && redis_get_int(redis_item(y->row, ROW_AT), &ay);
    return !is_good ? 0 : ux != uy ? (ux < uy) - (ux > uy) : (ax > ay) - (ax < ay);
}

static bool is_urgent(const struct due *d)
{
    int64_t urgent;
    return redis_get_int(redis_item(d->row, ROW_URGENT), &urgent) && urgent;
}

/* Begins with the delivery at `from`; what else is due to a robot goes into the same message, as far as it fits. */
static void begin(struct webhook *w, struct webhook_target *t, size_t from)
{
    struct webhook_delivery d[WEBHOOK_DIGEST_MAX];
    size_t n = 0, most = webhook_most_events(t->kind);
    for (size_t i = from; i < w->n_due && n < most; i++) {
        struct due *due = &w->due[i];
        if (!due->is_taken && span_is(redis_item(due->row, ROW_TARGET)->text, t->name) &&
            !webhook_target_closed_ms(t, is_urgent(due))) {
            d[n++] = (struct webhook_delivery){due->shard, redis_item(due->row, ROW_ID)->text, is_urgent(due)};
            due->is_taken = true;
        }
    }
    webhook_job_start(w, t, n, d);
}

static void pick(struct webhook *w)
{
    if (w->n_due)
        qsort(w->due, w->n_due, sizeof(*w->due), compare);
    for (size_t i = 0; i < w->n_due; i++) {
        struct due *d = &w->due[i];
        struct span name = redis_item(d->row, ROW_TARGET)->text;
        struct webhook_target *t = name.n ? webhook_set_find(w->set, name) : NULL;
        if (!name.n)
            expand(w, d);
        else if (t && !d->is_taken && !t->trouble[0] && t->in_flight < JOBS_PER_TARGET && w->n_jobs < JOBS_MAX &&
                 !webhook_target_closed_ms(t, is_urgent(d)))
            begin(w, t, i);
    }
    for (size_t i = 0; i < w->n_due; i++)
        redis_reply_free(w->due[i].row);
    w->n_due = 0;
}

static void keep_due(struct webhook *w, unsigned shard, const struct redis_reply *row)
{
    if (w->n_due == w->cap_due) {
        w->cap_due = w->cap_due ? 2 * w->cap_due : 64;
        w->due = xrealloc(w->due, w->cap_due * sizeof(*w->due));
    }
    w->due[w->n_due++] = (struct due){shard, redis_reply_copy(row), false};
}

struct ask {
    struct webhook *w;
    unsigned shard;
};

static void on_due(void *ctx, const struct redis_reply *reply)
{
    struct ask *a = ctx;
    struct webhook *w = a->w;
    int64_t waiting;
    webhook_complain(w, "hook_due", reply);
    if (reply->kind == REDIS_ARRAY && redis_get_int(redis_item(reply, 1), &waiting))
        w->waiting_now += (uint64_t)MAX_OF(waiting, 0);
    for (size_t i = 2; reply->kind == REDIS_ARRAY && i < reply->n && i < DUE_MOST + 2; i++)
        keep_due(w, a->shard, reply->item[i]);
    free(a);
    if (--w->n_polling)
        return;
    w->waiting = w->waiting_now;
    pick(w);
    if (w->is_poll_wanted)
        webhook_poll_soon(w);
}

static void poll_shard(struct webhook *w, unsigned shard)
{
    char most[WEBHOOK_NUMBER_LEN], keep[WEBHOOK_NUMBER_LEN], wait[WEBHOOK_TARGETS_MAX][2][WEBHOOK_NUMBER_LEN];
    struct span args[2 + 3 * WEBHOOK_TARGETS_MAX];
    size_t n = 2;
    snprintf(most, sizeof(most), "%d", DUE_MOST);
    snprintf(keep, sizeof(keep), "%" PRId64, w->set->retry_for_ms);
    args[0] = span_str(most);
    args[1] = span_str(keep);
    for (size_t i = 0; i < w->set->n && i < ARRAY_LEN(wait); i++) {
        struct webhook_target *t = &w->set->target[i];
        bool is_full = t->trouble[0] || t->in_flight >= JOBS_PER_TARGET;
        args[n++] = span_str(t->name);
        for (int urgent = 1; urgent >= 0; urgent--) {
            int64_t ms = is_full ? WEBHOOK_POLL_MS : webhook_target_closed_ms(t, urgent);
            snprintf(wait[i][urgent], WEBHOOK_NUMBER_LEN, "%" PRId64, ms);
            args[n++] = span_str(wait[i][urgent]);
        }
    }
    struct ask *a = xmalloc(sizeof(*a));
    *a = (struct ask){w, shard};
    w->n_polling++;
    webhook_run(w, w->s_due, shard, on_due, a, n, args);
}

static void on_poll(void *ctx)
{
    struct webhook *w = ctx;
    timer_start(w->timer, WEBHOOK_POLL_MS, false);
    if (w->n_polling || !w->set->n || !redis_is_up(w->o.redis))
        return;
    w->is_poll_wanted = false;
    w->waiting_now = 0;
    for (unsigned i = 0; i < w->o.n_shards; i++)
        poll_shard(w, i);
}

void webhook_poll_soon(struct webhook *w)
{
    w->is_poll_wanted = true;
    if (!w->n_polling)
        timer_start(w->timer, POLL_SOON_MS, false);
}

/* --- start and stop --- */

struct webhook *webhook_start(const struct webhook_options *o)
{
    struct webhook *w = xcalloc(1, sizeof(*w));
    w->o = *o;
    w->o.conf = NULL;
    w->node_id = xstrdup(o->node_id);
    w->set = webhook_set_new(o->conf, NULL);
    w->s_due = redis_script_add(o->redis, script_text("hook_due"));
    w->s_expand = redis_script_add(o->redis, script_text("hook_expand"));
    w->s_claim = redis_script_add(o->redis, script_text("hook_claim"));
    w->s_done = redis_script_add(o->redis, script_text("hook_done"));
    w->s_gate = redis_script_add(o->redis, script_text("hook_gate"));
    w->timer = timer_new(o->loop, on_poll, w);
    timer_start(w->timer, WEBHOOK_POLL_MS, false);
    return w;
}

void webhook_reconfigure(struct webhook *w, const struct conf *conf)
{
    struct webhook_set *now = webhook_set_new(conf, w->set);
    webhook_set_unref(&w->set);
    w->set = now;
}

void webhook_stop(struct webhook **wp)
{
    struct webhook *w = *wp;
    if (!w)
        return;
    while (w->jobs)
        webhook_job_end(w->jobs);
    for (size_t i = 0; i < w->n_due; i++)
        redis_reply_free(w->due[i].row);
    timer_free(&w->timer);
    webhook_set_unref(&w->set);
    free(w->due);
    free(w->node_id);
    free(w);
    *wp = NULL;
}

size_t webhook_count(const struct webhook *w)
{
    return w->set->n;
}

void webhook_get_state(const struct webhook *w, size_t at, struct webhook_state *out)
{
    static const char *const kinds[] = {
#define X(id, name) name,
        WEBHOOK_KINDS(X)
#undef X
    };
    const struct webhook_target *t = &w->set->target[at];
    *out = (struct webhook_state){.name = t->name,
                                  .kind = kinds[t->kind],
                                  .host = t->url.host,
                                  .is_usable = !t->trouble[0],
                                  .closed_ms = webhook_target_closed_ms(t, false),
                                  .last_error = t->trouble[0] ? t->trouble : t->last_error,
                                  .in_flight = t->in_flight,
                                  .count = t->count,
                                  .latency_ms = t->latency_ms};
    out->closed_why = out->closed_ms ? t->closed_why : "";
}

uint64_t webhook_waiting(const struct webhook *w)
{
    return w->waiting;
}

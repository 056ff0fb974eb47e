#include "track/webhook.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "track/schema.h"
#include "track/script.h"
#include "track/webhook_post.h"
#include "track/webhook_target.h"

enum {
    POLL_MS = 500,
    POLL_SOON_MS = 20, /* after an event got its targets, or a slot came free */
    DUE_MOST = 32,     /* of one shard and round */
    JOBS_MAX = 16,     /* under way on this node */
    JOBS_PER_TARGET = 4,
    LEASE_SLACK_MS = 10000, /* what the lease is longer than a post may take */
    BACKOFF_MS = 2000,
    BACKOFF_MAX_MS = 600000,
    MUTED_MS = 60000, /* a robot that is sent to too often */
    MUTED_DINGTALK_MS = 600000,
    FIELDS_MAX = 64,
    NUMBER_LEN = 24,
    TARGETS_MAX = 16,
};

/* What hook_due answers for one delivery. */
enum { ROW_ID, ROW_TARGET, ROW_URGENT, ROW_AT, ROW_KIND, ROW_SEVERITY, ROW_SHOP };
/* What hook_claim answers. */
enum { CLAIM_WORD, CLAIM_FENCE, CLAIM_TRIES, CLAIM_NOW, CLAIM_AT, CLAIM_KIND, CLAIM_SEVERITY, CLAIM_FIELDS };

struct due {
    unsigned shard;
    struct redis_reply *row;
};

struct webhook {
    struct webhook_options o;
    char *node_id;
    struct webhook_set *set;
    struct redis_script *s_due, *s_expand, *s_claim, *s_done, *s_gate;
    struct timer *timer;
    unsigned n_polling;  /* shards whose answer is awaited */
    bool is_poll_wanted; /* sooner than the clock says */
    struct due *due;
    size_t n_due, cap_due;
    uint64_t waiting, waiting_now;
    struct job *jobs;
    unsigned n_jobs;
    struct log_limit limit;
};

/* One delivery on its way: claim, gate, post, gate, done. */
struct job {
    struct webhook *w;
    struct job *prev, *next;
    struct webhook_set *set;
    struct webhook_target *target;
    unsigned shard;
    bool is_urgent;
    char *id, fence[NUMBER_LEN];
    struct redis_reply *claim;
    unsigned tries;
    int64_t began_ms;
    struct webhook_post *post;
    const char *end; /* for hook_done */
    int64_t delay_ms;
    char why[160];
};

static void poll_soon(struct webhook *w);

/* --- scripts --- */

static void complain(struct webhook *w, const char *where, const struct redis_reply *reply)
{
    char text[LOG_ESC_MAX];
    if (redis_is_error(reply) && !redis_has_code(reply, "LINK"))
        log_event_limited(&w->limit, LOG_WARN, "webhook_trouble", "script=%s error=%s", where,
                          log_esc(reply->text, text));
}

static bool says(const struct redis_reply *reply, const char *word)
{
    return span_is(redis_item(reply, 0)->text, word);
}

static void run_shard(struct webhook *w, const struct redis_script *s, unsigned shard, redis_fn fn, void *ctx, size_t n,
                      const struct span *args)
{
    struct schema_keys keys;
    schema_apply_keys(shard, &keys);
    redis_eval(w->o.redis, fn, ctx, s, SCHEMA_KEY_COUNT, keys.span, n, args);
}

static void run_gate(struct webhook *w, redis_fn fn, void *ctx, size_t n, const struct span *args)
{
    struct span key = span_str(SCHEMA_HOOKS_KEY);
    redis_eval(w->o.redis, fn, ctx, w->s_gate, 1, &key, n, args);
}

/* --- a job --- */

static void job_end(struct job *j)
{
    struct webhook *w = j->w;
    if (j->prev)
        j->prev->next = j->next;
    else
        w->jobs = j->next;
    if (j->next)
        j->next->prev = j->prev;
    w->n_jobs--;
    j->target->in_flight--;
    webhook_post_cancel(&j->post);
    webhook_set_unref(&j->set);
    redis_reply_free(j->claim);
    free(j->id);
    free(j);
}

static void on_done(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx; /* lost or stale: the lease ends and the delivery is made again, with the same id */
    complain(j->w, "hook_done", reply);
    if (strcmp(j->end, "sent") == 0)
        poll_soon(j->w);
    job_end(j);
}

static void finish(struct job *j, const char *end, int64_t delay_ms)
{
    char delay[NUMBER_LEN];
    snprintf(delay, sizeof(delay), "%" PRId64, delay_ms);
    j->end = end;
    struct span args[] = {span_str(j->id), span_str(j->target->name), span_str(j->fence), span_str(end),
                          span_str(delay), span_str(j->w->node_id),   span_str(j->why)};
    run_shard(j->w, j->w->s_done, j->shard, on_done, j, ARRAY_LEN(args), args);
}

static int64_t backoff_ms(unsigned tries)
{
    int64_t ms = MIN_OF((int64_t)BACKOFF_MS << MIN_OF(tries, 12u), (int64_t)BACKOFF_MAX_MS);
    return ms * 3 / 4 + (int64_t)(rand_u64() % (uint64_t)(ms / 2 + 1));
}

static void on_judged(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    complain(j->w, "hook_gate", reply);
    if (redis_has_code(reply, "LINK")) /* the lease ends by itself */
        job_end(j);
    else
        finish(j, j->end, j->delay_ms);
}

/* Tells the gate how it went, then ends the claim. */
static void judged(struct job *j, const char *end, int64_t delay_ms, int64_t target_wait_ms)
{
    char wait[NUMBER_LEN], jitter[NUMBER_LEN];
    bool is_ok = strcmp(end, "sent") == 0, is_over = strcmp(end, "gave_up") == 0;
    j->end = end;
    j->delay_ms = delay_ms;
    snprintf(wait, sizeof(wait), "%" PRId64, target_wait_ms);
    snprintf(jitter, sizeof(jitter), "%u", (unsigned)(rand_u64() % 1001));
    struct span args[] = {span_str(is_ok     ? "ok"
                                   : is_over ? "gave_up"
                                             : "fail"),
                          span_str(j->target->name), span_str(wait), span_str(jitter), span_str(j->why)};
    run_gate(j->w, on_judged, j, ARRAY_LEN(args), args);
}

static void on_answer(void *ctx, const struct webhook_answer *a)
{
    struct job *j = ctx;
    struct webhook_target *t = j->target;
    enum webhook_outcome outcome = WEBHOOK_FAILED;
    int64_t ms = clock_mono_ms() - j->began_ms, wait = a->retry_after_ms;
    j->post = NULL;
    if (a->status)
        outcome = webhook_judge(t->kind, a->status, a->body, j->why);
    else
        snprintf(j->why, sizeof(j->why), "%s", a->why);
    if (outcome == WEBHOOK_TAKEN) {
        t->count.sent++;
        if (span_is(span_str(t->closed_why), "broken"))
            webhook_target_close(t, false, 0, span_str("")); /* the others need not wait for their next look */
        hist_add(t->latency_ms, (uint64_t)ms);
        log_event(LOG_DEBUG, "webhook_sent", "target=%s id=%s try=%u ms=%" PRId64, t->name, j->id, j->tries + 1, ms);
        judged(j, "sent", 0, 0);
        return;
    }
    if (outcome == WEBHOOK_TOO_FAST && !wait)
        wait = t->kind == WEBHOOK_DINGTALK ? MUTED_DINGTALK_MS : t->kind == WEBHOOK_GENERIC ? 0 : MUTED_MS;
    t->count.failed++;
    memcpy(t->last_error, j->why, sizeof(t->last_error));
    log_event_limited(&j->w->limit, LOG_WARN, "webhook_failed", "target=%s id=%s try=%u ms=%" PRId64 " why=\"%s\"",
                      t->name, j->id, j->tries + 1, ms, j->why);
    if (wait)
        webhook_target_close(t, false, wait, span_str("told to wait"));
    judged(j, "again", MAX_OF(backoff_ms(j->tries), wait), wait);
}

static void fill_event(const struct job *j, struct span field[FIELDS_MAX], struct webhook_event *ev)
{
    *ev = (struct webhook_event){.id = span_str(j->id),
                                 .kind = redis_item(j->claim, CLAIM_KIND)->text,
                                 .is_urgent = j->is_urgent,
                                 .field = field};
    if (!redis_get_int(redis_item(j->claim, CLAIM_AT), &ev->at_ms) ||
        !redis_get_int(redis_item(j->claim, CLAIM_SEVERITY), &ev->severity))
        ev->severity = 1;
    for (size_t i = CLAIM_FIELDS; i < j->claim->n && ev->n_fields < FIELDS_MAX; i++)
        field[ev->n_fields++] = redis_item(j->claim, i)->text;
}

static void post(struct job *j)
{
    struct webhook_target *t = j->target;
    struct span field[FIELDS_MAX];
    struct webhook_event ev;
    struct webhook_message m = {0};
    struct conf_url url = t->url;
    fill_event(j, field, &ev);
    webhook_write(t->kind, span_str(t->secret), &ev, j->tries + 1, clock_wall_ms(), &m);
    size_t n = strlen(url.target);
    snprintf(url.target + n, sizeof(url.target) - n, "%s%s", m.query[0] && !strchr(url.target, '?') ? "?" : "",
             m.query + (m.query[0] && !strchr(url.target, '?')));
    j->began_ms = clock_mono_ms();
    j->post = webhook_post_start(&(struct webhook_post_options){.loop = j->w->o.loop,
                                                                .url = &url,
                                                                .tls = t->tls,
                                                                .network = j->set->network,
                                                                .n_networks = j->set->n_networks,
                                                                .timeout_ms = t->timeout_ms,
                                                                .turn = j->tries},
                                 buf_span(&m.headers), buf_span(&m.body), on_answer, j);
    buf_fini(&m.headers);
    buf_fini(&m.body);
}

static void on_gate(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    int64_t ms = 0;
    if (says(reply, "GO")) {
        post(j);
        return;
    }
    complain(j->w, "hook_gate", reply);
    if (redis_has_code(reply, "LINK")) {
        job_end(j);
        return;
    }
    if (!redis_get_int(redis_item(reply, 1), &ms))
        ms = POLL_MS;
    j->target->count.held++;
    webhook_target_close(j->target, !j->is_urgent, ms, redis_item(reply, 2)->text);
    finish(j, "back", ms);
}

static void ask_gate(struct job *j)
{
    static const char *const kinds[] = {
#define X(id, name) name,
        WEBHOOK_KINDS(X)
#undef X
    };
    struct webhook_target *t = j->target;
    char minute[NUMBER_LEN], second[NUMBER_LEN];
    snprintf(minute, sizeof(minute), "%u", t->per_minute);
    snprintf(second, sizeof(second), "%u", t->per_second);
    struct span args[] = {span_str("ask"),      span_str(t->name), span_str(j->is_urgent ? "1" : "0"),
                          span_str(minute),     span_str(second),  span_str(kinds[t->kind]),
                          span_str(t->url.host)};
    run_gate(j->w, on_gate, j, ARRAY_LEN(args), args);
}

static void on_claim(void *ctx, const struct redis_reply *reply)
{
    struct job *j = ctx;
    int64_t tries, now_ms, at_ms;
    struct span fence = redis_item(reply, CLAIM_FENCE)->text;
    if (!says(reply, "OK") || fence.n >= NUMBER_LEN || !redis_get_int(redis_item(reply, CLAIM_TRIES), &tries) ||
        !redis_get_int(redis_item(reply, CLAIM_NOW), &now_ms) || !redis_get_int(redis_item(reply, CLAIM_AT), &at_ms)) {
        complain(j->w, "hook_claim", reply);
        job_end(j);
        return;
    }
    memcpy(j->fence, fence.p, fence.n);
    j->tries = (unsigned)MIN_OF(MAX_OF(tries, 0), 1000000);
    j->claim = redis_reply_copy(reply);
    if (now_ms - at_ms <= j->set->retry_for_ms) {
        ask_gate(j);
        return;
    }
    j->target->count.gave_up++;
    snprintf(j->why, sizeof(j->why), "%s", j->target->last_error);
    log_event(LOG_ERROR, "webhook_gave_up", "target=%s id=%s tries=%u", j->target->name, j->id, j->tries);
    judged(j, "gave_up", 0, 0);
}

static void job_start(struct webhook *w, struct webhook_target *t, bool is_urgent, const struct due *d)
{
    struct job *j = xcalloc(1, sizeof(*j));
    struct span id = redis_item(d->row, ROW_ID)->text;
    char lease[NUMBER_LEN];
    *j = (struct job){
        .w = w, .next = w->jobs, .set = w->set, .target = t, .shard = d->shard, .id = xmemdup0(id.p, id.n)};
    j->is_urgent = is_urgent;
    if (w->jobs)
        w->jobs->prev = j;
    w->jobs = j;
    w->n_jobs++;
    t->in_flight++;
    webhook_set_ref(w->set);
    snprintf(lease, sizeof(lease), "%" PRId64, t->timeout_ms + LEASE_SLACK_MS);
    struct span args[] = {span_str(j->id), span_str(t->name), span_str(w->node_id), span_str(lease)};
    run_shard(w, w->s_claim, d->shard, on_claim, j, ARRAY_LEN(args), args);
}

/* --- a round over all shards --- */

static void on_expand(void *ctx, const struct redis_reply *reply)
{
    struct webhook *w = ctx;
    complain(w, "hook_expand", reply);
    poll_soon(w);
}

/* A new event: who wants it? */
static void expand(struct webhook *w, const struct due *d)
{
    struct span args[1 + TARGETS_MAX] = {redis_item(d->row, ROW_ID)->text};
    size_t n = 1;
    int64_t severity;
    if (!redis_get_int(redis_item(d->row, ROW_SEVERITY), &severity))
        severity = 1;
    for (size_t i = 0; i < w->set->n && n < ARRAY_LEN(args); i++)
        if (webhook_target_wants(&w->set->target[i], redis_item(d->row, ROW_KIND)->text, severity,
                                 redis_item(d->row, ROW_SHOP)->text))
            args[n++] = span_str(w->set->target[i].name);
    run_shard(w, w->s_expand, d->shard, on_expand, w, n, args);
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

static void pick(struct webhook *w)
{
    if (w->n_due)
        qsort(w->due, w->n_due, sizeof(*w->due), compare);
    for (size_t i = 0; i < w->n_due; i++) {
        struct due *d = &w->due[i];
        struct span name = redis_item(d->row, ROW_TARGET)->text;
        struct webhook_target *t = name.n ? webhook_set_find(w->set, name) : NULL;
        int64_t urgent;
        bool is_urgent = redis_get_int(redis_item(d->row, ROW_URGENT), &urgent) && urgent;
        if (!name.n)
            expand(w, d);
        else if (t && !t->trouble[0] && t->in_flight < JOBS_PER_TARGET && w->n_jobs < JOBS_MAX &&
                 !webhook_target_closed_ms(t, is_urgent))
            job_start(w, t, is_urgent, d);
        redis_reply_free(d->row);
    }
    w->n_due = 0;
}

static void keep_due(struct webhook *w, unsigned shard, const struct redis_reply *row)
{
    if (w->n_due == w->cap_due) {
        w->cap_due = w->cap_due ? 2 * w->cap_due : 64;
        w->due = xrealloc(w->due, w->cap_due * sizeof(*w->due));
    }
    w->due[w->n_due++] = (struct due){shard, redis_reply_copy(row)};
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
    complain(w, "hook_due", reply);
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
        poll_soon(w);
}

static void poll_shard(struct webhook *w, unsigned shard)
{
    char most[NUMBER_LEN], keep[NUMBER_LEN], wait[TARGETS_MAX][2][NUMBER_LEN];
    struct span args[2 + 3 * TARGETS_MAX];
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
            int64_t ms = is_full ? POLL_MS : webhook_target_closed_ms(t, urgent);
            snprintf(wait[i][urgent], NUMBER_LEN, "%" PRId64, ms);
            args[n++] = span_str(wait[i][urgent]);
        }
    }
    struct ask *a = xmalloc(sizeof(*a));
    *a = (struct ask){w, shard};
    w->n_polling++;
    run_shard(w, w->s_due, shard, on_due, a, n, args);
}

static void on_poll(void *ctx)
{
    struct webhook *w = ctx;
    timer_start(w->timer, POLL_MS, false);
    if (w->n_polling || !w->set->n || !redis_is_up(w->o.redis))
        return;
    w->is_poll_wanted = false;
    w->waiting_now = 0;
    for (unsigned i = 0; i < w->o.n_shards; i++)
        poll_shard(w, i);
}

static void poll_soon(struct webhook *w)
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
    timer_start(w->timer, POLL_MS, false);
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
        job_end(w->jobs);
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

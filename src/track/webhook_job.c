/* One delivery on its way: claim, gate, post, gate, done. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "track/schema.h"
#include "track/webhook_impl.h"

enum {
    LEASE_SLACK_MS = 10000, /* what the lease is longer than a post may take */
    BACKOFF_MS = 2000,
    BACKOFF_MAX_MS = 600000,
    MUTED_MS = 60000, /* a robot that is sent to too often */
    MUTED_DINGTALK_MS = 600000,
    FIELDS_MAX = 64,
};

/* What hook_claim answers. */
enum { CLAIM_WORD, CLAIM_FENCE, CLAIM_TRIES, CLAIM_NOW, CLAIM_AT, CLAIM_KIND, CLAIM_SEVERITY, CLAIM_FIELDS };

struct webhook_job {
    struct webhook *w;
    struct webhook_job *prev, *next;
    struct webhook_set *set;
    struct webhook_target *target;
    unsigned shard;
    bool is_urgent;
    char *id, fence[WEBHOOK_NUMBER_LEN];
    struct redis_reply *claim;
    unsigned tries;
    int64_t began_ms;
    struct webhook_post *post;
    const char *end; /* for hook_done */
    int64_t delay_ms;
    char why[160];
};

static bool says(const struct redis_reply *reply, const char *word)
{
    return span_is(redis_item(reply, 0)->text, word);
}

static void run_gate(struct webhook *w, redis_fn fn, void *ctx, size_t n, const struct span *args)
{
    struct span key = span_str(SCHEMA_HOOKS_KEY);
    redis_eval(w->o.redis, fn, ctx, w->s_gate, 1, &key, n, args);
}

void webhook_job_end(struct webhook_job *j)
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
    struct webhook_job *j = ctx; /* lost or stale: the lease ends and the delivery is made again, with the same id */
    webhook_complain(j->w, "hook_done", reply);
    if (strcmp(j->end, "sent") == 0)
        webhook_poll_soon(j->w);
    webhook_job_end(j);
}

static void finish(struct webhook_job *j, const char *end, int64_t delay_ms)
{
    char delay[WEBHOOK_NUMBER_LEN];
    snprintf(delay, sizeof(delay), "%" PRId64, delay_ms);
    j->end = end;
    struct span args[] = {span_str(j->id), span_str(j->target->name), span_str(j->fence), span_str(end),
                          span_str(delay), span_str(j->w->node_id),   span_str(j->why)};
    webhook_run(j->w, j->w->s_done, j->shard, on_done, j, ARRAY_LEN(args), args);
}

static int64_t backoff_ms(unsigned tries)
{
    int64_t ms = MIN_OF((int64_t)BACKOFF_MS << MIN_OF(tries, 12u), (int64_t)BACKOFF_MAX_MS);
    return ms * 3 / 4 + (int64_t)(rand_u64() % (uint64_t)(ms / 2 + 1));
}

static void on_judged(void *ctx, const struct redis_reply *reply)
{
    struct webhook_job *j = ctx;
    webhook_complain(j->w, "hook_gate", reply);
    if (redis_has_code(reply, "LINK")) /* the lease ends by itself */
        webhook_job_end(j);
    else
        finish(j, j->end, j->delay_ms);
}

/* Tells the gate how it went, then ends the claim. */
static void judged(struct webhook_job *j, const char *end, int64_t delay_ms, int64_t target_wait_ms)
{
    char wait[WEBHOOK_NUMBER_LEN], jitter[WEBHOOK_NUMBER_LEN];
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
    struct webhook_job *j = ctx;
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

static void fill_event(const struct webhook_job *j, struct span field[FIELDS_MAX], struct webhook_event *ev)
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

static void post(struct webhook_job *j)
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
    struct webhook_job *j = ctx;
    int64_t ms = 0;
    if (says(reply, "GO")) {
        post(j);
        return;
    }
    webhook_complain(j->w, "hook_gate", reply);
    if (redis_has_code(reply, "LINK")) {
        webhook_job_end(j);
        return;
    }
    if (!redis_get_int(redis_item(reply, 1), &ms))
        ms = WEBHOOK_POLL_MS;
    j->target->count.held++;
    webhook_target_close(j->target, !j->is_urgent, ms, redis_item(reply, 2)->text);
    finish(j, "back", ms);
}

static void ask_gate(struct webhook_job *j)
{
    static const char *const kinds[] = {
#define X(id, name) name,
        WEBHOOK_KINDS(X)
#undef X
    };
    struct webhook_target *t = j->target;
    char minute[WEBHOOK_NUMBER_LEN], second[WEBHOOK_NUMBER_LEN];
    snprintf(minute, sizeof(minute), "%u", t->per_minute);
    snprintf(second, sizeof(second), "%u", t->per_second);
    struct span args[] = {span_str("ask"),      span_str(t->name), span_str(j->is_urgent ? "1" : "0"),
                          span_str(minute),     span_str(second),  span_str(kinds[t->kind]),
                          span_str(t->url.host)};
    run_gate(j->w, on_gate, j, ARRAY_LEN(args), args);
}

static void on_claim(void *ctx, const struct redis_reply *reply)
{
    struct webhook_job *j = ctx;
    int64_t tries, now_ms, at_ms;
    struct span fence = redis_item(reply, CLAIM_FENCE)->text;
    if (!says(reply, "OK") || fence.n >= WEBHOOK_NUMBER_LEN || !redis_get_int(redis_item(reply, CLAIM_TRIES), &tries) ||
        !redis_get_int(redis_item(reply, CLAIM_NOW), &now_ms) || !redis_get_int(redis_item(reply, CLAIM_AT), &at_ms)) {
        webhook_complain(j->w, "hook_claim", reply);
        webhook_job_end(j);
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

void webhook_job_start(struct webhook *w, struct webhook_target *t, unsigned shard, struct span id, bool is_urgent)
{
    struct webhook_job *j = xcalloc(1, sizeof(*j));
    char lease[WEBHOOK_NUMBER_LEN];
    *j = (struct webhook_job){.w = w,
                              .next = w->jobs,
                              .set = w->set,
                              .target = t,
                              .shard = shard,
                              .is_urgent = is_urgent,
                              .id = xmemdup0(id.p, id.n)};
    if (w->jobs)
        w->jobs->prev = j;
    w->jobs = j;
    w->n_jobs++;
    t->in_flight++;
    webhook_set_ref(w->set);
    snprintf(lease, sizeof(lease), "%" PRId64, t->timeout_ms + LEASE_SLACK_MS);
    struct span args[] = {span_str(j->id), span_str(t->name), span_str(w->node_id), span_str(lease)};
    webhook_run(w, w->s_claim, shard, on_claim, j, ARRAY_LEN(args), args);
}

/* Deliveries on their way, one or (to robots) several in one message: claim, gate, post, gate, done. */
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

/* One delivery of the message. */
struct part {
    struct webhook_job *job;
    unsigned shard;
    char *id, fence[WEBHOOK_NUMBER_LEN];
    struct redis_reply *claim; /* NULL: not ours */
    unsigned tries;
    bool is_urgent, is_too_old;
};

struct webhook_job {
    struct webhook *w;
    struct webhook_job *prev, *next;
    struct webhook_set *set;
    struct webhook_target *target;
    struct part part[WEBHOOK_DIGEST_MAX];
    size_t n, n_awaited; /* parts, and answers of Redis about them */
    int64_t began_ms;
    struct webhook_post *post;
    const char *end; /* for hook_done */
    int64_t wait_ms;
    char why[160];
};

/* Is it in the message? */
static bool is_in(const struct part *p)
{
    return p->claim && !p->is_too_old;
}

static size_t count_in(const struct webhook_job *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->n; i++)
        n += is_in(&j->part[i]);
    return n;
}

static const struct part *first_in(const struct webhook_job *j)
{
    size_t i = 0;
    while (i + 1 < j->n && !is_in(&j->part[i]))
        i++;
    return &j->part[i];
}

static bool is_urgent(const struct webhook_job *j)
{
    bool is = false;
    for (size_t i = 0; i < j->n; i++)
        is = is || (is_in(&j->part[i]) && j->part[i].is_urgent);
    return is;
}

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
    for (size_t i = 0; i < j->n; i++) {
        redis_reply_free(j->part[i].claim);
        free(j->part[i].id);
    }
    free(j);
}

static void on_done(void *ctx, const struct redis_reply *reply)
{
    const struct part *p = ctx; /* lost or stale: the lease ends and the delivery is made again, with the same id */
    struct webhook_job *j = p->job;
    webhook_complain(j->w, "hook_done", reply);
    if (--j->n_awaited)
        return;
    if (strcmp(j->end, "sent") == 0)
        webhook_poll_soon(j->w);
    webhook_job_end(j);
}

static int64_t backoff_ms(unsigned tries)
{
    int64_t ms = MIN_OF((int64_t)BACKOFF_MS << MIN_OF(tries, 12u), (int64_t)BACKOFF_MAX_MS);
    return ms * 3 / 4 + (int64_t)(rand_u64() % (uint64_t)(ms / 2 + 1));
}

/* Ends the claims of all parts. */
static void finish(struct webhook_job *j)
{
    struct webhook *w = j->w;
    bool is_again = strcmp(j->end, "again") == 0;
    for (size_t i = 0; i < j->n; i++)
        j->n_awaited += j->part[i].claim != NULL;
    for (size_t i = 0; i < j->n; i++) {
        struct part *p = &j->part[i];
        char delay[WEBHOOK_NUMBER_LEN];
        if (!p->claim)
            continue;
        snprintf(delay, sizeof(delay), "%" PRId64, is_again ? MAX_OF(backoff_ms(p->tries), j->wait_ms) : j->wait_ms);
        struct span args[] = {span_str(p->id),
                              span_str(j->target->name),
                              span_str(p->fence),
                              span_str(p->is_too_old ? "gave_up" : j->end),
                              span_str(delay),
                              span_str(w->node_id),
                              span_str(p->is_too_old ? j->target->last_error : j->why)};
        webhook_run(w, w->s_done, p->shard, on_done, p, ARRAY_LEN(args), args);
    }
}

static void on_judged(void *ctx, const struct redis_reply *reply)
{
    struct webhook_job *j = ctx;
    webhook_complain(j->w, "hook_gate", reply);
    if (redis_has_code(reply, "LINK")) /* the leases end by themselves */
        webhook_job_end(j);
    else
        finish(j);
}

/* Tells the gate how it went ("ok", "fail"), then ends the claims. */
static void judged(struct webhook_job *j, const char *what, const char *end, int64_t wait_ms)
{
    char wait[WEBHOOK_NUMBER_LEN], jitter[WEBHOOK_NUMBER_LEN];
    j->end = end;
    j->wait_ms = wait_ms;
    snprintf(wait, sizeof(wait), "%" PRId64, wait_ms);
    snprintf(jitter, sizeof(jitter), "%u", (unsigned)(rand_u64() % 1001));
    struct span args[] = {span_str(what), span_str(j->target->name), span_str(wait), span_str(jitter),
                          span_str(j->why)};
    run_gate(j->w, on_judged, j, ARRAY_LEN(args), args);
}

static void on_answer(void *ctx, const struct webhook_answer *a)
{
    struct webhook_job *j = ctx;
    struct webhook_target *t = j->target;
    const struct part *first = first_in(j);
    size_t n = count_in(j);
    enum webhook_outcome outcome = WEBHOOK_FAILED;
    int64_t ms = clock_mono_ms() - j->began_ms, wait = a->retry_after_ms;
    j->post = NULL;
    if (a->status)
        outcome = webhook_judge(t->kind, a->status, a->body, j->why);
    else
        snprintf(j->why, sizeof(j->why), "%s", a->why);
    if (outcome == WEBHOOK_TAKEN) {
        t->count.sent += n;
        if (span_is(span_str(t->closed_why), "broken"))
            webhook_target_close(t, false, 0, span_str("")); /* the others need not wait for their next look */
        hist_add(t->latency_ms, (uint64_t)ms);
        log_event(LOG_DEBUG, "webhook_sent", "target=%s id=%s events=%zu try=%u ms=%" PRId64, t->name, first->id, n,
                  first->tries + 1, ms);
        judged(j, "ok", "sent", 0);
        return;
    }
    if (outcome == WEBHOOK_TOO_FAST && !wait)
        wait = t->kind == WEBHOOK_DINGTALK ? MUTED_DINGTALK_MS : t->kind == WEBHOOK_GENERIC ? 0 : MUTED_MS;
    t->count.failed++;
    memcpy(t->last_error, j->why, sizeof(t->last_error));
    log_event_limited(&j->w->limit, LOG_WARN, "webhook_failed",
                      "target=%s id=%s events=%zu try=%u ms=%" PRId64 " why=\"%s\"", t->name, first->id, n,
                      first->tries + 1, ms, j->why);
    if (wait)
        webhook_target_close(t, false, wait, span_str("told to wait"));
    judged(j, "fail", "again", wait);
}

static void fill_event(const struct part *p, struct span field[FIELDS_MAX], struct webhook_event *ev)
{
    *ev = (struct webhook_event){.id = span_str(p->id),
                                 .kind = redis_item(p->claim, CLAIM_KIND)->text,
                                 .is_urgent = p->is_urgent,
                                 .field = field};
    if (!redis_get_int(redis_item(p->claim, CLAIM_AT), &ev->at_ms) ||
        !redis_get_int(redis_item(p->claim, CLAIM_SEVERITY), &ev->severity))
        ev->severity = 1;
    for (size_t i = CLAIM_FIELDS; i < p->claim->n && ev->n_fields < FIELDS_MAX; i++)
        field[ev->n_fields++] = redis_item(p->claim, i)->text;
}

static void post(struct webhook_job *j)
{
    struct webhook_target *t = j->target;
    struct span field[WEBHOOK_DIGEST_MAX][FIELDS_MAX];
    struct webhook_event ev[WEBHOOK_DIGEST_MAX];
    struct webhook_message m = {0};
    struct conf_url url = t->url;
    size_t n_events = 0;
    unsigned tries = first_in(j)->tries;
    for (size_t i = 0; i < j->n; i++)
        if (is_in(&j->part[i])) {
            fill_event(&j->part[i], field[n_events], &ev[n_events]);
            n_events++;
        }
    webhook_write(t->kind, span_str(t->secret), ev, n_events, tries + 1, clock_wall_ms(), &m);
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
                                                                .turn = tries},
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
    j->target->count.held += count_in(j);
    webhook_target_close(j->target, !is_urgent(j), ms, redis_item(reply, 2)->text);
    j->end = "back";
    j->wait_ms = ms;
    finish(j);
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
    struct span args[] = {span_str("ask"),      span_str(t->name), span_str(is_urgent(j) ? "1" : "0"),
                          span_str(minute),     span_str(second),  span_str(kinds[t->kind]),
                          span_str(t->url.host)};
    run_gate(j->w, on_gate, j, ARRAY_LEN(args), args);
}

static void give_up(struct part *p)
{
    struct webhook_job *j = p->job;
    struct span args[] = {span_str("gave_up"), span_str(j->target->name)};
    p->is_too_old = true;
    j->target->count.gave_up++;
    log_event(LOG_ERROR, "webhook_gave_up", "target=%s id=%s tries=%u", j->target->name, p->id, p->tries);
    run_gate(j->w, NULL, NULL, ARRAY_LEN(args), args);
}

/* All claims were answered. */
static void claimed(struct webhook_job *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->n; i++)
        n += j->part[i].claim != NULL;
    if (!n) {
        webhook_job_end(j); /* other gateways have them */
    } else if (count_in(j)) {
        ask_gate(j);
    } else {
        j->end = "gave_up";
        finish(j);
    }
}

static void on_claim(void *ctx, const struct redis_reply *reply)
{
    struct part *p = ctx;
    struct webhook_job *j = p->job;
    int64_t tries, now_ms, at_ms;
    struct span fence = redis_item(reply, CLAIM_FENCE)->text;
    if (says(reply, "OK") && fence.n < WEBHOOK_NUMBER_LEN && redis_get_int(redis_item(reply, CLAIM_TRIES), &tries) &&
        redis_get_int(redis_item(reply, CLAIM_NOW), &now_ms) && redis_get_int(redis_item(reply, CLAIM_AT), &at_ms)) {
        memcpy(p->fence, fence.p, fence.n);
        p->tries = (unsigned)MIN_OF(MAX_OF(tries, 0), 1000000);
        p->claim = redis_reply_copy(reply);
        if (now_ms - at_ms > j->set->retry_for_ms)
            give_up(p);
    } else {
        webhook_complain(j->w, "hook_claim", reply);
    }
    if (--j->n_awaited == 0)
        claimed(j);
}

void webhook_job_start(struct webhook *w, struct webhook_target *t, size_t n, const struct webhook_delivery *d)
{
    struct webhook_job *j = xcalloc(1, sizeof(*j));
    char lease[WEBHOOK_NUMBER_LEN];
    *j = (struct webhook_job){.w = w, .next = w->jobs, .set = w->set, .target = t, .n = n, .n_awaited = n};
    if (w->jobs)
        w->jobs->prev = j;
    w->jobs = j;
    w->n_jobs++;
    t->in_flight++;
    webhook_set_ref(w->set);
    snprintf(lease, sizeof(lease), "%" PRId64, t->timeout_ms + LEASE_SLACK_MS);
    for (size_t i = 0; i < n; i++) {
        struct part *p = &j->part[i];
        *p = (struct part){
            .job = j, .shard = d[i].shard, .is_urgent = d[i].is_urgent, .id = xmemdup0(d[i].id.p, d[i].id.n)};
        struct span args[] = {span_str(p->id), span_str(t->name), span_str(w->node_id), span_str(lease)};
        webhook_run(w, w->s_claim, p->shard, on_claim, p, ARRAY_LEN(args), args);
    }
}

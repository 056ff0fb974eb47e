#include "track/held.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "track/schema.h"
#include "track/script.h"

enum {
    POLL_MS = 500,
    SLOW_POLLS = 10,     /* where nothing is held, every so many polls */
    EXPECT_MS = 60000,   /* how long after holding one an empty shard is asked often */
    ELSEWHERE_MS = 1500, /* how long the node where it came from goes first */
    LEASE_MS = 10000,
    ROWS_MOST = 500,
    REPORTS_MAX = 256,
    ID_MAX = 32,
    NUMBER_LEN = 24,
    WHY_MAX = 200,
};

/* What held_due answers for one message; the numbers are positions in a row. */
enum { ROW_ID, ROW_WHAT, ROW_AGENT, ROW_VIA, ROW_SINCE };
/* What held_claim answers. */
enum { GOT_WHAT, GOT_FENCE, GOT_STATE, GOT_AGENT, GOT_CONV, GOT_ROUTE, GOT_VIA, GOT_RAW, GOT_TEXT, GOT_WHO, GOT_WHY };

struct shard {
    struct held *owner;
    unsigned number;
    bool is_polling;
    unsigned n_claims; /* while there are any, the shard is not asked again */
    uint64_t open;
};

struct held {
    struct held_options o;
    char *node_id;
    char within[NUMBER_LEN], keep[NUMBER_LEN];
    struct redis_script *due, *claim, *done;
    struct timer *timer;
    struct shard *shard;
    unsigned polls, n_reports;
    struct report *first; /* all that Redis has not answered */
    atomic_bool is_expected;
    int64_t often_until_ms; /* monotonic */
    uint64_t count[HELD_OUTCOME_COUNT];
    struct log_limit limit;
};

struct claim {
    struct shard *shard;
    char id[ID_MAX];
};

/* An outcome on its way to Redis; tried again while the link is away, so that what was sent is not left uncertain. */
struct report {
    struct held *owner;
    unsigned shard;
    char id[ID_MAX], fence[NUMBER_LEN], why[WHY_MAX];
    enum held_outcome outcome;
    struct timer *again;
    unsigned tries;
    struct report *prev, *next;
};

static const char *const outcome_names[] = {
#define X(id, name) name,
    HELD_OUTCOMES(X)
#undef X
};

static void copy_text(char *out, size_t cap, struct span s)
{
    size_t n = MIN_OF(s.n, cap - 1);
    memcpy(out, s.p, n);
    out[n] = '\0';
}

static void run(struct held *h, const struct redis_script *s, unsigned shard, redis_fn fn, void *ctx, size_t n,
                const struct span *args)
{
    struct schema_keys keys;
    schema_apply_keys(shard, &keys);
    redis_eval(h->o.redis, fn, ctx, s, SCHEMA_KEY_COUNT, keys.span, n, args);
}

static void complain(struct held *h, const char *script, const struct redis_reply *reply)
{
    char text[160];
    if (!redis_has_code(reply, "LINK"))
        log_event_limited(&h->limit, LOG_WARN, "held_trouble", "script=%s error=\"%s\"", script,
                          redis_text(reply, text));
}

/* --- claiming --- */

static void on_claim(void *ctx, const struct redis_reply *reply)
{
    struct claim *c = ctx;
    struct held *h = c->shard->owner;
    char fence[NUMBER_LEN];
    struct span what = redis_item(reply, GOT_WHAT)->text;
    c->shard->n_claims--;
    if (redis_is_error(reply)) {
        complain(h, "held_claim", reply);
    } else if (span_is(what, "SEND") || span_is(what, "TELL")) {
        copy_text(fence, sizeof(fence), redis_item(reply, GOT_FENCE)->text);
        struct held_item item = {.is_send = span_is(what, "SEND"),
                                 .id = span_str(c->id),
                                 .fence = fence,
                                 .state = redis_item(reply, GOT_STATE)->text,
                                 .agent = redis_item(reply, GOT_AGENT)->text,
                                 .conv = redis_item(reply, GOT_CONV)->text,
                                 .route = redis_item(reply, GOT_ROUTE)->text,
                                 .via = redis_item(reply, GOT_VIA)->text,
                                 .raw = redis_item(reply, GOT_RAW)->text,
                                 .text = redis_item(reply, GOT_TEXT)->text,
                                 .who = redis_item(reply, GOT_WHO)->text,
                                 .why = redis_item(reply, GOT_WHY)->text};
        h->o.claimed(h->o.ctx, &item);
    } /* else another node has it, or it has ended */
    free(c);
}

/* The node where the message came from goes first: the very session may still be there. */
static bool is_ours(const struct held *h, const struct redis_reply *row, int64_t now_ms)
{
    struct span via = redis_item(row, ROW_VIA)->text, node = span_str(h->node_id);
    bool is_from_here = span_starts(via, node) && via.n > node.n && via.p[node.n] == '/';
    int64_t since_ms;
    if (!redis_get_int(redis_item(row, ROW_SINCE), &since_ms))
        return false;
    return h->o.has_agent(h->o.ctx, redis_item(row, ROW_AGENT)->text) &&
           (is_from_here || now_ms - since_ms >= ELSEWHERE_MS);
}

static void consider(struct shard *sh, const struct redis_reply *row, int64_t now_ms)
{
    struct held *h = sh->owner;
    char lease[NUMBER_LEN];
    struct span id = redis_item(row, ROW_ID)->text;
    if (!id.n || id.n >= ID_MAX || !is_ours(h, row, now_ms))
        return;
    struct claim *c = xcalloc(1, sizeof(*c));
    c->shard = sh;
    copy_text(c->id, sizeof(c->id), id);
    snprintf(lease, sizeof(lease), "%d", LEASE_MS);
    struct span args[] = {span_str(c->id), span_str(h->node_id), span_str(lease)};
    sh->n_claims++;
    run(h, h->claim, sh->number, on_claim, c, ARRAY_LEN(args), args);
}

static void on_due(void *ctx, const struct redis_reply *reply)
{
    struct shard *sh = ctx;
    int64_t now_ms, open;
    sh->is_polling = false;
    if (reply->kind != REDIS_ARRAY || !redis_get_int(redis_item(reply, 0), &now_ms) ||
        !redis_get_int(redis_item(reply, 1), &open)) {
        complain(sh->owner, "held_due", reply);
        return;
    }
    sh->open = (uint64_t)MAX_OF(open, 0);
    for (size_t i = 2; i < reply->n && i < 2 + ROWS_MOST; i++)
        consider(sh, reply->item[i], now_ms);
}

static void on_poll(void *ctx)
{
    struct held *h = ctx;
    char most[NUMBER_LEN];
    int64_t now_ms = clock_mono_ms();
    if (!redis_is_up(h->o.redis))
        return;
    if (atomic_exchange(&h->is_expected, false))
        h->often_until_ms = now_ms + EXPECT_MS;
    bool is_full_round = h->polls++ % SLOW_POLLS == 0 || now_ms < h->often_until_ms;
    snprintf(most, sizeof(most), "%d", ROWS_MOST);
    struct span args[] = {span_str(h->within), span_str(h->keep), span_str(most)};
    for (unsigned i = 0; i < h->o.n_shards; i++) {
        struct shard *sh = &h->shard[i];
        if (sh->is_polling || sh->n_claims || (!is_full_round && !sh->open))
            continue;
        sh->is_polling = true;
        run(h, h->due, i, on_due, sh, ARRAY_LEN(args), args);
    }
}

/* --- reporting --- */

static void report_free(struct report *r)
{
    struct held *h = r->owner;
    h->n_reports--;
    if (r->prev)
        r->prev->next = r->next;
    else
        h->first = r->next;
    if (r->next)
        r->next->prev = r->prev;
    if (r->again)
        timer_free(&r->again);
    free(r);
}

static void send_report(void *ctx);

static void on_done(void *ctx, const struct redis_reply *reply)
{
    struct report *r = ctx;
    struct held *h = r->owner;
    if (!redis_is_error(reply) || ++r->tries > LEASE_MS / POLL_MS) {
        if (redis_is_error(reply))
            complain(h, "held_done", reply);
        report_free(r);
        return;
    }
    if (!r->again)
        r->again = timer_new(h->o.loop, send_report, r);
    timer_start(r->again, POLL_MS, false);
}

static void send_report(void *ctx)
{
    struct report *r = ctx;
    struct span args[] = {span_str(r->id), span_str(r->fence), span_str(outcome_names[r->outcome]), span_str(r->why)};
    run(r->owner, r->owner->done, r->shard, on_done, r, ARRAY_LEN(args), args);
}

void held_done(struct held *h, struct span id, const char *fence, enum held_outcome outcome, struct span why)
{
    uint64_t shard;
    const uint8_t *dash = memchr(id.p, '-', id.n);
    h->count[outcome]++;
    if (!dash || !span_u64(span_of(id.p, (size_t)(dash - id.p)), &shard) || shard >= h->o.n_shards || id.n >= ID_MAX ||
        h->n_reports >= REPORTS_MAX) /* its lease ends, and it is seen as uncertain */
        return;
    struct report *r = xcalloc(1, sizeof(*r));
    *r = (struct report){.owner = h, .shard = (unsigned)shard, .outcome = outcome, .next = h->first};
    if (h->first)
        h->first->prev = r;
    h->first = r;
    copy_text(r->id, sizeof(r->id), id);
    copy_text(r->fence, sizeof(r->fence), span_str(fence));
    copy_text(r->why, sizeof(r->why), span_of(why.p, utf8_valid_prefix(span_of(why.p, MIN_OF(why.n, WHY_MAX - 1u)))));
    h->n_reports++;
    send_report(r);
}

/* --- life --- */

void held_expect(struct held *h)
{
    atomic_store(&h->is_expected, true);
}

void held_reconfigure(struct held *h, const struct conf *conf)
{
    snprintf(h->within, sizeof(h->within), "%" PRId64, conf->hold.send_within_ms);
    snprintf(h->keep, sizeof(h->keep), "%" PRId64, conf->hold.keep_ms);
}

struct held *held_start(const struct held_options *o)
{
    struct held *h = xcalloc(1, sizeof(*h));
    h->o = *o;
    h->node_id = xstrdup(o->node_id);
    held_reconfigure(h, o->conf);
    h->o.conf = NULL;
    h->due = redis_script_add(o->redis, script_text("held_due"));
    h->claim = redis_script_add(o->redis, script_text("held_claim"));
    h->done = redis_script_add(o->redis, script_text("held_done"));
    h->shard = xcalloc(o->n_shards, sizeof(*h->shard));
    for (unsigned i = 0; i < o->n_shards; i++)
        h->shard[i] = (struct shard){.owner = h, .number = i};
    h->timer = timer_new(o->loop, on_poll, h);
    timer_start(h->timer, POLL_MS, true);
    return h;
}

void held_get_state(const struct held *h, struct held_state *out)
{
    out->open = 0;
    for (unsigned i = 0; i < h->o.n_shards; i++)
        out->open += h->shard[i].open;
    memcpy(out->count, h->count, sizeof(out->count));
}

void held_stop(struct held **hp)
{
    struct held *h = *hp;
    if (!h)
        return;
    while (h->first)
        report_free(h->first);
    timer_free(&h->timer);
    free(h->shard);
    free(h->node_id);
    free(h);
    *hp = NULL;
}

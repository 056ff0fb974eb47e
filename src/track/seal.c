#include "track/seal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "track/evidence.h"
#include "track/schema.h"
#include "track/script.h"

enum {
    LEASE_MS = 30000,
    CONVS_MOST = 32, /* of one shard at a time */
    ENTRIES_MOST = 200,
    NUMBER_LEN = 24,
    CONV_MAX = 512,
};

/* What seal_due answers: before the conversations, and of each; positions in a row. */
enum { DUE_WORD, DUE_FENCE, DUE_NUMBER, DUE_PREVIOUS, DUE_FIRST };
enum { CONV_ID, CONV_BEFORE, CONV_SEALED, CONV_ALL, CONV_ENTRIES };

struct shard {
    struct sealer *owner;
    unsigned number;
    unsigned n_busy; /* calls under way */
    bool has_more;
};

struct sealer {
    struct sealer_options o;
    char *node_id;
    struct sign_key *key;
    struct redis_script *due, *put;
    struct timer *timer, *soon;
    struct shard *shard;
    struct sealer_state state;
    struct log_limit limit;
};

static void run(struct shard *sh, const struct redis_script *script, redis_fn fn, size_t n, const struct span *args)
{
    struct schema_keys keys;
    schema_apply_keys(sh->number, &keys);
    sh->n_busy++;
    redis_eval(sh->owner->o.redis, fn, sh, script, SCHEMA_KEY_COUNT, keys.span, n, args);
}

static void complain(struct sealer *s, const char *script, const struct redis_reply *reply)
{
    char text[160];
    if (!redis_has_code(reply, "LINK"))
        log_event_limited(&s->limit, LOG_WARN, "seal_trouble", "script=%s error=\"%s\"", script,
                          redis_text(reply, text));
}

static void on_put(void *ctx, const struct redis_reply *reply)
{
    struct shard *sh = ctx;
    struct sealer *s = sh->owner;
    sh->n_busy--;
    if (span_is(redis_item(reply, 0)->text, "OK")) {
        s->state.seals++;
    } else { /* it stays new, and is sealed again */
        s->state.failed++;
        sh->has_more = false;
        if (redis_is_error(reply))
            complain(s, "seal_put", reply);
    }
    if (!sh->n_busy && sh->has_more)
        timer_fire_soon(s->soon);
}

/* The state of a shard's seals while one answer is worked through. */
struct chain {
    const char *fence;
    uint64_t number;
    char previous[SHA256_HEX];
};

static void copy_hash(char out[SHA256_HEX], struct span in)
{
    snprintf(out, SHA256_HEX, "%.*s", (int)MIN_OF(in.n, SHA256_HEX - 1u), (const char *)in.p);
}

static bool hash_entries(const struct redis_reply *rows, uint64_t from, char (*hash)[SHA256_HEX], char head[SHA256_HEX])
{
    struct buf text = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < rows->n; i++) {
        int64_t no;
        buf_reset(&text);
        evidence_write_entry(&text, rows->item[i]);
        sha256_hex(buf_span(&text), hash[i]);
        evidence_chain(head, hash[i]);
        ok = redis_get_int(redis_item(rows->item[i], SAID_NO), &no) && (uint64_t)no == from + i;
    }
    buf_fini(&text);
    return ok;
}

/* Seals one conversation's new entries. Their numbers have no holes, but for what went before they were sealed. */
static void seal(struct shard *sh, const struct redis_reply *conv, struct chain *c)
{
    struct sealer *s = sh->owner;
    const struct redis_reply *rows = redis_item(conv, CONV_ENTRIES);
    struct span id = redis_item(conv, CONV_ID)->text;
    int64_t first, all;
    char(*hash)[SHA256_HEX], head[SHA256_HEX], before[SHA256_HEX], number[NUMBER_LEN], to[NUMBER_LEN], sig[SIGN_HEX];
    if (!rows->n || id.n > CONV_MAX || !redis_get_int(redis_item(redis_item(rows, 0), SAID_NO), &first) ||
        !redis_get_int(redis_item(conv, CONV_ALL), &all))
        return;
    hash = xcalloc(rows->n, sizeof(*hash));
    copy_hash(before, redis_item(conv, CONV_BEFORE)->text);
    memcpy(head, before, sizeof(head));
    if (!hash_entries(rows, (uint64_t)first, hash, head)) {
        log_event_limited(&s->limit, LOG_ERROR, "seal_hole", "shard=%u why=\"numbers of a transcript have a hole\"",
                          sh->number);
        s->state.failed++;
        free(hash);
        return;
    }
    struct evidence_seal seal = {.shard = sh->number,
                                 .number = c->number + 1,
                                 .previous = c->previous,
                                 .conv = id,
                                 .before = before,
                                 .from = (uint64_t)first,
                                 .to = (uint64_t)first + rows->n - 1,
                                 .hash = (const char(*)[SHA256_HEX])hash,
                                 .head = head,
                                 .at_ms = clock_wall_ms(),
                                 .node = s->node_id,
                                 .key_id = sign_key_id(s->key)};
    struct buf text = {0};
    evidence_write_seal(&text, &seal);
    sign_text(s->key, buf_span(&text), sig);
    c->number++;
    sha256_hex(buf_span(&text), c->previous);
    snprintf(number, sizeof(number), "%" PRIu64, c->number);
    snprintf(to, sizeof(to), "%" PRIu64, seal.to);
    struct span args[] = {span_str(c->fence), span_str(number),     id, span_str(to), span_str(head), buf_span(&text),
                          span_str(sig),      span_str(c->previous)};
    run(sh, s->put, on_put, ARRAY_LEN(args), args);
    sh->has_more = sh->has_more || seal.to < (uint64_t)all;
    buf_fini(&text);
    free(hash);
}

static void on_due(void *ctx, const struct redis_reply *reply)
{
    struct shard *sh = ctx;
    char fence[NUMBER_LEN];
    struct chain c = {.fence = fence};
    int64_t number;
    sh->n_busy--;
    if (redis_is_error(reply))
        complain(sh->owner, "seal_due", reply);
    if (!span_is(redis_item(reply, DUE_WORD)->text, "OK") || !redis_get_int(redis_item(reply, DUE_NUMBER), &number))
        return;
    snprintf(fence, sizeof(fence), "%.*s", (int)MIN_OF(redis_item(reply, DUE_FENCE)->text.n, NUMBER_LEN - 1u),
             (const char *)redis_item(reply, DUE_FENCE)->text.p);
    c.number = (uint64_t)number;
    copy_hash(c.previous, redis_item(reply, DUE_PREVIOUS)->text);
    sh->has_more = reply->n >= DUE_FIRST + CONVS_MOST;
    for (size_t i = DUE_FIRST; i < reply->n; i++)
        seal(sh, reply->item[i], &c);
}

static void ask(struct shard *sh)
{
    struct sealer *s = sh->owner;
    char lease[NUMBER_LEN], convs[NUMBER_LEN], entries[NUMBER_LEN];
    snprintf(lease, sizeof(lease), "%d", LEASE_MS);
    snprintf(convs, sizeof(convs), "%d", CONVS_MOST);
    snprintf(entries, sizeof(entries), "%d", ENTRIES_MOST);
    struct span args[] = {span_str(s->node_id), span_str(lease), span_str(convs), span_str(entries)};
    sh->has_more = false;
    run(sh, s->due, on_due, ARRAY_LEN(args), args);
}

static void on_time(void *ctx)
{
    struct sealer *s = ctx;
    for (unsigned i = 0; i < s->o.n_shards && redis_is_up(s->o.redis); i++)
        if (!s->shard[i].n_busy)
            ask(&s->shard[i]);
}

static void on_soon(void *ctx)
{
    struct sealer *s = ctx;
    for (unsigned i = 0; i < s->o.n_shards && redis_is_up(s->o.redis); i++)
        if (!s->shard[i].n_busy && s->shard[i].has_more)
            ask(&s->shard[i]);
}

struct sealer *sealer_start(const struct sealer_options *o, struct err *e)
{
    e->text[0] = '\0';
    struct sign_key *key = o->conf->evidence.key ? sign_key_load(o->conf->evidence.key, e) : NULL;
    if (!key)
        return NULL;
    struct sealer *s = xcalloc(1, sizeof(*s));
    s->o = *o;
    s->o.conf = NULL;
    s->node_id = xstrdup(o->node_id);
    s->key = key;
    s->due = redis_script_add(o->redis, script_text("seal_due"));
    s->put = redis_script_add(o->redis, script_text("seal_put"));
    s->shard = xcalloc(o->n_shards, sizeof(*s->shard));
    for (unsigned i = 0; i < o->n_shards; i++)
        s->shard[i] = (struct shard){.owner = s, .number = i};
    s->soon = timer_new(o->loop, on_soon, s);
    s->timer = timer_new(o->loop, on_time, s);
    timer_start(s->timer, o->conf->evidence.seal_every_ms, true);
    return s;
}

void sealer_get_state(const struct sealer *s, struct sealer_state *out)
{
    *out = s ? s->state : (struct sealer_state){0};
}

void sealer_stop(struct sealer **sp)
{
    struct sealer *s = *sp;
    if (!s)
        return;
    timer_free(&s->timer);
    timer_free(&s->soon);
    sign_key_free(&s->key);
    free(s->shard);
    free(s->node_id);
    free(s);
    *sp = NULL;
}

/* Phases, kept in cg:meta, so that a reshard that was broken off can be run again:
 *
 *   (none) ─▶ copy: shards = "moving" (no gateway pumps); all state to cg:{shard}:new:… for the new number
 *          ─▶ switch: shard by shard, in one script each, the new state takes the old one's place
 *          ─▶ (none): shards = the new number
 *
 * Broken off in `copy` it begins anew; in `switch` it goes on where it was: a shard's mark is gone when it has
 * switched. */
#include "cli/reshard_move.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/redis_check.h"
#include "cli/redis_reshard.h"
#include "track/ring.h"
#include "track/schema.h"
#include "track/script.h"

#define LOCK_KEY "cg:reshard"
enum { LOCK_S = 60 };

/* ---- before it begins ---- */

static int read_meta(struct reshard *rs, struct err *e)
{
    const struct redis_reply *r =
        reshard_expect(redis_sync_command_str(rs->redis, e, "HMGET", SCHEMA_META_KEY, "shards", "from", "to", "phase",
                                              "version", NULL),
                       SCHEMA_META_KEY, e);
    int64_t from, to = 0, version;
    if (!r)
        return -1;
    bool is_moving = span_is(redis_item(r, 0)->text, "moving");
    if (redis_item(r, 0)->kind == REDIS_NIL)
        return err_set(e, "%s is empty: there is nothing to move, set redis.shards", SCHEMA_META_KEY);
    if (!redis_get_int(redis_item(r, is_moving ? 1 : 0), &from) || from < 1 || from > RING_SHARDS_MAX)
        return err_set(e, "%s: shards is no number from 1 to %d", SCHEMA_META_KEY, RING_SHARDS_MAX);
    if (!redis_get_int(redis_item(r, 4), &version) || version != SCHEMA_VERSION)
        return err_set(e, "%s: version is not %d, the one that this program can move", SCHEMA_META_KEY, SCHEMA_VERSION);
    if (is_moving && (!redis_get_int(redis_item(r, 2), &to) || to != rs->to))
        return err_set(e, "a reshard from %" PRId64 " to %" PRId64 " was broken off: run it to its end first", from,
                       to);
    rs->from = (unsigned)from;
    rs->is_switching = is_moving && span_is(redis_item(r, 3)->text, "switch");
    return 0;
}

static int refuse_live(struct reshard *rs, struct err *e)
{
    char names[200];
    int n = count_writers(rs->redis, names, e);
    if (n < 0)
        return -1;
    if (n)
        return err_set(e,
                       "somebody is at work, or was within the last %d s: %s. Stop all gateways and dashboards first",
                       NODE_FRESH_MS / 1000, names);
    struct ring_tally tally;
    const char *dir = tracked_conf(rs->t)->ring.dir;
    if (access(dir, F_OK) < 0)
        return 0; /* no gateway ran here */
    if (tally_rings(dir, &tally, e) < 0)
        return -1;
    if (tally.held)
        return err_set(e, "%u rings in %s are in use by a process: stop the gateway of this node first", tally.held,
                       dir);
    if (tally.unsent_bytes)
        return err_set(e,
                       "rings in %s hold %" PRIu64 " bytes of events that are not in Redis: start the gateway until "
                       "they are",
                       dir, tally.unsent_bytes);
    return 0;
}

static int refuse_unmovable(struct reshard *rs, struct err *e)
{
    for (unsigned s = 0; s < rs->from; s++) {
        const struct redis_reply *r = reshard_run_on(rs, s, "move_out", "unknown", "0", e);
        if (!r)
            return -1;
        if (r->n > 1)
            return err_set(e, "cg:{%u}:%s holds something that this program cannot move to another shard", s,
                           (const char *)redis_item(redis_item(r, 1), 0)->text.p);
        r = reshard_run_on(rs, s, "move_out", "held_open", "0", e);
        int64_t open;
        if (!r || !redis_get_int(redis_item(redis_item(r, 1), 0), &open))
            return r ? err_set(e, "move_out: unexpected answer") : -1;
        if (open)
            return err_set(e, "%" PRId64 " messages of shard %u wait for approval: approve or refuse them first", open,
                           s);
    }
    return 0;
}

static int lock(struct reshard *rs, struct err *e)
{
    char seconds[12];
    snprintf(seconds, sizeof(seconds), "%d", LOCK_S);
    rand_hex32(rs->lock);
    const struct redis_reply *r = reshard_expect(
        redis_sync_command_str(rs->redis, e, "SET", LOCK_KEY, rs->lock, "NX", "EX", seconds, NULL), "lock", e);
    if (r && r->kind == REDIS_NIL)
        return err_set(e, "another reshard is at work, or was within the last %d s", LOCK_S);
    return r ? 0 : -1;
}

int reshard_keep_lock(struct reshard *rs, struct err *e)
{
    static const char script[] =
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('EXPIRE', KEYS[1], ARGV[2])";
    char seconds[12];
    snprintf(seconds, sizeof(seconds), "%d", LOCK_S);
    struct span keys[] = {span_str(LOCK_KEY)}, args[] = {span_str(rs->lock), span_str(seconds)};
    const struct redis_reply *r = reshard_expect(redis_sync_eval(rs->redis, script, 1, keys, 2, args, e), "lock", e);
    return !r ? -1 : r->integer == 1 ? 0 : err_set(e, "the lock was lost: another reshard runs; run this again later");
}

/* ---- switch ---- */

static int set_meta(struct reshard *rs, const char *shards, const char *phase, struct err *e)
{
    char from[12], to[12];
    snprintf(from, sizeof(from), "%u", rs->from);
    snprintf(to, sizeof(to), "%u", rs->to);
    return reshard_expect(redis_sync_command_str(rs->redis, e, "HSET", SCHEMA_META_KEY, "shards", shards, "from", from,
                                                 "to", to, "phase", phase, NULL),
                          SCHEMA_META_KEY, e)
               ? 0
               : -1;
}

/* One command each, so that no gateway sees the new number beside a move under way. */
static int finish(struct reshard *rs, struct err *e)
{
    static const char script[] =
        "redis.call('HSET', KEYS[1], 'shards', ARGV[1]) return redis.call('HDEL', KEYS[1], 'from', 'to', 'phase')";
    char to[12];
    snprintf(to, sizeof(to), "%u", rs->to);
    struct span keys[] = {span_str(SCHEMA_META_KEY)}, args[] = {span_str(to)};
    return reshard_expect(redis_sync_eval(rs->redis, script, 1, keys, 1, args, e), SCHEMA_META_KEY, e) ? 0 : -1;
}

static int move(struct reshard *rs, struct err *e)
{
    if (!rs->is_switching &&
        (set_meta(rs, "moving", "copy", e) < 0 || reshard_copy(rs, e) < 0 || set_meta(rs, "moving", "switch", e) < 0))
        return -1;
    for (unsigned s = 0; s < MAX_OF(rs->from, rs->to); s++)
        if (reshard_switch(rs, s, e) < 0 || reshard_keep_lock(rs, e) < 0)
            return -1;
    return finish(rs, e);
}

/* ---- the command ---- */

static void print_result(const struct reshard *rs, bool want_json, bool was_begun)
{
    if (!want_json) {
        printf("moved from %u to %u shards%s\n", rs->from, rs->to, was_begun ? " (finished what was broken off)" : "");
        if (!was_begun)
            printf("conversations %" PRIu64 ", customers %" PRIu64 ", cases %" PRIu64 ", held messages %" PRIu64
                   ", recent rounds %" PRIu64 "\n",
                   rs->conv, rs->cust, rs->cases, rs->held, rs->rounds);
        if (rs->cases || was_begun)
            printf("cases have new ids: S-N is now SHARD-M with M = N * %u + S\n", rs->from);
        printf("set redis.shards to %u on every gateway, then start them\n", rs->to);
        return;
    }
    struct buf out = {0};
    struct json_out j = {&out, false};
    struct {
        const char *name;
        uint64_t n;
    } figure[] = {{"from", rs->from},   {"to", rs->to},     {"conversations", rs->conv},  {"customers", rs->cust},
                  {"cases", rs->cases}, {"held", rs->held}, {"recent_rounds", rs->rounds}};
    json_obj(&j);
    for (size_t i = 0; i < ARRAY_LEN(figure); i++) {
        json_key(&j, figure[i].name);
        json_int(&j, (int64_t)figure[i].n);
    }
    json_key(&j, "resumed");
    json_bool(&j, was_begun);
    json_obj_end(&j);
    puts(buf_cstr(&out));
    buf_fini(&out);
}

int reshard_run(struct tracked *t, unsigned to, bool want_json)
{
    struct reshard rs = {.t = t, .redis = tracked_redis(t), .to = to};
    struct err e;
    if (read_meta(&rs, &e) < 0 || refuse_live(&rs, &e) < 0) {
        fprintf(stderr, "chatgate redis reshard: %s\n", e.text);
        return CLI_FAILED;
    }
    if (rs.from == to && !rs.is_switching) {
        printf("there are %u shards already\n", to);
        return CLI_OK;
    }
    bool was_begun = rs.is_switching;
    if ((!was_begun && refuse_unmovable(&rs, &e) < 0) || lock(&rs, &e) < 0 || move(&rs, &e) < 0) {
        fprintf(stderr, "chatgate redis reshard: %s\n", e.text);
        return CLI_FAILED;
    }
    if (!redis_sync_command_str(rs.redis, &e, "DEL", LOCK_KEY, NULL))
        fprintf(stderr, "chatgate redis reshard: %s\n", e.text); /* it expires */
    print_result(&rs, want_json, was_begun);
    return CLI_OK;
}

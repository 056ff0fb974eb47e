#include <inttypes.h>

#include "base/clock.h"
#include "cli/redis_check.h"
#include "track/beat.h"
#include "track/event.h"
#include "track/ring.h"
#include "track/schema.h"
#include "track/script.h"

enum { WHERE_MAX = 400, CURSOR_MAX = 32, SCANS_MAX = 2000 };

/* ---- cg:meta ---- */

void check_meta(struct redis_check *c)
{
    struct err e;
    char text[160];
    int64_t version;
    const struct redis_reply *r =
        redis_sync_command_str(c->redis, &e, "HMGET", SCHEMA_META_KEY, "shards", "version", "to", NULL);
    if (!r || redis_is_error(r)) {
        report_problem(&c->report, "meta", SCHEMA_META_KEY, "%s", r ? redis_text(r, text) : e.text);
        return;
    }
    if (redis_item(r, 2)->kind == REDIS_TEXT)
        report_problem(&c->report, "reshard_unfinished", SCHEMA_META_KEY,
                       "a reshard to %s shards has not come to its end: run `chatgate redis reshard --to %s` again",
                       redis_text(redis_item(r, 2), text), redis_item(r, 2)->text.p);
    else if (redis_item(r, 0)->kind == REDIS_NIL)
        report_note(&c->report, "empty", SCHEMA_META_KEY, "there is nothing yet: no gateway was here");
    else if (!c->n_shards)
        report_problem(&c->report, "meta", SCHEMA_META_KEY, "shards is \"%s\", must be a number from 1 to %d",
                       redis_text(redis_item(r, 0), text), RING_SHARDS_MAX);
    if (redis_item(r, 1)->kind == REDIS_TEXT &&
        (!redis_get_int(redis_item(r, 1), &version) || llabs(version - SCHEMA_VERSION) > 1))
        report_problem(&c->report, "schema", SCHEMA_META_KEY,
                       "version is \"%s\", this program writes %d and reads %d too", redis_text(redis_item(r, 1), text),
                       SCHEMA_VERSION, SCHEMA_VERSION + 1);
    if (c->n_shards && c->n_shards != c->conf->redis.shards)
        report_problem(&c->report, "shards", SCHEMA_META_KEY,
                       "shards is %u, redis.shards in %s is %" PRId64
                       ": a gateway with this configuration would not pump; "
                       "set it to %u, or move the state with `chatgate redis reshard --to %" PRId64 "`",
                       c->n_shards, c->conf->file, c->conf->redis.shards, c->n_shards, c->conf->redis.shards);
}

/* ---- what other numbers of shards left ---- */

/* "cg:{20}:conv", "cg:{3}:new:conv" */
static void look_at_key(struct redis_check *c, struct span key)
{
    const uint8_t *end = memchr(key.p, '}', key.n);
    uint64_t shard;
    char name[WHERE_MAX];
    struct err e;
    if (!end || key.n >= sizeof(name) || !span_u64(span_of(key.p + 4, (size_t)(end - key.p) - 4), &shard))
        return;
    bool is_copy = memmem(key.p, key.n, "}:new:", 6) != NULL;
    if (shard < c->n_shards && !is_copy)
        return;
    memcpy(name, key.p, key.n);
    name[key.n] = 0;
    const struct redis_reply *r = redis_sync_command_str(c->redis, &e, "PTTL", name, NULL);
    if (!r || r->kind != REDIS_INT || r->integer != -1)
        return; /* with a time to live a reshard left it */
    report_problem(&c->report, "leftover", name,
                   is_copy ? "is the copy of a reshard that was given up"
                           : "belongs to another number of shards than that of cg:meta. Nobody reads or writes it");
}

static void check_leftovers(struct redis_check *c, size_t master)
{
    char cursor[CURSOR_MAX] = "0", name[80];
    for (int i = 0; i < SCANS_MAX && (i == 0 || strcmp(cursor, "0") != 0); i++) {
        struct err e;
        const struct redis_reply *r =
            redis_sync_at_str(c->redis, master, &e, "SCAN", cursor, "MATCH", "cg:{*", "COUNT", "1000", NULL);
        struct span next = r ? redis_item(r, 0)->text : span_of("", 0);
        if (!next.n || next.n >= sizeof(cursor)) {
            report_problem(&c->report, "unreadable", redis_sync_master_name(c->redis, master, name), "SCAN: %s",
                           r ? redis_text(r, (char[160]){0}) : e.text);
            return;
        }
        snprintf(cursor, sizeof(cursor), "%.*s", (int)next.n, (const char *)next.p);
        struct redis_reply *keys = redis_reply_copy(redis_item(r, 1));
        for (size_t k = 0; k < keys->n; k++)
            look_at_key(c, redis_item(keys, k)->text);
        redis_reply_free(keys);
    }
}

/* ---- rights to write ---- */

static const char try_writing[] =
    "redis.call('HSET', KEYS[1], 'a', 1) redis.call('DEL', KEYS[1]) redis.call('ZADD', KEYS[1], 1, 'a') "
    "redis.call('DEL', KEYS[1]) redis.call('XADD', KEYS[1], '*', 'a', 1) redis.call('EXPIRE', KEYS[1], 60) "
    "redis.call('DEL', KEYS[1]) return {redis.call('TIME')}";

static bool can_write(struct redis_check *c, unsigned shard)
{
    char key[SCHEMA_NAME_MAX], text[160];
    struct err e;
    snprintf(key, sizeof(key), "cg:{%u}:check", shard);
    struct span keys[] = {span_str(key)};
    const struct redis_reply *r = redis_sync_eval(c->redis, try_writing, 1, keys, 0, NULL, &e);
    if (r && !redis_is_error(r))
        return true;
    const char *why = r ? redis_text(r, text) : e.text;
    bool is_acl = strstr(why, "NOPERM") || strstr(why, "ACL") || strstr(why, "can't run this command") ||
                  strstr(why, "can't access");
    report_problem(&c->report, is_acl ? "acl" : "not_writable", key, "%s%s", why,
                   is_acl ? "; docs/redis.md says what the user needs" : "");
    return false;
}

/* ---- one shard ---- */

/* Rows of check.lua; returns the next cursor in `cursor`. */
static bool take_rows(struct redis_check *c, unsigned shard, const struct redis_reply *r, char cursor[CURSOR_MAX])
{
    char where[WHERE_MAX];
    for (size_t i = 1; i < r->n; i++) {
        const struct redis_reply *row = r->item[i];
        struct span code = tracked_text(row, 0), what = tracked_text(row, 1), at = tracked_text(row, 2);
        if (span_is(code, ">"))
            continue;
        if (!span_is(code, "@")) {
            snprintf(where, sizeof(where), "shard %u, %.*s", shard, (int)MIN_OF(at.n, 300), (const char *)at.p);
            report_problem(&c->report, (const char *)code.p, where, "%s", (const char *)what.p);
        } else if (event_shard(what, c->n_shards) != shard && event_shard(span_of("", 0), c->n_shards) != shard) {
            snprintf(where, sizeof(where), "shard %u, %.*s", shard, (int)MIN_OF(at.n, 300), (const char *)at.p);
            report_problem(&c->report, "misplaced", where, "belongs to shard %u", event_shard(what, c->n_shards));
        }
    }
    struct span next = redis_item(r, 0)->text;
    if (!next.n || next.n >= CURSOR_MAX || span_is(next, "0"))
        return false;
    memcpy(cursor, next.p, next.n);
    cursor[next.n] = 0;
    return true;
}

/* The answer, the caller's to free; NULL: reported. */
static struct redis_reply *ask_shard(struct redis_check *c, unsigned shard, const char *question, const char *cursor)
{
    char text[160], where[40];
    struct schema_keys keys;
    struct err e;
    struct span args[] = {span_str(question), span_str(cursor)};
    schema_apply_keys(shard, &keys);
    const struct redis_reply *r =
        redis_sync_eval(c->redis, script_text("check"), SCHEMA_KEY_COUNT, keys.span, 2, args, &e);
    if (r && r->kind == REDIS_ARRAY)
        return redis_reply_copy(r);
    snprintf(where, sizeof(where), "shard %u", shard);
    report_problem(&c->report, "unreadable", where, "%s: %s", question, r ? redis_text(r, text) : e.text);
    return NULL;
}

static void go_on(struct redis_check *c, unsigned shard, const char *question, struct span from)
{
    char cursor[CURSOR_MAX];
    snprintf(cursor, sizeof(cursor), "%.*s", (int)MIN_OF(from.n, CURSOR_MAX - 1), (const char *)from.p);
    for (bool is_more = true; is_more;) {
        struct redis_reply *r = ask_shard(c, shard, question, cursor);
        is_more = r && take_rows(c, shard, r, cursor);
        redis_reply_free(r);
    }
}

static void check_shard(struct redis_check *c, unsigned shard)
{
    char unused[CURSOR_MAX];
    struct redis_reply *r = ask_shard(c, shard, "all", "0");
    if (!r)
        return;
    (void)take_rows(c, shard, r, unused);
    for (size_t i = 1; i < r->n; i++)
        if (span_is(tracked_text(r->item[i], 0), ">"))
            go_on(c, shard, (const char *)tracked_text(r->item[i], 1).p, tracked_text(r->item[i], 2));
    redis_reply_free(r);
}

void check_shards(struct redis_check *c)
{
    for (unsigned s = 0; s < c->n_shards; s++)
        if (can_write(c, s))
            check_shard(c, s);
    for (size_t i = 0, n = c->n_shards ? redis_sync_masters(c->redis) : 0; i < n; i++)
        check_leftovers(c, i);
}

/* ---- gateways ---- */

static void add_name(char names[200], struct span name)
{
    size_t n = strlen(names);
    if (n + name.n + 3 < 200)
        snprintf(names + n, 200 - n, "%s%.*s", n ? ", " : "", (int)name.n, (const char *)name.p);
}

static int count_beats(struct redis_sync *s, char names[200], struct err *e)
{
    char since[24];
    const struct redis_reply *r = redis_sync_command_str(s, e, "TIME", NULL);
    int64_t seconds, n = 0;
    if (!r || !redis_get_int(redis_item(r, 0), &seconds))
        return r ? err_set(e, "TIME: %.100s", r->text.p) : -1;
    snprintf(since, sizeof(since), "%" PRId64, seconds * 1000 - NODE_FRESH_MS);
    r = redis_sync_command_str(s, e, "ZRANGEBYSCORE", BEAT_AT_KEY, since, "+inf", NULL);
    if (!r || redis_is_error(r))
        return r ? err_set(e, "%s: %.100s", BEAT_AT_KEY, r->text.p) : -1;
    for (; n < (int64_t)r->n; n++)
        add_name(names, redis_item(r, (size_t)n)->text);
    return (int)n;
}

/* Lines of CLIENT LIST that say name=NAME; the most of any master. */
static int count_connections(struct redis_sync *s, const char *name, struct err *e)
{
    char field[40];
    int most = 0;
    snprintf(field, sizeof(field), " name=%s ", name);
    for (size_t i = 0, masters = redis_sync_masters(s); i < masters; i++) {
        const struct redis_reply *r = redis_sync_at_str(s, i, e, "CLIENT", "LIST", NULL);
        if (!r || r->kind != REDIS_TEXT)
            return r ? err_set(e, "CLIENT LIST: %.100s", r->text.p) : -1;
        int n = 0;
        struct span rest = r->text;
        for (const uint8_t *at; rest.n && (at = memmem(rest.p, rest.n, field, strlen(field))); n++)
            rest = span_from(rest, (size_t)(at - rest.p) + strlen(field));
        most = MAX_OF(most, n);
    }
    return most;
}

static void add_connections(char names[200], int n, const char *what)
{
    char text[60];
    snprintf(text, sizeof(text), "%d connection%s of %s", n, n == 1 ? "" : "s", what);
    if (n)
        add_name(names, span_str(text));
}

int count_writers(struct redis_sync *s, char names[200], struct err *e)
{
    names[0] = 0;
    int beats = count_beats(s, names, e);
    int gateways = beats < 0 ? -1 : count_connections(s, "chatgated", e);
    int boards = gateways < 0 ? -1 : count_connections(s, "chatgate-board", e);
    if (boards < 0)
        return -1;
    add_connections(names, gateways > beats ? gateways : 0, "gateways");
    add_connections(names, boards, "dashboards");
    return MAX_OF(beats, gateways) + boards;
}

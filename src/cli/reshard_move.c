#include "cli/reshard_move.h"

#include "base/xalloc.h"
#include "track/event.h"
#include "track/schema.h"
#include "track/script.h"

enum { PIECES_MAX = 64, NEW_NAME_MAX = 48 };

const struct redis_reply *reshard_expect(const struct redis_reply *r, const char *what, struct err *e)
{
    char text[160];
    if (!r)
        return NULL;
    if (!redis_is_error(r))
        return r;
    err_set(e, "%s: %s", what, redis_text(r, text));
    return NULL;
}

const struct redis_reply *reshard_run_on(struct reshard *rs, unsigned shard, const char *script, const char *kind,
                                         const char *cursor, struct err *e)
{
    struct schema_keys keys;
    struct span args[] = {span_str(kind), span_str(cursor)};
    schema_apply_keys(shard, &keys);
    return reshard_expect(redis_sync_eval(rs->redis, script_text(script), SCHEMA_KEY_COUNT, keys.span, 2, args, e),
                          kind, e);
}

struct new_keys {
    size_t n;
    struct span span[2 * SCHEMA_KEY_COUNT + 2];
    char text[2 * SCHEMA_KEY_COUNT + 2][NEW_NAME_MAX];
};

static void add_key(struct new_keys *k, unsigned shard, const char *infix, const char *name)
{
    int n = snprintf(k->text[k->n], NEW_NAME_MAX, "cg:{%u}:%s%s", shard, infix, name);
    k->span[k->n] = span_of(k->text[k->n], (size_t)n);
    k->n++;
}

static void add_schema(struct new_keys *k, unsigned shard, const char *infix)
{
    struct schema_keys keys;
    schema_apply_keys(shard, &keys);
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++)
        add_key(k, shard, infix, strstr(keys.text[i], "}:") + 2);
}

static int clear_new(struct reshard *rs, unsigned shard, struct err *e)
{
    struct new_keys k = {0};
    struct span argv[SCHEMA_KEY_COUNT + 3] = {span_str("DEL")};
    add_schema(&k, shard, "new:");
    add_key(&k, shard, "new:", "seen");
    add_key(&k, shard, "new:", "ready");
    memcpy(argv + 1, k.span, k.n * sizeof(*argv));
    return reshard_expect(redis_sync_command(rs->redis, k.n + 1, argv, e), "DEL", e) ? 0 : -1;
}

static int give(struct reshard *rs, unsigned target, unsigned source, size_t n, const struct span *piece, struct err *e)
{
    struct new_keys k = {0};
    char from[12], shard[12];
    struct span args[2 + PIECES_MAX];
    add_schema(&k, target, "new:");
    add_key(&k, target, "new:", "seen");
    snprintf(from, sizeof(from), "%u", rs->from);
    snprintf(shard, sizeof(shard), "%u", source);
    args[0] = span_str(from);
    args[1] = span_str(shard);
    memcpy(args + 2, piece, n * sizeof(*piece));
    return reshard_expect(redis_sync_eval(rs->redis, script_text("move_in"), k.n, k.span, 2 + n, args, e), "move_in", e)
               ? 0
               : -1;
}

/* Where the state of a customer goes. What is kept under another name than the one that chose its shard (an event
 * without a customer) follows the empty one. */
static unsigned target_of(const struct reshard *rs, unsigned source, const char *kind, struct span customer)
{
    if (strcmp(kind, "info") == 0 || strncmp(kind, "hours:", 6) == 0 || strncmp(kind, "days:", 5) == 0)
        return source % rs->to;
    if (event_shard(customer, rs->from) != source)
        customer = span_of("", 0);
    return event_shard(customer, rs->to);
}

static int give_rows(struct reshard *rs, unsigned source, const char *kind, const struct redis_reply *rows,
                     struct err *e)
{
    struct span piece[PIECES_MAX];
    bool *is_given = xcalloc(rows->n + 1, sizeof(*is_given));
    int rc = 0;
    for (size_t i = 1; i < rows->n && rc == 0; i++) {
        size_t n = 0;
        unsigned target = target_of(rs, source, kind, redis_item(rows->item[i], 0)->text);
        for (size_t j = i; j < rows->n && n < PIECES_MAX; j++) {
            if (is_given[j] || target_of(rs, source, kind, redis_item(rows->item[j], 0)->text) != target)
                continue;
            piece[n++] = redis_item(rows->item[j], 1)->text;
            is_given[j] = true;
        }
        rc = n ? give(rs, target, source, n, piece, e) : 0;
        i -= n == PIECES_MAX; /* there may be more for this target */
    }
    free(is_given);
    return rc;
}

static void tally(struct reshard *rs, const char *kind, size_t n)
{
    uint64_t *at = strcmp(kind, "conv") == 0     ? &rs->conv
                   : strcmp(kind, "cust") == 0   ? &rs->cust
                   : strcmp(kind, "case") == 0   ? &rs->cases
                   : strcmp(kind, "rounds") == 0 ? &rs->rounds
                   : strcmp(kind, "agents") == 0 ? &rs->agents
                   : strcmp(kind, "held") == 0   ? &rs->held
                                                 : NULL;
    if (at)
        *at += n;
}

static int copy_kind(struct reshard *rs, unsigned source, const char *kind, struct err *e)
{
    char cursor[32] = "0";
    do {
        const struct redis_reply *r = reshard_run_on(rs, source, "move_out", kind, cursor, e);
        struct span next = r ? redis_item(r, 0)->text : span_of("", 0);
        if (!r || !next.n || next.n >= sizeof(cursor))
            return r ? err_set(e, "move_out: unexpected answer") : -1;
        memcpy(cursor, next.p, next.n);
        cursor[next.n] = 0;
        struct redis_reply *rows = redis_reply_copy(r);
        int rc = give_rows(rs, source, kind, rows, e);
        tally(rs, kind, rows->n - 1);
        redis_reply_free(rows);
        if (rc < 0)
            return -1;
    } while (strcmp(cursor, "0") != 0);
    return 0;
}

static int copy_shard(struct reshard *rs, unsigned source, struct err *e)
{
    static const char *const kinds[] = {"conv",  "cust", "case",   "held",   "said",
                                        "seals", "hook", "agents", "rounds", "info"};
    char figures[16];
    int rc = reshard_keep_lock(rs, e);
    for (size_t i = 0; i < ARRAY_LEN(kinds) && rc == 0; i++)
        rc = copy_kind(rs, source, kinds[i], e);
    for (unsigned i = 0; i < SCHEMA_HOUR_SLOTS + SCHEMA_DAY_SLOTS && rc == 0; i++) {
        bool is_hours = i < SCHEMA_HOUR_SLOTS;
        snprintf(figures, sizeof(figures), "%s:%u", is_hours ? "hours" : "days", is_hours ? i : i - SCHEMA_HOUR_SLOTS);
        rc = copy_kind(rs, source, figures, e);
    }
    return rc < 0 ? err_prefix(e, "shard %u", source) : 0;
}

int reshard_copy(struct reshard *rs, struct err *e)
{
    unsigned most = MAX_OF(rs->from, rs->to);
    for (unsigned s = 0; s < most; s++)
        if (clear_new(rs, s, e) < 0)
            return -1;
    for (unsigned s = 0; s < rs->from; s++)
        if (copy_shard(rs, s, e) < 0)
            return -1;
    for (unsigned s = 0; s < most; s++) {
        struct new_keys k = {0};
        add_key(&k, s, "new:", "ready");
        if (!reshard_expect(redis_sync_command_str(rs->redis, e, "SET", k.text[0], "1", NULL), "SET", e))
            return -1;
    }
    return 0;
}

int reshard_switch(struct reshard *rs, unsigned shard, struct err *e)
{
    struct new_keys k = {0};
    char to[12];
    add_schema(&k, shard, "");
    add_schema(&k, shard, "new:");
    add_key(&k, shard, "new:", "seen");
    add_key(&k, shard, "new:", "ready");
    snprintf(to, sizeof(to), "%u", rs->to);
    struct span args[] = {span_str(to)};
    return reshard_expect(redis_sync_eval(rs->redis, script_text("move_switch"), k.n, k.span, 1, args, e),
                          "move_switch", e)
               ? 0
               : -1;
}

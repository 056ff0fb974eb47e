#include "cli/cli_tracked.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "net/tls.h"
#include "track/schema.h"
#include "track/script.h"

enum { ARGS_MAX = 12, HOURS_MOST = 168, ROWS_MOST = 1000, SHARDS_MOST = 1024 };

/* --- options --- */

static int bad_args(const char *command, const char *why, const char *what)
{
    fprintf(stderr, "chatgate %s: %s \"%s\"\n", command, why, what);
    return -1;
}

static int read_number(const char *command, const char *option, const char *text, int64_t most, int64_t *out)
{
    uint64_t n;
    if (!span_u64(span_str(text), &n) || n < 1 || n > (uint64_t)most) {
        fprintf(stderr, "chatgate %s: %s is \"%s\", must be a number from 1 to %" PRId64 "\n", command, option, text,
                most);
        return -1;
    }
    *out = (int64_t)n;
    return 0;
}

int tracked_read_args(int argc, char **argv, const char *allowed, struct tracked_args *out)
{
    *out = (struct tracked_args){.hours = 24, .most = 20};
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool is_common = strcmp(a, "--config") == 0 || strcmp(a, "--json") == 0;
        if (a[0] == '-' && !is_common && !strstr(allowed, a))
            return bad_args(argv[0], "unexpected argument", a);
        if (strcmp(a, "--json") == 0) {
            out->want_json = true;
        } else if (strcmp(a, "--all") == 0) {
            out->want_all = true;
        } else if (a[0] != '-') {
            if (out->word || !strstr(allowed, "WORD"))
                return bad_args(argv[0], "unexpected argument", a);
            out->word = a;
        } else if (!value) {
            return bad_args(argv[0], "a value is missing behind", a);
        } else if (strcmp(a, "--config") == 0) {
            out->config = argv[++i];
        } else if (strcmp(a, "--hours") == 0) {
            if (read_number(argv[0], a, argv[++i], HOURS_MOST, &out->hours) != 0)
                return -1;
        } else if (strcmp(a, "--most") == 0) {
            if (read_number(argv[0], a, argv[++i], ROWS_MOST, &out->most) != 0)
                return -1;
        } else {
            return bad_args(argv[0], "unexpected argument", a);
        }
    }
    return 0;
}

/* --- reading --- */

struct tracked {
    struct conf *conf;
    struct tls_client *tls;
    struct redis_sync *redis;
    unsigned n_shards;
};

/* The number of shards that the daemons fixed at their first start, which may differ from this configuration. */
static int read_shards(struct tracked *t, struct err *e)
{
    const struct redis_reply *r = redis_sync_command_str(t->redis, e, "HGET", SCHEMA_META_KEY, "shards", NULL);
    int64_t n;
    if (!r)
        return -1;
    if (redis_is_error(r))
        return err_set(e, "Redis: %.*s", (int)r->text.n, (const char *)r->text.p);
    t->n_shards = 0; /* nothing is tracked yet */
    if (r->kind == REDIS_NIL)
        return 0;
    if (!redis_get_int(r, &n) || n < 1 || n > SHARDS_MOST)
        return err_set(e, "%s: shards is no number from 1 to %d", SCHEMA_META_KEY, SHARDS_MOST);
    t->n_shards = (unsigned)n;
    return 0;
}

static int dial(struct tracked *t, bool want_any, struct err *e)
{
    const struct conf *c = t->conf;
    struct redis_options o = redis_options_of(c);
    if (!c->redis.is_on)
        return err_set(e, "%s: redis.enabled is false, so that nothing is tracked", c->file);
    if (c->redis.tls.is_on && !(t->tls = tls_client_new(c->redis.tls.ca, c->redis.tls.verify, e)))
        return -1;
    o.client_name = "chatgate-cli";
    o.tls = t->tls;
    t->redis = redis_sync_open(&o, e);
    if (!t->redis)
        return -1;
    int rc = read_shards(t, e);
    return want_any ? 0 : rc;
}

static struct tracked *open_with(const struct tracked_args *args, bool want_any)
{
    struct tracked *t = xcalloc(1, sizeof(*t));
    struct err_list errs = {0};
    struct err e;
    log_set_level(LOG_ERROR); /* the link's own lines are for the daemon's log; what went wrong is said once */
    if (conf_load_to_ask(args->config ? args->config : conf_default_path(), &t->conf, &errs) != 0) {
        for (size_t i = 0; i < errs.n; i++)
            fprintf(stderr, "%s\n", errs.line[i]);
        tracked_close(&t);
    } else if (dial(t, want_any, &e) != 0) {
        fprintf(stderr, "chatgate: %s\n", e.text);
        tracked_close(&t);
    }
    err_list_fini(&errs);
    return t;
}

struct tracked *tracked_open(const struct tracked_args *args)
{
    return open_with(args, false);
}

struct tracked *tracked_open_any(const struct tracked_args *args)
{
    return open_with(args, true);
}

struct redis_sync *tracked_redis(struct tracked *t)
{
    return t->redis;
}

const struct conf *tracked_conf(const struct tracked *t)
{
    return t->conf;
}

void tracked_close(struct tracked **tp)
{
    struct tracked *t = *tp;
    if (!t)
        return;
    redis_sync_close(&t->redis);
    tls_client_unref(&t->tls);
    conf_free(&t->conf);
    free(t);
    *tp = NULL;
}

int tracked_pseudonym(struct tracked *t, const char *id, char out[PSEUDONYM_MAX])
{
    struct buf key = {0};
    struct err e;
    int rc = pseudonym_load_key(t->conf->privacy.key ? t->conf->privacy.key : "", &key, &e);
    if (rc < 0)
        fprintf(stderr, "chatgate: privacy.key: %s\n", e.text);
    else
        pseudonym_make(buf_span(&key), span_str(id), out);
    buf_fini(&key);
    return rc;
}

void tracked_audit(struct tracked *t, const char *who, const char *action, const char *target, const char *why)
{
    char at[24];
    struct err e;
    snprintf(at, sizeof(at), "%" PRId64, clock_wall_ms());
    redis_sync_command_str(t->redis, &e, "XADD", "cg:audit", "MAXLEN", "~", "100000", "*", "at", at, "who", who, "role",
                           "cli", "from", "cli", "action", action, "target", target, "why", why, "result", "ok", NULL);
}

unsigned tracked_shards(const struct tracked *t)
{
    return t->n_shards;
}

static const struct redis_reply *run(struct tracked *t, unsigned shard, const char *script, size_t n,
                                     const struct span *args)
{
    struct schema_keys keys;
    struct err e;
    schema_apply_keys(shard, &keys);
    const struct redis_reply *r =
        redis_sync_eval(t->redis, script_text(script), SCHEMA_KEY_COUNT, keys.span, n, args, &e);
    if (!r || r->kind != REDIS_ARRAY) {
        char text[160];
        fprintf(stderr, "chatgate: shard %u: %s\n", shard, r ? redis_text(r, text) : e.text);
        return NULL;
    }
    return r;
}

static size_t collect(struct span args[ARGS_MAX], va_list ap)
{
    size_t n = 0;
    for (const char *arg; n < ARGS_MAX && (arg = va_arg(ap, const char *));)
        args[n++] = span_str(arg);
    return n;
}

const struct redis_reply *tracked_run(struct tracked *t, unsigned shard, const char *script, ...)
{
    struct span args[ARGS_MAX];
    va_list ap;
    va_start(ap, script);
    size_t n = collect(args, ap);
    va_end(ap);
    return run(t, shard, script, n, args);
}

int tracked_ask_script(struct tracked *t, tracked_fn fn, void *ctx, const char *script, size_t n_args,
                       const struct span *args)
{
    for (unsigned shard = 0; shard < t->n_shards; shard++) {
        const struct redis_reply *r = run(t, shard, script, n_args, args);
        if (!r)
            return -1;
        for (size_t i = 1; i < r->n; i++)
            fn(ctx, redis_item(r, i));
    }
    return 0;
}

int tracked_ask(struct tracked *t, tracked_fn fn, void *ctx, ...)
{
    struct span args[ARGS_MAX];
    va_list ap;
    va_start(ap, ctx);
    size_t n = collect(args, ap);
    va_end(ap);
    return tracked_ask_script(t, fn, ctx, "read", n, args);
}

void tracked_keep(void *ctx, const struct redis_reply *row)
{
    struct tracked_rows *rows = ctx;
    if (rows->n == rows->cap) {
        rows->cap = rows->cap ? 2 * rows->cap : 64;
        rows->row = xrealloc(rows->row, rows->cap * sizeof(*rows->row));
    }
    rows->row[rows->n++] = redis_reply_copy(row);
}

struct order {
    size_t column;
    int sign;
};

static int compare(const void *a, const void *b, void *ctx)
{
    const struct order *o = ctx;
    int64_t x = tracked_int(*(struct redis_reply *const *)a, o->column),
            y = tracked_int(*(struct redis_reply *const *)b, o->column);
    return x < y ? -o->sign : x > y ? o->sign : 0;
}

void tracked_sort(struct tracked_rows *rows, size_t column, int sign)
{
    struct order o = {column, sign};
    if (rows->n)
        qsort_r(rows->row, rows->n, sizeof(*rows->row), compare, &o);
}

void tracked_rows_fini(struct tracked_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        redis_reply_free(rows->row[i]);
    free(rows->row);
    *rows = (struct tracked_rows){0};
}

struct span tracked_text(const struct redis_reply *row, size_t at)
{
    const struct redis_reply *r = redis_item(row, at);
    return r->kind == REDIS_TEXT ? r->text : span_of("", 0);
}

int64_t tracked_int(const struct redis_reply *row, size_t at)
{
    int64_t v;
    return redis_get_int(redis_item(row, at), &v) ? v : 0;
}

void tracked_print_json(const struct tracked_rows *rows, size_t most, const struct tracked_column *column,
                        size_t n_columns)
{
    struct buf out = {0};
    struct json_out j = {.buf = &out};
    json_arr(&j);
    for (size_t i = 0; i < rows->n && i < most; i++) {
        json_obj(&j);
        for (size_t k = 0; k < n_columns; k++) {
            json_key(&j, column[k].key);
            if (column[k].is_number)
                json_int(&j, tracked_int(rows->row[i], k));
            else
                json_span(&j, tracked_text(rows->row[i], k));
        }
        json_obj_end(&j);
    }
    json_arr_end(&j);
    puts(buf_cstr(&out));
    buf_fini(&out);
}

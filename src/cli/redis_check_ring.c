#include <dirent.h>
#include <errno.h>
#include <inttypes.h>

#include "base/xalloc.h"
#include "cli/redis_check.h"
#include "track/ring.h"
#include "track/schema.h"

typedef void (*ring_fn)(void *ctx, const char *path);

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);
    return n > k && strcmp(name + n - k, suffix) == 0;
}

static int each_ring(const char *dir, const char *suffix, ring_fn fn, void *ctx, struct err *e)
{
    DIR *d = opendir(dir);
    if (!d)
        return err_sys(e, "ring.dir %s", dir);
    for (struct dirent *f; (f = readdir(d));) {
        if (!has_suffix(f->d_name, suffix))
            continue;
        char *path = xasprintf("%s/%s", dir, f->d_name);
        fn(ctx, path);
        free(path);
    }
    closedir(d);
    return 0;
}

static void on_tally(void *ctx, const char *path)
{
    struct ring_tally *t = ctx;
    struct ring_glance *g = xmalloc(sizeof(*g));
    struct err e;
    if (ring_glance(path, g, &e) == 0) {
        t->n++;
        t->held += g->is_held;
        t->unsent_bytes += g->unsent_bytes + g->owed;
    }
    free(g);
}

int tally_rings(const char *dir, struct ring_tally *out, struct err *e)
{
    *out = (struct ring_tally){0};
    return each_ring(dir, ".ring", on_tally, out, e);
}

/* Redis is asked before the ring is read again: a ring that works can only be ahead. */
static int read_applied(struct redis_check *c, const char *id, int64_t applied[RING_SHARDS_MAX], const char *path)
{
    struct err e;
    char text[160];
    for (unsigned s = 0; s < c->n_shards; s++) {
        struct schema_keys keys;
        schema_apply_keys(s, &keys);
        const struct redis_reply *r = redis_sync_command_str(c->redis, &e, "HGET", keys.text[KEY_APPLIED], id, NULL);
        applied[s] = 0;
        if (!r || redis_is_error(r)) {
            report_problem(&c->report, "ring", path, "shard %u cannot be asked for it: %s", s,
                           r ? redis_text(r, text) : e.text);
            return -1;
        }
        if (r->kind != REDIS_NIL && !redis_get_int(r, &applied[s]))
            applied[s] = 0;
    }
    return 0;
}

static void compare(struct redis_check *c, const char *path, struct ring_glance *g)
{
    int64_t *applied = xcalloc(RING_SHARDS_MAX, sizeof(*applied));
    struct err e;
    if (read_applied(c, g->id, applied, path) == 0 && ring_glance(path, g, &e) == 0) {
        for (unsigned s = 0; s < c->n_shards; s++)
            if (applied[s] > g->newest[s])
                report_problem(&c->report, "ring_behind", path,
                               "shard %u of Redis has event %" PRId64 " of this ring, which has drawn only %" PRId64
                               ": it is an old copy, or this is another Redis. A gateway will give it a new id",
                               s, applied[s], g->newest[s]);
    }
    free(applied);
}

static void on_ring(void *ctx, const char *path)
{
    struct redis_check *c = ctx;
    struct ring_glance *g = xmalloc(sizeof(*g));
    struct err e;
    if (ring_glance(path, g, &e) < 0) {
        report_problem(&c->report, "ring", path, "%s", e.text);
    } else if (c->n_shards && g->n_shards != c->n_shards) {
        if (g->unsent_bytes)
            report_problem(&c->report, "ring_shards", path,
                           "was made for %u shards and holds %" PRIu64
                           " bytes of events; cg:meta says %u, so nobody takes "
                           "them",
                           g->n_shards, g->unsent_bytes, c->n_shards);
    } else {
        compare(c, path, g);
    }
    if (g->unsent_bytes && !g->is_held)
        report_problem(&c->report, "ring_unsent", path,
                       "holds %" PRIu64 " bytes of events, and no gateway has it open: start one with this ring.dir",
                       g->unsent_bytes);
    if (g->lost)
        report_note(&c->report, "ring_lost", path, "%" PRIu64 " events were refused because it was full", g->lost);
    free(g);
}

static void on_bad(void *ctx, const char *path)
{
    struct redis_check *c = ctx;
    report_problem(&c->report, "ring_bad", path,
                   "was set aside as unusable; it may hold events that Redis does not have");
}

void check_rings(struct redis_check *c)
{
    struct err e;
    const char *dir = c->conf->ring.dir;
    if (each_ring(dir, ".ring", on_ring, c, &e) < 0 || each_ring(dir, ".bad", on_bad, c, &e) < 0)
        report_note(&c->report, "rings", dir, "%s; the rings of this node were not looked at", e.text);
}

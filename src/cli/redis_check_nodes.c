/* chatgate redis check: gateways that count replies in different ways. */
#include "base/clock.h"
#include "cli/redis_check.h"
#include "track/beat.h"
#include "track/script.h"
#include "track/shop_zones.h"

/* What stands behind "counting": in a node's state; empty: it says nothing (an older version). */
static struct span counting_of(struct span state)
{
    static const char key[] = "\"counting\":\"";
    const uint8_t *at = state.n ? memmem(state.p, state.n, key, sizeof(key) - 1) : NULL;
    if (!at)
        return span_of("", 0);
    struct span rest = span_from(state, (size_t)(at - state.p) + sizeof(key) - 1);
    const uint8_t *end = rest.n ? memchr(rest.p, '"', rest.n) : NULL;
    return span_of(rest.p, end ? (size_t)(end - rest.p) : 0);
}

/* Row: {node, last heart-beat, state} */
static void look_at_node(struct redis_check *c, const struct redis_reply *row, int64_t now_ms, const char *mine)
{
    char node[80];
    struct span theirs = counting_of(tracked_text(row, 2)), name = tracked_text(row, 0);
    if (now_ms - tracked_int(row, 1) > NODE_FRESH_MS || !theirs.n || span_is(theirs, mine))
        return;
    snprintf(node, sizeof(node), "%.*s", (int)MIN_OF(name.n, sizeof(node) - 1), (const char *)name.p);
    report_problem(&c->report, "counting", node,
                   "counts by tracking \"%.*s\", this configuration says \"%s\": figures of different gateways do not "
                   "belong together, give all of them the same keys (shops: calendars in other zones) and reload",
                   (int)MIN_OF(theirs.n, (size_t)200), (const char *)theirs.p, mine);
}

/* As a gateway with this configuration would say it. */
static void counting_here(struct redis_check *c, char out[SHOP_ZONES_COUNTING_MAX])
{
    struct err_list errs = {0};
    struct directory *d = NULL;
    const char *path = c->conf->directory;
    if (path && directory_load(path, &d, &errs) != 0)
        report_problem(&c->report, "counting", path, "%s", errs.n ? errs.line[0] : "cannot be read");
    shop_zones_counting(&c->conf->tracking, d, out);
    directory_unref(&d);
    err_list_fini(&errs);
}

void check_nodes(struct redis_check *c)
{
    char text[160], mine[SHOP_ZONES_COUNTING_MAX];
    struct err e;
    struct span keys[] = {span_str(BEAT_AT_KEY), span_str(BEAT_STATE_KEY)};
    const struct redis_reply *r = redis_sync_eval(c->redis, script_text("nodes"), ARRAY_LEN(keys), keys, 0, NULL, &e);
    if (!r || r->kind != REDIS_ARRAY || !r->n) {
        report_problem(&c->report, "command_refused", BEAT_STATE_KEY, "%s", r ? redis_text(r, text) : e.text);
        return;
    }
    counting_here(c, mine);
    int64_t now_ms = 0;
    if (!redis_get_int(redis_item(r, 0), &now_ms))
        return;
    for (size_t i = 1; i < r->n; i++)
        look_at_node(c, redis_item(r, i), now_ms, mine);
}

/* What a node tells the others about itself in its heart-beat (docs/redis.md, "Nodes"). */
#include "gate/gate.h"
#include "track/shop_zones.h"

enum { PACKS_MAX = 200 };

static void kv_int(struct json_out *j, const char *key, int64_t v)
{
    json_key(j, key);
    json_int(j, v);
}

static void kv_str(struct json_out *j, const char *key, const char *v)
{
    json_key(j, key);
    json_str(j, v);
}

static void kv_bool(struct json_out *j, const char *key, bool v)
{
    json_key(j, key);
    json_bool(j, v);
}

static void put_rules(struct gate *g, struct json_out *j)
{
    json_key(j, "rules");
    json_obj(j);
    kv_str(j, "version", ruleset_version(g->snap->rules));
    kv_int(j, "count", (int64_t)ruleset_count(g->snap->rules));
    kv_int(j, "loaded_ms", g->snap->loaded_ms);
    kv_int(j, "reloads", (int64_t)g->reloads);
    kv_int(j, "reloads_failed", (int64_t)g->reloads_failed);
    kv_int(j, "last_reload_ms", g->last_reload_ms);
    kv_int(j, "last_failed_ms", g->last_failed_ms);
    kv_str(j, "last_error", g->last_reload_error);
    json_obj_end(j);
}

/* The part of a rule's id before its first dot. */
static struct span pack_of(const struct rule *r)
{
    const char *id = rule_id(r);
    return span_of(id, strcspn(id, "."));
}

/* Rules stand in load order, so a pack's rules stand together. */
static void put_packs(struct gate *g, struct json_out *j)
{
    const struct ruleset *s = g->snap->rules;
    size_t n = ruleset_count(s), packs = 0;
    json_key(j, "packs");
    json_arr(j);
    for (size_t i = 0; i < n && packs < PACKS_MAX; packs++) {
        struct span pack = pack_of(ruleset_at(s, i));
        int64_t rules = 0, shadow = 0;
        for (; i < n && span_eq(pack, pack_of(ruleset_at(s, i))); i++) {
            rules++;
            shadow += rule_is_shadow(ruleset_at(s, i));
        }
        json_obj(j);
        json_key(j, "pack");
        json_span(j, pack);
        kv_int(j, "rules", rules);
        kv_int(j, "shadow", shadow);
        json_obj_end(j);
    }
    json_arr_end(j);
}

static void put_journal(struct gate *g, struct json_out *j)
{
    struct track_state t;
    track_get_state(g->track, &t);
    json_key(j, "journal");
    json_obj(j);
    kv_int(j, "unsent_bytes", (int64_t)t.unsent_bytes);
    kv_int(j, "ring_bytes", (int64_t)t.ring_bytes);
    kv_int(j, "oldest_unsent_ms", (int64_t)t.oldest_unsent_ms);
    kv_int(j, "lost", (int64_t)t.events_lost);
    kv_int(j, "gaps", (int64_t)t.gaps);
    kv_int(j, "clock_offset_ms", t.redis_clock_offset_ms);
    kv_str(j, "error", t.last_error);
    json_obj_end(j);
}

void gate_describe(void *gate, struct json_out *j)
{
    struct gate *g = gate;
    const char *why = "";
    bool is_ready = gate_is_ready(g, &why);
    json_obj(j);
    kv_str(j, "version", CHATGATE_VERSION);
    kv_int(j, "started_ms", g->started_ms);
    kv_str(j, "mode", mode_name((enum mode)g->mode));
    kv_int(j, "mode_until_ms", g->mode_until_ms);
    kv_bool(j, "ready", is_ready);
    kv_str(j, "why", is_ready ? "" : why);
    kv_bool(j, "draining", g->is_draining);
    kv_int(j, "sessions", atomic_load(&g->connections));
    kv_int(j, "agents", (int64_t)node_agents(g->node));
    char counting[SHOP_ZONES_COUNTING_MAX];
    kv_str(j, "counting", shop_zones_counting(&g->snap->conf->tracking, g->snap->directory, counting));
    put_rules(g, j);
    put_packs(g, j);
    put_journal(g, j);
    json_obj_end(j);
}

const char *gate_list_rules(void *gate, struct json_out *j)
{
    struct gate *g = gate;
    const struct ruleset *s = g->snap->rules;
    if (!j)
        return ruleset_version(s);
    json_arr(j);
    for (size_t i = 0; i < ruleset_count(s); i++) {
        const struct rule *r = ruleset_at(s, i);
        json_obj(j);
        kv_str(j, "id", rule_id(r));
        kv_str(j, "title", rule_title(r));
        kv_str(j, "norm", rule_norm(r));
        kv_str(j, "cite", rule_cite(r));
        kv_str(j, "action", action_name(rule_action(r)));
        kv_str(j, "direction", rule_direction(r) == DIR_OUTGOING ? "outgoing" : "incoming");
        kv_bool(j, "shadow", rule_is_shadow(r));
        json_obj_end(j);
    }
    json_arr_end(j);
    return ruleset_version(s);
}

#include "conf/directory.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "conf/directory_calendar.h"
#include "conf/preset.h"
#include "conf/yaml.h"

struct shop {
    struct span platform, locale;
    const char *const *facts;
    size_t n_facts;
    const struct calendar *calendar;
    bool has_own_calendar;
};

struct pattern {
    struct span text;
    const struct directory_agent *agent;
};

struct directory {
    atomic_uint refs;
    struct arena arena;              /* all texts, agents, shops */
    struct map by_id;                /* to struct directory_agent */
    struct map shops;                /* by name */
    struct map calendars;            /* by name, owned */
    const struct calendar *calendar; /* the one named "default", or NULL */
    struct pattern *pattern;
    size_t n_patterns, patterns_cap;
};

enum { FIELD_MAX = 200, FACTS_MAX = 64, OWN_FACTS = 2 };

static const char zoneinfo[] = "/usr/share/zoneinfo";

static int field(struct directory *d, const struct ynode *map, const char *key, struct span *out, struct err_list *errs)
{
    const struct ynode *at = yaml_get(map, key);
    const char *text;
    *out = span_of("", 0);
    if (!at)
        return 0;
    if (yaml_str(at, key, &text, errs))
        return -1;
    if (!*text || strlen(text) > FIELD_MAX) {
        yaml_bad(errs, at, "%s: is %s, must be 1 to %d bytes", key, yaml_describe(at), FIELD_MAX);
        return -1;
    }
    *out = span_str(arena_strdup(&d->arena, span_str(text)));
    return 0;
}

static void read_facts(struct directory *d, struct shop *shop, const struct ynode *at, const char **facts,
                       struct err_list *errs)
{
    if (at->kind != YNODE_SEQ || at->n > FACTS_MAX) {
        yaml_bad(errs, at, "facts: is %s, must be a list of at most %d facts, each NAME or NAME=VALUE",
                 yaml_describe(at), FACTS_MAX);
        return;
    }
    for (size_t i = 0; i < at->n; i++) {
        const char *text = "";
        if (yaml_str(at->value[i], "facts", &text, errs) == 0 && (!*text || *text == '=' || strlen(text) > FIELD_MAX))
            yaml_bad(errs, at->value[i], "facts: is %s, must be NAME or NAME=VALUE", yaml_describe(at->value[i]));
        facts[shop->n_facts++] = arena_strdup(&d->arena, span_str(text));
    }
}

/* Platform and locale are facts as well, so that rules can ask for them. */
static void add_own_fact(struct directory *d, struct shop *shop, const char **facts, const char *name,
                         struct span value)
{
    char text[FIELD_MAX + 40];
    if (!value.n)
        return;
    snprintf(text, sizeof(text), "%s=%.*s", name, (int)value.n, (const char *)value.p);
    facts[shop->n_facts++] = arena_strdup(&d->arena, span_str(text));
}

static void load_facts(struct directory *d, struct shop *shop, const struct ynode *at, struct err_list *errs)
{
    const char **facts = arena_alloc(&d->arena, (FACTS_MAX + OWN_FACTS) * sizeof(*facts));
    shop->facts = facts;
    if (at)
        read_facts(d, shop, at, facts, errs);
    add_own_fact(d, shop, facts, "platform", shop->platform);
    add_own_fact(d, shop, facts, "locale", shop->locale);
}

static void load_calendars(struct directory *d, const struct ynode *all, struct err_list *errs)
{
    if (all && all->kind != YNODE_MAP)
        yaml_bad(errs, all, "calendars: is %s, must be a map of calendars by name", yaml_describe(all));
    for (size_t i = 0; all && all->kind == YNODE_MAP && i < all->n; i++) {
        struct calendar *c = directory_calendar_load(all->value[i], clock_wall_ms(), errs);
        if (c)
            map_put(&d->calendars, span_str(arena_strdup(&d->arena, span_str(all->key[i]->text))), c);
    }
    d->calendar = map_get(&d->calendars, span_str("default"));
}

/* One of the file's, else a preset's window, which is then kept as if it stood in the file. */
static void load_shop_calendar(struct directory *d, struct shop *shop, const struct ynode *at, struct err_list *errs)
{
    const char *name;
    shop->calendar = d->calendar;
    if (!at || yaml_str(at, "calendar", &name, errs) != 0)
        return;
    shop->calendar = map_get(&d->calendars, span_str(name));
    shop->has_own_calendar = true;
    const struct preset *preset = shop->calendar ? NULL : preset_find(name);
    if (preset) {
        struct calendar *c = preset_calendar(preset, clock_wall_ms());
        map_put(&d->calendars, span_str(preset->name), c);
        shop->calendar = c;
    } else if (!shop->calendar) {
        yaml_bad(errs, at, "calendar: is %s, must be one of the names under calendars, or of %s", yaml_describe(at),
                 preset_names());
    }
}

/* Whose wording and law the customers know: the packs ask for it as locale=tw and the like. */
static void load_locale(struct shop *shop, const struct ynode *at, struct err_list *errs)
{
    static const char *const names[] = {"cn", "tw", "hk", NULL};
    int i;
    if (at && yaml_enum(at, "locale", names, &i, errs) == 0)
        shop->locale = span_str(names[i]);
}

static void load_shops(struct directory *d, const struct ynode *shops, struct err_list *errs)
{
    static const char *const allowed[] = {"platform", "locale", "facts", "calendar", NULL};
    if (!shops)
        return;
    if (shops->kind != YNODE_MAP) {
        yaml_bad(errs, shops, "shops: is %s, must be a map of shop names", yaml_describe(shops));
        return;
    }
    for (size_t i = 0; i < shops->n; i++) {
        const struct ynode *name = shops->key[i], *map = shops->value[i];
        struct shop *shop = arena_alloc(&d->arena, sizeof(*shop));
        map_put(&d->shops, span_str(name->text), shop);
        shop->calendar = d->calendar;
        if (map->kind == YNODE_SCALAR && !*map->text)
            continue; /* a shop of which nothing is known but the name */
        if (map->kind != YNODE_MAP) {
            yaml_bad(errs, map, "shops.%.60s: is %s, must be a map with platform, locale, facts, calendar", name->text,
                     yaml_describe(map));
            continue;
        }
        yaml_allow_keys(map, allowed, errs);
        load_shop_calendar(d, shop, yaml_get(map, "calendar"), errs);
        load_locale(shop, yaml_get(map, "locale"), errs);
        if (field(d, map, "platform", &shop->platform, errs) == 0)
            load_facts(d, shop, yaml_get(map, "facts"), errs);
    }
}

static bool is_zone_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    char path[FIELD_MAX + 40];
    if (strspn(name, allowed) != strlen(name) || name[0] == '/')
        return false;
    snprintf(path, sizeof(path), "%s/%s", zoneinfo, name);
    return access(zoneinfo, X_OK) != 0 || access(path, R_OK) == 0; /* a system without the data cannot tell */
}

static void add_pattern(struct directory *d, struct span text, const struct directory_agent *agent)
{
    if (d->n_patterns == d->patterns_cap) {
        d->patterns_cap = d->patterns_cap ? d->patterns_cap * 2 : 16;
        d->pattern = xrealloc(d->pattern, d->patterns_cap * sizeof(*d->pattern));
    }
    d->pattern[d->n_patterns++] = (struct pattern){text, agent};
}

static void add_id(struct directory *d, const struct ynode *at, struct directory_agent *agent, struct err_list *errs)
{
    const char *text;
    if (yaml_str(at, "id", &text, errs))
        return;
    if (!*text || strlen(text) > FIELD_MAX)
        yaml_bad(errs, at, "id: is %s, must be 1 to %d bytes", yaml_describe(at), FIELD_MAX);
    else if (map_put(&d->by_id, span_str(text), agent))
        yaml_bad(errs, at, "id: %s is listed twice", yaml_describe(at));
}

static void add_names(struct directory *d, const struct ynode *map, struct directory_agent *agent,
                      struct err_list *errs)
{
    const struct ynode *id = yaml_get(map, "id"), *pattern = yaml_get(map, "pattern");
    struct span text;
    if (!id == !pattern) {
        yaml_bad(errs, map, "agents[]: has %s id and pattern, must have one of them", id ? "both" : "neither");
    } else if (pattern) {
        if (field(d, map, "pattern", &text, errs) == 0)
            add_pattern(d, text, agent);
    } else if (id->kind == YNODE_SEQ) {
        for (size_t i = 0; i < id->n; i++)
            add_id(d, id->value[i], agent, errs);
    } else {
        add_id(d, id, agent, errs);
    }
}

static void load_agent(struct directory *d, const struct ynode *map, struct err_list *errs)
{
    static const char *const allowed[] = {"id", "pattern", "team", "shop", "role", "time_zone", NULL};
    if (map->kind != YNODE_MAP) {
        yaml_bad(errs, map, "agents[]: is %s, must be a map with id or pattern", yaml_describe(map));
        return;
    }
    struct directory_agent *a = arena_alloc(&d->arena, sizeof(*a));
    a->is_listed = true;
    yaml_allow_keys(map, allowed, errs);
    if (field(d, map, "team", &a->team, errs) || field(d, map, "shop", &a->shop, errs) ||
        field(d, map, "role", &a->role, errs) || field(d, map, "time_zone", &a->time_zone, errs))
        return;
    if (a->time_zone.n && !is_zone_name((const char *)a->time_zone.p))
        yaml_bad(errs, yaml_get(map, "time_zone"),
                 "time_zone: is \"%.60s\", must be a name of the time zone database such as Asia/Shanghai",
                 (const char *)a->time_zone.p);
    a->calendar = d->calendar;
    const struct shop *shop = a->shop.n ? map_get(&d->shops, a->shop) : NULL;
    if (shop) {
        a->facts = shop->facts;
        a->n_facts = shop->n_facts;
        a->platform = shop->platform;
        a->calendar = shop->calendar;
    } else if (a->shop.n) {
        yaml_bad(errs, yaml_get(map, "shop"), "shop: \"%.60s\" is none of the names under shops",
                 (const char *)a->shop.p);
    }
    add_names(d, map, a, errs);
}

static void load_root(struct directory *d, const struct ynode *root, struct err_list *errs)
{
    static const char *const allowed[] = {"calendars", "shops", "agents", NULL};
    if (root->kind != YNODE_MAP) {
        yaml_bad(errs, root, "the file: is %s, must be a map with calendars, shops, agents", yaml_describe(root));
        return;
    }
    yaml_allow_keys(root, allowed, errs);
    load_calendars(d, yaml_get(root, "calendars"), errs);
    load_shops(d, yaml_get(root, "shops"), errs);
    const struct ynode *agents = yaml_get(root, "agents");
    if (agents && agents->kind != YNODE_SEQ)
        yaml_bad(errs, agents, "agents: is %s, must be a list of maps", yaml_describe(agents));
    for (size_t i = 0; agents && agents->kind == YNODE_SEQ && i < agents->n; i++)
        load_agent(d, agents->value[i], errs);
}

int directory_load(const char *path, struct directory **out, struct err_list *errs)
{
    size_t before = errs->n;
    struct directory *d = xcalloc(1, sizeof(*d));
    atomic_init(&d->refs, 1);
    if (path) {
        struct arena tree = {0};
        const struct ynode *root = yaml_load_file(path, &tree, errs);
        if (root)
            load_root(d, root, errs);
        arena_fini(&tree);
    }
    *out = d;
    if (errs->n == before)
        return 0;
    directory_unref(out);
    return -1;
}

struct directory *directory_ref(struct directory *d)
{
    atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
    return d;
}

void directory_unref(struct directory **d)
{
    struct directory *gone = *d;
    *d = NULL;
    if (!gone || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    size_t pos = 0;
    struct span name;
    for (void *c; map_next(&gone->calendars, &pos, &name, &c);)
        calendar_unref(&(struct calendar *){c});
    map_fini(&gone->calendars);
    map_fini(&gone->by_id);
    map_fini(&gone->shops);
    arena_fini(&gone->arena);
    free(gone->pattern);
    free(gone);
}

size_t directory_count(const struct directory *d)
{
    return d->by_id.len + d->n_patterns;
}

void directory_each_own_zone(const struct directory *d, directory_zone_fn fn, void *ctx)
{
    size_t pos = 0;
    struct span name;
    for (void *v; map_next(&d->shops, &pos, &name, &v);) {
        const struct shop *shop = v;
        if (shop->has_own_calendar && shop->calendar)
            fn(ctx, name, calendar_zone_name(shop->calendar));
    }
}

void directory_each_fact(const struct directory *d, directory_fact_fn fn, void *ctx)
{
    size_t pos = 0;
    struct span name;
    for (void *v; map_next(&d->shops, &pos, &name, &v);) {
        const struct shop *shop = v;
        for (size_t i = 0; i < shop->n_facts; i++)
            fn(ctx, name, shop->facts[i]);
    }
}

/* Bytes of the character at s[i]; of a broken one, 1. */
static size_t step(struct span s, size_t i)
{
    uint32_t cp;
    unsigned n = utf8_decode(s.p + i, s.n - i, &cp);
    return n ? n : 1;
}

/* `*` any characters, `?` one. Goes back to the last star only, so the time is at most pattern times text. */
static bool matches(struct span pattern, struct span text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            star_t = t;
        } else if (p < pattern.n && pattern.p[p] == '?') {
            p++;
            t += step(text, t);
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = star_t += step(text, star_t);
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

struct directory_agent directory_find(const struct directory *d, struct span agent)
{
    const struct directory_agent *a = map_get(&d->by_id, agent);
    for (size_t i = 0; !a && i < d->n_patterns; i++)
        if (matches(d->pattern[i].text, agent))
            a = d->pattern[i].agent;
    return a ? *a : (struct directory_agent){.calendar = d->calendar};
}

#include "conf/conf_read.h"

#include "base/nearest.h"

enum { KEY_NAME_MAX = 200 };

const struct ynode *conf_read_find(const struct ynode *map, const char *path)
{
    char part[KEY_NAME_MAX];
    for (const char *dot; map && (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(part, sizeof(part), "%.*s", (int)(dot - path), path);
        map = yaml_get(map, part);
    }
    return yaml_get(map, path);
}

/* The part of a key's name behind the scope; NULL when it belongs to another object. */
static const char *rest_in_scope(const struct conf_key *k, const char *scope)
{
    size_t n = strlen(scope);
    if (strncmp(k->name, scope, n) != 0 || strstr(k->name + n, "[]."))
        return NULL;
    return k->name + n;
}

static bool is_section(const char *name)
{
    size_t n, len = strlen(name);
    const struct conf_key *keys = conf_table(&n);
    for (size_t i = 0; i < n; i++)
        if (strncmp(keys[i].name, name, len) == 0 && keys[i].name[len] == '.')
            return true;
    return false;
}

/* Names allowed directly below the prefix, each once, in the table's order; the nearest to `wrong` in *nearest. */
static void allowed_keys(const char *prefix, const char *wrong, struct buf *list, char nearest[KEY_NAME_MAX])
{
    size_t n, len = strlen(prefix);
    const struct conf_key *keys = conf_table(&n);
    char part[KEY_NAME_MAX], last[KEY_NAME_MAX] = "";
    struct nearest found = {.wrong = wrong};
    nearest[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (strncmp(keys[i].name, prefix, len) != 0)
            continue;
        const char *rest = keys[i].name + len;
        snprintf(part, sizeof(part), "%.*s", (int)strcspn(rest, ".["), rest);
        if (strcmp(part, last) == 0)
            continue;
        memcpy(last, part, sizeof(last));
        buf_printf(list, "%s%s", list->len ? ", " : "", part);
        if (nearest_try(&found, part))
            memcpy(nearest, part, sizeof(part));
    }
}

/* A key of that name somewhere else in the table; NULL when there is none, or more than one. */
static const char *elsewhere(const char *prefix, const char *text)
{
    size_t n, len = strlen(text), depth = strlen(prefix);
    const struct conf_key *keys = conf_table(&n);
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t all = strlen(keys[i].name);
        if (all <= len || strcmp(keys[i].name + all - len, text) != 0 || keys[i].name[all - len - 1] != '.' ||
            (depth && strncmp(keys[i].name, prefix, depth) == 0 && all == depth + len))
            continue;
        if (found)
            return NULL;
        found = keys[i].name;
    }
    return found;
}

static void report_unknown(struct conf_reader *r, const char *prefix, const struct ynode *key)
{
    struct buf list = {0};
    char nearest[KEY_NAME_MAX];
    allowed_keys(prefix, key->text, &list, nearest);
    const char *other = *nearest ? NULL : elsewhere(prefix, key->text);
    yaml_bad(r->errs, key, "%s%.60s: unknown key%s%s%s, allowed here: %s", prefix, key->text,
             *nearest || other ? ", did you mean \"" : "", other ? other : nearest, *nearest || other ? "\"?" : "",
             buf_cstr(&list));
    buf_fini(&list);
}

static void check_keys(struct conf_reader *r, const char *prefix, const struct ynode *map)
{
    char name[KEY_NAME_MAX];
    for (size_t i = 0; i < map->n; i++) {
        const struct ynode *key = map->key[i], *value = map->value[i];
        int len = snprintf(name, sizeof(name), "%s%s", prefix, key->text);
        bool fits = len > 0 && (size_t)len < sizeof(name) - 1;
        if (fits && !strpbrk(key->text, ".[") && conf_table_find(name))
            continue;
        if (!fits || strpbrk(key->text, ".[") || !is_section(name)) {
            report_unknown(r, prefix, key);
        } else if (value->kind == YNODE_MAP) {
            name[len] = '.';
            name[len + 1] = '\0';
            check_keys(r, name, value);
        } else if (value->kind != YNODE_SCALAR || *value->text) { /* "tls:" with nothing below it is fine */
            yaml_bad(r->errs, value, "%s: is %s, must be a map of keys", name, yaml_describe(value));
        }
    }
}

static void read_list(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, void *base)
{
    if (at->kind != YNODE_SEQ || at->n < (size_t)k->min || at->n > (size_t)k->max) {
        yaml_bad(r->errs, at, "%s: is %s%s, must be a list of %lld to %lld maps", k->name, yaml_describe(at),
                 at->kind == YNODE_SEQ ? " of another length" : "", (long long)k->min, (long long)k->max);
        return;
    }
    char scope[KEY_NAME_MAX];
    snprintf(scope, sizeof(scope), "%s[].", k->name);
    char *items = arena_alloc(r->arena, at->n * k->item_bytes + 1);
    for (size_t i = 0; i < at->n; i++) {
        if (at->value[i]->kind == YNODE_MAP)
            conf_read_object(r, scope, at->value[i], items + i * k->item_bytes);
        else
            yaml_bad(r->errs, at->value[i], "%s[]: is %s, must be a map of keys", k->name, yaml_describe(at->value[i]));
    }
    memcpy((char *)base + k->offset, &items, sizeof(items));
    memcpy((char *)base + k->count_offset, &at->n, sizeof(at->n));
}

void conf_read_object(struct conf_reader *r, const char *scope, const struct ynode *map, void *base)
{
    size_t n;
    const struct conf_key *keys = conf_table(&n);
    check_keys(r, scope, map);
    for (size_t i = 0; i < n; i++) {
        const struct conf_key *k = &keys[i];
        const char *rest = rest_in_scope(k, scope);
        const struct ynode *at = rest ? conf_read_find(map, rest) : NULL;
        if (!rest)
            continue;
        if (!at && k->def)
            at = yaml_load_text("default", span_str(k->def), r->scratch, r->errs);
        char allowed[100];
        if (at && k->type == CONF_LIST)
            read_list(r, k, at, base);
        else if (at && conf_value_read(r, k, at, base))
            continue; /* reported */
        else if (!at && k->is_required)
            yaml_bad(r->errs, map, "%s: is missing, must be %s%s%s: %s", k->name, conf_table_type(k),
                     *conf_table_allowed(k, allowed, sizeof(allowed)) ? ", " : "",
                     conf_table_allowed(k, allowed, sizeof(allowed)), k->help);
    }
}

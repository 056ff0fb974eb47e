/* Scalars of a YAML tree to values, with errors that say what was found and what is allowed. */
#include <errno.h>

#include "base/nearest.h"
#include "conf/yaml.h"

static const char *join(const char *const *names, char *out, size_t cap)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; names[i] && n < cap; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? ", " : "", names[i]);
    return out;
}

static const char *nearest(const char *key, const char *const *allowed)
{
    struct nearest n = {.wrong = key};
    for (size_t i = 0; allowed[i]; i++)
        nearest_try(&n, allowed[i]);
    return n.best;
}

void yaml_allow_keys(const struct ynode *map, const char *const *allowed, struct err_list *errs)
{
    char list[600];
    for (size_t i = 0; map && map->kind == YNODE_MAP && i < map->n; i++) {
        bool known = false;
        for (size_t k = 0; allowed[k] && !known; k++)
            known = strcmp(allowed[k], map->key[i]->text) == 0;
        const char *near = known ? NULL : nearest(map->key[i]->text, allowed);
        if (!known)
            yaml_bad(errs, map->key[i], "%.60s: unknown key%s%s%s, allowed here: %s", map->key[i]->text,
                     near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "",
                     join(allowed, list, sizeof(list)));
    }
}

static int bad_value(const struct ynode *at, const char *what, const char *must_be, struct err_list *errs)
{
    yaml_bad(errs, at, "%s: is %s, must be %s", what, yaml_describe(at), must_be);
    return -1;
}

int yaml_str(const struct ynode *at, const char *what, const char **out, struct err_list *errs)
{
    if (at->kind != YNODE_SCALAR)
        return bad_value(at, what, "text", errs);
    *out = at->text;
    return 0;
}

int yaml_int(const struct ynode *at, const char *what, int64_t min, int64_t max, int64_t *out, struct err_list *errs)
{
    char *end = NULL, range[80];
    errno = 0;
    long long v = at->kind == YNODE_SCALAR ? strtoll(at->text, &end, 10) : 0;
    if (!end || end == at->text || *end || errno || v < min || v > max) {
        snprintf(range, sizeof(range), "a whole number from %lld to %lld", (long long)min, (long long)max);
        return bad_value(at, what, range, errs);
    }
    *out = v;
    return 0;
}

int yaml_bool(const struct ynode *at, const char *what, bool *out, struct err_list *errs)
{
    if (at->kind != YNODE_SCALAR || (strcmp(at->text, "true") != 0 && strcmp(at->text, "false") != 0))
        return bad_value(at, what, "true or false", errs);
    *out = at->text[0] == 't';
    return 0;
}

struct scale {
    const char *suffix;
    int64_t factor;
};

static bool scaled(const char *text, const struct scale *scales, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || errno || v < 0)
        return false;
    for (; scales->suffix; scales++)
        if (strcmp(end, scales->suffix) == 0)
            return !__builtin_mul_overflow(v, scales->factor, out);
    *out = 0;
    return v == 0 && *end == '\0';
}

static const struct scale times[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

bool yaml_duration_text(const char *text, int64_t *out_ms)
{
    return scaled(text, times, out_ms) && *out_ms <= (int64_t)365 * 86400000;
}

const char *yaml_duration_print(int64_t ms, char out[YAML_UNIT_MAX])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms && ms % units[i].ms)
        i++;
    snprintf(out, YAML_UNIT_MAX, "%lld%s", (long long)(ms / units[i].ms), ms ? units[i].unit : "");
    return out;
}

const char *yaml_size_print(int64_t n, char out[YAML_UNIT_MAX])
{
    static const struct {
        int64_t n;
        const char *unit;
    } units[] = {{1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "k"}, {1, ""}};
    size_t i = 0;
    while (n && n % units[i].n)
        i++;
    snprintf(out, YAML_UNIT_MAX, "%lld%s", (long long)(n / units[i].n), n ? units[i].unit : "");
    return out;
}

int yaml_duration(const struct ynode *at, const char *what, int64_t min_ms, int64_t max_ms, int64_t *out_ms,
                  struct err_list *errs)
{
    char range[120], least[YAML_UNIT_MAX], most[YAML_UNIT_MAX];
    int64_t v = 0;
    if (at->kind != YNODE_SCALAR || !scaled(at->text, times, &v) || v < min_ms || v > max_ms) {
        snprintf(range, sizeof(range), "a time such as 250ms, 30s, 5m, 2h or 7d, from %s to %s",
                 yaml_duration_print(min_ms, least), yaml_duration_print(max_ms, most));
        return bad_value(at, what, range, errs);
    }
    *out_ms = v;
    return 0;
}

int yaml_size(const struct ynode *at, const char *what, int64_t min, int64_t max, int64_t *out, struct err_list *errs)
{
    static const struct scale scales[] = {{"", 1}, {"k", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
    char range[120], least[YAML_UNIT_MAX], most[YAML_UNIT_MAX];
    int64_t v = 0;
    if (at->kind != YNODE_SCALAR || !scaled(at->text, scales, &v) || v < min || v > max) {
        snprintf(range, sizeof(range), "a size such as 512, 64k, 8M or 1G, from %s to %s", yaml_size_print(min, least),
                 yaml_size_print(max, most));
        return bad_value(at, what, range, errs);
    }
    *out = v;
    return 0;
}

int yaml_enum(const struct ynode *at, const char *what, const char *const *names, int *out, struct err_list *errs)
{
    char list[400], must_be[440];
    for (int i = 0; at->kind == YNODE_SCALAR && names[i]; i++) {
        if (strcmp(names[i], at->text) == 0) {
            *out = i;
            return 0;
        }
    }
    snprintf(must_be, sizeof(must_be), "one of %s", join(names, list, sizeof(list)));
    return bad_value(at, what, must_be, errs);
}

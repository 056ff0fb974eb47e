#include <fnmatch.h>

#include "rule/load.h"

enum { ID_MAX = 100 };

static size_t distance(const char *a, const char *b)
{
    size_t row[ID_MAX + 1], n = strlen(b);
    if (n > ID_MAX || strlen(a) > ID_MAX)
        return SIZE_MAX;
    for (size_t k = 0; k <= n; k++)
        row[k] = k;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t k = 0; k < n; k++) {
            size_t change = diagonal + (a[i] != b[k]);
            diagonal = row[k + 1];
            row[k + 1] = MIN_OF(change, MIN_OF(row[k], row[k + 1]) + 1);
        }
    }
    return row[n];
}

static const char *nearest(const struct ruleset *set, const char *id)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < set->n_rules; i++) {
        size_t d = distance(id, set->rule[i]->id);
        if (d < least)
            least = d, best = set->rule[i]->id;
    }
    return best;
}

static void apply(struct loader *l, const struct ynode *at, struct rule *r)
{
    static const char *const modes[] = {"enforce", "shadow", NULL};
    const struct ynode *action = yaml_get(at, "action"), *mode = yaml_get(at, "mode"), *preset = yaml_get(at, "preset"),
                       *scope = yaml_get(at, "scope"), *notice = yaml_get(at, "notice");
    int i;
    if (action)
        load_apply_action(l, action, "action", r);
    if (mode && yaml_enum(mode, "mode", modes, &i, l->errs) == 0)
        r->is_shadow = i == 1;
    if (preset)
        load_apply_preset(l, preset, r);
    if (scope)
        load_scope(l, scope, r);
    const char *s;
    if (notice && yaml_str(notice, "notice", &s, l->errs) == 0)
        r->notice = arena_strdup(&l->set->arena, span_str(s));
    if (action || preset)
        load_check_action(l, r, at);
}

static void override_one(struct loader *l, const struct ynode *at)
{
    static const char *const keys[] = {"rule", "action", "mode", "preset", "scope", "notice", NULL};
    const struct ynode *rule = yaml_get(at, "rule");
    const char *pattern;
    size_t matched = 0;
    if (at->kind != YNODE_MAP || !rule) {
        yaml_bad(l->errs, at, "override: is %s, must be a map with rule: and what changes", yaml_describe(at));
        return;
    }
    yaml_allow_keys(at, keys, l->errs);
    if (yaml_str(rule, "rule", &pattern, l->errs) != 0)
        return;
    for (size_t i = 0; i < l->set->n_rules; i++)
        if (fnmatch(pattern, l->set->rule[i]->id, 0) == 0) {
            matched++;
            apply(l, at, l->set->rule[i]);
        }
    const char *like = matched ? NULL : nearest(l->set, pattern);
    if (!matched && like)
        yaml_bad(l->errs, rule, "rule: \"%s\" is no rule of this set, the nearest is \"%s\"", pattern, like);
    else if (!matched)
        yaml_bad(l->errs, rule, "rule: \"%s\" is no rule of this set", pattern);
}

void load_overrides(struct loader *l)
{
    for (size_t i = 0; i < l->n_overrides; i++)
        for (size_t k = 0; k < l->overrides[i]->n; k++)
            override_one(l, l->overrides[i]->value[k]);
}

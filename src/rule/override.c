#include <fnmatch.h>

#include "rule/load.h"

enum { ID_MAX = 100, VARIANTS_MAX = 128 };

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
                       *scope = yaml_get(at, "scope"), *notice = yaml_get(at, "notice"), *cite = yaml_get(at, "cite");
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
    if (cite && yaml_str(cite, "cite", &s, l->errs) == 0)
        r->cite = arena_strdup(&l->set->arena, span_str(s));
    if (action || preset)
        load_check_action(l, r, at);
}

/* ---- for the shops and hours of `when` only: a copy of the rule is changed instead ---- */

static bool is_same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return a[n] && n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

/* platform=jd and platform=taobao are never both true. */
static bool may_be_both(const struct rule_when *a, const struct rule_when *b)
{
    if (a->hours != HOURS_ANY && b->hours != HOURS_ANY)
        return false;
    for (size_t i = 0; i < a->facts.n; i++)
        for (size_t k = 0; k < b->facts.n; k++)
            if (is_same_name(a->facts.name[i], b->facts.name[k]) && strcmp(a->facts.name[i], b->facts.name[k]) != 0)
                return false;
    return true;
}

static struct names joined(struct arena *a, const struct names *x, const struct names *y)
{
    struct names n = {.name = arena_alloc(a, (x->n + y->n + 1) * sizeof(char *))};
    for (size_t i = 0; i < x->n; i++)
        n.name[n.n++] = x->name[i];
    for (size_t i = 0; i < y->n; i++)
        n.name[n.n++] = y->name[i];
    return n;
}

static struct rule_when both(struct arena *a, const struct rule_when *x, const struct rule_when *y)
{
    struct rule_when w = x->hours != HOURS_ANY ? *x : *y;
    w.facts = joined(a, &x->facts, &y->facts);
    w.absent = joined(a, &x->absent, &y->absent);
    return w;
}

static struct rule_variant variant_of(struct loader *l, const struct ynode *at, const struct rule *of,
                                      struct rule_when when)
{
    struct rule_variant v = {.when = when, .rule = arena_alloc(&l->set->arena, sizeof(*v.rule))};
    *v.rule = *of;
    apply(l, at, v.rule);
    return v;
}

/* Beside the variant for this override alone there is one more for each earlier variant that may hold at the same time,
 * so that what several overrides say adds up. */
static void add_variants(struct loader *l, const struct ynode *at, struct rule *r)
{
    struct arena *a = &l->set->arena;
    struct rule_when when;
    size_t before = r->n_variants;
    load_when(l, yaml_get(at, "when"), &when);
    if (before * 2 + 1 > VARIANTS_MAX) {
        yaml_bad(l->errs, at, "override: too many for \"%s\" that may hold together", r->id);
        return;
    }
    struct rule_variant *grown = arena_alloc(a, (before * 2 + 1) * sizeof(*grown));
    if (before)
        memcpy(grown, r->variant, before * sizeof(*grown));
    r->variant = grown;
    grown[r->n_variants++] = variant_of(l, at, r, when);
    for (size_t i = 0; i < before; i++)
        if (may_be_both(&grown[i].when, &when))
            grown[r->n_variants++] = variant_of(l, at, grown[i].rule, both(a, &grown[i].when, &when));
}

/* What holds for everybody comes later in the files and changes what was made for some. */
static void apply_to_all(struct loader *l, const struct ynode *at, struct rule *r)
{
    apply(l, at, r);
    for (size_t i = 0; i < r->n_variants; i++)
        apply(l, at, r->variant[i].rule);
}

static void override_rule(struct loader *l, const struct ynode *at, const struct ynode *rule)
{
    bool is_for_some = yaml_get(at, "when");
    const char *pattern;
    size_t matched = 0;
    if (yaml_str(rule, "rule", &pattern, l->errs) != 0)
        return;
    for (size_t i = 0; i < l->set->n_rules; i++)
        if (fnmatch(pattern, l->set->rule[i]->id, 0) == 0) {
            matched++;
            (is_for_some ? add_variants : apply_to_all)(l, at, l->set->rule[i]);
        }
    const char *like = matched ? NULL : nearest(l->set, pattern);
    if (!matched && like)
        yaml_bad(l->errs, rule, "rule: \"%s\" is no rule of this set, the nearest is \"%s\"", pattern, like);
    else if (!matched)
        yaml_bad(l->errs, rule, "rule: \"%s\" is no rule of this set", pattern);
}

static void override_one(struct loader *l, const struct ynode *at)
{
    static const char *const keys[] = {"rule", "action", "mode", "preset", "scope", "notice", "cite", "when", NULL};
    const struct ynode *rule = yaml_get(at, "rule");
    if (at->kind != YNODE_MAP || !rule) {
        yaml_bad(l->errs, at, "override: is %s, must be a map with rule: and what changes", yaml_describe(at));
        return;
    }
    yaml_allow_keys(at, keys, l->errs);
    if (yaml_get(at, "when") && yaml_get(at, "scope"))
        yaml_bad(l->errs, yaml_get(at, "scope"), "scope: not beside when:, which already says for whom this holds");
    if (rule->kind != YNODE_SEQ)
        override_rule(l, at, rule);
    for (size_t i = 0; rule->kind == YNODE_SEQ && i < rule->n; i++)
        override_rule(l, at, rule->value[i]);
}

void load_overrides(struct loader *l)
{
    for (size_t i = 0; i < l->n_overrides; i++)
        for (size_t k = 0; k < l->overrides[i]->n; k++)
            override_one(l, l->overrides[i]->value[k]);
}

#include "base/xalloc.h"
#include "rule/load_ctx.h"
#include "rule/regex.h"

enum {
    NAMES_MAX = 200,
    WITHIN_MAX = 200,
    WITHIN_DEFAULT = 10,
    NOT_NEAR_DEFAULT = 6,
    GAP_DEFAULT = 2,
    HOMOPHONES_LETTERS = 8
};

const struct ynode *load_key(const struct load_ctx *c, const char *key)
{
    const struct ynode *n = yaml_get(c->at, key);
    return n ? n : yaml_get(c->pack->defaults, key);
}

const char *load_keep(struct loader *l, const char *s)
{
    return arena_strdup(&l->set->arena, span_str(s));
}

static const char *text_of(const struct load_ctx *c, const char *key)
{
    const struct ynode *n = load_key(c, key);
    const char *s = "";
    if (n && yaml_str(n, key, &s, c->l->errs) != 0)
        s = "";
    return load_keep(c->l, s);
}

void load_names(struct loader *l, const struct ynode *at, const char *what, struct names *out)
{
    if (at->kind != YNODE_SEQ || at->n > NAMES_MAX) {
        yaml_bad(l->errs, at, "%s: is %s, must be a list of at most %d texts", what, yaml_describe(at), NAMES_MAX);
        return;
    }
    out->name = arena_alloc(&l->set->arena, (at->n + 1) * sizeof(char *));
    out->n = 0;
    for (size_t i = 0; i < at->n; i++) {
        const char *s;
        if (yaml_str(at->value[i], what, &s, l->errs) == 0)
            out->name[out->n++] = load_keep(l, s);
    }
}

int64_t load_int(const struct load_ctx *c, const struct ynode *map, const char *key, int64_t min, int64_t max,
                 int64_t otherwise)
{
    const struct ynode *n = yaml_get(map, key);
    int64_t v = otherwise;
    if (n && yaml_int(n, key, min, max, &v, c->l->errs) != 0)
        v = otherwise;
    return v;
}

bool load_bool(const struct load_ctx *c, const struct ynode *n, const char *key, bool otherwise)
{
    bool v = otherwise;
    if (n && yaml_bool(n, key, &v, c->l->errs) != 0)
        v = otherwise;
    return v;
}

/* ---- identity and action ---- */

static bool is_id(const char *id, const char *pack)
{
    size_t n = strlen(pack);
    const char *name = id + n + 1;
    return strncmp(id, pack, n) == 0 && id[n] == '.' && *name && strlen(id) < 100 &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool take_id(struct load_ctx *c)
{
    const struct ynode *n = yaml_get(c->at, "id");
    const char *id;
    if (!n) {
        yaml_bad(c->l->errs, c->at, "id: missing, must be like %s.name", c->pack->name ? c->pack->name : "pack");
        return false;
    }
    if (yaml_str(n, "id", &id, c->l->errs) != 0)
        return false;
    if (c->pack->name && !is_id(id, c->pack->name)) {
        yaml_bad(c->l->errs, n, "id: is \"%s\", must begin with \"%s.\", followed by a-z, 0-9, _", id, c->pack->name);
        return false;
    }
    struct rule *other = map_get(&c->l->ids, span_str(id));
    if (other) {
        yaml_bad(c->l->errs, n, "id: \"%s\" is taken by %s:%d", id, other->file, other->line);
        return false;
    }
    c->r->id = load_keep(c->l, id);
    map_put(&c->l->ids, span_str(id), c->r);
    return true;
}

static void take_norm(struct load_ctx *c)
{
    c->r->norm = text_of(c, "norm");
    const char *s = c->r->norm;
    if (*s && !(s[0] >= 'A' && s[0] <= 'Z' && s[1] && s[1 + strspn(s + 1, "0123456789")] == '\0' && strlen(s) <= 3))
        yaml_bad(c->l->errs, load_key(c, "norm"), "norm: is \"%s\", must be a capital letter and a number like E1", s);
}

void load_apply_action(struct loader *l, const struct ynode *at, const char *what, struct rule *r)
{
    static const char *const names[] = {"warn", "rewrite", "hold", "block", "off", "shadow", NULL};
    static const enum action actions[] = {ACTION_WARN, ACTION_REWRITE, ACTION_HOLD, ACTION_BLOCK};
    int i;
    if (yaml_enum(at, what, names, &i, l->errs) != 0)
        return;
    if (i == 4) {
        r->is_off = true;
    } else if (i == 5) {
        r->is_shadow = true;
    } else {
        r->action = actions[i];
        r->has_action = true;
        r->is_off = false;
    }
}

void load_apply_preset(struct loader *l, const struct ynode *at, struct rule *r)
{
    static const char *const keys[] = {"strict", "standard", "lenient", NULL};
    if (at->kind != YNODE_MAP) {
        yaml_bad(l->errs, at, "preset: is %s, must be a map of strict, standard, lenient", yaml_describe(at));
        return;
    }
    yaml_allow_keys(at, keys, l->errs);
    const char *now = l->o->preset ? l->o->preset : "standard";
    for (size_t i = 0; i < at->n; i++) {
        struct rule other = {0};
        load_apply_action(l, at->value[i], at->key[i]->text, strcmp(at->key[i]->text, now) == 0 ? r : &other);
    }
}

static void take_mode(struct load_ctx *c)
{
    static const char *const modes[] = {"enforce", "shadow", NULL};
    const struct ynode *n = load_key(c, "mode");
    int i = 0;
    if (n && yaml_enum(n, "mode", modes, &i, c->l->errs) == 0)
        c->r->is_shadow = i == 1;
}

void load_check_action(struct loader *l, const struct rule *r, const struct ynode *at)
{
    if (r->dir == DIR_INCOMING && r->has_action)
        yaml_bad(l->errs, at, "%s: incoming messages are never altered or refused, an incoming rule has no action",
                 r->id);
    if (r->has_action && r->action == ACTION_REWRITE && r->rewrite == REWRITE_NONE && !r->is_off)
        yaml_bad(l->errs, at, "%s: action rewrite needs rewrite:", r->id);
}

static void take_action(struct load_ctx *c)
{
    struct rule *r = c->r;
    const struct ynode *n = load_key(c, "action");
    if (n && r->dir == DIR_OUTGOING)
        load_apply_action(c->l, n, "action", r);
    else if (n && yaml_get(c->at, "action"))
        load_apply_action(c->l, n, "action", r); /* reported by load_check_action */
    else if (!n && r->dir == DIR_OUTGOING && !yaml_get(c->at, "commits") && !yaml_get(c->at, "acknowledges"))
        yaml_bad(c->l->errs, c->at, "%s: action: missing, must be one of warn, rewrite, hold, block", r->id);
    take_mode(c);
    const struct ynode *preset = load_key(c, "preset");
    if (preset)
        load_apply_preset(c->l, preset, r);
}

/* ---- what a rule looks for ---- */

struct pending load_pending(const struct load_ctx *c, enum role role, unsigned index)
{
    return (struct pending){.rule = c->r, .role = (uint8_t)role, .index = (uint8_t)index};
}

void load_rule(struct loader *l, const struct pack *p, const struct ynode *at)
{
    static const char *const keys[] = {
        "id",        "norm",    "title",      "action",      "mode",        "preset",        "notice",   "cite",
        "words",     "near",    "regex",      "detect",      "unless",      "not_near",      "skip",     "at",
        "filler",    "length",  "gap",        "punctuation", "border",      "homophones",    "variants", "window",
        "rewrite",   "scope",   "when",       "opens_case",  "severity_up", "confirms_case", "commits",  "acknowledges",
        "yields_to", "refused", "classifier", "examples",    NULL};
    if (at->kind != YNODE_MAP) {
        yaml_bad(l->errs, at, "rules: is %s, must be a rule (a map)", yaml_describe(at));
        return;
    }
    yaml_allow_keys(at, keys, l->errs);
    struct rule *r = arena_alloc(&l->set->arena, sizeof(*r));
    struct load_ctx c = {l, r, p, at};
    r->dir = p->dir;
    r->file = load_keep(l, at->file); /* the tree goes after loading */
    r->line = at->line;
    if (!take_id(&c))
        r->id = "(no id)"; /* an error was reported: the set is never used */
    take_norm(&c);
    r->title = text_of(&c, "title");
    r->notice = text_of(&c, "notice");
    r->cite = text_of(&c, "cite");
    if (!r->title[0])
        yaml_bad(l->errs, at, "%s: title: missing", r->id);
    load_take_spelling(&c);
    take_action(&c);
    load_take_triggers(&c);
    load_take_conditions(&c);
    load_take_case(&c);
    load_take_commits(&c);
    load_examples(l, at, r);
    load_check_action(l, r, at);
    l->set->rule = xrealloc(l->set->rule, (l->set->n_rules + 1) * sizeof(struct rule *));
    l->set->rule[l->set->n_rules++] = r;
}

/* Rules of a profile file. */
#include "proto/profile_cond.h"
#include "proto/profile_load.h"
#include "proto/profile_route.h"
#include "proto/profile_sel.h"
#include "proto/profile_tpl.h"

static const char *const KINDS[] = {"send", "edit", "incoming", "opaque", "ignore", "ack", "nack", NULL};

static bool is_name(const char *s)
{
    return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

void load_capture_names(struct profile_loader *l, const struct ynode *rules)
{
    (void)cap_number(l->p, "conv", true);
    for (size_t i = 0; rules && i < load_count(rules); i++) {
        const struct ynode *get = yaml_get(load_item(rules, i), "get");
        for (size_t k = 0; get && get->kind == YNODE_MAP && k < get->n; k++) {
            const struct ynode *key = get->key[k];
            if (!is_name(key->text))
                yaml_bad(l->errs, key, "get: \"%s\": a name is made of small letters, digits and '_'", key->text);
            else if (cap_number(l->p, key->text, true) < 0)
                yaml_bad(l->errs, key, "get: more than %d different names in one profile", CAPS_MAX);
        }
    }
}

static void load_get(struct profile_loader *l, const struct ynode *get, struct profile_rule *r)
{
    if (get->kind != YNODE_MAP) {
        yaml_bad(l->errs, get, "get: is %s, must be a map of names to selectors", yaml_describe(get));
        return;
    }
    r->get = arena_alloc(l->a, (get->n + 1) * sizeof(*r->get));
    for (size_t i = 0; i < get->n; i++) {
        int number = cap_number(l->p, get->key[i]->text, false);
        if (number < 0)
            continue; /* reported by load_capture_names */
        struct capture *c = &r->get[r->n_get++];
        c->name = (uint8_t)number;
        sel_compile_list(get->value[i], get->key[i]->text, l->a, &c->from, l->errs);
    }
}

static void load_rewrite(struct profile_loader *l, const struct ynode *rewrite, struct profile_rule *r)
{
    static const char *const allowed[] = {"drop", NULL};
    if (!load_map(l, rewrite, "rewrite", allowed))
        return;
    const struct ynode *drop = yaml_get(rewrite, "drop");
    if (!drop)
        return;
    sel_compile_list(drop, "drop", l->a, &r->drop, l->errs);
    for (uint32_t i = 0; i < r->drop.n; i++) {
        const struct selector *s = &r->drop.sel[i];
        enum step_kind last = s->n ? s->step[s->n - 1].kind : STEP_JSON;
        if (last != STEP_KEY && last != STEP_ANY)
            yaml_bad(l->errs, drop, "drop: %s: must end with /key or /*", s->text);
    }
}

static void load_role(struct profile_loader *l, const struct ynode *role, struct profile_rule *r)
{
    static const char *const allowed[] = {"customer", "self", "agent", "else", NULL};
    static const char *const names[] = {"customer", "self", "agent", NULL};
    int other = 0;
    if (!load_map(l, role, "role", allowed))
        return;
    for (int i = 0; names[i]; i++)
        if (yaml_get(role, names[i]))
            cond_compile_list(yaml_get(role, names[i]), names[i], l->a, &r->role[i], l->errs);
    const struct ynode *value = yaml_get(role, "else");
    if (value && yaml_enum(value, "else", names, &other, l->errs) == 0)
        r->role_else = (enum unit_role)other;
}

static void load_live(struct profile_loader *l, const struct ynode *live, struct profile_rule *r)
{
    static const char *const allowed[] = {"max_age_s", "when", NULL};
    int64_t age_s = 0;
    if (!load_map(l, live, "live", allowed))
        return;
    const struct ynode *value = yaml_get(live, "max_age_s");
    if (value && yaml_int(value, "max_age_s", 1, 86400, &age_s, l->errs) == 0)
        r->max_age_ms = age_s * 1000;
    if ((value = yaml_get(live, "when")))
        cond_compile_list(value, "when", l->a, &r->live, l->errs);
}

static bool has_cap(const struct profile_rule *r, enum cap name)
{
    for (uint32_t i = 0; i < r->n_get; i++)
        if (r->get[i].name == name)
            return true;
    return false;
}

static void check_rule(struct profile_loader *l, const struct ynode *at, struct profile_rule *r)
{
    bool is_write = r->kind == RULE_SEND || r->kind == RULE_EDIT,
         is_answer = r->kind == RULE_ACK || r->kind == RULE_NACK;
    if ((is_write || r->kind == RULE_INCOMING) && !r->text.n)
        yaml_bad(l->errs, at, "rule %s: `text` is missing", r->id);
    if (is_write && r->dir != C2S)
        yaml_bad(l->errs, at, "rule %s: kind %s belongs to dir: c2s", r->id, KINDS[r->kind]);
    if ((is_answer || r->kind == RULE_INCOMING) && r->dir != S2C)
        yaml_bad(l->errs, at, "rule %s: kind %s belongs to dir: s2c", r->id, KINDS[r->kind]);
    if (is_answer && !has_cap(r, CAP_CORR) && !has_cap(r, CAP_MID))
        yaml_bad(l->errs, at, "rule %s: an answer needs get.corr or get.mid to tell which message it answers", r->id);
    if (r->max_age_ms && !has_cap(r, CAP_TS))
        yaml_bad(l->errs, at, "rule %s: live.max_age_s needs get.ts", r->id);
    l->p->has_answers |= is_answer;
}

static void load_conditions(struct profile_loader *l, const struct ynode *at, struct profile_rule *r)
{
    const struct {
        const char *key;
        struct conds *out;
    } list[] = {{"when", &r->when}, {"edit", &r->edit}, {"opaque", &r->opaque}};
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (yaml_get(at, list[i].key))
            cond_compile_list(yaml_get(at, list[i].key), list[i].key, l->a, list[i].out, l->errs);
}

static void load_ws_rule(struct profile_loader *l, const struct ynode *at, struct profile_rule *r)
{
    static const char *const allowed[] = {"id",   "dir",    "at",      "kind",   "when", "text", "get",
                                          "edit", "opaque", "rewrite", "refuse", "role", "live", NULL};
    static const char *const dirs[] = {"c2s", "s2c", NULL};
    int dir = 0, kind = 0;
    yaml_allow_keys(at, allowed, l->errs);
    const struct ynode *value = yaml_get(at, "dir");
    if (!value)
        yaml_bad(l->errs, at, "rule %s: `dir` is missing, must be c2s or s2c", r->id);
    else if (yaml_enum(value, "dir", dirs, &dir, l->errs) == 0)
        r->dir = (enum profile_dir)dir;
    if (!(value = yaml_get(at, "kind")))
        yaml_bad(l->errs, at, "rule %s: `kind` is missing", r->id);
    else if (yaml_enum(value, "kind", KINDS, &kind, l->errs) == 0)
        r->kind = (enum rule_kind)kind;
    load_conditions(l, at, r);
    if ((value = yaml_get(at, "text")))
        sel_compile_list(value, "text", l->a, &r->text, l->errs);
    if ((value = yaml_get(at, "get")))
        load_get(l, value, r);
    if ((value = yaml_get(at, "rewrite")))
        load_rewrite(l, value, r);
    if ((value = yaml_get(at, "refuse")))
        r->refuse = load_refusal_name(l, value);
    if ((value = yaml_get(at, "role")))
        load_role(l, value, r);
    if ((value = yaml_get(at, "live")))
        load_live(l, value, r);
    if (yaml_get(at, "kind"))
        check_rule(l, at, r);
}

/* Bodies of requests are not inspected yet, so the only thing that a rule can do with a route is to close it. */
static void load_http_rule(struct profile_loader *l, const struct ynode *at, const char *id)
{
    static const char *const allowed[] = {"id", "dir", "at", "kind", "route", NULL};
    const struct ynode *kind = yaml_get(at, "kind"), *route = yaml_get(at, "route");
    yaml_allow_keys(at, allowed, l->errs);
    if (!kind || kind->kind != YNODE_SCALAR || strcmp(kind->text, "deny") != 0)
        yaml_bad(l->errs, kind ? kind : at,
                 "rule %s: bodies of HTTP requests are not inspected yet, so kind must be deny with at: http", id);
    if (!route) {
        yaml_bad(l->errs, at, "rule %s: `route` is missing", id);
        return;
    }
    uint32_t before = l->p->n_deny;
    struct pattern *old = l->p->deny;
    l->p->n_deny = 0;
    load_deny(l, route);
    struct pattern *all = arena_alloc(l->a, (before + l->p->n_deny + 1) * sizeof(*all));
    if (before)
        memcpy(all, old, before * sizeof(*all));
    memcpy(all + before, l->p->deny, l->p->n_deny * sizeof(*all));
    l->p->deny = all;
    l->p->n_deny += before;
}

static const char *load_id(struct profile_loader *l, const struct ynode *at)
{
    const struct ynode *id = yaml_get(at, "id");
    if (id && id->kind == YNODE_SCALAR && *id->text)
        return arena_strdup(l->a, span_str(id->text));
    yaml_bad(l->errs, id ? id : at, "rules: every rule needs an `id`");
    return "?";
}

static void load_rule(struct profile_loader *l, const struct ynode *at)
{
    static const char *const places[] = {"ws", "http", NULL};
    int place = 0;
    if (at->kind != YNODE_MAP) {
        yaml_bad(l->errs, at, "rules: is %s, must be a map", yaml_describe(at));
        return;
    }
    const char *id = load_id(l, at);
    const struct ynode *value = yaml_get(at, "at");
    for (uint32_t i = 0; i < l->p->n_rules; i++)
        if (strcmp(l->p->rule[i].id, id) == 0 && *id != '?')
            yaml_bad(l->errs, yaml_get(at, "id"), "rules: the id \"%s\" is given twice", id);
    if (value && yaml_enum(value, "at", places, &place, l->errs) != 0)
        return;
    if (place == 1) {
        load_http_rule(l, at, id);
        return;
    }
    struct profile_rule *r = &l->p->rule[l->p->n_rules++];
    r->id = id;
    load_ws_rule(l, at, r);
}

void load_rules(struct profile_loader *l, const struct ynode *rules)
{
    size_t n = rules ? load_count(rules) : 0;
    l->p->rule = arena_alloc(l->a, (n + 1) * sizeof(*l->p->rule));
    for (size_t i = 0; i < n; i++)
        load_rule(l, load_item(rules, i));
}

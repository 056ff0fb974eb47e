/* The top level of a profile file. */
#include "proto/profile_load.h"

#include "base/xalloc.h"
#include "proto/profile_cond.h"
#include "proto/profile_sel.h"
#include "proto/profile_tpl.h"

size_t load_count(const struct ynode *at)
{
    return at->kind == YNODE_SEQ ? at->n : 1;
}

const struct ynode *load_item(const struct ynode *at, size_t i)
{
    return at->kind == YNODE_SEQ ? at->value[i] : at;
}

bool load_map(struct profile_loader *l, const struct ynode *at, const char *what, const char *const *allowed)
{
    if (at->kind != YNODE_MAP) {
        yaml_bad(l->errs, at, "%s: is %s, must be a map", what, yaml_describe(at));
        return false;
    }
    yaml_allow_keys(at, allowed, l->errs);
    return true;
}

static void load_json(struct profile_loader *l, const struct ynode *json)
{
    static const char *const allowed[] = {"keys", "dup", "trailing", NULL};
    static const struct {
        const char *key, *names[3];
        unsigned flag; /* set by the second name */
    } knob[] = {{"keys", {"exact", "casefold", NULL}, JSON_KEYS_CASEFOLD},
                {"dup", {"refuse", "last", NULL}, JSON_DUP_LAST},
                {"trailing", {"refuse", "ignore", NULL}, JSON_TRAILING_OK}};
    if (!json || !load_map(l, json, "json", allowed))
        return;
    for (size_t i = 0; i < ARRAY_LEN(knob); i++) {
        int choice;
        const struct ynode *value = yaml_get(json, knob[i].key);
        if (value && yaml_enum(value, knob[i].key, knob[i].names, &choice, l->errs) == 0 && choice == 1)
            l->p->json_flags |= knob[i].flag;
    }
}

static void load_http(struct profile_loader *l, const struct ynode *http)
{
    static const char *const allowed[] = {"method_override", "strip_suffix", NULL};
    static const char *const overrides[] = {"refuse", "ignore", NULL};
    int choice = 0;
    l->p->refuse_override = true;
    if (!http || !load_map(l, http, "http", allowed))
        return;
    const struct ynode *value = yaml_get(http, "method_override");
    if (value && yaml_enum(value, "method_override", overrides, &choice, l->errs) == 0)
        l->p->refuse_override = choice == 0;
    value = yaml_get(http, "strip_suffix");
    size_t n = value ? load_count(value) : 0;
    l->p->suffix = arena_alloc(l->a, (n + 1) * sizeof(*l->p->suffix));
    for (size_t i = 0; i < n; i++) {
        const char *text;
        if (yaml_str(load_item(value, i), "strip_suffix", &text, l->errs) == 0 && *text)
            l->p->suffix[l->p->n_suffixes++] = span_str(arena_strdup(l->a, span_str(text)));
    }
}

static void load_templates(struct profile_loader *l, const struct ynode *templates)
{
    size_t n = templates && templates->kind == YNODE_MAP ? templates->n : 0;
    if (templates && templates->kind != YNODE_MAP)
        yaml_bad(l->errs, templates, "templates: is %s, must be a map of names to templates", yaml_describe(templates));
    l->p->tpl = arena_alloc(l->a, (n + 1) * sizeof(*l->p->tpl));
    for (size_t i = 0; i < n; i++) {
        struct template *t = &l->p->tpl[l->p->n_templates];
        t->name = arena_strdup(l->a, span_str(templates->key[i]->text));
        /* a bad template keeps its name, so that it is not reported as unknown as well */
        if (tpl_compile(templates->value[i], l->p, t, l->errs) != 0)
            t->n = 0;
        l->p->n_templates++;
    }
}

static void load_ask(struct profile_loader *l, const struct ynode *ask)
{
    static const char *const allowed[] = {"when", "corr", NULL};
    if (!load_map(l, ask, "ask", allowed))
        return;
    const struct ynode *when = yaml_get(ask, "when"), *corr = yaml_get(ask, "corr");
    if (when)
        cond_compile_list(when, "when", l->a, &l->p->identity.ask, l->errs);
    else
        yaml_bad(l->errs, ask, "ask: `when` is missing");
    if (corr)
        sel_compile_list(corr, "corr", l->a, &l->p->identity.ask_corr, l->errs);
}

static void load_ok(struct profile_loader *l, const struct ynode *ok)
{
    static const char *const allowed[] = {"when", "corr", "uid", "name", NULL};
    struct profile *p = l->p;
    if (!load_map(l, ok, "ok", allowed))
        return;
    const struct ynode *when = yaml_get(ok, "when"), *uid = yaml_get(ok, "uid"), *value;
    if (when)
        cond_compile_list(when, "when", l->a, &p->identity.ok, l->errs);
    if (uid)
        sel_compile_list(uid, "uid", l->a, &p->identity.uid, l->errs);
    if (!when || !uid)
        yaml_bad(l->errs, ok, "ok: `when` and `uid` are needed");
    if ((value = yaml_get(ok, "corr")))
        sel_compile_list(value, "corr", l->a, &p->identity.corr, l->errs);
    if ((value = yaml_get(ok, "name")))
        sel_compile_list(value, "name", l->a, &p->identity.name, l->errs);
    if (p->identity.corr.n && !p->identity.ask_corr.n)
        yaml_bad(l->errs, ok, "ok: `corr` needs a `corr` in ask as well");
}

static void load_identity(struct profile_loader *l, const struct ynode *identity)
{
    static const char *const allowed[] = {"ws", NULL}, *const allowed_ws[] = {"ask", "ok", NULL};
    if (!identity || !load_map(l, identity, "identity", allowed))
        return;
    const struct ynode *ws = yaml_get(identity, "ws");
    if (!ws || !load_map(l, ws, "identity.ws", allowed_ws))
        return;
    if (yaml_get(ws, "ask"))
        load_ask(l, yaml_get(ws, "ask"));
    if (yaml_get(ws, "ok"))
        load_ok(l, yaml_get(ws, "ok"));
    else
        yaml_bad(l->errs, ws, "identity.ws: `ok` is missing");
}

static void load_notice(struct profile_loader *l, const struct ynode *notice)
{
    static const char *const allowed[] = {"via", "needs_sub", "send", "event", NULL};
    static const char *const vias[] = {"none", "inline", "refusal_only", NULL};
    int via = 0;
    if (!notice || !load_map(l, notice, "notice", allowed))
        return;
    const struct ynode *value = yaml_get(notice, "via"), *needs = yaml_get(notice, "needs_sub");
    if (!value)
        yaml_bad(l->errs, notice, "notice: `via` is missing, must be one of none, inline, refusal_only");
    else if (yaml_enum(value, "via", vias, &via, l->errs) == 0)
        l->p->notice.via = (enum notice_via)via;
    bool has_action = yaml_get(notice, "send") || yaml_get(notice, "event");
    if (has_action != (via == NOTICE_INLINE))
        yaml_bad(l->errs, notice, "notice: `send` or `event` belongs to via: inline, and only there");
    else if (has_action)
        load_action(l, notice, &l->p->notice.action);
    if (needs)
        cond_compile_list(needs, "needs_sub", l->a, &l->p->notice.needs_sub, l->errs);
}

static void load_name(struct profile_loader *l, const struct ynode *root)
{
    const struct ynode *name = yaml_get(root, "profile");
    l->p->name = "";
    if (!name || name->kind != YNODE_SCALAR || !*name->text ||
        strspn(name->text, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name->text))
        yaml_bad(l->errs, name ? name : root, "profile: must be a name of small letters, digits and '-'");
    else
        l->p->name = arena_strdup(l->a, span_str(name->text));
}

static void load_default(struct profile_loader *l, const struct ynode *value)
{
    static const char *const choices[] = {"pass", "policy", NULL};
    int choice = 0;
    if (value && yaml_enum(value, "default", choices, &choice, l->errs) == 0)
        l->p->unknown_by_policy = choice == 1;
}

static void load_root(struct profile_loader *l, const struct ynode *root)
{
    static const char *const allowed[] = {"profile", "json",      "ws",       "http",   "deny",
                                          "default", "templates", "refusals", "refuse", "identity",
                                          "rules",   "notice",    "customer", "xmpp",   NULL};
    if (!load_map(l, root, "profile", allowed))
        return;
    load_name(l, root);
    load_json(l, yaml_get(root, "json"));
    load_http(l, yaml_get(root, "http"));
    load_default(l, yaml_get(root, "default"));
    load_sockets(l, yaml_get(root, "ws"));
    load_deny(l, yaml_get(root, "deny"));
    load_capture_names(l, yaml_get(root, "rules"));
    load_templates(l, yaml_get(root, "templates"));
    load_refusals(l, yaml_get(root, "refusals"), yaml_get(root, "refuse"));
    load_identity(l, yaml_get(root, "identity"));
    load_notice(l, yaml_get(root, "notice"));
    if (yaml_get(root, "customer"))
        sel_compile_list(yaml_get(root, "customer"), "customer", l->a, &l->p->customer, l->errs);
    load_rules(l, yaml_get(root, "rules"));
    load_xmpp(l, root, yaml_get(root, "xmpp"));
    if (!l->p->n_sockets && !l->p->n_deny && !l->p->is_xmpp)
        yaml_bad(l->errs, root, "profile: has neither `ws` nor `deny` nor `xmpp`, so it would do nothing");
}

static struct profile *load_tree(const struct ynode *root, struct err_list *errs, size_t before)
{
    struct profile *p = xcalloc(1, sizeof(*p));
    struct profile_loader l = {.p = p, .a = &p->arena, .errs = errs};
    atomic_init(&p->refs, 1);
    if (root)
        load_root(&l, root);
    if (errs->n == before && !errs->dropped)
        return p;
    profile_unref(&p);
    return NULL;
}

struct profile *profile_load_file(const char *path, struct err_list *errs)
{
    struct arena tree = {0};
    size_t before = errs->n;
    struct profile *p = load_tree(yaml_load_file(path, &tree, errs), errs, before);
    arena_fini(&tree);
    return p;
}

struct profile *profile_load_text(const char *name, struct span text, struct err_list *errs)
{
    struct arena tree = {0};
    size_t before = errs->n;
    struct profile *p = load_tree(yaml_load_text(name, text, &tree, errs), errs, before);
    arena_fini(&tree);
    return p;
}

struct profile *profile_ref(struct profile *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void profile_unref(struct profile **pp)
{
    struct profile *p = *pp;
    *pp = NULL;
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_fini(&p->arena);
    free(p);
}

const char *profile_name(const struct profile *p)
{
    return p->name;
}

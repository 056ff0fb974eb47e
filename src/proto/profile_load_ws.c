/* Sockets, denied routes and refusals of a profile file. */
#include "proto/profile_load.h"
#include "proto/profile_route.h"
#include "proto/profile_tpl.h"

static uint32_t load_spans(struct profile_loader *l, const struct ynode *at, const char *what, struct span **out)
{
    uint32_t n = 0;
    size_t most = at ? load_count(at) : 0;
    *out = arena_alloc(l->a, (most + 1) * sizeof(**out));
    for (size_t i = 0; i < most; i++) {
        const char *text;
        if (yaml_str(load_item(at, i), what, &text, l->errs) == 0)
            (*out)[n++] = span_str(arena_strdup(l->a, span_str(text)));
    }
    return n;
}

static void load_needs(struct profile_loader *l, const struct ynode *at, struct socket *s)
{
    if (at->kind != YNODE_MAP) {
        yaml_bad(l->errs, at, "require_query: is %s, must be a map of parameters to values", yaml_describe(at));
        return;
    }
    s->need = arena_alloc(l->a, (at->n + 1) * sizeof(*s->need));
    for (size_t i = 0; i < at->n; i++) {
        const char *value;
        if (yaml_str(at->value[i], at->key[i]->text, &value, l->errs) != 0)
            continue;
        s->need[s->n_needs++] = (struct query_need){span_str(arena_strdup(l->a, span_str(at->key[i]->text))),
                                                    span_str(arena_strdup(l->a, span_str(value)))};
    }
}

static void load_socket(struct profile_loader *l, const struct ynode *at, struct socket *s)
{
    static const char *const allowed[] = {"path", "framing", "opcode", "subprotocols", "ignore", "require_query", NULL};
    static const char *const framings[] = {"plain", "sockjs", "socketio", "xmpp", NULL}, *const opcodes[] = {
                                                                                             "text", "binary", NULL};
    int framing = 0, opcode = 0;
    if (!load_map(l, at, "ws", allowed))
        return;
    const struct ynode *path = yaml_get(at, "path"), *value;
    if (!path)
        yaml_bad(l->errs, at, "ws: `path` is missing");
    else if (pattern_compile(path, false, l->a, &s->path, l->errs) != 0)
        s->path.n = 0;
    if ((value = yaml_get(at, "framing")) && yaml_enum(value, "framing", framings, &framing, l->errs) == 0)
        s->framing = (enum framing)framing;
    if ((value = yaml_get(at, "opcode")))
        (void)!yaml_enum(value, "opcode", opcodes, &opcode, l->errs);
    s->opcode = (uint8_t)(opcode + 1);
    s->n_subprotocols = load_spans(l, yaml_get(at, "subprotocols"), "subprotocols", &s->subprotocol);
    s->n_ignore = load_spans(l, yaml_get(at, "ignore"), "ignore", &s->ignore);
    if ((value = yaml_get(at, "require_query")))
        load_needs(l, value, s);
}

void load_sockets(struct profile_loader *l, const struct ynode *ws)
{
    size_t n = ws ? load_count(ws) : 0;
    l->p->socket = arena_alloc(l->a, (n + 1) * sizeof(*l->p->socket));
    for (size_t i = 0; i < n; i++)
        load_socket(l, load_item(ws, i), &l->p->socket[l->p->n_sockets++]);
}

void load_deny(struct profile_loader *l, const struct ynode *deny)
{
    size_t n = deny ? load_count(deny) : 0;
    l->p->deny = arena_alloc(l->a, (n + 1) * sizeof(*l->p->deny));
    for (size_t i = 0; i < n; i++)
        if (pattern_compile(load_item(deny, i), true, l->a, &l->p->deny[l->p->n_deny], l->errs) == 0)
            l->p->n_deny++;
}

/* --- refusals --- */

static bool load_if(struct profile_loader *l, const struct ynode *at, struct action *out)
{
    static const char *const allowed[] = {"has_ack", NULL};
    bool wanted = false;
    if (!load_map(l, at, "if", allowed))
        return false;
    const struct ynode *has_ack = yaml_get(at, "has_ack");
    if (!has_ack || yaml_bool(has_ack, "has_ack", &wanted, l->errs) != 0)
        return false;
    out->if_ack = wanted;
    return true;
}

/* Socket.IO events end with an object: a string at the end is taken for a recovery offset by its clients. */
static bool check_event(struct profile_loader *l, const struct ynode *at, const struct template *t)
{
    const struct piece *first = &t->piece[0], *last = t->n ? &t->piece[t->n - 1] : NULL;
    if (!last || (first->kind == PIECE_TEXT && span_starts(first->text, span_str("[\"")) && last->kind == PIECE_TEXT &&
                  last->text.n >= 2 && memcmp(last->text.p + last->text.n - 2, "}]", 2) == 0))
        return true;
    yaml_bad(l->errs, at, "event: must be a list that begins with a quoted event name and ends with an object");
    return false;
}

static const struct template *load_template_ref(struct profile_loader *l, const struct ynode *at)
{
    const char *text;
    if (yaml_str(at, "template", &text, l->errs) != 0)
        return NULL;
    for (uint32_t i = 0; i < l->p->n_templates; i++)
        if (strcmp(l->p->tpl[i].name, text) == 0)
            return &l->p->tpl[i];
    if (*text != '{' && *text != '[') {
        yaml_bad(l->errs, at, "template: is \"%s\", must be the name of a template, or JSON itself", text);
        return NULL;
    }
    struct template *t = arena_alloc(l->a, sizeof(*t));
    t->name = "";
    return tpl_compile(at, l->p, t, l->errs) == 0 ? t : NULL;
}

bool load_action(struct profile_loader *l, const struct ynode *at, struct action *out)
{
    static const char *const hows[] = {"send", "ack", "event"};
    const struct ynode *value = NULL;
    unsigned given = 0;
    *out = (struct action){.if_ack = -1};
    for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
        const struct ynode *v = yaml_get(at, hows[i]);
        if (!v)
            continue;
        given++;
        value = v;
        out->how = (enum action_how)i;
    }
    if (given != 1) {
        yaml_bad(l->errs, at, "one of send, ack, event is needed");
        return false;
    }
    if (yaml_get(at, "if") && !load_if(l, yaml_get(at, "if"), out))
        return false;
    out->tpl = load_template_ref(l, value);
    if (!out->tpl)
        return false;
    return out->how != ACTION_EVENT || check_event(l, value, out->tpl);
}

static void load_refusal(struct profile_loader *l, const struct ynode *actions, struct refusal *r)
{
    static const char *const allowed[] = {"if", "send", "ack", "event", NULL};
    for (size_t i = 0; i < load_count(actions); i++) {
        const struct ynode *at = load_item(actions, i);
        if (r->n == ACTIONS_MAX) {
            yaml_bad(l->errs, at, "refusals: more than %d actions", ACTIONS_MAX);
            return;
        }
        if (load_map(l, at, "refusals", allowed) && load_action(l, at, &r->action[r->n]))
            r->n++;
    }
}

const struct refusal *load_refusal_name(struct profile_loader *l, const struct ynode *name)
{
    const char *text;
    if (yaml_str(name, "refuse", &text, l->errs) != 0)
        return NULL;
    for (uint32_t i = 0; i < l->p->n_refusals; i++)
        if (strcmp(l->p->refusal[i].name, text) == 0)
            return &l->p->refusal[i];
    yaml_bad(l->errs, name, "refuse: is \"%s\", must be a name under `refusals`", text);
    return NULL;
}

void load_refusals(struct profile_loader *l, const struct ynode *refusals, const struct ynode *fallback)
{
    size_t n = refusals && refusals->kind == YNODE_MAP ? refusals->n : 0;
    if (refusals && refusals->kind != YNODE_MAP)
        yaml_bad(l->errs, refusals, "refusals: is %s, must be a map of names to actions", yaml_describe(refusals));
    l->p->refusal = arena_alloc(l->a, (n + 1) * sizeof(*l->p->refusal));
    for (size_t i = 0; i < n; i++) {
        struct refusal *r = &l->p->refusal[l->p->n_refusals++];
        r->name = arena_strdup(l->a, span_str(refusals->key[i]->text));
        load_refusal(l, refusals->value[i], r);
    }
    if (fallback)
        l->p->fallback = load_refusal_name(l, fallback);
}

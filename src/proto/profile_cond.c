#include "proto/profile_cond.h"

#include <math.h>

#include "proto/profile_sel.h"

static const char *const OPS[] = {"eq",   "in",   "lt",  "ge",  "has", "absent", "glob",
                                  "type", "same", "not", "any", "all", NULL};
static const char *const TYPES[] = {"null", "true", "false", "number", "string", "array", "object", NULL};

/* --- compiling --- */

static int literal_compile(const struct ynode *at, struct arena *a, struct literal *out, struct err_list *errs)
{
    if (at->kind != YNODE_SCALAR) {
        yaml_bad(errs, at, "is %s, must be text, a number, true, false or null", yaml_describe(at));
        return -1;
    }
    char *end = NULL;
    *out = (struct literal){.kind = JSON_STRING, .text = span_str(arena_strdup(a, span_str(at->text)))};
    if (!at->is_plain)
        return 0;
    if (strcmp(at->text, "true") == 0)
        out->kind = JSON_TRUE;
    else if (strcmp(at->text, "false") == 0)
        out->kind = JSON_FALSE;
    else if (strcmp(at->text, "null") == 0)
        out->kind = JSON_NULL;
    else if (strspn(at->text, "-0123456789.") == strlen(at->text) && *at->text) {
        out->number = strtod(at->text, &end);
        if (*end == '\0')
            out->kind = JSON_NUMBER;
    }
    return 0;
}

static void literals_compile(const struct ynode *at, struct arena *a, struct cond *c, struct err_list *errs)
{
    size_t n = at->kind == YNODE_SEQ ? at->n : 1;
    c->lit = arena_alloc(a, (n ? n : 1) * sizeof(*c->lit));
    for (size_t i = 0; i < n; i++)
        if (literal_compile(at->kind == YNODE_SEQ ? at->value[i] : at, a, &c->lit[c->n_lit], errs) == 0)
            c->n_lit++;
}

static void check_operand(const struct ynode *at, struct cond *c, struct err_list *errs)
{
    int type;
    if (c->op == COND_TYPE && yaml_enum(at, "type", TYPES, &type, errs) == 0)
        c->lit->kind = (enum json_kind)type;
    if ((c->op == COND_LT || c->op == COND_GE) && c->n_lit && c->lit->kind != JSON_NUMBER)
        yaml_bad(errs, at, "%s: is %s, must be a number", OPS[c->op], yaml_describe(at));
    if (c->op == COND_SAME && (at->kind != YNODE_SCALAR || strcmp(at->text, "uid") != 0))
        yaml_bad(errs, at, "same: is %s, must be uid", yaml_describe(at));
}

static void pair_compile(const struct ynode *at, struct arena *a, struct cond *c, struct err_list *errs)
{
    if (at->kind != YNODE_SEQ || at->n != 2) {
        yaml_bad(errs, at, "%s: is %s, must be [selector, value]", OPS[c->op], yaml_describe(at));
        return;
    }
    if (sel_compile(at->value[0], a, &c->sel, errs) != 0)
        return;
    if (c->sel.is_packet_type && c->op != COND_EQ && c->op != COND_IN)
        yaml_bad(errs, at->value[0], "sio:type: only eq and in can look at it");
    if (c->op != COND_IN && at->value[1]->kind == YNODE_SEQ) {
        yaml_bad(errs, at->value[1], "%s: is a list, must be one value (use in for several)", OPS[c->op]);
        return;
    }
    literals_compile(at->value[1], a, c, errs);
    check_operand(at->value[1], c, errs);
    c->is_text = c->sel.is_key && (c->op == COND_EQ || c->op == COND_IN);
    for (uint32_t i = 0; i < c->n_lit; i++)
        c->is_text &= c->lit[i].kind == JSON_STRING;
}

static void cond_compile(const struct ynode *at, struct arena *a, struct cond *c, struct err_list *errs)
{
    int op;
    *c = (struct cond){.op = COND_ANY};
    if (at->kind != YNODE_MAP || at->n != 1) {
        yaml_bad(errs, at, "a condition is a map with one key, such as {eq: [/type, message]}");
        return;
    }
    if (strcmp(at->key[0]->text, "re") == 0) {
        yaml_bad(errs, at->key[0], "re: regular expressions are not offered here, use glob: [selector, \"abc*\"]");
        return;
    }
    if (yaml_enum(at->key[0], "condition", OPS, &op, errs) != 0)
        return;
    const struct ynode *value = at->value[0];
    c->op = (enum cond_op)op;
    if (c->op == COND_HAS || c->op == COND_ABSENT) {
        if (sel_compile(value, a, &c->sel, errs) == 0 && c->sel.is_packet_type)
            yaml_bad(errs, value, "sio:type: only eq and in can look at it");
    } else if (c->op == COND_NOT || c->op == COND_ANY || c->op == COND_ALL) {
        struct conds sub;
        cond_compile_list(value, OPS[op], a, &sub, errs);
        c->sub = sub.cond;
        c->n_sub = sub.n;
    } else {
        pair_compile(value, a, c, errs);
    }
}

void cond_compile_list(const struct ynode *at, const char *what, struct arena *a, struct conds *out,
                       struct err_list *errs)
{
    *out = (struct conds){.is_set = true};
    if (at->kind == YNODE_SCALAR) {
        yaml_bad(errs, at, "%s: is %s, must be a condition or a list of conditions", what, yaml_describe(at));
        return;
    }
    size_t n = at->kind == YNODE_SEQ ? at->n : 1;
    out->cond = arena_alloc(a, (n ? n : 1) * sizeof(*out->cond));
    for (size_t i = 0; i < n; i++)
        cond_compile(at->kind == YNODE_SEQ ? at->value[i] : at, a, &out->cond[out->n++], errs);
}

/* --- evaluating --- */

bool glob_match(struct span pattern, struct span text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
            p++, t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool place_number(struct place at, double *out)
{
    struct span raw = place_raw(at);
    char text[64];
    if (place_kind(at) != JSON_NUMBER || raw.n >= sizeof(text))
        return false;
    memcpy(text, raw.p, raw.n);
    text[raw.n] = '\0';
    *out = strtod(text, NULL);
    return true;
}

static bool equals(struct place at, const struct literal *lit)
{
    double number;
    if (place_kind(at) != lit->kind)
        return false;
    if (lit->kind == JSON_STRING)
        return json_is(&at.layer->doc, at.node, lit->text);
    if (lit->kind != JSON_NUMBER)
        return true;
    return place_number(at, &number) && !(number < lit->number) && !(number > lit->number);
}

struct probe {
    struct profile_scratch *s;
    const struct cond *c;
    bool found;
};

static bool value_holds(const struct probe *q, struct place at)
{
    const struct cond *c = q->c;
    double number;
    switch (c->op) {
    case COND_EQ:
    case COND_IN:
        for (uint32_t i = 0; i < c->n_lit; i++)
            if (equals(at, &c->lit[i]))
                return true;
        return false;
    case COND_LT:
        return place_number(at, &number) && number < c->lit->number;
    case COND_GE:
        return place_number(at, &number) && number >= c->lit->number;
    case COND_GLOB:
        return place_kind(at) == JSON_STRING && glob_match(c->lit->text, place_text(q->s, at));
    case COND_TYPE:
        return place_kind(at) == c->lit->kind;
    case COND_SAME: {
        const struct buf *uid = &q->s->conn->uid;
        return uid->len && place_kind(at) <= JSON_STRING && span_eq(place_text(q->s, at), buf_span(uid));
    }
    default:
        return true; /* has, absent */
    }
}

static bool on_value(void *ctx, struct place at)
{
    struct probe *q = ctx;
    q->found = value_holds(q, at);
    return !q->found;
}

static bool packet_type_holds(const struct profile_scratch *s, const struct cond *c)
{
    for (uint32_t i = 0; i < c->n_lit; i++)
        if (c->lit[i].kind == JSON_NUMBER && fabs(c->lit[i].number - s->packet.type) < 0.5)
            return true;
    return false;
}

/* What is_text says: most conditions are such, and each message is asked several. */
static inline bool text_holds(const struct cond *c, const struct json_doc *d)
{
    uint32_t i = json_member_indexed(d, c->sel.step->key, c->sel.step->mark);
    if (!i || d->node[i].kind != JSON_STRING)
        return false;
    for (uint32_t k = 0; k < c->n_lit; k++)
        if (d->node[i].has_escape ? json_is(d, i, c->lit[k].text) : span_eq_short(json_inside(d, i), c->lit[k].text))
            return true;
    return false;
}

static NOINLINE bool holds_at_all(struct profile_scratch *s, const struct cond *c, struct layer *root)
{
    const struct conds sub = {true, c->n_sub, c->sub};
    if (c->op == COND_NOT)
        return !cond_all(s, &sub, root);
    if (c->op == COND_ANY)
        return cond_any(s, &sub, root);
    if (c->op == COND_ALL)
        return cond_all(s, &sub, root);
    if (c->sel.is_packet_type)
        return packet_type_holds(s, c);
    struct probe q = {.s = s, .c = c};
    if (c->sel.is_path) {
        struct place at = sel_at(s, &c->sel, root);
        q.found = at.layer && value_holds(&q, at);
    } else {
        sel_walk(s, &c->sel, root, on_value, &q);
    }
    return q.found != (c->op == COND_ABSENT);
}

static inline bool holds(struct profile_scratch *s, const struct cond *c, struct layer *root)
{
    return c->is_text && root->doc.is_indexed ? text_holds(c, &root->doc) : holds_at_all(s, c, root);
}

bool cond_all(struct profile_scratch *s, const struct conds *list, struct layer *root)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (!holds(s, &list->cond[i], root))
            return false;
    return true;
}

bool cond_any(struct profile_scratch *s, const struct conds *list, struct layer *root)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (holds(s, &list->cond[i], root))
            return true;
    return false;
}

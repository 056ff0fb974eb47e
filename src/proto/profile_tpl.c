#include "proto/profile_tpl.h"

#include "base/clock.h"
#include "base/json_out.h"
#include "base/rand.h"
#include "proto/profile_sel.h"

static const char *const BUILT_IN[] = {"reason", "rule", "notice", "uuid", "now_ms", "now_rfc3339ms", "uid", NULL};
static const char *const CAP_NAMES[] = {"conv", "mid", "corr", "sender", "ts", "customer", NULL};

int cap_number(struct profile *p, const char *name, bool add)
{
    for (; p->n_caps < CAP_OWN; p->n_caps++)
        p->cap[p->n_caps] = CAP_NAMES[p->n_caps];
    for (uint32_t i = 0; i < p->n_caps; i++)
        if (strcmp(p->cap[i], name) == 0)
            return (int)i;
    if (!add || p->n_caps == CAPS_MAX)
        return -1;
    p->cap[p->n_caps] = arena_strdup(&p->arena, span_str(name));
    return (int)p->n_caps++;
}

/* --- compiling --- */

struct compiler {
    const struct ynode *at;
    struct profile *p;
    struct template *t;
    struct err_list *errs;
    bool in_string, bad;
};

static void bad_var(struct compiler *c, struct span var, const char *why)
{
    yaml_bad(c->errs, c->at, "template: ${%.*s}: %s", (int)var.n, var.p, why);
    c->bad = true;
}

static struct piece *add_piece(struct compiler *c, enum piece_kind kind)
{
    struct piece *piece = &c->t->piece[c->t->n++];
    piece->kind = kind;
    return piece;
}

/* Literal JSON up to the next "${" or the end; follows whether we stand inside a string. */
static const char *take_text(struct compiler *c, const char *p)
{
    const char *from = p;
    for (; *p && !(p[0] == '$' && p[1] == '{'); p++) {
        if (c->in_string && *p == '\\' && p[1])
            p++;
        else if (*p == '"')
            c->in_string = !c->in_string;
    }
    if (p > from)
        add_piece(c, PIECE_TEXT)->text = span_of(from, (size_t)(p - from));
    return p;
}

static void take_embedded(struct compiler *c, struct span name, struct span var)
{
    if (c->in_string) {
        bad_var(c, var, "a template is embedded as a whole string, write it without quotes around");
        return;
    }
    for (uint32_t i = 0; i < c->p->n_templates; i++) {
        if (span_is(name, c->p->tpl[i].name)) {
            add_piece(c, PIECE_TEMPLATE)->tpl = &c->p->tpl[i];
            return;
        }
    }
    bad_var(c, var, "no template of that name stands above");
}

static int var_number(struct compiler *c, struct span name)
{
    for (int i = 0; BUILT_IN[i]; i++)
        if (span_is(name, BUILT_IN[i]))
            return i;
    char *text = arena_strdup(&c->p->arena, name);
    int cap = cap_number(c->p, text, false);
    return cap < 0 ? -1 : VAR_CAPTURE + cap;
}

static void take_var(struct compiler *c, struct span var)
{
    struct span name = var;
    if (name.n && name.p[0] == '@') {
        take_embedded(c, span_from(name, 1), var);
        return;
    }
    bool is_optional = name.n && name.p[name.n - 1] == '?';
    name.n -= is_optional;
    bool in_string = name.n > 2 && name.p[name.n - 2] == ':' && name.p[name.n - 1] == 's';
    name.n -= in_string ? 2 : 0;
    int number = var_number(c, name);
    if (number < 0) {
        bad_var(c, var,
                "unknown name; known are reason rule notice uuid now_ms now_rfc3339ms uid and what get captures");
    } else if (in_string != c->in_string) {
        bad_var(c, var, in_string ? ":s belongs inside quotes" : "inside quotes it must be written ${name:s}");
    } else {
        struct piece *piece = add_piece(c, in_string ? PIECE_IN_STRING : PIECE_VALUE);
        piece->var = (uint8_t)number;
        piece->is_optional = is_optional;
    }
}

/* Whatever the values: the syntax between them has to be JSON. */
static void check_json(struct compiler *c)
{
    struct buf sample = {0};
    struct json_doc doc = {0};
    struct err e;
    for (uint32_t i = 0; i < c->t->n; i++) {
        const struct piece *piece = &c->t->piece[i];
        if (piece->kind == PIECE_TEXT)
            buf_append_span(&sample, piece->text);
        else
            buf_append_str(&sample, piece->kind == PIECE_IN_STRING ? "x" : "null");
    }
    if (json_read(&doc, buf_span(&sample), 0, &e) != JSON_OK) {
        yaml_bad(c->errs, c->at, "template: is not JSON: %s: %.200s", e.text, buf_cstr(&sample));
        c->bad = true;
    }
    json_doc_fini(&doc);
    buf_fini(&sample);
}

int tpl_compile(const struct ynode *at, struct profile *p, struct template *out, struct err_list *errs)
{
    const char *text;
    if (yaml_str(at, "template", &text, errs) != 0)
        return -1;
    text = arena_strdup(&p->arena, span_str(text));
    size_t most = 2;
    for (const char *q = text; (q = strstr(q, "${")); q += 2)
        most += 2;
    out->n = 0;
    out->piece = arena_alloc(&p->arena, most * sizeof(*out->piece));
    struct compiler c = {.at = at, .p = p, .t = out, .errs = errs};
    while (*text) {
        text = take_text(&c, text);
        if (!*text)
            break;
        const char *end = strchr(text, '}');
        if (!end) {
            bad_var(&c, span_str(text + 2), "the closing brace is missing");
            break;
        }
        take_var(&c, span_of(text + 2, (size_t)(end - text) - 2));
        text = end + 1;
    }
    if (!c.bad)
        check_json(&c);
    return c.bad ? -1 : 0;
}

/* --- rendering --- */

static void put_string(struct buf *out, struct span text)
{
    buf_append(out, "\"", 1);
    json_escape(out, text);
    buf_append(out, "\"", 1);
}

static void put_text(struct buf *out, struct span text, bool in_string)
{
    if (in_string)
        json_escape(out, text);
    else
        put_string(out, text);
}

static void put_uuid(struct buf *out, bool in_string)
{
    char hex[33], text[40];
    rand_hex32(hex);
    hex[12] = '4'; /* version and variant of RFC 4122 */
    hex[16] = 'a';
    snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    put_text(out, span_str(text), in_string);
}

static bool put_capture(const struct tpl_values *v, int cap, bool in_string, struct buf *out)
{
    if (!v->st) {
        if (cap != CAP_CONV || !v->conv.p)
            return false;
        const struct conn_ext *x = v->conn->ext;
        uint64_t number;
        if (x && x->is_conv_number && !in_string && span_u64(v->conv, &number) && (number || v->conv.n == 1))
            buf_append_span(out, v->conv);
        else
            put_text(out, v->conv, in_string);
        return true;
    }
    struct place at = v->st->cap[cap];
    if (!at.layer || (in_string && place_kind(at) > JSON_STRING))
        return false;
    if (in_string)
        json_escape(out, place_text(v->s, at));
    else
        buf_append_span(out, place_raw(at)); /* the token as it came: numbers and strings stay what they are */
    return true;
}

static bool put_var(const struct piece *piece, const struct tpl_values *v, struct buf *out)
{
    bool in_string = piece->kind == PIECE_IN_STRING;
    char text[CLOCK_RFC3339_MAX];
    switch (piece->var) {
    case VAR_REASON:
        put_text(out, v->reason, in_string);
        return true;
    case VAR_RULE:
        put_text(out, v->rule, in_string);
        return true;
    case VAR_NOTICE:
        put_text(out, v->notice, in_string);
        return true;
    case VAR_UUID:
        put_uuid(out, in_string);
        return true;
    case VAR_NOW_MS:
        buf_printf(out, "%lld", (long long)v->now_ms);
        return true;
    case VAR_NOW_RFC3339:
        put_text(out, span_str(clock_rfc3339_ms(v->now_ms, text)), in_string);
        return true;
    case VAR_UID:
        if (!v->conn->uid.len)
            return false;
        put_text(out, buf_span(&v->conn->uid), in_string);
        return true;
    default:
        return put_capture(v, piece->var - VAR_CAPTURE, in_string, out);
    }
}

static bool put_embedded(const struct template *t, const struct tpl_values *v, struct buf *out)
{
    struct buf inner = {0};
    bool ok = tpl_render(t, v, &inner);
    if (ok)
        put_string(out, buf_span(&inner));
    buf_fini(&inner);
    return ok;
}

static bool put_piece(const struct piece *piece, const struct tpl_values *v, struct buf *out)
{
    if (piece->kind == PIECE_TEXT) {
        buf_append_span(out, piece->text);
        return true;
    }
    if (piece->kind == PIECE_TEMPLATE)
        return put_embedded(piece->tpl, v, out);
    if (put_var(piece, v, out))
        return true;
    if (piece->is_optional && piece->kind == PIECE_VALUE)
        buf_append_str(out, "null");
    return piece->is_optional;
}

bool tpl_render(const struct template *t, const struct tpl_values *v, struct buf *out)
{
    uint32_t before = out->len;
    for (uint32_t i = 0; i < t->n; i++) {
        if (!put_piece(&t->piece[i], v, out)) {
            out->len = before;
            return false;
        }
    }
    return true;
}

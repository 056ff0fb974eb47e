#include "proto/profile_sel.h"

static const char KNOWN_STEPS[] = "the steps are /key, /*, /** (last) and !json";

/* Takes the bytes up to the next '/' or '!'. */
static struct span take_piece(const char **p)
{
    const char *from = *p;
    *p += strcspn(*p, "/!");
    return span_of(from, (size_t)(*p - from));
}

/* ~1 is '/', ~0 is '~' (RFC 6901). */
static int unescape_key(struct span piece, struct arena *a, struct span *out)
{
    uint8_t *key = arena_alloc(a, piece.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < piece.n; i++) {
        uint8_t c = piece.p[i];
        if (c == '~') {
            uint8_t d = i + 1 < piece.n ? piece.p[++i] : 0;
            if (d != '0' && d != '1')
                return -1;
            c = d == '1' ? '/' : '~';
        }
        key[n++] = c;
    }
    *out = span_of(key, n);
    return 0;
}

static int add_transform(const struct ynode *at, struct span name, struct step *step, struct err_list *errs)
{
    step->kind = STEP_JSON;
    if (span_is(name, "json"))
        return 0;
    static const char *const later[] = {"b64", "pb", "html", "gob"};
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        if (span_is(name, later[i])) {
            yaml_bad(errs, at, "selector %s: the step !%s is not built yet, %s", at->text, later[i], KNOWN_STEPS);
            return -1;
        }
    }
    yaml_bad(errs, at, "selector %s: unknown step !%.*s, %s", at->text, (int)name.n, name.p, KNOWN_STEPS);
    return -1;
}

static int add_key(const struct ynode *at, struct span piece, struct step *step, struct arena *a, struct err_list *errs)
{
    uint64_t index;
    step->kind = span_is(piece, "*") ? STEP_ANY : span_is(piece, "**") ? STEP_DEEP : STEP_KEY;
    if (step->kind != STEP_KEY)
        return 0;
    if (unescape_key(piece, a, &step->key) != 0) {
        yaml_bad(errs, at, "selector %s: '~' must be followed by 0 or 1 (RFC 6901)", at->text);
        return -1;
    }
    step->mark = json_key_mark(step->key);
    if (span_u64(piece, &index) && index < JSON_NODES_MAX && (piece.n == 1 || piece.p[0] != '0')) {
        step->is_index = true;
        step->index = (uint32_t)index;
    }
    return 0;
}

static int bad_start(const struct ynode *at, struct err_list *errs)
{
    if (strchr(at->text, ':'))
        yaml_bad(
            errs, at,
            "selector %s: parameters of HTTP requests are not inspected yet, only sio:type and sio:ack are known here",
            at->text);
    else
        yaml_bad(errs, at, "selector %s: must begin with '/' or '!', or be \"\" for the whole document", at->text);
    return -1;
}

int sel_compile(const struct ynode *at, struct arena *a, struct selector *out, struct err_list *errs)
{
    const char *p;
    *out = (struct selector){.text = ""};
    if (yaml_str(at, "selector", &p, errs) != 0)
        return -1;
    out->text = arena_strdup(a, span_str(p));
    out->is_packet_type = strcmp(p, "sio:type") == 0;
    out->is_packet_ack = strcmp(p, "sio:ack") == 0;
    if (out->is_packet_type || out->is_packet_ack)
        return 0;
    if (*p && *p != '/' && *p != '!')
        return bad_start(at, errs);
    out->step = arena_alloc(a, STEPS_MAX * sizeof(*out->step));
    out->is_path = true;
    while (*p) {
        char mark = *p++;
        struct span piece = take_piece(&p);
        if (out->n == STEPS_MAX) {
            yaml_bad(errs, at, "selector %s: more than %d steps", at->text, STEPS_MAX);
            return -1;
        }
        struct step *step = &out->step[out->n++];
        if (mark == '!' ? add_transform(at, piece, step, errs) : add_key(at, piece, step, a, errs))
            return -1;
        out->is_path &= step->kind == STEP_KEY || step->kind == STEP_JSON;
        if (step->kind == STEP_DEEP && *p) {
            yaml_bad(errs, at, "selector %s: ** must be the last step", at->text);
            return -1;
        }
    }
    out->is_key = out->n == 1 && out->step->kind == STEP_KEY;
    return 0;
}

static bool same_step(const struct step *a, const struct step *b)
{
    return a->kind == b->kind && (a->kind != STEP_KEY || span_eq(a->key, b->key));
}

/* Notes what deeper selectors of the list cover, so that only uncovered containers count as unreadable. */
static void mark_reached(struct selector *shallow, const struct selector *deep)
{
    if (deep->n <= shallow->n || deep->step[shallow->n].kind == STEP_JSON)
        return;
    for (uint32_t i = 0; i < shallow->n; i++)
        if (!same_step(&shallow->step[i], &deep->step[i]))
            return;
    const struct step *next = &deep->step[shallow->n];
    shallow->into_object = true;
    if (next->kind != STEP_KEY || next->is_index)
        shallow->into_array = true;
}

void sel_compile_list(const struct ynode *at, const char *what, struct arena *a, struct selectors *out,
                      struct err_list *errs)
{
    *out = (struct selectors){0};
    if (at->kind == YNODE_MAP) {
        yaml_bad(errs, at, "%s: is a map, must be a selector or a list of selectors", what);
        return;
    }
    size_t n = at->kind == YNODE_SEQ ? at->n : 1;
    out->sel = arena_alloc(a, (n ? n : 1) * sizeof(*out->sel));
    for (size_t i = 0; i < n; i++)
        if (sel_compile(at->kind == YNODE_SEQ ? at->value[i] : at, a, &out->sel[out->n], errs) == 0)
            out->n++;
    for (uint32_t i = 0; i < out->n; i++)
        for (uint32_t k = 0; k < out->n; k++)
            mark_reached(&out->sel[i], &out->sel[k]);
}

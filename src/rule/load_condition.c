/* Where, when and in which spellings a rule applies. */
#include "rule/load_ctx.h"

enum { GAP_DEFAULT = 2, HOMOPHONES_LETTERS = 8 };

static void take_homophones(struct load_ctx *c)
{
    static const char *const keys[] = {"same", "not", NULL};
    const struct ynode *n = load_key(c, "homophones");
    c->r->homophones_same = 1;
    if (!n)
        return;
    if (n->kind == YNODE_SCALAR && strcmp(n->text, "letters") == 0) {
        c->r->has_homophones = true;
        c->r->homophones_same = HOMOPHONES_LETTERS;
        return;
    }
    if (n->kind != YNODE_MAP) {
        c->r->has_homophones = load_bool(c, n, "homophones", false);
        return;
    }
    yaml_allow_keys(n, keys, c->l->errs);
    c->r->has_homophones = true;
    c->r->homophones_same = (uint8_t)load_int(c, n, "same", 0, 8, 1);
    const struct ynode *not_words = yaml_get(n, "not");
    if (not_words) {
        words_take(c->l, not_words, "homophones: not", load_pending(c, ROLE_NOT_READING, 0), NULL);
        c->r->has_not_reading = true;
    }
}

void load_take_spelling(struct load_ctx *c)
{
    struct rule *r = c->r;
    const struct ynode *gap = load_key(c, "gap");
    int64_t v = GAP_DEFAULT;
    if (gap && yaml_int(gap, "gap", 0, 20, &v, c->l->errs) != 0)
        v = GAP_DEFAULT;
    r->gap = (uint8_t)v;
    r->has_punctuation = load_bool(c, load_key(c, "punctuation"), "punctuation", false);
    r->has_border = load_bool(c, load_key(c, "border"), "border", true);
    r->has_variants = load_bool(c, load_key(c, "variants"), "variants", false);
    take_homophones(c);
}

static void take_at(struct load_ctx *c)
{
    static const char *const names[] = {"start",      "end",    "whole",          "clause_start",
                                        "clause_end", "clause", "sentence_start", "sentence_end",
                                        "sentence",   NULL};
    const struct ynode *n = yaml_get(c->at, "at"), *filler = yaml_get(c->at, "filler");
    int i;
    if (n && yaml_enum(n, "at", names, &i, c->l->errs) == 0) {
        c->r->at = (uint8_t)(i % 3 + 1);
        c->r->at_unit = (uint8_t)(i / 3);
    }
    if (filler) {
        words_take(c->l, filler, "filler", load_pending(c, ROLE_FILLER, 0), NULL);
        c->r->has_filler = true;
    }
}

static void take_skip(struct load_ctx *c)
{
    static const char *const names[] = {"question", "quoted", NULL};
    const struct ynode *n = load_key(c, "skip");
    if (n && n->kind != YNODE_SEQ)
        yaml_bad(c->l->errs, n, "skip: is %s, must be a list of question, quoted", yaml_describe(n));
    for (size_t i = 0; n && n->kind == YNODE_SEQ && i < n->n; i++) {
        int k;
        if (yaml_enum(n->value[i], "skip", names, &k, c->l->errs) == 0)
            c->r->skip |= (uint8_t)(k ? SKIP_QUOTED : SKIP_QUESTION);
    }
}

/* whole: an answer that fills its clause; begin: how one begins; filler: what may stand around; turn: what makes it no
 * refusal; ask: what makes its clause a question without a mark. */
static void take_refused(struct load_ctx *c)
{
    static const char *const keys[] = {"whole", "begin", "filler", "turn", "ask", NULL};
    const struct ynode *n = load_key(c, "refused");
    if (!n)
        return;
    if (n->kind != YNODE_MAP) {
        yaml_bad(c->l->errs, n, "refused: is %s, must be a map of whole, begin, filler, turn, ask", yaml_describe(n));
        return;
    }
    yaml_allow_keys(n, keys, c->l->errs);
    for (unsigned part = 0; keys[part]; part++)
        if (yaml_get(n, keys[part]))
            words_take(c->l, yaml_get(n, keys[part]), "refused", load_pending(c, ROLE_REFUSED, part), NULL);
    if (!yaml_get(n, "whole") && !yaml_get(n, "begin"))
        yaml_bad(c->l->errs, n, "refused: whole and begin are missing, at least one of them must be there");
    c->r->has_refused = true;
}

static void take_window(struct load_ctx *c)
{
    static const char *const keys[] = {"messages", "seconds", NULL};
    const struct ynode *n = yaml_get(c->at, "window");
    if (!n)
        return;
    if (n->kind != YNODE_MAP) {
        yaml_bad(c->l->errs, n, "window: is %s, must be { messages: N, seconds: N }", yaml_describe(n));
        return;
    }
    yaml_allow_keys(n, keys, c->l->errs);
    c->r->window_messages = (unsigned)load_int(c, n, "messages", 1, WINDOW_MAX, 3);
    c->r->window_ms = load_int(c, n, "seconds", 1, 3600, 60) * 1000;
}

void load_scope(struct loader *l, const struct ynode *at, struct rule *r)
{
    static const char *const keys[] = {"shops", "teams", "roles", "agents", NULL};
    struct names *const lists[] = {&r->shops, &r->teams, &r->roles, &r->agents};
    if (at->kind != YNODE_MAP) {
        yaml_bad(l->errs, at, "scope: is %s, must be a map of shops, teams, roles, agents", yaml_describe(at));
        return;
    }
    yaml_allow_keys(at, keys, l->errs);
    for (size_t i = 0; keys[i]; i++)
        if (yaml_get(at, keys[i]))
            load_names(l, yaml_get(at, keys[i]), keys[i], lists[i]);
}

static void add_span(struct loader *l, const struct ynode *at, struct calendar_hours *h)
{
    const char *text;
    struct err e;
    if (yaml_str(at, "hours", &text, l->errs) != 0)
        return;
    if (h->n == CALENDAR_SPANS_MAX)
        yaml_bad(l->errs, at, "hours: more than %d spans", CALENDAR_SPANS_MAX);
    else if (calendar_read_span(text, &h->span[h->n], &e) < 0)
        yaml_bad(l->errs, at, "hours: %s, or open or closed", e.text);
    else
        h->n++;
}

static void load_hours(struct loader *l, const struct ynode *at, struct rule_when *out)
{
    bool is_word = at->kind == YNODE_SCALAR;
    if (is_word && (strcmp(at->text, "open") == 0 || strcmp(at->text, "closed") == 0)) {
        out->hours = at->text[0] == 'o' ? HOURS_OPEN : HOURS_CLOSED;
        return;
    }
    out->hours = HOURS_SPANS;
    if (is_word)
        add_span(l, at, &out->spans);
    else if (at->kind != YNODE_SEQ || !at->n)
        yaml_bad(l->errs, at, "hours: is %s, must be open, closed, a span such as 22:00-08:00 or a list of spans",
                 yaml_describe(at));
    for (size_t i = 0; at->kind == YNODE_SEQ && i < at->n; i++)
        add_span(l, at->value[i], &out->spans);
}

void load_when(struct loader *l, const struct ynode *at, struct rule_when *out)
{
    static const char *const keys[] = {"facts", "absent", "hours", NULL};
    const struct ynode *facts = yaml_get(at, "facts"), *absent = yaml_get(at, "absent"), *hours = yaml_get(at, "hours");
    *out = (struct rule_when){.hours = HOURS_ANY};
    if (at->kind != YNODE_MAP) {
        yaml_bad(l->errs, at, "when: is %s, must be a map of facts, absent, hours", yaml_describe(at));
        return;
    }
    yaml_allow_keys(at, keys, l->errs);
    if (facts)
        load_names(l, facts, "facts", &out->facts);
    if (absent)
        load_names(l, absent, "absent", &out->absent);
    if (hours)
        load_hours(l, hours, out);
}

static void take_conditions(struct load_ctx *c)
{
    static const char *const length_keys[] = {"min", "max", NULL};
    const struct ynode *scope = load_key(c, "scope"), *when = load_key(c, "when"), *length = yaml_get(c->at, "length"),
                       *yields = load_key(c, "yields_to");
    if (yields)
        load_names(c->l, yields, "yields_to", &c->r->yields_to);
    if (scope)
        load_scope(c->l, scope, c->r);
    if (when)
        load_when(c->l, when, &c->r->when);
    c->r->length_max = UINT32_MAX;
    if (length) {
        if (length->kind != YNODE_MAP)
            yaml_bad(c->l->errs, length, "length: is %s, must be a map of min, max", yaml_describe(length));
        yaml_allow_keys(length, length_keys, c->l->errs);
        c->r->length_min = (uint32_t)load_int(c, length, "min", 0, 65536, 0);
        c->r->length_max = (uint32_t)load_int(c, length, "max", 0, 65536, UINT32_MAX);
        if (c->r->length_min > c->r->length_max)
            yaml_bad(c->l->errs, length, "length: min is %u, must not be more than max (%u)", c->r->length_min,
                     c->r->length_max);
    }
}

void load_take_conditions(struct load_ctx *c)
{
    take_at(c);
    take_skip(c);
    take_refused(c);
    take_window(c);
    take_conditions(c);
}

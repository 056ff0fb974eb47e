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

static const struct ynode *key_or_default(const struct load_ctx *c, const char *key)
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
    const struct ynode *n = key_or_default(c, key);
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
        yaml_bad(c->l->errs, key_or_default(c, "norm"),
                 "norm: is \"%s\", must be a capital letter and a number like E1", s);
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
    const struct ynode *n = key_or_default(c, "mode");
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
    const struct ynode *n = key_or_default(c, "action");
    if (n && r->dir == DIR_OUTGOING)
        load_apply_action(c->l, n, "action", r);
    else if (n && yaml_get(c->at, "action"))
        load_apply_action(c->l, n, "action", r); /* reported by load_check_action */
    else if (!n && r->dir == DIR_OUTGOING && !yaml_get(c->at, "commits") && !yaml_get(c->at, "acknowledges"))
        yaml_bad(c->l->errs, c->at, "%s: action: missing, must be one of warn, rewrite, hold, block", r->id);
    take_mode(c);
    const struct ynode *preset = key_or_default(c, "preset");
    if (preset)
        load_apply_preset(c->l, preset, r);
}

/* ---- what a rule looks for ---- */

struct pending load_pending(const struct load_ctx *c, enum role role, unsigned index)
{
    return (struct pending){.rule = c->r, .role = (uint8_t)role, .index = (uint8_t)index};
}

static void take_same(const struct load_ctx *c, const struct ynode *map, uint8_t *same, uint8_t otherwise)
{
    static const char *const names[] = {"any", "clause", "sentence", NULL};
    const struct ynode *n = yaml_get(map, "same");
    int i;
    *same = otherwise;
    if (n && yaml_enum(n, "same", names, &i, c->l->errs) == 0)
        *same = (uint8_t)i;
}

static void take_one_near(struct load_ctx *c, const struct ynode *at)
{
    static const char *const keys[] = {"within", "groups", "ordered", "same", NULL};
    struct rule *r = c->r;
    const struct ynode *groups = yaml_get(at, "groups");
    yaml_allow_keys(at, keys, c->l->errs);
    if (at->kind != YNODE_MAP || !groups || groups->kind != YNODE_SEQ || groups->n < 2 || groups->n > NEAR_GROUPS_MAX) {
        yaml_bad(c->l->errs, groups ? groups : at, "near: groups: is %s, must be a list of 2 to %d groups",
                 groups ? yaml_describe(groups) : "missing", NEAR_GROUPS_MAX);
        return;
    }
    if (r->n_near == NEARS_MAX || r->n_groups + groups->n > GROUPS_MAX) {
        yaml_bad(c->l->errs, at, "near: more than %d maps or %d groups in one rule", NEARS_MAX, GROUPS_MAX);
        return;
    }
    struct near *near = &r->near[r->n_near++];
    near->within = (uint32_t)load_int(c, at, "within", 0, WITHIN_MAX, WITHIN_DEFAULT);
    near->is_ordered = load_bool(c, yaml_get(at, "ordered"), "ordered", false);
    take_same(c, at, &near->same, SAME_ANY);
    near->first_group = r->n_groups;
    near->n_groups = (uint8_t)groups->n;
    for (size_t g = 0; g < groups->n; g++) {
        unsigned number = r->n_groups++;
        words_take(c->l, groups->value[g], "near: group", load_pending(c, ROLE_GROUP, number), &near->detectors[g]);
        if (!near->detectors[g])
            near->need |= (uint64_t)1 << (BIT_GROUP + number);
    }
}

static void take_near(struct load_ctx *c)
{
    const struct ynode *n = yaml_get(c->at, "near");
    if (!n)
        return;
    if (n->kind == YNODE_SEQ)
        for (size_t i = 0; i < n->n; i++)
            take_one_near(c, n->value[i]);
    else
        take_one_near(c, n);
}

static void take_one_not_near(struct load_ctx *c, const struct ynode *at)
{
    static const char *const keys[] = {"words", "within", "side", "same", NULL};
    static const char *const sides[] = {"before", "after", "both", NULL};
    struct rule *r = c->r;
    if (r->n_not_near == NOT_NEARS_MAX) {
        yaml_bad(c->l->errs, at, "not_near: more than %d in one rule", NOT_NEARS_MAX);
        return;
    }
    unsigned number = r->n_not_near++;
    struct not_near *nn = &r->not_near[number];
    *nn = (struct not_near){.within = NOT_NEAR_DEFAULT, .side = SIDE_BOTH, .same = SAME_CLAUSE};
    const struct ynode *words = at;
    if (at->kind == YNODE_MAP) {
        yaml_allow_keys(at, keys, c->l->errs);
        words = yaml_get(at, "words");
        nn->within = (uint32_t)load_int(c, at, "within", 0, WITHIN_MAX, NOT_NEAR_DEFAULT);
        take_same(c, at, &nn->same, SAME_CLAUSE);
        const struct ynode *side = yaml_get(at, "side");
        int i;
        if (side && yaml_enum(side, "side", sides, &i, c->l->errs) == 0)
            nn->side = (uint8_t)(i + 1);
    }
    if (!words)
        yaml_bad(c->l->errs, at, "not_near: words: missing");
    else
        words_take(c->l, words, "not_near", load_pending(c, ROLE_NOT_NEAR, number), &nn->detectors);
}

static void take_not_near(struct load_ctx *c, const struct ynode *n)
{
    bool is_list_of_maps = n && n->kind == YNODE_SEQ && n->n > 0 && n->value[0]->kind == YNODE_MAP;
    for (size_t i = 0; is_list_of_maps && i < n->n; i++)
        take_one_not_near(c, n->value[i]);
    if (n && !is_list_of_maps)
        take_one_not_near(c, n);
}

static void take_one_regex(struct load_ctx *c, const struct ynode *at)
{
    static const char *const keys[] = {"pattern", "on", NULL};
    static const char *const ons[] = {"line", "plain", "raw", NULL};
    struct rule *r = c->r;
    const struct ynode *p = at;
    int on = ON_LINE;
    if (at->kind == YNODE_MAP) {
        yaml_allow_keys(at, keys, c->l->errs);
        p = yaml_get(at, "pattern");
        const struct ynode *n = yaml_get(at, "on");
        if (n && yaml_enum(n, "on", ons, &on, c->l->errs) != 0)
            on = ON_LINE;
    }
    const char *pattern;
    if (!p) {
        yaml_bad(c->l->errs, at, "regex: pattern: missing");
        return;
    }
    if (yaml_str(p, "regex", &pattern, c->l->errs) != 0)
        return;
    if (r->n_regex == REGEXES_MAX) {
        yaml_bad(c->l->errs, at, "regex: more than %d in one rule", REGEXES_MAX);
        return;
    }
    struct err err;
    struct regex *re = regex_new(pattern, &err);
    if (!re) {
        yaml_bad(c->l->errs, p, "regex: %s", err.text);
        return;
    }
    r->regex[r->n_regex++] = (struct rule_regex){re, load_keep(c->l, pattern), (uint8_t)on, false};
}

static void take_regex(struct load_ctx *c)
{
    const struct ynode *n = yaml_get(c->at, "regex");
    if (n && n->kind != YNODE_SEQ)
        yaml_bad(c->l->errs, n, "regex: is %s, must be a list of patterns", yaml_describe(n));
    for (size_t i = 0; n && n->kind == YNODE_SEQ && i < n->n; i++)
        take_one_regex(c, n->value[i]);
}

static void take_one_detector(struct load_ctx *c, const struct ynode *at)
{
    static const char *const keys[] = {"allow", NULL};
    const struct ynode *name = at;
    if (at->kind == YNODE_MAP && at->n == 1) {
        name = at->key[0];
        yaml_allow_keys(at->value[0], keys, c->l->errs);
        const struct ynode *allow = yaml_get(at->value[0], "allow");
        if (strcmp(name->text, "url") != 0 || !allow)
            yaml_bad(c->l->errs, at, "detect: only url: { allow: [domains] } has settings");
        else
            load_names(c->l, allow, "allow", &c->r->domains);
    }
    int d = name->kind == YNODE_SCALAR ? detector_of(name->text + (name->text[0] == '$')) : -1;
    if (d >= 0) {
        c->r->detect |= (uint32_t)1 << d;
        return;
    }
    char list[300] = "";
    size_t n = 0;
    for (int i = 0; i < DETECTOR_COUNT && n < sizeof(list); i++)
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", detector_name((enum detector)i));
    yaml_bad(c->l->errs, at, "detect: is %s, must be one of %s", yaml_describe(at), list);
}

static void take_detect(struct load_ctx *c)
{
    const struct ynode *n = yaml_get(c->at, "detect");
    if (n && n->kind != YNODE_SEQ)
        yaml_bad(c->l->errs, n, "detect: is %s, must be a list of detectors", yaml_describe(n));
    for (size_t i = 0; n && n->kind == YNODE_SEQ && i < n->n; i++)
        take_one_detector(c, n->value[i]);
}

/* ---- where and when ---- */

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
    const struct ynode *n = key_or_default(c, "skip");
    if (n && n->kind != YNODE_SEQ)
        yaml_bad(c->l->errs, n, "skip: is %s, must be a list of question, quoted", yaml_describe(n));
    for (size_t i = 0; n && n->kind == YNODE_SEQ && i < n->n; i++) {
        int k;
        if (yaml_enum(n->value[i], "skip", names, &k, c->l->errs) == 0)
            c->r->skip |= (uint8_t)(k ? SKIP_QUOTED : SKIP_QUESTION);
    }
}

static void take_homophones(struct load_ctx *c)
{
    static const char *const keys[] = {"same", "not", NULL};
    const struct ynode *n = key_or_default(c, "homophones");
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

static void take_spelling(struct load_ctx *c)
{
    struct rule *r = c->r;
    const struct ynode *gap = key_or_default(c, "gap");
    int64_t v = GAP_DEFAULT;
    if (gap && yaml_int(gap, "gap", 0, 20, &v, c->l->errs) != 0)
        v = GAP_DEFAULT;
    r->gap = (uint8_t)v;
    r->has_punctuation = load_bool(c, key_or_default(c, "punctuation"), "punctuation", false);
    r->has_border = load_bool(c, key_or_default(c, "border"), "border", true);
    r->has_variants = load_bool(c, key_or_default(c, "variants"), "variants", false);
    take_homophones(c);
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

static void take_conditions(struct load_ctx *c)
{
    static const char *const when_keys[] = {"facts", "absent", NULL}, *const length_keys[] = {"min", "max", NULL};
    const struct ynode *scope = key_or_default(c, "scope"), *when = key_or_default(c, "when"),
                       *length = yaml_get(c->at, "length");
    if (scope)
        load_scope(c->l, scope, c->r);
    if (when) {
        if (when->kind != YNODE_MAP)
            yaml_bad(c->l->errs, when, "when: is %s, must be a map of facts, absent", yaml_describe(when));
        yaml_allow_keys(when, when_keys, c->l->errs);
        if (yaml_get(when, "facts"))
            load_names(c->l, yaml_get(when, "facts"), "facts", &c->r->facts);
        if (yaml_get(when, "absent"))
            load_names(c->l, yaml_get(when, "absent"), "absent", &c->r->absent);
    }
    c->r->length_max = UINT32_MAX;
    if (length) {
        if (length->kind != YNODE_MAP)
            yaml_bad(c->l->errs, length, "length: is %s, must be a map of min, max", yaml_describe(length));
        yaml_allow_keys(length, length_keys, c->l->errs);
        c->r->length_min = (uint32_t)load_int(c, length, "min", 0, 65536, 0);
        c->r->length_max = (uint32_t)load_int(c, length, "max", 0, 65536, UINT32_MAX);
    }
}

static void take_triggers(struct load_ctx *c)
{
    const struct ynode *words = yaml_get(c->at, "words"), *unless = yaml_get(c->at, "unless");
    if (words)
        c->r->n_words += words_take(c->l, words, "words", load_pending(c, ROLE_WORD, 0), &c->r->detect);
    take_near(c);
    take_regex(c);
    take_detect(c);
    bool has = words || c->r->n_near || yaml_get(c->at, "regex") || yaml_get(c->at, "near") || c->r->detect ||
               yaml_get(c->at, "detect");
    load_take_rewrite(c, has);
    if (!has && c->r->rewrite != REWRITE_MAP)
        yaml_bad(c->l->errs, c->at, "%s: needs at least one of words, near, regex, detect", c->r->id);
    if (unless)
        words_take(c->l, unless, "unless", load_pending(c, ROLE_UNLESS, 0), NULL);
    if (c->pack->unless)
        words_take(c->l, c->pack->unless, "unless", load_pending(c, ROLE_UNLESS, 0), NULL);
    take_not_near(c, yaml_get(c->at, "not_near"));
    take_not_near(c, c->pack->not_near);
}

void load_rule(struct loader *l, const struct pack *p, const struct ynode *at)
{
    static const char *const keys[] = {
        "id",       "norm",   "title", "action",      "mode",        "preset",        "notice",   "cite",
        "words",    "near",   "regex", "detect",      "unless",      "not_near",      "skip",     "at",
        "filler",   "length", "gap",   "punctuation", "border",      "homophones",    "variants", "window",
        "rewrite",  "scope",  "when",  "opens_case",  "severity_up", "confirms_case", "commits",  "acknowledges",
        "examples", NULL};
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
    take_spelling(&c);
    take_action(&c);
    take_triggers(&c);
    take_at(&c);
    take_skip(&c);
    take_window(&c);
    take_conditions(&c);
    load_take_case(&c);
    load_take_commits(&c);
    load_examples(l, at, r);
    load_check_action(l, r, at);
    l->set->rule = xrealloc(l->set->rule, (l->set->n_rules + 1) * sizeof(struct rule *));
    l->set->rule[l->set->n_rules++] = r;
}

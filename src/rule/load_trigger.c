/* What a rule looks for: words, near, regex, detect, and what clears it. */
#include "base/xalloc.h"
#include "conf/conf_url.h"
#include "rule/load_ctx.h"
#include "rule/regex.h"

enum { WITHIN_MAX = 200, WITHIN_DEFAULT = 10, NOT_NEAR_DEFAULT = 6 };

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
        yaml_bad(c->l->errs, groups ? groups : at, "near: groups: is %s%s, must be a list of 2 to %d groups",
                 groups ? yaml_describe(groups) : "missing",
                 groups && groups->kind == YNODE_SEQ ? " of another length" : "", NEAR_GROUPS_MAX);
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

/* The half-width form of the sign at p, or 0. */
static char half_width(const char *p)
{
    static const char *const full = "，：；！？（）～", *const half = ",:;!?()~";
    for (size_t k = 0; half[k]; k++)
        if (strncmp(p, full + 3 * k, 3) == 0)
            return half[k];
    return 0;
}

/* A pattern for the folded line is read against half-width signs: those that are typed full-width in it are folded as
 * well. A metacharacter stays itself: （ is the sign, never a group; and [:：] holds one colon, since [:\:] would be
 * the beginning of a named class. The result is kept by the loader. */
static const char *fold_signs(struct loader *l, const char *pattern)
{
    struct buf out = {0};
    bool in_class = false;
    for (const char *p = pattern; *p;) {
        char sign = half_width(p);
        if (sign) {
            if (!in_class || p[-1] != sign) {
                buf_append(&out, "\\", 1);
                buf_append(&out, &sign, 1);
            }
            p += 3;
            continue;
        }
        if (*p == '\\' && half_width(p + 1)) { /* the sign gets one of its own */
            p++;
            continue;
        }
        if (*p == '\\' && p[1])
            buf_append(&out, p++, 1);
        else if (*p == '[' || *p == ']')
            in_class = *p == '[';
        buf_append(&out, p++, 1);
    }
    const char *kept = load_keep(l, buf_cstr(&out));
    buf_fini(&out);
    return kept;
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
    pattern = on == ON_RAW ? load_keep(c->l, pattern) : fold_signs(c->l, pattern);
    struct regex *re = regex_new(pattern, &err);
    if (!re) {
        yaml_bad(c->l->errs, p, "regex: %s", err.text);
        return;
    }
    r->regex[r->n_regex++] = (struct rule_regex){.re = re, .pattern = pattern, .on = (uint8_t)on};
}

static void take_regex(struct load_ctx *c)
{
    const struct ynode *n = yaml_get(c->at, "regex");
    if (n && n->kind != YNODE_SEQ)
        yaml_bad(c->l->errs, n, "regex: is %s, must be a list of patterns", yaml_describe(n));
    for (size_t i = 0; n && n->kind == YNODE_SEQ && i < n->n; i++)
        take_one_regex(c, n->value[i]);
}

static void take_domains(struct load_ctx *c, const struct ynode *allow)
{
    load_names(c->l, allow, "allow", &c->r->domains);
    for (size_t i = 0; allow->kind == YNODE_SEQ && i < allow->n; i++)
        if (allow->value[i]->kind == YNODE_SCALAR && *allow->value[i]->text && !conf_is_domain(allow->value[i]->text))
            yaml_bad(c->l->errs, allow->value[i],
                     "allow: is %s, must be a domain such as shop.example, without scheme, port, path and *",
                     yaml_describe(allow->value[i]));
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
            take_domains(c, allow);
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

void load_take_triggers(struct load_ctx *c)
{
    const struct ynode *words = yaml_get(c->at, "words"), *unless = yaml_get(c->at, "unless");
    if (words)
        c->r->n_words += words_take(c->l, words, "words", load_pending(c, ROLE_WORD, 0), &c->r->detect);
    take_near(c);
    take_regex(c);
    take_detect(c);
    bool has_classifier = load_take_classifier(c);
    bool has = has_classifier || words || c->r->n_near || yaml_get(c->at, "regex") || yaml_get(c->at, "near") ||
               c->r->detect || yaml_get(c->at, "detect");
    load_take_rewrite(c, has);
    if (!has && c->r->rewrite != REWRITE_MAP)
        yaml_bad(c->l->errs, c->at, "%s: needs at least one of words, near, regex, detect, classifier", c->r->id);
    if (unless)
        words_take(c->l, unless, "unless", load_pending(c, ROLE_UNLESS, 0), NULL);
    if (c->pack->unless)
        words_take(c->l, c->pack->unless, "unless", load_pending(c, ROLE_UNLESS, 0), NULL);
    take_not_near(c, yaml_get(c->at, "not_near"));
    take_not_near(c, c->pack->not_near);
}

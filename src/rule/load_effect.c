/* What follows from a hit: edits, cases, commitments. */
#include "rule/load_ctx.h"

static void take_rewrite_map(struct load_ctx *c, const struct ynode *n, bool keys_are_words)
{
    struct rule *r = c->r;
    r->rewrite = REWRITE_MAP;
    r->replacement.name = arena_alloc(&c->l->set->arena, (n->n + 1) * sizeof(char *));
    if (n->n == 0 || n->n > 5000)
        yaml_bad(c->l->errs, n, "rewrite: %zu words, must be 1 to 5000", n->n);
    for (size_t i = 0; i < n->n && i < 5000; i++) {
        const char *with = "";
        if (yaml_str(n->value[i], n->key[i]->text, &with, c->l->errs) != 0)
            continue;
        struct pending p = load_pending(c, ROLE_KEY, 0);
        p.key = (uint16_t)r->replacement.n;
        p.text = span_str(n->key[i]->text);
        p.at = n->key[i];
        words_add(c->l, p);
        p.role = ROLE_WORD;
        if (keys_are_words) {
            words_add(c->l, p);
            r->n_words++;
        }
        r->replacement.name[r->replacement.n++] = load_keep(c->l, with);
    }
}

static void take_mask(struct load_ctx *c, const struct ynode *n)
{
    static const char *const keys[] = {"mask", "keep", NULL};
    const struct ynode *kept = yaml_get(n, "keep");
    struct rule *r = c->r;
    yaml_allow_keys(n, keys, c->l->errs);
    r->rewrite = REWRITE_MASK;
    if (yaml_str(yaml_get(n, "mask"), "mask", &r->rewrite_text, c->l->errs) != 0)
        return;
    if (!r->rewrite_text[0] || strlen(r->rewrite_text) > 4)
        yaml_bad(c->l->errs, yaml_get(n, "mask"), "mask: is \"%s\", must be one character", r->rewrite_text);
    r->rewrite_text = load_keep(c->l, r->rewrite_text);
    int64_t v;
    if (kept && (kept->kind != YNODE_SEQ || kept->n != 2))
        yaml_bad(c->l->errs, kept, "keep: is %s, must be two numbers, [first, last]", yaml_describe(kept));
    for (size_t i = 0; kept && kept->kind == YNODE_SEQ && kept->n == 2 && i < 2; i++)
        if (yaml_int(kept->value[i], "keep", 0, 20, &v, c->l->errs) == 0)
            *(i ? &r->keep_last : &r->keep_first) = (uint16_t)v;
}

void load_take_rewrite(struct load_ctx *c, bool has_triggers)
{
    static const char *const keys[] = {"text", "of", NULL};
    const struct ynode *n = yaml_get(c->at, "rewrite"), *text = n;
    struct rule *r = c->r;
    r->rewrite_of = 1;
    if (!n)
        return;
    if (n->kind == YNODE_MAP && yaml_get(n, "mask")) {
        take_mask(c, n);
        return;
    }
    if (n->kind == YNODE_MAP && !yaml_get(n, "text")) {
        take_rewrite_map(c, n, !has_triggers);
        return;
    }
    if (n->kind == YNODE_MAP) {
        yaml_allow_keys(n, keys, c->l->errs);
        text = yaml_get(n, "text");
        r->rewrite_of = (uint8_t)load_int(c, n, "of", 0, NEAR_GROUPS_MAX, 1);
    }
    r->rewrite = REWRITE_TEXT;
    if (yaml_str(text, "rewrite", &r->rewrite_text, c->l->errs) == 0)
        r->rewrite_text = load_keep(c->l, r->rewrite_text);
    else
        r->rewrite_text = "";
}

void load_take_case(struct load_ctx *c)
{
    static const char *const keys[] = {"kind", "severity", NULL};
    /* By rank: of rules that are as severe the first names the case. A review is followed up in a way of its own, an
     * authority stands before the fault that it was named for. The last is the vague one. */
    static const char *const kinds[] = {
        "review_bad", "review_middling", "regulator",      "fake",     "invoice",          "wrong_item", "damaged",
        "refund",     "not_delivered",   "promise_broken", "attitude", "not_as_described", "other",      NULL};
    const struct ynode *n = yaml_get(c->at, "opens_case"), *up = yaml_get(c->at, "severity_up"),
                       *confirms = yaml_get(c->at, "confirms_case");
    struct rule *r = c->r;
    if (n) {
        yaml_allow_keys(n, keys, c->l->errs);
        const struct ynode *kind = yaml_get(n, "kind");
        int i;
        if (!kind)
            yaml_bad(c->l->errs, n, "opens_case: kind: missing");
        else if (yaml_enum(kind, "kind", kinds, &i, c->l->errs) == 0) {
            r->case_kind = kinds[i];
            r->case_rank = kinds[i + 1] ? i : CASE_RANK_VAGUE;
        }
        r->severity = (int)load_int(c, n, "severity", 0, 4, 2);
    }
    if (up && !n)
        yaml_bad(c->l->errs, up, "%s: severity_up needs opens_case:", r->id);
    if (up) {
        words_take(c->l, up, "severity_up", load_pending(c, ROLE_SEVERITY, 0), NULL);
        r->has_severity_up = true;
    }
    r->confirms_case = load_bool(c, confirms, "confirms_case", false);
    if ((n || r->confirms_case) && r->dir != DIR_INCOMING)
        yaml_bad(c->l->errs, n ? n : confirms, "%s: only incoming rules open or confirm cases", r->id);
}

void load_take_commits(struct load_ctx *c)
{
    static const char *const keys[] = {"default", NULL};
    const struct ynode *n = yaml_get(c->at, "commits"), *ack = yaml_get(c->at, "acknowledges");
    struct rule *r = c->r;
    r->is_ack = load_bool(c, ack, "acknowledges", false);
    if (n && n->kind == YNODE_MAP) {
        yaml_allow_keys(n, keys, c->l->errs);
        r->is_commit = true;
        const struct ynode *d = yaml_get(n, "default");
        if (d && yaml_duration(d, "default", 0, (int64_t)30 * 86400 * 1000, &r->commit_default_ms, c->l->errs) != 0)
            r->commit_default_ms = 0;
    } else {
        r->is_commit = load_bool(c, n, "commits", false);
    }
    if ((r->is_commit || r->is_ack) && r->dir != DIR_OUTGOING)
        yaml_bad(c->l->errs, n ? n : ack, "%s: only outgoing rules commit or acknowledge", r->id);
}

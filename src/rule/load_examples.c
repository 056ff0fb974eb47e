#include "base/utf8.h"
#include "rule/load.h"

/* "22:30" */
static void load_clock(struct loader *l, const struct ynode *at, struct example *e)
{
    const char *s;
    if (yaml_str(at, "at", &s, l->errs) != 0)
        return;
    unsigned hour = 24, minute = 60;
    bool is_shaped = strlen(s) == 5 && s[2] == ':' && strspn(s, "0123456789") == 2 && strspn(s + 3, "0123456789") == 2;
    if (is_shaped) {
        hour = (unsigned)(s[0] - '0') * 10 + (unsigned)(s[1] - '0');
        minute = (unsigned)(s[3] - '0') * 10 + (unsigned)(s[4] - '0');
    }
    if (hour < 24 && minute < 60)
        e->at_minute = (int)(hour * 60 + minute);
    else
        yaml_bad(l->errs, at, "at: is \"%.20s\", must be a time of day such as 22:30", s);
}

static void load_map_example(struct loader *l, const struct ynode *at, struct example *e)
{
    static const char *const keys[] = {"text", "before", "facts", "at", "due", "after", NULL};
    const struct ynode *text = yaml_get(at, "text"), *before = yaml_get(at, "before"), *facts = yaml_get(at, "facts"),
                       *due = yaml_get(at, "due"), *after = yaml_get(at, "after"), *clock = yaml_get(at, "at");
    if (!text && at->n == 1) { /* { original: edited } */
        e->text = at->key[0]->text;
        if (yaml_str(at->value[0], "examples", &e->want, l->errs) != 0)
            e->want = NULL;
        return;
    }
    yaml_allow_keys(at, keys, l->errs);
    if (!text || yaml_str(text, "text", &e->text, l->errs) != 0) {
        if (!text)
            yaml_bad(l->errs, at, "examples: text: missing");
        return;
    }
    if (before)
        load_names(l, before, "before", &e->before);
    if (e->before.n > WINDOW_MAX)
        yaml_bad(l->errs, before, "before: %zu messages, at most %d", e->before.n, WINDOW_MAX);
    if (facts)
        load_names(l, facts, "facts", &e->facts), e->has_facts = true;
    if (clock)
        load_clock(l, clock, e);
    if (after && yaml_str(after, "after", &e->want, l->errs) != 0)
        e->want = NULL;
    if (due && yaml_duration(due, "due", 0, (int64_t)90 * 86400 * 1000, &e->due_ms, l->errs) != 0)
        e->due_ms = -1;
}

static size_t load_list(struct loader *l, const struct ynode *at, const char *what, bool is_hit, struct rule *r)
{
    if (!at)
        return 0;
    if (at->kind != YNODE_SEQ) {
        yaml_bad(l->errs, at, "%s: is %s, must be a list of examples", what, yaml_describe(at));
        return 0;
    }
    for (size_t i = 0; i < at->n; i++) {
        struct example *e = &r->example[r->n_examples];
        *e = (struct example){
            .is_hit = is_hit, .at_minute = -1, .due_ms = -1, .line = at->value[i]->line, .file = r->file};
        if (at->value[i]->kind == YNODE_MAP)
            load_map_example(l, at->value[i], e);
        else if (yaml_str(at->value[i], what, &e->text, l->errs) != 0)
            continue;
        if (!e->text)
            continue;
        e->text = arena_strdup(&l->set->arena, span_str(e->text));
        if (e->want)
            e->want = arena_strdup(&l->set->arena, span_str(e->want));
        r->n_examples++;
    }
    return at->n;
}

void load_examples(struct loader *l, const struct ynode *at, struct rule *r)
{
    static const char *const keys[] = {"hit", "miss", NULL};
    const struct ynode *n = yaml_get(at, "examples"), *hit = yaml_get(n, "hit"), *miss = yaml_get(n, "miss");
    if (n && n->kind != YNODE_MAP)
        yaml_bad(l->errs, n, "examples: is %s, must be a map of hit, miss", yaml_describe(n));
    yaml_allow_keys(n, keys, l->errs);
    size_t max = (hit && hit->kind == YNODE_SEQ ? hit->n : 0) + (miss && miss->kind == YNODE_SEQ ? miss->n : 0);
    r->example = arena_alloc(&l->set->arena, (max + 1) * sizeof(*r->example));
    size_t hits = load_list(l, hit, "hit", true, r), misses = load_list(l, miss, "miss", false, r);
    if (!hits || !misses)
        yaml_bad(l->errs, n ? n : at, "%s: examples: needs at least one hit and one miss, has %zu and %zu", r->id, hits,
                 misses);
}

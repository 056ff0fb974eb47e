/* Words of the rule files, with what @lists hold; terms.c makes terms of them. */
#include "base/xalloc.h"
#include "rule/word_list.h"

enum { LIST_DEPTH_MAX = 4 };

static bool is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && n < 64 && s[n] == '\0';
}

static void take_list(struct loader *l, const struct ynode *at, const char *name, struct pending p, unsigned depth)
{
    if (!is_name(name)) {
        yaml_bad(l->errs, at, "@%s: is no list name, letters, digits, _ and - are allowed", name);
        return;
    }
    struct list_file *f = depth > LIST_DEPTH_MAX ? NULL : word_list_find(l, name);
    if (!f) {
        yaml_bad(l->errs, at,
                 depth > LIST_DEPTH_MAX ? "@%s: lists include each other too deeply"
                                        : "@%s: no such list, looked for lists/%s.txt",
                 name, name);
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        if (f->word[i].p[0] == '@') {
            const char *other = arena_strdup(&l->arena, span_from(f->word[i], 1));
            take_list(l, at, other, p, depth + 1);
            continue;
        }
        p.text = f->word[i];
        p.file = f->path;
        p.line = f->line[i];
        words_add(l, p);
    }
}

void words_add(struct loader *l, struct pending p)
{
    if (l->n_pending == l->pending_cap) {
        l->pending_cap = l->pending_cap ? l->pending_cap * 2 : 256;
        l->pending = xrealloc(l->pending, l->pending_cap * sizeof(*l->pending));
    }
    l->pending[l->n_pending++] = p;
}

size_t words_take(struct loader *l, const struct ynode *at, const char *what, struct pending p, uint32_t *detectors)
{
    struct ynode *one = (struct ynode *)at;
    bool is_list = at->kind == YNODE_SEQ;
    if (!is_list && !(at->kind == YNODE_SCALAR && (at->text[0] == '@' || at->text[0] == '$'))) {
        yaml_bad(l->errs, at, "%s: is %s, must be a list of words or one \"@list\"", what, yaml_describe(at));
        return 0;
    }
    size_t n = is_list ? at->n : 1;
    if (n == 0)
        yaml_bad(l->errs, at, "%s: is an empty list, at least one word is needed", what);
    for (size_t i = 0; i < n; i++) {
        const struct ynode *w = is_list ? at->value[i] : one;
        if (w->kind != YNODE_SCALAR || !w->text[0]) {
            yaml_bad(l->errs, w, "%s: is %s, must be a word", what, yaml_describe(w));
            continue;
        }
        p.at = w;
        if (w->text[0] == '@') {
            take_list(l, w, w->text + 1, p, 1);
        } else if (w->text[0] == '$') {
            int d = detector_of(w->text + 1);
            if (d < 0 || !detectors)
                yaml_bad(l->errs, w, d < 0 ? "%s: %s is no detector" : "%s: a detector (%s) is not allowed here", what,
                         w->text);
            else
                *detectors |= (uint32_t)1 << d;
        } else {
            p.text = span_str(w->text);
            words_add(l, p);
        }
    }
    return n;
}

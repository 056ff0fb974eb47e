/* `classifier:` of a rule, and the model it names. */
#include "base/xalloc.h"
#include "rule/classifier.h"
#include "rule/load_ctx.h"

static struct classifier *read_model(struct loader *l, const char *name)
{
    for (size_t i = 0; i < l->n_list_dirs; i++) {
        char *path = xasprintf("%s/%s.tsv", l->list_dir[i], name);
        FILE *probe = fopen(path, "re");
        struct span bytes;
        struct classifier *c = NULL;
        if (probe)
            fclose(probe);
        if (probe && load_file_bytes(l, path, &bytes))
            c = classifier_read(path, bytes, l->errs);
        free(path);
        if (probe)
            return c;
    }
    return NULL;
}

/* The model of the rule's direction; there is one. */
static const struct classifier *model_of(struct load_ctx *c, const struct ynode *at)
{
    struct side *s = &c->l->set->side[c->r->dir];
    const char *name = "";
    size_t errors = c->l->errs->n;
    if (yaml_str(at, "model", &name, c->l->errs) != 0)
        return NULL;
    if (s->classifier && strcmp(s->classifier_name, name) != 0) {
        yaml_bad(c->l->errs, at, "model: is \"%s\", but \"%s\" is in use: one for each direction", name,
                 s->classifier_name);
        return NULL;
    }
    if (s->classifier)
        return s->classifier;
    bool is_name = *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
    s->classifier = is_name ? read_model(c->l, name) : NULL;
    s->classifier_name = load_keep(c->l, name);
    if (!s->classifier && c->l->errs->n == errors)
        yaml_bad(c->l->errs, at, "model: there is no lists/%s.tsv beside the packs", name);
    return s->classifier;
}

bool load_take_classifier(struct load_ctx *c)
{
    static const char *const keys[] = {"model", "label", "at_least", NULL};
    const struct ynode *n = yaml_get(c->at, "classifier"), *model = yaml_get(n, "model"), *label = yaml_get(n, "label");
    const char *name = "";
    if (!n)
        return false;
    if (n->kind != YNODE_MAP || !model || !label) {
        yaml_bad(c->l->errs, n, "classifier: is %s, must be { model: NAME, label: NAME, at_least: 50-99 }",
                 yaml_describe(n));
        return true;
    }
    yaml_allow_keys(n, keys, c->l->errs);
    const struct classifier *m = model_of(c, model);
    int percent = (int)load_int(c, n, "at_least", 50, 99, 90);
    if (!m || yaml_str(label, "label", &name, c->l->errs) != 0)
        return true;
    int number = classifier_label(m, name);
    if (number < 0)
        yaml_bad(c->l->errs, label, "label: is \"%s\", the model has %s", name, classifier_labels(m));
    c->r->classified = (struct rule_classified){true, MAX_OF(number, 0), classifier_score_of(percent)};
    return true;
}

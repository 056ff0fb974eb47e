/* Loading: YAML files to rules (inside of src/rule). */
#pragma once

#include "base/map.h"
#include "conf/yaml.h"
#include "rule/model.h"
#include "text/fold.h"

/* Word of a rule file, waiting until overrides and presets have told which rules are in force. */
struct pending {
    struct rule *rule;
    struct span text;
    const struct ynode *at; /* for errors */
    const char *file;       /* the list file and line where it stands, or NULL */
    int line;
    uint8_t role, index;
    uint16_t key;
};

struct loader {
    struct ruleset *set;
    const struct ruleset_options *o;
    struct err_list *errs;
    struct arena arena; /* trees and lists, dropped after loading */
    struct fold_scratch *fold;
    struct map terms[2]; /* form and text to number + 1 */
    struct map lists;    /* path to struct list_file */
    struct map ids;      /* rule id to struct rule */
    char **list_dir;
    size_t n_list_dirs;
    struct pending *pending;
    size_t n_pending, pending_cap;
    struct ynode **overrides; /* `override:` nodes of all files */
    size_t n_overrides;
    uint64_t hash;
    bool is_local;
};

struct pack {
    const char *name;
    enum direction dir;
    const struct ynode *defaults, *unless, *not_near;
};

/* load_rule.c: one rule of a pack; errors are reported, the rule is added all the same when it has an id. */
void load_rule(struct loader *l, const struct pack *p, const struct ynode *at);
/* For overrides: reads these keys of a map into the rule. */
void load_scope(struct loader *l, const struct ynode *at, struct rule *r);
/* `when:` of a rule or an override. */
void load_when(struct loader *l, const struct ynode *at, struct rule_when *out);
/* An action, `off` or `shadow`, applied to the rule. */
void load_apply_action(struct loader *l, const struct ynode *at, const char *what, struct rule *r);
void load_apply_preset(struct loader *l, const struct ynode *at, struct rule *r);
void load_check_action(struct loader *l, const struct rule *r, const struct ynode *at);
/* A list of plain texts. */
void load_names(struct loader *l, const struct ynode *at, const char *what, struct names *out);

/* load_examples.c */
void load_examples(struct loader *l, const struct ynode *at, struct rule *r);

/* override.c: applies all overrides; ids that match nothing are errors with the nearest name. */
void load_overrides(struct loader *l);

/* words.c: a list of words ("@list" entries are read) to pending words. *detectors (may be NULL: not allowed here)
 * collects $names. Returns how many entries there were. */
size_t words_take(struct loader *l, const struct ynode *at, const char *what, struct pending p, uint32_t *detectors);
/* Remembers one word. */
void words_add(struct loader *l, struct pending p);
/* Turns everything remembered into terms, uses and wake-ups; builds the matchers. */
void words_compile(struct loader *l);
/* Reads a file into the arena; false with an error in errs. It counts for the version. */
bool load_file_bytes(struct loader *l, const char *path, struct span *out);
void load_hash(struct loader *l, struct span piece);

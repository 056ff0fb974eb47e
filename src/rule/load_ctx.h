/* Reading one rule: shared by load_rule.c and load_effect.c. */
#pragma once

#include "rule/load.h"

/* Where its keys stand, and the defaults of its pack. */
struct load_ctx {
    struct loader *l;
    struct rule *r;
    const struct pack *pack;
    const struct ynode *at;
};

/* A copy in the rule set's memory. */
const char *load_keep(struct loader *l, const char *s);
/* The value of a key of a map, or `otherwise` when it is not there or wrong (which is reported). */
int64_t load_int(const struct load_ctx *c, const struct ynode *map, const char *key, int64_t min, int64_t max,
                 int64_t otherwise);
/* The same for a node that may be NULL. */
bool load_bool(const struct load_ctx *c, const struct ynode *n, const char *key, bool otherwise);
struct pending load_pending(const struct load_ctx *c, enum role role, unsigned index);

/* A key of the rule, or of its pack's defaults; NULL when neither has it. */
const struct ynode *load_key(const struct load_ctx *c, const char *key);

/* load_trigger.c: words, near, regex, detect, unless, not_near, and the rewrite, whose keys may be words. */
void load_take_triggers(struct load_ctx *c);
/* load_classifier.c; whether the rule has one. */
bool load_take_classifier(struct load_ctx *c);
/* load_condition.c: gap, border, homophones, variants; at, skip, window, scope, when, length. */
void load_take_spelling(struct load_ctx *c);
void load_take_conditions(struct load_ctx *c);

/* load_effect.c. has_triggers: the rule says what it looks for, so that the keys of a rewrite map are no words. */
void load_take_rewrite(struct load_ctx *c, bool has_triggers);
void load_take_case(struct load_ctx *c);
void load_take_commits(struct load_ctx *c);

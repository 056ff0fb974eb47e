#include "base/xalloc.h"
#include "rule/classifier.h"
#include "rule/finder.h"
#include "rule/model.h"
#include "rule/regex.h"
#include "rule/window.h"

const char *action_name(enum action a)
{
    static const char *const names[] = {
#define X(id, name) [id] = name,
        ACTIONS(X)
#undef X
    };
    return names[a];
}

const char *rule_id(const struct rule *r)
{
    return r->id;
}

const char *rule_norm(const struct rule *r)
{
    return r->norm;
}

const char *rule_title(const struct rule *r)
{
    return r->title;
}

const char *rule_notice(const struct rule *r)
{
    return r->notice;
}

const char *rule_cite(const struct rule *r)
{
    return r->cite;
}

enum action rule_action(const struct rule *r)
{
    return r->has_action ? r->action : ACTION_PASS;
}

enum direction rule_direction(const struct rule *r)
{
    return r->dir;
}

bool rule_is_shadow(const struct rule *r)
{
    return r->is_shadow;
}

struct ruleset *ruleset_ref(struct ruleset *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void rule_free(struct rule *r)
{
    for (unsigned i = 0; i < r->n_regex; i++)
        regex_free(&r->regex[i].re);
    free(r->use_slot);
    free(r->use); /* the rule itself lies in the arena */
}

static void side_free(struct side *s)
{
    window_fini(s);
    for (size_t i = 0; i < s->n_terms; i++)
        free(s->term[i].wake);
    free(s->term);
    free(s->rule);
    free(s->spelling);
    free(s->picture);
    free(s->look);
    free(s->wakes);
    free(s->always);
    free(s->classified);
    classifier_free(&s->classifier);
    free(s->gate);
    free(s->needs);
    finder_fini(&s->all);
    finder_fini(&s->window);
}

void ruleset_unref(struct ruleset **s)
{
    struct ruleset *set = *s;
    *s = NULL;
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->n_rules; i++)
        rule_free(set->rule[i]);
    for (size_t i = 0; i < set->n_off; i++)
        rule_free(set->off[i]);
    side_free(&set->side[0]);
    side_free(&set->side[1]);
    free(set->rule);
    free(set->off);
    match_free(&set->ordinary);
    arena_fini(&set->arena);
    free(set);
}

const char *ruleset_version(const struct ruleset *s)
{
    return s->version;
}

size_t ruleset_count(const struct ruleset *s)
{
    return s->n_rules;
}

const struct rule *ruleset_at(const struct ruleset *s, size_t i)
{
    return s->rule[i];
}

void ruleset_window(const struct ruleset *s, unsigned *messages, int64_t *ms)
{
    *messages = s->side[DIR_OUTGOING].window_messages;
    *ms = s->side[DIR_OUTGOING].window_ms;
}

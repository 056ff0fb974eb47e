#include "base/clock.h"
#include "gate/capture.h"
#include "gate/gate.h"
#include "gate/inspect_parts.h"

void inspect_capture(struct session *s, const struct unit *u, const struct rule_input *in, const struct verdict *v,
                     const struct judged *j)
{
    struct worker *w = s->w;
    enum mode mode = (enum mode)w->gate->mode;
    struct capture_item item = {.at_ms = in->now_ms,
                                .dir = in->dir,
                                .agent = in->who.agent,
                                .conv = u->conv,
                                .who = in->who,
                                .text = in->text,
                                .n_texts = in->n_texts,
                                .is_edit = u->kind == UNIT_EDIT,
                                .verdict = v,
                                .action = !v || !j               ? ACTION_PASS
                                          : mode == MODE_ENFORCE ? j->action
                                                                 : v->action,
                                .mode = mode == MODE_ENFORCE ? NULL : mode_name(mode),
                                .rules_version = ruleset_version(w->snap->rules)};
    if (v && v->has_cause)
        item.has_cause = true, item.cause = v->cause;
    else if (u->has_cause)
        item.has_cause = true, item.cause = u->cause;
    else if (!v && j && j->refused)
        item.has_cause = true, item.cause = in->who.agent.n ? CAUSE_UNKNOWN_AGENT : CAUSE_NO_IDENTITY;
    bool is_queued = capture_add(w->gate->capture, w->index, &item);
    counter_add(is_queued ? &w->count.captured : &w->count.capture_dropped, 1);
}

void inspect_capture_unjudged(struct session *s, const struct unit *u, enum direction dir, const struct judged *j)
{
    if (!u->n_texts || !capture_wants(s->w->gate->capture, u->conv))
        return;
    struct rule_input in;
    inspect_fill_input(s, u, dir, clock_wall_ms(), &in);
    inspect_capture(s, u, &in, NULL, j);
}

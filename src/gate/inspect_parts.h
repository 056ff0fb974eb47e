/* Between the files of the inspection: inspect.c (the judgement), inspect_event.c (what is recorded), inspect_words.c
 * (ids and notices), inspect_capture.c (for `chatgate replay`). */
#pragma once

#include "gate/inspect.h"

/* A copy that lives until inspect_reset. */
struct span inspect_keep(struct worker *w, struct span t);

/* inspect_event.c */
/* All but the verdict; the spans are the unit's, the session's and the snapshot's, pseudonyms are copies. */
void inspect_fill_event(struct session *s, const struct unit *u, enum event_kind kind, int64_t now_ms,
                        struct track_event *ev);
/* The message's own time, if it is older: it was delayed or is shown again. */
void inspect_use_own_time(struct session *s, struct track_event *ev, int64_t ts_ms);
/* 0: it stands in the ring, or nothing is tracked; -1: lost, and counted. */
int inspect_append(struct worker *w, const struct track_event *ev);

/* inspect.c: the input of the rules, after inspect_fill_event; the window's texts are copied into the worker's scratch.
 */
void inspect_fill_input(struct session *s, const struct unit *u, enum direction dir, int64_t now_ms,
                        struct rule_input *in);

/* inspect_words.c */
/* Ids of the rules that hit: enforced ones, or shadow ones (with `all`: both, for observe mode). */
struct span inspect_rule_ids(struct worker *w, const struct verdict *v, bool shadow, bool all);
/* The notices of all rules that made the message what it is, each once. A refused message: those that refuse; a
 * delivered one: those that warn, at most every ten minutes each in this conversation. */
struct span inspect_notices(struct session *s, const struct verdict *v, bool refused, struct span conv);
/* The id of the strictest rule that is enforced; empty: none hit. */
struct span inspect_strictest_rule(const struct verdict *v);

/* inspect_capture.c */
/* For `chatgate replay`, when the operator wants it. `v` NULL: decided without the rules. */
void inspect_capture(struct session *s, const struct unit *u, const struct rule_input *in, const struct verdict *v,
                     const struct judged *j);
/* One that the rules were not asked about. */
void inspect_capture_unjudged(struct session *s, const struct unit *u, enum direction dir, const struct judged *j);

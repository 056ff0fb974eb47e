/* What the dashboard shows of a message that a rule hit: the text around the hit, masked, and in full where the
 * deployment wants it (`violations:` of the configuration). */
#pragma once

#include "gate/inspect.h"

/* Fills the event's texts when the verdict has a hit; they live until inspect_reset. */
void excerpt_fill(struct worker *w, const struct unit *u, const struct verdict *v, struct track_event *ev);

/* What starting and reloading share (inside of src/gate). */
#pragma once

#include "gate/gate.h"

/* What XMPP sessions need, before workers see the first listener with such a profile. */
void gate_load_xmpp(struct gate *g, const struct snapshot *snap);

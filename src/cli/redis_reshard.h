/* chatgate redis reshard: moves the state of a stopped deployment to another number of shards. */
#pragma once

#include "cli/cli_tracked.h"

/* Returns the exit code. */
int reshard_run(struct tracked *t, unsigned to, bool want_json) MUST_CHECK;

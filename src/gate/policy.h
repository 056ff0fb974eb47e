/* The one place that decides what a failure means for a message. */
#pragma once

#include <stdbool.h>

#include "base/cause.h"
#include "conf/conf.h"
#include "gate/counters.h"

/* Counts the cause and tells whether the message must be refused. */
bool policy_blocks(const struct conf *conf, struct counters *count, enum cause c);
/* What the agent is told when the policy is block. */
const char *policy_reason(enum cause c);

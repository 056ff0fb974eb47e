/* `when:` of a rule or an override (inside of src/rule). */
#pragma once

#include "rule/model.h"

/* Whether the shop has the facts, lacks the absent ones, and its clock shows one of the hours. Without a calendar the
 * clock is that of Asia/Shanghai, open from 9:00 to 21:00 on all days. */
bool when_holds(const struct rule_when *w, const struct rule_who *who, int64_t now_ms);
/* A minute of the day (Asia/Shanghai, without a calendar) at which the hours hold; `otherwise` when it is one. */
int when_minute(const struct rule_when *w, int otherwise);

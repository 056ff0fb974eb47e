/* The plans of a configuration as the scripts take them (lua/remind.lua, conf_of). */
#pragma once

#include "conf/conf.h"

enum { REMINDER_PLAN_ARGS = 7, REMINDER_PLAN_TEXT = 1024 };

struct reminder_plan {
    char text[REMINDER_PLAN_ARGS][REMINDER_PLAN_TEXT];
};

void reminder_plan_init(struct reminder_plan *p, const struct conf *conf);

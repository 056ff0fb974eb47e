/* The `calendars:` of the directory file (docs/configuration.md, "Calendars"): YAML to struct calendar_plan. */
#pragma once

#include "base/calendar.h"
#include "conf/yaml.h"

/* Reads one calendar and makes it. NULL when anything is wrong (reported in errs). The caller owns the reference. */
struct calendar *directory_calendar_load(const struct ynode *map, int64_t now_ms, struct err_list *errs) MUST_CHECK;

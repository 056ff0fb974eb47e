/* Routes of a profile: patterns of methods and paths. */
#pragma once

#include "proto/profile_impl.h"

/* Compiles "METHOD /path" (has_method) or "/path"; `*` inside a segment, {x} one segment, ** the rest. */
int pattern_compile(const struct ynode *at, bool has_method, struct arena *a, struct pattern *out,
                    struct err_list *errs) MUST_CHECK;

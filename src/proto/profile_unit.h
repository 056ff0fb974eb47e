/* From one document to one unit: which rule, which texts, which ids. */
#pragma once

#include "proto/profile_impl.h"

/* Judges the root document by the rules of its direction; adds at most one unit. `elem`: as in unit_state. */
void unit_judge(struct profile_scratch *s, enum profile_dir dir, struct layer *root, uint32_t elem, int64_t now_ms,
                struct unit units[UNITS_MAX]);
/* Adds a unit that cannot be read, with its cause; root may be NULL. */
void unit_add_unreadable(struct profile_scratch *s, struct layer *root, uint32_t elem, enum cause cause,
                         struct unit units[UNITS_MAX]);
enum cause unit_cause_of(enum json_result r);

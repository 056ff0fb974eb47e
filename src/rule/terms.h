/* Terms of a side, made while loading (inside of src/rule). */
#pragma once

#include "rule/load.h"

/* The term of a folded text in a form; new ones are empty. Valid until the next call. */
struct term *terms_get(struct loader *l, enum direction dir, enum term_form form, struct span text, uint32_t *number);
/* The same for units of the plain view, filled in. `text` is what explain shows. */
struct term *terms_get_plain(struct loader *l, enum direction dir, const struct view *v, struct span text,
                             uint32_t *number);
/* Connects a term with the rule that uses it. */
void terms_connect(struct term *t, uint32_t number, const struct pending *p);

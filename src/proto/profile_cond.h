/* Conditions of a profile's rules: eq in lt ge has absent glob type same not any all. */
#pragma once

#include "proto/profile_impl.h"

/* Compiles a list of conditions (or one alone). Errors are reported. */
void cond_compile_list(const struct ynode *at, const char *what, struct arena *a, struct conds *out,
                       struct err_list *errs);
/* Do all hold? An empty or absent list holds. */
bool cond_all(struct profile_scratch *s, const struct conds *list, struct layer *root);
/* Does one hold? An empty or absent list does not. */
bool cond_any(struct profile_scratch *s, const struct conds *list, struct layer *root);
/* `*` stands for any bytes, `?` for one byte. Time is at most the product of the lengths. */
bool glob_match(struct span pattern, struct span text);

/* What one key's type cannot tell: references, pairs, duplicates, files. */
#pragma once

#include "conf/conf.h"
#include "conf/yaml.h"

/* Reports into errs; `root` gives the places. Items of lists stand in the same order in both.
 * Without want_files the files that only the daemon opens are not looked at. */
void conf_check(const struct conf *c, const struct ynode *root, bool want_files, struct err_list *errs);
/* The part about Redis, for the dashboard's configuration as well. */
void conf_check_redis(const struct conf_redis *r, const struct ynode *root, struct err_list *errs);

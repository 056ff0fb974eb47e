/* Keys that name files and domains: is there such a file, is it one, can the name ever match. What stands in a file is
 * looked at by those who use it (certificates, keys, rules); conf_note_places lets them say where it was named. */
#pragma once

#include "conf/conf.h"
#include "conf/yaml.h"

/* NULL is no path. A folder is no file. */
void conf_check_file(struct err_list *errs, const struct ynode *at, const char *key, const char *path);
/* The same, and its first line is not empty. */
void conf_check_secret(struct err_list *errs, const struct ynode *at, const char *key, const char *path);
void conf_check_files(const struct conf *c, const struct ynode *root, struct err_list *errs);
void conf_note_places(struct conf *c, const struct ynode *root);

/* Walks a YAML tree by the key table. */
#pragma once

#include "conf/conf_value.h"

/* Fills one object: `scope` is "" for struct conf, "listeners[]." for an item of that list. Keys that are not given get
 * their defaults; unknown and missing ones are reported. */
void conf_read_object(struct conf_reader *r, const char *scope, const struct ynode *map, void *base);
/* The node at a dotted path below `map`, or NULL. */
const struct ynode *conf_read_find(const struct ynode *map, const char *path);

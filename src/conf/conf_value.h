/* One key's value: read from YAML into the object, and printed back. */
#pragma once

#include "base/buf.h"
#include "conf/conf_table.h"
#include "conf/yaml.h"

struct conf_reader {
    struct arena *arena;   /* of the object */
    struct arena *scratch; /* for YAML trees of defaults */
    const char *dir;       /* relative paths start here */
    const char *data_dir;  /* $DATA */
    struct err_list *errs;
};

/* Reads a value of any type but CONF_LIST into `base` (the object or the item of a list). -1: reported. */
int conf_value_read(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, void *base) MUST_CHECK;
/* Appends the value as text; equal values give equal texts. */
void conf_value_print(struct buf *out, const struct conf_key *k, const void *base);

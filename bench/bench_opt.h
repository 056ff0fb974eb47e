/* Command line of one bench command: a table of options, each with its range and its help. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

enum opt_kind {
    OPT_FLAG,   /* bool */
    OPT_INT,    /* long */
    OPT_NUMBER, /* double */
    OPT_TEXT,   /* const char * */
    OPT_LIST,   /* struct opt_list: may be given several times */
};

enum { OPT_LIST_MAX = 32 };
struct opt_list {
    const char *item[OPT_LIST_MAX];
    size_t n;
};

struct opt {
    const char *name; /* without the dashes; a NULL name ends the table */
    enum opt_kind kind;
    void *to;
    double min, max;      /* of numbers */
    const char *argument; /* for the help */
    const char *help;
};

/* Reads argv[1 …] into the table's targets. 0: go on, 1: help was shown, 2: wrong (told on standard error). */
int opt_read(const struct opt *table, const char *usage, int argc, char **argv);

/* "NAME=REST": the rest, and the name's length; NULL when there is no '='. */
const char *opt_named(const char *item, size_t *name_len);

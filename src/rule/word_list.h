/* Word lists, lists/NAME.txt: one entry a line, # begins a comment (inside of src/rule). */
#pragma once

#include "rule/load.h"

struct list_file {
    struct span *word;
    int *line;
    size_t n;
    const char *path;
};

/* Reads a list, or gives it again; NULL when there is none of that name. It lives as long as the loader. */
struct list_file *word_list_find(struct loader *l, const char *name);

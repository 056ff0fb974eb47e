/* The files of www/, embedded by the build. */
#pragma once

#include <stddef.h>

struct asset {
    const char *name;
    const unsigned char *data;
    size_t len;
};

/* NULL: there is no such file. */
const struct asset *asset_find(const char *name);

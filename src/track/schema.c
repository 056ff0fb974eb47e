#include "track/schema.h"

#include <stdio.h>

static const char *const names[] = {
#define X(id, name) name,
    SCHEMA_KEYS(X)
#undef X
};

void schema_apply_keys(unsigned shard, struct schema_keys *out)
{
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++) {
        int n = snprintf(out->text[i], SCHEMA_NAME_MAX, "cg:{%u}:%s", shard, names[i]);
        out->span[i] = span_of(out->text[i], (size_t)n);
    }
}

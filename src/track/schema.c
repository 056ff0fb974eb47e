#include "track/schema.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
#define X(id, name) name,
    SCHEMA_KEYS(X)
#undef X
};

void schema_apply_keys(unsigned shard, struct schema_keys *out)
{
    char head[24];
    size_t head_len = (size_t)snprintf(head, sizeof(head), "cg:{%u}:", shard);
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++) { /* for every script call: no printf per key */
        size_t n = strlen(names[i]);
        memcpy(out->text[i], head, head_len);
        memcpy(out->text[i] + head_len, names[i], n + 1);
        out->span[i] = span_of(out->text[i], head_len + n);
    }
}

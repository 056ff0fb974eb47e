#include "base/cause.h"

const char *cause_name(enum cause c)
{
    static const char *const names[] = {
#define X(id, name, policy, help) [id] = name,
        CAUSES(X)
#undef X
    };
    return c < CAUSE_COUNT ? names[c] : "none";
}

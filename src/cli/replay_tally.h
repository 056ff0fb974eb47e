/* What the tally keeps, for the report alone. */
#pragma once

#include "cli/replay.h"

/* X(id, name, title): in the order in which they are shown: what would annoy agents first. */
#define REPLAY_CLASSES(X)                                                                                              \
    X(CLASS_REFUSED, "refused", "refused by the new rules, delivered by the old ones")                                 \
    X(CLASS_REWRITTEN, "rewritten", "rewritten by the new rules")                                                      \
    X(CLASS_WARNED, "warned", "warned about by the new rules")                                                         \
    X(CLASS_HELD, "held", "held by one side, blocked by the other")                                                    \
    X(CLASS_DELIVERED, "delivered", "delivered by the new rules, refused by the old ones")                             \
    X(CLASS_MILDER, "milder", "treated more mildly by the new rules")                                                  \
    X(CLASS_CUSTOMER, "customer", "messages of customers that open or confirm other cases")

enum replay_class {
#define X(id, name, title) id,
    REPLAY_CLASSES(X)
#undef X
        CLASS_COUNT
};

struct replay_change {
    enum replay_class class;
    const char *file;
    uint64_t line;
    char *id, *old, *now, *gained, *lost, *text; /* owned; id is JSON, the rules are the inside of a JSON list */
};

struct replay_rule {
    char *id;
    uint64_t old, now, gained, lost;
};

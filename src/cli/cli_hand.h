/* What people do by hand to reminders and commitments: arguments, the script call, the answer. */
#pragma once

#include "cli/cli_tracked.h"

struct hand_verb {
    const char *name;
    const char *option; /* "--for": takes a time, which is needed; NULL: none */
    bool wants_reason;
};

struct hand_args {
    struct tracked_args common;
    const struct hand_verb *verb;
    const char *command, *name, *by, *reason;
    char until[24]; /* "+MS" of --for; "" without */
};

/* argv[1] is the verb. -1: reported. `verbs` ends with an empty name. */
int hand_read_args(int argc, char **argv, const struct hand_verb *verbs, struct hand_args *out) MUST_CHECK;
bool hand_is_verb(const struct hand_verb *verbs, const char *word);
/* The shard of a name SHARD-HEX; -1: there is no such one (reported). */
int hand_shard(struct tracked *t, const struct hand_args *a);
/* Says what NONE and BAD mean; returns the command's exit code. */
int hand_refused(const struct hand_args *a, const struct redis_reply *answer);

/* The language of the control socket: one command per line, one JSON object per answer. */
#pragma once

#include "admin/admin.h"

/* X(name, arguments, is it logged with who asked, help) */
#define ADMIN_COMMANDS(X)                                                                                              \
    X(help, "", false, "list the commands")                                                                            \
    X(version, "", false, "version of the daemon")                                                                     \
    X(status, "", false, "the daemon's state")                                                                         \
    X(ready, "", false, "whether the daemon is ready, and why not")                                                    \
    X(reload, "", true, "read configuration, rules and certificates anew")                                             \
    X(drain, "", true, "stop accepting, end the sessions, then end the daemon")                                        \
    X(mode, "enforce|observe|bypass [TIME]", true,                                                                     \
      "what is done with verdicts, for a time such as 30m or until changed")                                           \
    X(log_level, "error|warn|info|debug", true, "least important lines that are logged")

enum { COMMAND_LINE_MAX = 1024, COMMAND_ARGS_MAX = 4 };

struct command_env {
    const struct admin_ops *ops;
    void *ctx;
    const char *who; /* "uid=0 pid=1", for the log */
    /* Takes the answer of a command that takes its time; is called once for each of these, perhaps at once. */
    void (*later)(void *later_ctx, struct span answer);
    void *later_ctx;
};

/* Runs one line (without its newline) and appends the answer with a newline: {"ok":true, …} or {"ok":false,
 * "error":…}. False: the answer is given to `later`. Never fails otherwise. */
bool command_run(const struct command_env *env, struct span line, struct buf *out) MUST_CHECK;

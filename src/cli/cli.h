/* The `chatgate` command line: one file per command (cli_NAME.c), one entry table (main.c). */
#pragma once

#include "base/err.h"

/* Exit codes: 0 fine, 1 the command found problems (they were printed), 2 it could not do its work (bad usage, no
 * daemon). */
enum { CLI_OK = 0, CLI_PROBLEMS = 1, CLI_FAILED = 2 };

/* X(name, arguments, help): int cli_NAME(int argc, char **argv) stands in cli_NAME.c; argv[0] is the command's name. */
#define CLI_COMMANDS(X)                                                                                                \
    X(check, "[--config FILE | --keys]", "check configuration, rules, profiles, certificates")                         \
    X(status, "[--config FILE | --control PATH] [--json]", "the daemon's state")                                       \
    X(agents,                                                                                                          \
      "[[show] NAME] [--by agent|team|shop] [--hours N | --days N] [--each] [--business | --preset NAME] [--rounds] "  \
      "[--config "                                                                                                     \
      "FILE] [--json]",                                                                                                \
      "how fast agents answer; with NAME: the last rounds")                                                            \
    X(cases, "[--all | VERB [ID] [--reason TEXT] …] [--config FILE] [--json]",                                         \
      "open complaints; show open ack wait solve close reopen assign call news note order severity snooze export "     \
      "heads "                                                                                                         \
      "verify")                                                                                                        \
    X(held, "[list [--all] | show ID | approve ID | refuse ID --reason TEXT] [--by NAME] [--config FILE] [--json]",    \
      "messages that wait for approval, and the decision")                                                             \
    X(commitments,                                                                                                     \
      "[list [--most N] | keep ID | cancel ID | extend ID --for TIME] [--reason TEXT] [--by NAME] [--config FILE] "    \
      "[--json]",                                                                                                      \
      "times that agents promised, soonest first, and what is decided about them")                                     \
    X(reminders,                                                                                                       \
      "[next] [--most N] | snooze ID --for TIME | wake ID [--reason TEXT] [--by NAME] [--config FILE] [--json]",       \
      "reminders that went out, newest first; next: those to come; snooze puts one off")                               \
    X(redis, "check | reshard --to N [--config FILE] [--format json|text]",                                            \
      "is Redis fit and whole; move a stopped deployment to another number of shards")                                 \
    X(erase, "--customer ID [--dry-run] [--with-open-cases] [--reason TEXT] [--by NAME] [--config FILE] [--json]",     \
      "forget a customer; says what stays and why")                                                                    \
    X(keygen, "FILE", "make a key that signs evidence: FILE and FILE.pub")                                             \
    X(board, "passwd USER … | token NAME …", "the dashboard's users and tokens: what chatgate-board does")             \
    X(reload, "[--config FILE | --control PATH] [--json]", "read configuration and rules anew")                        \
    X(drain, "[--config FILE | --control PATH] [--json]", "end the sessions, then the daemon")                         \
    X(control, "COMMAND [ARGUMENT…] [--config FILE | --control PATH]", "any command of the daemon; help lists them")   \
    X(mode, "enforce|observe|bypass [--for TIME] [--config FILE | --control PATH] [--json]",                           \
      "what is done with verdicts")                                                                                    \
    X(explain, "[--rules PATH]… [--preset P] [--fact F]… [--incoming] [--json] TEXT",                                  \
      "what the rules see in a message")                                                                               \
    X(scan, "[--rules PATH]… [--preset P] [--fact F]… [--format json|text] FILE…|-",                                   \
      "judge many messages, a line each")                                                                              \
    X(replay, "CAPTURE… --rules NEW [--against OLD] [--preset P] [--config FILE] [--json] [--worst N]",                \
      "what new rules would change on captured messages")                                                              \
    X(test, "[--rules PATH]… [--preset P]", "run the examples that the rules carry")                                   \
    X(train, "ROWS… --model FILE [--side agent|customer] [--quick]",                                                   \
      "a classifier for rules, from labelled sentences")                                                               \
    X(version, "", "print the version")

#define X(name, args, help) int cli_##name(int argc, char **argv);
CLI_COMMANDS(X)
#undef X

/* Prints "usage: chatgate NAME ARGS" of that command to standard error; returns CLI_FAILED. */
int cli_usage(const char *name);
/* Names the argument that was not understood, then as above. */
int cli_unexpected(const char *name, const char *arg);

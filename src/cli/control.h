/* The commands' way to a running daemon: options, the control socket, and printing its answers. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "proto/json.h"

struct control_args {
    const char *control;  /* --control PATH */
    const char *config;   /* --config FILE: its `control` key is taken */
    const char *for_time; /* --for TIME */
    bool want_json;       /* --json */
    int n_words;          /* other arguments */
    const char *word[4];
};

/* Reads the options of a command that talks to the daemon. -1: unknown option or too many words (reported). */
int control_read_args(int argc, char **argv, struct control_args *out) MUST_CHECK;
/* Sends one line and waits for the answer (one JSON object, without the newline). -1: no daemon, or it does not answer.
 */
int control_ask(const struct control_args *args, const char *line, struct buf *answer, struct err *e) MUST_CHECK;
/* Asks, and prints the answer: as it came with --json, else as readable text of its member `show` (NULL: nothing when
 * all went well) and its errors on standard error. Returns the command's exit code. */
int control_run(const struct control_args *args, const char *line, const char *show);
/* As above, with a function that prints an answer that went well. */
int control_run_with(const struct control_args *args, const char *line, void (*print)(const struct json_doc *answer));

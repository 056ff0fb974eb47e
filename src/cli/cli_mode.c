/* chatgate mode: the operator's emergency switch. */
#include "cli/cli.h"
#include "cli/control.h"

int cli_mode(int argc, char **argv)
{
    struct control_args args;
    char line[200];
    if (control_read_args(argc, argv, &args) || args.n_words != 1)
        return cli_usage("mode");
    /* said here as well: the daemon may be away, and a wrong word is wrong without it */
    const char *word = args.word[0];
    if (strcmp(word, "enforce") != 0 && strcmp(word, "observe") != 0 && strcmp(word, "bypass") != 0) {
        fprintf(stderr, "chatgate mode: is \"%s\", must be enforce, observe or bypass\n", word);
        return cli_usage("mode");
    }
    snprintf(line, sizeof(line), "mode %.60s%s%.60s", args.word[0], args.for_time ? " " : "",
             args.for_time ? args.for_time : "");
    int code = control_run(&args, line, NULL);
    if (code == CLI_OK && !args.want_json)
        printf("mode is %s now%s%s\n", args.word[0], args.for_time ? ", for " : "", args.for_time ? args.for_time : "");
    return code;
}

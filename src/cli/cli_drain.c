/* chatgate drain: no new sessions, the rest is ended politely, then the daemon ends. */
#include "cli/cli.h"
#include "cli/control.h"

int cli_drain(int argc, char **argv)
{
    struct control_args args;
    if (control_read_args(argc, argv, &args))
        return cli_usage("drain");
    if (args.n_words || args.for_time)
        return cli_unexpected("drain", args.n_words ? args.word[0] : "--for");
    int code = control_run(&args, "drain", NULL);
    if (code == CLI_OK && !args.want_json)
        puts("draining");
    return code;
}

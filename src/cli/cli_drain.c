/* chatgate drain: no new sessions, the rest is ended politely, then the daemon ends. */
#include "cli/cli.h"
#include "cli/control.h"

int cli_drain(int argc, char **argv)
{
    struct control_args args;
    if (control_read_args(argc, argv, &args) || args.n_words || args.for_time)
        return cli_usage("drain");
    int code = control_run(&args, "drain", NULL);
    if (code == CLI_OK && !args.want_json)
        puts("draining");
    return code;
}

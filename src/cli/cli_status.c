/* chatgate status: the daemon's state. */
#include "cli/cli.h"
#include "cli/control.h"

int cli_status(int argc, char **argv)
{
    struct control_args args;
    if (control_read_args(argc, argv, &args))
        return cli_usage("status");
    if (args.n_words || args.for_time)
        return cli_unexpected("status", args.n_words ? args.word[0] : "--for");
    return control_run(&args, "status", "status");
}

/* chatgate control: any command of the control socket, `help` among them. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/json_print.h"

static void print_answer(const struct json_doc *answer)
{
    json_print_answer(stdout, answer);
}

int cli_control(int argc, char **argv)
{
    struct control_args args;
    struct buf line = {0};
    if (control_read_args(argc, argv, &args) || !args.n_words || args.for_time)
        return cli_usage("control");
    for (int i = 0; i < args.n_words; i++)
        buf_printf(&line, "%s%s", i ? " " : "", args.word[i]);
    int code = control_run_with(&args, buf_cstr(&line), print_answer);
    buf_fini(&line);
    return code;
}

/* chatgate reload: configuration, rules and certificates anew; errors as file:line:column. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/json_print.h"

/* Keys whose change only a restart takes. */
static void print_restart(const struct json_doc *doc)
{
    uint32_t list = json_member(doc, 0, span_str("needs_restart"));
    puts("reloaded");
    for (uint32_t k = list + 1; list && k < doc->node[list].next; k = doc->node[k].next) {
        fputs("needs a restart: ", stdout);
        json_print_plain(stdout, doc, k);
        fputs("\n", stdout);
    }
}

int cli_reload(int argc, char **argv)
{
    struct control_args args;
    if (control_read_args(argc, argv, &args))
        return cli_usage("reload");
    if (args.n_words || args.for_time)
        return cli_unexpected("reload", args.n_words ? args.word[0] : "--for");
    return control_run_with(&args, "reload", print_restart);
}

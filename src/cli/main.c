#include "cli/cli.h"

static const struct command {
    const char *name, *args, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
#define X(name, args, help) {#name, args, help, cli_##name},
    CLI_COMMANDS(X)
#undef X
};

static void print_help(FILE *to)
{
    fputs("usage: chatgate COMMAND [ARGUMENT…]\n\n", to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %-10s %-34s %s\n", commands[i].name, commands[i].args, commands[i].help);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int cli_usage(const char *name)
{
    fprintf(stderr, "usage: chatgate %s %s\n", name, find(name)->args);
    return CLI_FAILED;
}

int cli_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("chatgate " CHATGATE_VERSION);
    return CLI_OK;
}

static int print_command_help(const struct command *c)
{
    printf("usage: chatgate %s %s\n\n%s; chatgate(1) tells more\n", c->name, c->args, c->help);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "help") == 0 && find(argv[2]))
        return print_command_help(find(argv[2]));
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? CLI_FAILED : CLI_OK;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const struct command *c = find(name);
    if (c && argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
        return print_command_help(c);
    if (c)
        return c->run(argc - 1, argv + 1);
    fprintf(stderr, "chatgate: unknown command \"%s\"; `chatgate help` lists them\n", argv[1]);
    return CLI_FAILED;
}

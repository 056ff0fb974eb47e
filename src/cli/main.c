#include "base/nearest.h"
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
        fprintf(to, "  %-11s  %s\n", commands[i].name, commands[i].help);
    fputs("\n`chatgate help COMMAND` shows its arguments, chatgate(1) explains them.\n", to);
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
    const char *args = find(name)->args;
    fprintf(stderr, "usage: chatgate %s%s%s\n", name, *args ? " " : "", args);
    return CLI_FAILED;
}

int cli_unexpected(const char *name, const char *arg)
{
    fprintf(stderr, "chatgate %s: unexpected argument \"%s\"\n", name, arg);
    return cli_usage(name);
}

int cli_version(int argc, char **argv)
{
    if (argc > 1)
        return cli_unexpected(argv[0], argv[1]);
    puts("chatgate " CHATGATE_VERSION);
    return CLI_OK;
}

static int print_command_help(const struct command *c)
{
    printf("usage: chatgate %s%s%s\n\n%s; chatgate(1) tells more\n", c->name, *c->args ? " " : "", c->args, c->help);
    return CLI_OK;
}

static int unknown(const char *name)
{
    struct nearest n = {.wrong = name};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        nearest_try(&n, commands[i].name);
    const char *near = n.best;
    fprintf(stderr, "chatgate: unknown command \"%s\"%s%s%s; `chatgate help` lists them\n", name,
            near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return CLI_FAILED;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "help") == 0) {
        if (find(argv[2]))
            return print_command_help(find(argv[2]));
        return unknown(argv[2]);
    }
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? CLI_FAILED : CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0)
        return cli_version(1, argv);
    const struct command *c = find(argv[1]);
    if (c && argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
        return print_command_help(c);
    if (c)
        return c->run(argc - 1, argv + 1);
    return unknown(argv[1]);
}

#include <stdbool.h>

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

/* The command that was probably meant: a letter more, less or changed, or two swapped. */
static const char *nearest(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const char *c = commands[i].name;
        size_t len = strlen(c), head = 0, tail = 0;
        while (head < n && head < len && name[head] == c[head])
            head++;
        while (tail < n - head && tail < len - head && name[n - 1 - tail] == c[len - 1 - tail])
            tail++;
        size_t a = n - head - tail, b = len - head - tail;
        bool is_swap = a == 2 && b == 2 && name[head] == c[head + 1] && name[head + 1] == c[head];
        if (n > 2 && ((a <= 1 && b <= 1) || is_swap))
            return c;
    }
    return NULL;
}

static int unknown(const char *name)
{
    const char *near = nearest(name);
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

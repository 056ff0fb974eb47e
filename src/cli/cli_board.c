/* chatgate board …: the dashboard's own commands (passwd, token), which stand in its program. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "cli/cli.h"

/* Beside this program, or in its folder of the build tree; else wherever PATH has it. */
static void run_beside(const char *folder, const char *rest, char **argv)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s%s/chatgate-board", folder, rest) < (int)sizeof(path))
        execv(path, argv);
}

int cli_board(int argc, char **argv)
{
    static char name[] = "chatgate-board";
    char self[PATH_MAX] = "";
    if (argc < 2)
        return cli_usage("board");
    argv[0] = name;
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0 && strrchr(self, '/')) {
        *strrchr(self, '/') = '\0';
        run_beside(self, "", argv);
        run_beside(self, "/../board", argv);
    }
    execvp(name, argv);
    fprintf(stderr, "chatgate board: chatgate-board: %s; it is a program of its own, installed with the dashboard\n",
            strerror(errno));
    return CLI_FAILED;
}

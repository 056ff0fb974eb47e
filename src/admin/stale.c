#include "admin/stale.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int stale_remove(const char *path, const char *what, struct err *e)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof(un.sun_path))
        return err_set(e, "%s: %s is longer than the 107 bytes that a Unix socket may have", what, path);
    memcpy(un.sun_path, path, strlen(path) + 1);
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : err_sys(e, "%s: %s", what, path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, "%s: %s exists and is no socket", what, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "%s: socket", what);
    bool is_dead = connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!is_dead)
        return err_set(e, "%s: %s is in use by another daemon", what, path);
    return unlink(path) == 0 ? 0 : err_sys(e, "%s: cannot remove the stale %s", what, path);
}

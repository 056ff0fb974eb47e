#include "gate/inherit.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/span.h"

enum { FIRST_FD = 3, FDS_MAX = 64 };

static bool used[FDS_MAX];

static unsigned count_fds(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t p, n;
    if (!pid || !fds || !span_u64(span_str(pid), &p) || !span_u64(span_str(fds), &n) || p != (uint64_t)getpid())
        return 0;
    return (unsigned)MIN_OF(n, (uint64_t)FDS_MAX);
}

/* Is the i-th of the colon-separated names this one? */
static bool is_named(unsigned i, const char *name)
{
    const char *names = getenv("LISTEN_FDNAMES");
    for (; names && i; i--) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    size_t n = names ? strcspn(names, ":") : 0;
    return n && strlen(name) == n && memcmp(names, name, n) == 0;
}

static int take(unsigned i)
{
    used[i] = true;
    int fd = FIRST_FD + (int)i;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

int inherit_find(const char *name, const struct conf_addr *addr)
{
    unsigned n = count_fds();
    for (unsigned i = 0; i < n; i++)
        if (!used[i] && is_named(i, name))
            return take(i);
    for (unsigned i = 0; i < n && strcmp(addr->text, "systemd") == 0; i++)
        if (!used[i])
            return take(i);
    return -1;
}

void inherit_report_unused(void)
{
    unsigned n = count_fds();
    const char *name = getenv("LISTEN_FDNAMES");
    for (unsigned i = 0; i < n; i++) {
        int len = name ? (int)strcspn(name, ":") : 0;
        if (!used[i])
            log_event(LOG_ERROR, "socket_unused",
                      "name=\"%.*s\" hint=\"no listener has this name and none has address: systemd; whoever connects "
                      "gets no answer\"",
                      MIN_OF(len, 100), len ? name : "");
        name = name && name[len] ? name + len + 1 : NULL;
    }
}

void inherit_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(un.sun_path))
        return;
    memcpy(un.sun_path, path, strlen(path));
    if (path[0] == '@')
        un.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    ssize_t ignored = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&un, len);
    (void)ignored; /* a service manager that is gone cannot be helped */
    close(fd);
}

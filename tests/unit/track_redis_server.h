/* For tests: a redis-server of the test's own, in its own folder, on a Unix socket. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "track/redis.h"

struct server {
    char dir[64], sock[96];
    pid_t pid;
};

static inline void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static inline bool server_answers(const struct server *s)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, s->sock, strlen(s->sock) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[8] = "";
    bool is_up = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 && write(fd, "PING\r\n", 6) == 6 &&
                 read(fd, answer, sizeof(answer) - 1) > 0 && strncmp(answer, "-LOADING", 5) != 0;
    close(fd);
    return is_up;
}

/* Extra arguments end with NULL. Returns when it answers, having loaded its file. */
static inline void server_start(struct server *s, const char *const *extra)
{
    const char *argv[40] = {"redis-server", "--port",    "0",        "--unixsocket", s->sock, "--dir",
                            s->dir,         "--save",    "",         "--appendonly", "yes",   "--appendfsync",
                            "always",       "--logfile", "redis.log"};
    size_t n = 15;
    char repair[sizeof(s->dir) + 100];
    for (; extra && *extra; extra++)
        argv[n++] = *extra;
    snprintf(repair, sizeof(repair), SOURCE_DIR "/scripts/redis-repair.sh %s/appendonlydir", s->dir);
    assert_int_equal(system(repair), 0); /* it may have been killed while it wrote */
    s->pid = fork();
    if (s->pid == 0) {
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    for (int i = 0; !server_answers(s); i++) {
        assert_true(i < 2000);
        assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
        nap_ms(5);
    }
}

static inline void server_kill(struct server *s)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
    unlink(s->sock);
}

static inline void server_dir(struct server *s)
{
    snprintf(s->dir, sizeof(s->dir), P_tmpdir "/cg-track-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->sock, sizeof(s->sock), "%s/redis.sock", s->dir);
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void server_end(struct server *s)
{
    server_kill(s);
    nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline struct redis_options server_options(const struct server *s)
{
    return (struct redis_options){.host = s->sock, .timeout_ms = 2000, .client_name = "chatgate-test"};
}

/* One command on a link of its own; the caller frees the copy of the reply. */
static inline struct redis_reply *ask(const struct server *s, const char *a, const char *b, const char *c,
                                      const char *d, const char *e)
{
    struct redis_options o = server_options(s);
    struct err err = {0};
    struct redis_sync *link = redis_sync_open(&o, &err);
    if (!link)
        fail_msg("%s", err.text);
    const struct redis_reply *reply = redis_sync_command_str(link, &err, a, b, c, d, e, NULL);
    if (!reply)
        fail_msg("%s", err.text);
    struct redis_reply *copy = redis_reply_copy(reply);
    redis_sync_close(&link);
    return copy;
}

static inline void tell(const struct server *s, const char *a, const char *b, const char *c, const char *d)
{
    struct redis_reply *reply = ask(s, a, b, c, d, NULL);
    if (redis_is_error(reply))
        fail_msg("%s %s: %s", a, b ? b : "", (const char *)reply->text.p);
    redis_reply_free(reply);
}

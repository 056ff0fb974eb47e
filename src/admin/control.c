#include "admin/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/stale.h"
#include "base/xalloc.h"

enum { CLIENTS_MAX = 16, IDLE_S = 30 };

struct control;

struct client {
    struct control *control;
    struct bufferevent *bev; /* NULL: free slot */
    bool is_ended;           /* the peer shut its side: closed when the last answer has gone */
    bool is_waiting;         /* for a command that takes its time */
    unsigned number;         /* of the connections in this slot: an answer is for one of them */
    char who[64];
};

struct control {
    struct evconnlistener *listener;
    const struct admin_ops *ops;
    void *ctx;
    struct stat file; /* of the socket we made: another's is not removed */
    char *path;
    struct client client[CLIENTS_MAX];
};

static void client_close(struct client *c)
{
    bufferevent_free(c->bev);
    c->bev = NULL;
    c->is_waiting = false;
}

static void set_idle_limit(struct client *c, bool is_on)
{
    const struct timeval idle = {IDLE_S, 0};
    bufferevent_set_timeouts(c->bev, is_on ? &idle : NULL, is_on ? &idle : NULL);
}

/* Whom an answer is for that comes later; he may have gone. */
struct ticket {
    struct client *client;
    unsigned number;
};

static void on_later(void *ctx, struct span answer)
{
    struct ticket *t = ctx;
    struct client *c = t->client;
    if (c->bev && c->number == t->number) {
        c->is_waiting = false;
        set_idle_limit(c, true);
        bufferevent_write(c->bev, answer.p, answer.n);
    }
    free(t);
}

/* One line at a time, and none before the last answer has gone: a client that does not read costs one answer. */
static void serve(struct client *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    while (!c->is_waiting && evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
        struct evbuffer_ptr end = evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF);
        bool is_too_long = end.pos > COMMAND_LINE_MAX || (end.pos < 0 && evbuffer_get_length(in) > COMMAND_LINE_MAX);
        if (is_too_long) {
            client_close(c);
            return;
        }
        if (end.pos < 0)
            return;
        size_t n = (size_t)end.pos;
        const uint8_t *line = evbuffer_pullup(in, end.pos + 1);
        struct buf answer = {0};
        struct ticket *t = xmalloc(sizeof(*t));
        *t = (struct ticket){c, c->number};
        struct command_env env = {c->control->ops, c->control->ctx, c->who, on_later, t};
        c->is_waiting = true;
        set_idle_limit(c, false);
        if (command_run(&env, span_of(line, n), &answer))
            on_later(t, buf_span(&answer));
        evbuffer_drain(in, n + 1);
        buf_fini(&answer);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    serve(arg);
}

/* The answer has gone; the next line may be here already. */
static void on_written(struct bufferevent *bev, void *arg)
{
    struct client *c = arg;
    serve(c);
    if (c->bev && c->is_ended && !c->is_waiting && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        client_close(c);
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
    struct client *c = arg;
    bool is_owed = c->is_waiting || evbuffer_get_length(bufferevent_get_output(bev)) > 0;
    c->is_ended = true;
    if (!(what & BEV_EVENT_EOF) || !is_owed)
        client_close(c);
}

static void describe_peer(int fd, char *out, size_t cap)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
        snprintf(out, cap, "uid=%d pid=%d", (int)cred.uid, (int)cred.pid);
    else
        snprintf(out, cap, "uid=unknown");
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
    struct control *ctl = arg;
    (void)sa, (void)len;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &ctl->client[i];
        if (c->bev)
            continue;
        *c = (struct client){.control = ctl, .number = c->number + 1};
        c->bev = bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
        if (!c->bev)
            break;
        describe_peer(fd, c->who, sizeof(c->who));
        set_idle_limit(c, true);
        bufferevent_setwatermark(c->bev, EV_READ, 0, 2 * COMMAND_LINE_MAX);
        bufferevent_setcb(c->bev, on_read, on_written, on_end, c);
        bufferevent_enable(c->bev, EV_READ | EV_WRITE);
        return;
    }
    close(fd); /* more administrators than slots: the client sees the end and says so */
}

/* Nobody may connect before the mode is right: the mode of the unbound socket is what bind gives the file. */
static int bind_socket(const struct sockaddr_un *un, const char *group, struct err *e)
{
    struct group *g = group ? getgrnam(group) : NULL;
    if (group && !g)
        return err_set(e, "control_group: there is no group \"%s\"", group);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "control: socket");
    if (fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)un, sizeof(*un)) == 0) {
        bool is_owned = !g || chown(un->sun_path, (uid_t)-1, g->gr_gid) == 0;
        if (is_owned && chmod(un->sun_path, 0660) == 0 && listen(fd, CLIENTS_MAX) == 0)
            return fd;
        err_sys(e, "control: cannot give %s to group %s, of which the daemon's user must be a member", un->sun_path,
                group ? group : "(its own)");
        unlink(un->sun_path);
    } else {
        err_sys(e, "control: cannot bind %s", un->sun_path);
    }
    close(fd);
    return -1;
}

struct control *control_start(struct loop *l, const char *path, const char *group, const struct admin_ops *ops,
                              void *ctx, struct err *e)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(un.sun_path)) {
        err_set(e, "control: %s is longer than the 107 bytes that a Unix socket may have", path);
        return NULL;
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    int fd = stale_remove(path, "control", e) == 0 ? bind_socket(&un, group, e) : -1;
    if (fd < 0)
        return NULL;
    struct control *c = xcalloc(1, sizeof(*c));
    c->path = xstrdup(path);
    c->ops = ops;
    c->ctx = ctx;
    if (lstat(path, &c->file) == 0)
        c->listener =
            evconnlistener_new(loop_base(l), on_accept, c, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (c->listener)
        return c;
    err_set(e, "control: cannot listen on %s", path);
    close(fd);
    control_stop(&c);
    return NULL;
}

void control_stop(struct control **ctl)
{
    struct control *c = *ctl;
    struct stat now;
    *ctl = NULL;
    if (!c)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->client[i].bev)
            client_close(&c->client[i]);
    if (c->listener)
        evconnlistener_free(c->listener);
    if (lstat(c->path, &now) == 0 && now.st_ino == c->file.st_ino && now.st_dev == c->file.st_dev)
        unlink(c->path);
    free(c->path);
    free(c);
}

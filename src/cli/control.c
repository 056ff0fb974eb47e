#include "cli/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/json_print.h"
#include "conf/conf.h"
#include "conf/yaml.h"

enum { ANSWER_MAX = 16 << 20, WAIT_S = 60 };

static const char default_socket[] = "/run/chatgate/control.sock";

int control_read_args(int argc, char **argv, struct control_args *out)
{
    *out = (struct control_args){0};
    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "--control") == 0  ? &out->control
                             : strcmp(argv[i], "--config") == 0 ? &out->config
                             : strcmp(argv[i], "--for") == 0    ? &out->for_time
                                                                : NULL;
        if (value && i + 1 < argc) {
            *value = argv[++i];
        } else if (strcmp(argv[i], "--json") == 0) {
            out->want_json = true;
        } else if (argv[i][0] == '-' || out->n_words == (int)ARRAY_LEN(out->word)) {
            fprintf(stderr, "chatgate %s: %s \"%s\"\n", argv[0],
                    value ? "a value is missing behind" : "unexpected argument", argv[i]);
            return -1;
        } else {
            out->word[out->n_words++] = argv[i];
        }
    }
    return 0;
}

/* The socket named by a configuration; only that key is looked at, since the daemon may well run while the file on disk
 * is broken. The caller frees it. */
static char *socket_of_config(const char *file, struct err *e)
{
    struct arena a = {0};
    struct err_list errs = {0};
    char *path = NULL;
    const struct ynode *root = yaml_load_file(file, &a, &errs);
    const struct ynode *at = yaml_get(root, "control");
    if (!root)
        err_set(e, "%s", errs.n ? errs.line[0] : file);
    else if (!at || at->kind != YNODE_SCALAR)
        path = xstrdup(default_socket);
    else if (at->text[0] == '/' || !strrchr(file, '/'))
        path = xstrdup(at->text);
    else
        path = xasprintf("%.*s/%s", (int)(strrchr(file, '/') - file), file, at->text);
    err_list_fini(&errs);
    arena_fini(&a);
    return path;
}

static char *socket_path(const struct control_args *args, struct err *e)
{
    if (args->control)
        return xstrdup(args->control);
    if (args->config)
        return socket_of_config(args->config, e);
    return access(conf_default_path(), R_OK) == 0 ? socket_of_config(conf_default_path(), e) : xstrdup(default_socket);
}

static int dial(const char *path, struct err *e)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct timeval limit = {WAIT_S, 0};
    if (strlen(path) >= sizeof(un.sun_path))
        return err_set(e, "%s is longer than a Unix socket's path may be", path);
    memcpy(un.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0)
        return fd;
    err_sys(e, errno == EACCES ? "not allowed to use %s" : "no daemon at %s", path);
    close(fd);
    return -1;
}

static int exchange(int fd, const char *line, struct buf *answer, struct err *e)
{
    struct buf request = {0};
    buf_printf(&request, "%s\n", line);
    ssize_t sent = send(fd, buf_span(&request).p, request.len, MSG_NOSIGNAL);
    bool is_sent = sent == (ssize_t)request.len;
    buf_fini(&request);
    while (is_sent && answer->len < ANSWER_MAX) {
        ssize_t n = recv(fd, buf_reserve(answer, 65536), 65536, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        buf_commit(answer, (size_t)n);
        struct span got = buf_span(answer);
        if (got.p[got.n - 1] == '\n') {
            answer->len--;
            return 0;
        }
    }
    return err_set(e, "the daemon closed the connection or did not answer within %d seconds", WAIT_S);
}

int control_ask(const struct control_args *args, const char *line, struct buf *answer, struct err *e)
{
    char *path = socket_path(args, e);
    int fd = path ? dial(path, e) : -1;
    int result = fd < 0 ? -1 : exchange(fd, line, answer, e);
    if (fd >= 0)
        close(fd);
    free(path);
    return result;
}

/* What an answer that went well is printed with: a member's name, or a function. */
struct printer {
    const char *show;
    void (*print)(const struct json_doc *answer);
};

static int run(const struct control_args *args, const char *line, struct printer printer)
{
    struct buf answer = {0};
    struct err e = {0};
    struct json_doc doc = {0};
    int code = CLI_FAILED;
    if (control_ask(args, line, &answer, &e)) {
        fprintf(stderr, "chatgate: %s\n", e.text);
    } else if (json_read(&doc, buf_span(&answer), 0, &e) != JSON_OK || doc.node[0].kind != JSON_OBJECT) {
        fprintf(stderr, "chatgate: the daemon's answer is no JSON object: %s\n", e.text);
    } else {
        uint32_t ok = json_member(&doc, 0, span_str("ok"));
        code = ok && doc.node[ok].kind == JSON_TRUE ? CLI_OK : CLI_PROBLEMS;
        if (args->want_json)
            printf("%s\n", buf_cstr(&answer));
        else if (code != CLI_OK)
            json_print_errors(stderr, &doc);
        else if (printer.print)
            printer.print(&doc);
        else if (printer.show)
            json_print(stdout, &doc, json_member(&doc, 0, span_str(printer.show)));
    }
    json_doc_fini(&doc);
    buf_fini(&answer);
    return code;
}

int control_run(const struct control_args *args, const char *line, const char *show)
{
    return run(args, line, (struct printer){.show = show});
}

int control_run_with(const struct control_args *args, const char *line, void (*print)(const struct json_doc *answer))
{
    return run(args, line, (struct printer){.print = print});
}

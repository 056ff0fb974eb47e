/* The control socket and the HTTP listener with real sockets: file mode, stale files, bounds, half-close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/metrics.h"
#include "base/xalloc.h"

struct fixture {
    char folder[40], path[60];
    struct conf conf;
    struct loop *loop;
    struct admin *admin;
    pthread_t thread;
    bool is_ready;
    struct {
        admin_reloaded_fn done;
        void *ctx;
    } reload[4]; /* under way until drain is asked for */
    size_t n_reloads;
};

static void on_status(void *ctx, struct json_out *j)
{
    (void)ctx;
    char text[20000]; /* larger than a socket's buffer would be with many of them */
    memset(text, 's', sizeof(text));
    json_span(j, span_of(text, sizeof(text)));
}

static void on_reload(void *ctx, admin_reloaded_fn done, void *done_ctx)
{
    struct fixture *f = ctx;
    assert_true(f->n_reloads < ARRAY_LEN(f->reload));
    f->reload[f->n_reloads].done = done;
    f->reload[f->n_reloads++].ctx = done_ctx;
}

static void on_drain(void *ctx)
{
    struct fixture *f = ctx;
    const struct err_list none = {0};
    for (size_t i = 0; i < f->n_reloads; i++)
        f->reload[i].done(f->reload[i].ctx, 0, &none);
    f->n_reloads = 0;
}

static int on_mode(void *ctx, const char *mode, int64_t for_ms, struct err *e)
{
    (void)ctx, (void)mode, (void)for_ms;
    return err_set(e, "no");
}

static void on_metrics(void *ctx, struct buf *out)
{
    (void)ctx;
    metrics_family(out, "up", "gauge", "Is it up");
    metrics_value(out, "up", NULL, 0, 1);
}

static bool on_ready(void *ctx, const char **why)
{
    *why = "no healthy backend";
    return ((struct fixture *)ctx)->is_ready;
}

static const struct admin_ops ops = {on_status, on_reload, on_drain, on_mode, on_metrics, on_ready};

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static int set_up(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    struct fixture *f = xcalloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/chatgate-admin-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/control.sock", f->folder);
    f->conf.control = f->path;
    f->conf.admin =
        (struct conf_addr){.text = (char *)(uintptr_t) "127.0.0.1:0", .host = (char *)(uintptr_t) "127.0.0.1"};
    f->loop = loop_new();
    struct err e = {0};
    f->admin = admin_start(f->loop, &f->conf, &ops, f, &e);
    if (!f->admin)
        fail_msg("%s", e.text);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f->loop), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_stop(f->loop);
    pthread_join(f->thread, NULL);
    admin_stop(&f->admin);
    assert_int_equal(access(f->path, F_OK), -1); /* its own socket file is gone */
    loop_free(&f->loop);
    rmdir(f->folder);
    free(f);
    return 0;
}

static int dial(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {10, 0}; /* a hanging server fails the test */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until the peer ends; counts the lines. */
static size_t read_to_end(int fd, struct buf *out)
{
    size_t lines = 0;
    ssize_t n;
    while ((n = recv(fd, buf_reserve(out, 4096), 4096, 0)) > 0)
        buf_commit(out, (size_t)n);
    assert_true(n == 0 || errno == ECONNRESET);
    for (size_t i = 0; i < out->len; i++)
        lines += buf_span(out).p[i] == '\n';
    return lines;
}

static void file_is_for_owner_and_group(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0660);
}

static void lines_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    struct buf out = {0};
    int fd = dial(f->path);
    say(fd, "version\nnone\nready\nver");
    say(fd, "sion\n");
    shutdown(fd, SHUT_WR);
    assert_int_equal(read_to_end(fd, &out), 4);
    const char *text = buf_cstr(&out);
    assert_ptr_equal(strstr(text, "{\"ok\":true,\"version\":"), text);
    assert_true(strstr(text, "no command") < strstr(text, "\"why\":\"no healthy backend\""));
    close(fd);
    buf_fini(&out);
}

static void read_line(int fd, struct buf *out)
{
    buf_reset(out);
    do {
        assert_int_equal(recv(fd, buf_reserve(out, 1), 1, 0), 1);
        buf_commit(out, 1);
    } while (buf_span(out).p[out->len - 1] != '\n');
}

/* Who asks for what takes its time waits for it, others do not; who has gone is not missed; who shut his side is. */
static void a_reload_keeps_nobody_else_waiting(void **state)
{
    struct fixture *f = *state;
    struct buf out = {0};
    int waiting = dial(f->path), gone = dial(f->path), ended = dial(f->path), other = dial(f->path);
    say(waiting, "reload\nversion\n");
    say(gone, "reload\n");
    say(ended, "reload\n");
    shutdown(ended, SHUT_WR);
    do { /* until all three are under way */
        say(other, "ready\n");
        read_line(other, &out);
    } while (__atomic_load_n(&f->n_reloads, __ATOMIC_RELAXED) < 3);
    assert_non_null(strstr(buf_cstr(&out), "no healthy backend"));
    close(gone);
    say(other, "version\n");
    read_line(other, &out);
    assert_int_equal(recv(waiting, &(char){0}, 1, MSG_DONTWAIT), -1);
    say(other, "drain\n");
    read_line(other, &out);
    read_line(waiting, &out);
    assert_string_equal(buf_cstr(&out), "{\"ok\":true,\"needs_restart\":[]}\n");
    read_line(waiting, &out);
    assert_non_null(strstr(buf_cstr(&out), "version"));
    buf_reset(&out);
    assert_int_equal(read_to_end(ended, &out), 1);
    close(waiting);
    close(ended);
    close(other);
    buf_fini(&out);
}

static void many_large_answers_arrive(void **state)
{
    struct fixture *f = *state;
    struct buf out = {0};
    int fd = dial(f->path);
    for (int i = 0; i < 100; i++)
        say(fd, "status\n");
    shutdown(fd, SHUT_WR);
    assert_int_equal(read_to_end(fd, &out), 100);
    assert_true(out.len > 100 * 20000);
    close(fd);
    buf_fini(&out);
}

static void a_long_line_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    struct buf out = {0};
    char text[3000];
    memset(text, 'x', sizeof(text));
    int fd = dial(f->path);
    (void)!send(fd, text, sizeof(text), MSG_NOSIGNAL);
    assert_int_equal(read_to_end(fd, &out), 0);
    assert_int_equal(out.len, 0);
    close(fd);
    buf_fini(&out);
}

static void slots_are_bounded_and_given_back(void **state)
{
    struct fixture *f = *state;
    int fd[17];
    char byte;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 16; i++) {
            fd[i] = dial(f->path);
            say(fd[i], "version\n");
            assert_int_equal(recv(fd[i], &byte, 1, 0), 1);
        }
        fd[16] = dial(f->path);
        assert_true(recv(fd[16], &byte, 1, 0) <= 0); /* one too many is closed */
        for (int i = 0; i < 16; i++)
            shutdown(fd[i], SHUT_WR);
        for (int i = 0; i < 16; i++) /* the server's end of each: its slot is free again */
            while (recv(fd[i], &byte, 1, 0) > 0)
                ;
        for (int i = 0; i <= 16; i++)
            close(fd[i]);
    }
}

static void a_living_socket_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct loop *other = loop_new();
    assert_null(admin_start(other, &f->conf, &ops, f, &e));
    assert_non_null(strstr(e.text, "is in use by another daemon"));
    assert_int_equal(access(f->path, F_OK), 0);
    loop_free(&other);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    char path[60];
    snprintf(path, sizeof(path), "%s/stale.sock", f->folder);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    close(fd); /* as after kill -9: the file stays, nobody listens */
    struct conf conf = {.control = path};
    struct loop *other = loop_new();
    struct admin *a = admin_start(other, &conf, &ops, f, &e);
    assert_non_null(a);
    assert_int_equal(admin_http_port(a), 0);
    admin_stop(&a);
    assert_int_equal(access(path, F_OK), -1);
    FILE *file = fopen(path, "we");
    fclose(file);
    assert_null(admin_start(other, &conf, &ops, f, &e));
    assert_non_null(strstr(e.text, "exists and is no socket"));
    assert_int_equal(unlink(path), 0);
    conf.control_group = (char *)(uintptr_t) "no-such-group-here";
    assert_null(admin_start(other, &conf, &ops, f, &e));
    assert_non_null(strstr(e.text, "there is no group \"no-such-group-here\""));
    assert_int_equal(access(path, F_OK), -1);
    loop_free(&other);
}

static void http_expect(struct fixture *f, const char *request, const char *status, const char *body)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)admin_http_port(f->admin))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    say(fd, request);
    struct buf out = {0};
    read_to_end(fd, &out);
    const char *text = buf_cstr(&out), *got = strstr(text, "\r\n\r\n");
    if (strncmp(text, status, strlen(status)) != 0 || !got || strcmp(got + 4, body) != 0)
        fail_msg("%s: got %s", request, text);
    close(fd);
    buf_fini(&out);
}

static void http_answers(void **state)
{
    struct fixture *f = *state;
    http_expect(f, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200", "ok\n");
    http_expect(f, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 503", "not ready: no healthy backend\n");
    http_expect(f, "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200",
                "# HELP chatgate_up Is it up\n# TYPE chatgate_up gauge\nchatgate_up 1\n");
    http_expect(f, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404", "/metrics, /healthz, /readyz\n");
    http_expect(f, "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405", "only GET\n");
    http_expect(f, "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_is_for_owner_and_group),      cmocka_unit_test(lines_are_answered_in_order),
        cmocka_unit_test(file_is_for_owner_and_group),      cmocka_unit_test(a_reload_keeps_nobody_else_waiting),
        cmocka_unit_test(many_large_answers_arrive),        cmocka_unit_test(a_long_line_ends_the_connection),
        cmocka_unit_test(slots_are_bounded_and_given_back), cmocka_unit_test(a_living_socket_is_not_taken),
        cmocka_unit_test(a_stale_socket_is_replaced),       cmocka_unit_test(http_answers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

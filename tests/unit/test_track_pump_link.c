/* The link to Redis: login, refusals, time-outs, scripts; each command ends exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>

#include "base/rand.h"
#include "net/tls.h"
#include "track_redis_server.h"

static struct server server;
static struct loop *loop;

static int setup(void **state)
{
    (void)state;
    server_dir(&server);
    loop = loop_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(&loop);
    server_end(&server);
    return 0;
}

/* Counts answers by kind; ends the loop at the one that is awaited. */
struct tally {
    unsigned n, errors, until;
    char last[100];
};

static void on_answer(void *ctx, const struct redis_reply *reply)
{
    struct tally *t = ctx;
    t->n++;
    t->errors += redis_is_error(reply);
    snprintf(t->last, sizeof(t->last), "%s", reply->text.p ? (const char *)reply->text.p : "");
    if (t->n == t->until)
        loop_stop(loop);
}

static void on_stop(void *ctx)
{
    loop_stop(ctx);
}

static void run_for(int64_t ms)
{
    struct timer *t = timer_new(loop, on_stop, loop);
    timer_start(t, ms, false);
    loop_run(loop);
    timer_free(&t);
}

static struct redis *connect_now(const struct redis_options *o)
{
    struct redis *r = redis_new(loop, o);
    redis_on_up(r, on_stop, loop);
    while (!redis_is_up(r))
        loop_run(loop);
    assert_true(redis_is_up(r));
    return r;
}

static void write_password(const char *path, const char *password)
{
    FILE *f = fopen(path, "we");
    fprintf(f, "%s\n", password);
    fclose(f);
}

static void acl_user_logs_in(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof(path), "%s/password", server.dir);
    server_start(&server, (const char *[]){"--user", "gate", "on", ">s3 cret", "~*", "+@all", NULL});
    tell(&server, "CONFIG", "SET", "requirepass", "other");
    struct redis_options o = server_options(&server);
    struct err e = {0};
    o.timeout_ms = 1500; /* each that is refused is tried for as long */
    assert_null(redis_sync_open(&o, &e));
    assert_non_null(strstr(e.text, "NOAUTH"));
    assert_non_null(strstr(e.text, server.sock));

    o.username = "gate";
    o.password_file = path;
    assert_null(redis_sync_open(&o, &e)); /* no such file */
    assert_non_null(strstr(e.text, path));
    write_password(path, "wrong");
    assert_null(redis_sync_open(&o, &e));
    assert_non_null(strstr(e.text, "WRONGPASS"));
    write_password(path, "s3 cret");
    o.timeout_ms = 60000;
    struct redis_sync *s = redis_sync_open(&o, &e);
    assert_non_null(s);
    const struct redis_reply *r = redis_sync_command_str(s, &e, "CLIENT", "GETNAME", NULL);
    assert_string_equal(r->text.p, "chatgate-test");
    r = redis_sync_command_str(s, &e, "ACL", "WHOAMI", NULL);
    assert_string_equal(r->text.p, "gate");
    redis_sync_close(&s);
}

static void replies_of_every_kind(void **state)
{
    (void)state;
    server_start(&server, NULL);
    struct redis_options o = server_options(&server);
    struct err e = {0};
    struct redis_sync *s = redis_sync_open(&o, &e);
    assert_non_null(s);
    struct span keys[] = {span_str("k")}, args[] = {span_of("a\0b", 3)};
    const struct redis_reply *r = redis_sync_eval(
        s, "return {1, 'two', {KEYS[1], ARGV[1], {-7, false}}, redis.status_reply('fine'), ''}", 1, keys, 1, args, &e);
    assert_int_equal(r->kind, REDIS_ARRAY);
    assert_int_equal(r->n, 5);
    assert_int_equal(redis_item(r, 0)->integer, 1);
    assert_string_equal(redis_item(r, 1)->text.p, "two");
    const struct redis_reply *inner = redis_item(r, 2);
    assert_true(span_eq(redis_item(inner, 1)->text, args[0]));
    int64_t v;
    assert_true(redis_get_int(redis_item(redis_item(inner, 2), 0), &v));
    assert_int_equal(v, -7);
    assert_int_equal(redis_item(redis_item(inner, 2), 1)->kind, REDIS_NIL);
    assert_int_equal(redis_item(r, 3)->kind, REDIS_STATUS);
    assert_int_equal(redis_item(r, 4)->text.n, 0);
    assert_int_equal(redis_item(r, 99)->kind, REDIS_NIL);
    r = redis_sync_eval(s, "return redis.error_reply('MINE is wrong')", 0, NULL, 0, NULL, &e);
    assert_true(redis_has_code(r, "MINE"));
    assert_false(redis_has_code(r, "MIN"));
    r = redis_sync_command_str(s, &e, "SET", "n", "-12", NULL);
    assert_string_equal(r->text.p, "OK");
    r = redis_sync_command_str(s, &e, "GET", "n", NULL);
    assert_true(redis_get_int(r, &v));
    assert_int_equal(v, -12);
    redis_sync_close(&s);
}

static void a_large_reply_arrives_whole(void **state)
{
    (void)state;
    server_start(&server, NULL);
    struct redis_options o = server_options(&server);
    struct err e = {0};
    struct redis_sync *s = redis_sync_open(&o, &e);
    const struct redis_reply *r = redis_sync_eval(
        s, "local t = {} for i = 1, 20000 do t[i] = string.rep('x', i % 200) end return t", 0, NULL, 0, NULL, &e);
    assert_int_equal(r->n, 20000);
    for (size_t i = 0; i < r->n; i++)
        assert_int_equal(r->item[i]->text.n, (i + 1) % 200);
    redis_sync_close(&s);
}

static void without_a_link_commands_end_with_link(void **state)
{
    (void)state;
    struct redis_options o = server_options(&server); /* nobody listens there */
    struct redis *r = redis_new(loop, &o);
    struct tally t = {.until = 1};
    redis_command_str(r, on_answer, &t, "PING", NULL);
    assert_int_equal(t.n, 0); /* never before it returns */
    while (t.n < t.until)     /* a stop that was meant for an earlier wait may end a run */
        loop_run(loop);
    assert_int_equal(t.errors, 1);
    assert_non_null(strstr(t.last, "LINK"));
    t = (struct tally){0};
    redis_command_str(r, on_answer, &t, "PING", NULL);
    redis_free(&r);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.errors, 1);
}

static void it_comes_up_when_the_server_does(void **state)
{
    (void)state;
    struct redis_options o = server_options(&server);
    struct redis *r = redis_new(loop, &o);
    redis_on_up(r, on_stop, loop);
    run_for(250);
    assert_false(redis_is_up(r));
    assert_true(redis_last_error(r)[0]);
    server_start(&server, NULL);
    while (!redis_is_up(r))
        loop_run(loop);
    assert_true(redis_is_up(r));
    assert_int_equal(redis_connects(r), 1);
    redis_free(&r);
}

static void a_silent_server_times_out(void **state)
{
    (void)state;
    server_start(&server, NULL);
    struct redis_options o = server_options(&server);
    o.timeout_ms = 200;
    struct redis *r = connect_now(&o);
    struct tally t = {.until = 50};
    kill(server.pid, SIGSTOP);
    for (int i = 0; i < 50; i++)
        redis_command_str(r, on_answer, &t, "INCR", "x", NULL);
    while (t.n < t.until) /* a stop that was meant for an earlier wait may end a run */
        loop_run(loop);
    assert_int_equal(t.n, 50);
    assert_int_equal(t.errors, 50);
    assert_non_null(strstr(t.last, "TIMEOUT no answer within 200 ms"));
    kill(server.pid, SIGCONT);
    redis_free(&r);
    assert_int_equal(t.n, 50);
}

/* Passes on what comes, the server's answers a while later. */
static void serve_slowly(int listening, const struct sockaddr_un *to)
{
    int client = accept(listening, NULL, NULL), real = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || connect(real, (const struct sockaddr *)to, sizeof(*to)) < 0)
        _exit(1);
    struct pollfd p[] = {{.fd = client, .events = POLLIN}, {.fd = real, .events = POLLIN}};
    char data[4096];
    while (poll(p, 2, -1) > 0) {
        int from = p[0].revents ? 0 : 1;
        ssize_t n = read(p[from].fd, data, sizeof(data));
        if (from == 1)
            nap_ms(200);
        if (n <= 0 || write(p[!from].fd, data, (size_t)n) != n)
            _exit(0);
    }
}

/* The clocks are one, or 90 s apart; that an answer takes its time must not move them. */
static void a_slow_answer_does_not_move_the_clock(void **state)
{
    (void)state;
    static const int64_t apart[] = {0, 90000};
    server_start(&server, NULL);
    for (size_t i = 0; i < ARRAY_LEN(apart); i++) {
        struct sockaddr_un slow = {.sun_family = AF_UNIX}, real = {.sun_family = AF_UNIX};
        memcpy(real.sun_path, server.sock, strlen(server.sock) + 1);
        snprintf(slow.sun_path, sizeof(slow.sun_path), "%s/slow-%zu", server.dir, i);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&slow, sizeof(slow)), 0);
        assert_int_equal(listen(fd, 4), 0);
        pid_t pid = fork();
        if (pid == 0)
            serve_slowly(fd, &real);
        struct redis_options o = {.host = slow.sun_path, .timeout_ms = 60000};
        clock_set_wall_offset_ms(apart[i]);
        struct redis *r = connect_now(&o);
        int64_t got = redis_clock_offset_worst_ms(r) + apart[i];
        clock_set_wall_offset_ms(0);
        redis_free(&r);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(fd);
        assert_in_range(got + 2, 0, 4);
    }
}

static void killed_between_commands(void **state)
{
    (void)state;
    server_start(&server, NULL);
    struct redis_options o = server_options(&server);
    struct redis *r = connect_now(&o);
    struct tally t = {.until = 2000};
    for (int i = 0; i < 2000; i++)
        redis_command_str(r, on_answer, &t, "INCR", "x", NULL);
    server_kill(&server);
    while (t.n < t.until) /* a stop that was meant for an earlier wait may end a run */
        loop_run(loop);
    assert_int_equal(t.n, 2000);
    assert_true(t.errors > 0);
    redis_free(&r);
    assert_int_equal(t.n, 2000);
}

static void scripts_survive_a_flush(void **state)
{
    (void)state;
    server_start(&server, NULL);
    struct redis_options o = server_options(&server);
    struct redis *r = redis_new(loop, &o);
    struct redis_script *s = redis_script_add(r, "return redis.call('INCR', KEYS[1])");
    redis_on_up(r, on_stop, loop);
    while (!redis_is_up(r))
        loop_run(loop);
    struct span keys[] = {span_str("counter")};
    struct tally t = {.until = 100};
    for (int i = 0; i < 100; i++) {
        if (i % 10 == 5)
            redis_command_str(r, NULL, NULL, "SCRIPT", "FLUSH", NULL);
        redis_eval(r, on_answer, &t, s, 1, keys, 0, NULL);
    }
    while (t.n < t.until) /* a stop that was meant for an earlier wait may end a run */
        loop_run(loop);
    assert_int_equal(t.errors, 0);
    struct redis_reply *n = ask(&server, "GET", "counter", NULL, NULL, NULL);
    assert_string_equal(n->text.p, "100");
    redis_reply_free(n);
    redis_free(&r);
}

/* The server binds a TLS port that nobody has, tried from a place of chance on. */
static uint16_t bind_tls_port(const struct server *s)
{
    uint16_t port = (uint16_t)(10000 + rand_u64() % 20000);
    for (int i = 0; i < 50; i++, port++) {
        char text[8];
        snprintf(text, sizeof(text), "%u", port);
        struct redis_reply *r = ask(s, "CONFIG", "SET", "tls-port", text, NULL);
        bool is_bound = !redis_is_error(r);
        redis_reply_free(r);
        if (is_bound)
            return port;
    }
    fail_msg("no port could be bound");
    return 0;
}

static void tls_is_verified(void **state)
{
    (void)state;
    char cmd[600], cert[100], key[100];
    snprintf(cert, sizeof(cert), "%s/cert.pem", server.dir);
    snprintf(key, sizeof(key), "%s/key.pem", server.dir);
    snprintf(cmd, sizeof(cmd),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=redis.test "
             "-addext subjectAltName=DNS:redis.test -keyout %s -out %s 2>/dev/null",
             key, cert);
    assert_int_equal(system(cmd), 0);
    server_start(&server, (const char *[]){"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert,
                                           "--tls-auth-clients", "no", NULL});
    struct err e = {0};
    struct redis_options o = {.host = "127.0.0.1", .port = bind_tls_port(&server), .timeout_ms = 2000};
    o.tls = tls_client_new(cert, true, &e);
    assert_non_null(o.tls);
    o.server_name = "other.test";
    assert_null(redis_sync_open(&o, &e));
    assert_non_null(strstr(e.text, "certificate"));
    o.server_name = "redis.test";
    o.timeout_ms = 60000;
    struct redis_sync *s = redis_sync_open(&o, &e);
    if (!s)
        fail_msg("%s", e.text);
    const struct redis_reply *r = redis_sync_command_str(s, &e, "PING", NULL);
    assert_string_equal(r->text.p, "PONG");
    redis_sync_close(&s);
    tls_client_unref(&o.tls);
}

/* A peer that speaks something else. */
static void nonsense_ends_the_link(void **state)
{
    (void)state;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, server.sock, strlen(server.sock) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(fd, 4), 0);
    const char *answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "*99999999\r\n", "$-7\r\n", "*-3\r\n",
                             "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            int c = accept(fd, NULL, NULL);
            char in[1000];
            if (read(c, in, sizeof(in)) > 0 && write(c, answers[i], strlen(answers[i])) > 0)
                nap_ms(300);
            _exit(0);
        }
        struct redis_options o = server_options(&server);
        o.timeout_ms = 250;
        struct err e = {0};
        struct redis_sync *s = redis_sync_open(&o, &e);
        const struct redis_reply *r = s ? redis_sync_command_str(s, &e, "PING", NULL) : NULL;
        assert_null(r);
        assert_true(e.text[0]);
        redis_sync_close(&s);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(fd);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(acl_user_logs_in),
        TEST(replies_of_every_kind),
        TEST(a_large_reply_arrives_whole),
        TEST(without_a_link_commands_end_with_link),
        TEST(it_comes_up_when_the_server_does),
        TEST(a_silent_server_times_out),
        TEST(a_slow_answer_does_not_move_the_clock),
        TEST(killed_between_commands),
        TEST(scripts_survive_a_flush),
        TEST(tls_is_verified),
        TEST(nonsense_ends_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

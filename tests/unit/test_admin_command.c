/* The language of the control socket, with operations of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/command.h"

struct daemon {
    char mode[20];
    int64_t for_ms;
    int drains;
    bool is_ready, reload_fails, reload_warns;
};

static void on_status(void *ctx, struct json_out *j)
{
    struct daemon *d = ctx;
    json_obj(j);
    json_key(j, "mode");
    json_str(j, d->mode);
    json_obj_end(j);
}

static void on_reload(void *ctx, admin_reloaded_fn done, void *done_ctx)
{
    struct daemon *d = ctx;
    struct err_list errs = {0};
    if (d->reload_warns)
        err_list_add(&errs, "workers");
    if (d->reload_fails) {
        err_list_add(&errs, "a.yaml:1:2: x: is \"1\"");
        err_list_add(&errs, "b.yaml:3:4: y: is missing");
    }
    done(done_ctx, d->reload_fails ? -1 : 0, &errs);
    err_list_fini(&errs);
}

static void on_drain(void *ctx)
{
    ((struct daemon *)ctx)->drains++;
}

static int on_mode(void *ctx, const char *mode, int64_t for_ms, struct err *e)
{
    struct daemon *d = ctx;
    if (strcmp(mode, "observe") != 0)
        return err_set(e, "mode: is \"%.20s\", must be observe", mode);
    snprintf(d->mode, sizeof(d->mode), "%s", mode);
    d->for_ms = for_ms;
    return 0;
}

static void on_metrics(void *ctx, struct buf *out)
{
    (void)ctx, (void)out;
}

static bool on_ready(void *ctx, const char **why)
{
    *why = "no backend";
    return ((struct daemon *)ctx)->is_ready;
}

static const struct admin_ops ops = {on_status, on_reload, on_drain, on_mode, on_metrics, on_ready};

static void on_later(void *ctx, struct span answer)
{
    buf_append_span(ctx, answer);
}

static void run(struct daemon *d, const char *line, struct buf *out)
{
    struct buf later = {0};
    struct command_env env = {&ops, d, "uid=0 pid=1", on_later, &later};
    bool is_later = strcmp(line, "reload") == 0;
    assert_int_equal(command_run(&env, span_str(line), out), !is_later);
    assert_int_equal(out->len == 0, is_later);
    buf_append_span(out, buf_span(&later));
    buf_fini(&later);
}

static void expect(struct daemon *d, const char *line, const char *answer)
{
    struct buf out = {0};
    run(d, line, &out);
    if (strcmp(buf_cstr(&out), answer) != 0)
        fail_msg("%s: expected %s, got %s", line, answer, buf_cstr(&out));
    buf_fini(&out);
}

static void commands_answer(void **state)
{
    (void)state;
    struct daemon d = {.mode = "enforce", .is_ready = true};
    expect(&d, "status", "{\"ok\":true,\"status\":{\"mode\":\"enforce\"}}\n");
    expect(&d, "  status \r", "{\"ok\":true,\"status\":{\"mode\":\"enforce\"}}\n");
    expect(&d, "version", "{\"ok\":true,\"version\":\"" CHATGATE_VERSION "\"}\n");
    expect(&d, "ready", "{\"ok\":true,\"ready\":true}\n");
    d.is_ready = false;
    expect(&d, "ready", "{\"ok\":true,\"ready\":false,\"why\":\"no backend\"}\n");
    expect(&d, "mode observe 30m", "{\"ok\":true}\n");
    assert_string_equal(d.mode, "observe");
    assert_int_equal(d.for_ms, 1800000);
    expect(&d, "mode observe", "{\"ok\":true}\n");
    assert_int_equal(d.for_ms, 0);
    expect(&d, "drain", "{\"ok\":true}\n");
    assert_int_equal(d.drains, 1);
    expect(&d, "log_level warn", "{\"ok\":true}\n");
    assert_false(log_wants(LOG_INFO));
    assert_true(log_wants(LOG_WARN));
}

static void reload_reports_every_problem(void **state)
{
    (void)state;
    struct daemon d = {0};
    expect(&d, "reload", "{\"ok\":true,\"needs_restart\":[]}\n");
    d.reload_warns = true;
    expect(&d, "reload", "{\"ok\":true,\"needs_restart\":[\"workers\"]}\n");
    d = (struct daemon){.reload_fails = true};
    expect(&d, "reload",
           "{\"ok\":false,\"error\":\"nothing was changed\",\"errors\":[\"a.yaml:1:2: x: is \\\"1\\\"\","
           "\"b.yaml:3:4: y: is missing\"]}\n");
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct daemon d = {0};
    expect(&d, "", "{\"ok\":false,\"error\":\"\\\"\\\" is no command; help lists them\"}\n");
    expect(&d, "stop \"now\"", "{\"ok\":false,\"error\":\"\\\"stop\\\" is no command; help lists them\"}\n");
    expect(&d, "drain now", "{\"ok\":false,\"error\":\"drain takes no arguments\"}\n");
    assert_int_equal(d.drains, 0);
    expect(&d, "mode", "{\"ok\":false,\"error\":\"mode: is missing, must be one of enforce, observe, bypass\"}\n");
    expect(&d, "mode observe 30m x", "{\"ok\":false,\"error\":\"mode: takes a mode and a time, no more\"}\n");
    expect(&d, "mode off", "{\"ok\":false,\"error\":\"mode: is \\\"off\\\", must be observe\"}\n");
    expect(&d, "mode observe 30",
           "{\"ok\":false,\"error\":\"mode: the time must be such as 30s, 30m or 2h, at most 365d\"}\n");
    expect(&d, "log_level loud", "{\"ok\":false,\"error\":\"log_level: must be one of error, warn, info, debug\"}\n");
    expect(&d, "a b c d e f", "{\"ok\":false,\"error\":\"too many words in the line\"}\n");
    expect(&d, "status\x01", "{\"ok\":false,\"error\":\"a line is text of at most 1024 bytes\"}\n");
    expect(&d, "\xff", "{\"ok\":false,\"error\":\"a line is text of at most 1024 bytes\"}\n");
    char line[1026];
    memset(line, 'x', 1025);
    line[1025] = '\0';
    expect(&d, line, "{\"ok\":false,\"error\":\"a line is text of at most 1024 bytes\"}\n");
}

static void help_names_every_command(void **state)
{
    (void)state;
    struct daemon d = {0};
    struct buf out = {0};
    run(&d, "help", &out);
#define X(name, args, is_logged, help)                                                                                 \
    assert_non_null(strstr(buf_cstr(&out), "{\"name\":\"" #name "\",\"args\":\"" args "\",\"help\":\"" help "\"}"));
    ADMIN_COMMANDS(X)
#undef X
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_answer),
        cmocka_unit_test(reload_reports_every_problem),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(help_names_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

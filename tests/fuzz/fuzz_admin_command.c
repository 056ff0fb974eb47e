/* Any bytes as a line of the control socket: always one line of JSON that says whether it went well. */
#include "admin/command.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_status(void *ctx, struct json_out *j)
{
    (void)ctx;
    json_null(j);
}

static void on_reload(void *ctx, admin_reloaded_fn done, void *done_ctx)
{
    struct err_list errs = {0};
    (void)ctx;
    err_list_add(&errs, "x");
    done(done_ctx, -1, &errs);
    err_list_fini(&errs);
}

static void on_later(void *ctx, struct span answer)
{
    buf_append_span(ctx, answer);
}

static void on_drain(void *ctx)
{
    (void)ctx;
}

static int on_mode(void *ctx, const char *mode, int64_t for_ms, struct err *e)
{
    (void)ctx;
    return for_ms < 0 ? (abort(), 0) : err_set(e, "mode: is \"%.40s\"", mode);
}

static void on_metrics(void *ctx, struct buf *out)
{
    (void)ctx, (void)out;
}

static bool on_ready(void *ctx, const char **why)
{
    (void)ctx, (void)why;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct admin_ops ops = {on_status, on_reload, on_drain, on_mode, on_metrics, on_ready};
    static bool is_quiet;
    struct buf out = {0}, later = {0};
    struct command_env env = {&ops, NULL, "uid=0", on_later, &later};
    if (!is_quiet)
        log_set_level(LOG_ERROR);
    is_quiet = true;
    if (command_run(&env, span_of(data, size), &out) != (later.len == 0) || (out.len && later.len))
        abort();
    buf_append_span(&out, buf_span(&later));
    buf_fini(&later);
    const uint8_t *end = memchr(buf_span(&out).p, '\n', out.len);
    if (end != buf_span(&out).p + out.len - 1 || out.len > 8192 || !utf8_is_valid(buf_span(&out)) ||
        strncmp(buf_cstr(&out), "{\"ok\":", 6) != 0)
        abort();
    log_set_level(LOG_ERROR); /* a log_level command may have changed it */
    buf_fini(&out);
    return 0;
}

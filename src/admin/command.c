#include "admin/command.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "conf/yaml.h"

struct call {
    const struct command_env *env;
    size_t argc; /* the command's name not counted */
    const char *argv[COMMAND_ARGS_MAX];
    struct json_out *out; /* inside of the answer's object; "ok" comes first */
    bool is_later;        /* the answer goes another way */
};

static void answer_ok(struct call *c)
{
    json_key(c->out, "ok");
    json_bool(c->out, true);
}

static void answer_error(struct call *c, const char *text)
{
    json_key(c->out, "ok");
    json_bool(c->out, false);
    json_key(c->out, "error");
    json_str(c->out, text);
}

static void answer_lines(struct call *c, const char *key, const struct err_list *lines)
{
    json_key(c->out, key);
    json_arr(c->out);
    for (size_t i = 0; i < lines->n; i++)
        json_str(c->out, lines->line[i]);
    json_arr_end(c->out);
}

static void run_help(struct call *c)
{
    static const struct {
        const char *name, *args, *help;
    } commands[] = {
#define X(name, args, is_logged, help) {#name, args, help},
        ADMIN_COMMANDS(X)
#undef X
    };
    answer_ok(c);
    json_key(c->out, "commands");
    json_arr(c->out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        json_obj(c->out);
        json_key(c->out, "name");
        json_str(c->out, commands[i].name);
        json_key(c->out, "args");
        json_str(c->out, commands[i].args);
        json_key(c->out, "help");
        json_str(c->out, commands[i].help);
        json_obj_end(c->out);
    }
    json_arr_end(c->out);
}

static void run_version(struct call *c)
{
    answer_ok(c);
    json_key(c->out, "version");
    json_str(c->out, CHATGATE_VERSION);
}

static void run_status(struct call *c)
{
    answer_ok(c);
    json_key(c->out, "status");
    c->env->ops->status(c->env->ctx, c->out);
}

static void run_ready(struct call *c)
{
    const char *why = NULL;
    bool is_ready = c->env->ops->is_ready(c->env->ctx, &why);
    answer_ok(c);
    json_key(c->out, "ready");
    json_bool(c->out, is_ready);
    if (!is_ready) {
        json_key(c->out, "why");
        json_str(c->out, why ? why : "unknown");
    }
}

struct later {
    void (*fn)(void *ctx, struct span answer);
    void *ctx;
};

static void on_reloaded(void *ctx, int rc, const struct err_list *errs)
{
    struct later *l = ctx;
    struct buf answer = {0};
    struct json_out j = {.buf = &answer};
    struct call c = {.out = &j};
    json_obj(&j);
    if (rc == 0) {
        answer_ok(&c);
        answer_lines(&c, "needs_restart", errs);
    } else {
        answer_error(&c, "nothing was changed");
        answer_lines(&c, "errors", errs);
    }
    json_obj_end(&j);
    buf_append_str(&answer, "\n");
    l->fn(l->ctx, buf_span(&answer));
    buf_fini(&answer);
    free(l);
}

static void run_reload(struct call *c)
{
    struct later *l = xmalloc(sizeof(*l));
    *l = (struct later){c->env->later, c->env->later_ctx};
    c->is_later = true;
    c->env->ops->reload(c->env->ctx, on_reloaded, l);
}

static void run_drain(struct call *c)
{
    c->env->ops->drain(c->env->ctx);
    answer_ok(c);
}

static void run_mode(struct call *c)
{
    struct err e = {0};
    int64_t for_ms = 0;
    if (c->argc < 1)
        answer_error(c, "mode: is missing, must be one of enforce, observe, bypass");
    else if (c->argc > 2)
        answer_error(c, "mode: takes a mode and a time, no more");
    else if (c->argc > 1 && !yaml_duration_text(c->argv[1], &for_ms))
        answer_error(c, "mode: the time must be such as 30s, 30m or 2h, at most 365d");
    else if (c->env->ops->set_mode(c->env->ctx, c->argv[0], for_ms, &e) == 0)
        answer_ok(c);
    else
        answer_error(c, e.text);
}

static void run_log_level(struct call *c)
{
    enum log_level level;
    if (c->argc != 1 || !log_level_from_name(c->argv[0], &level)) {
        answer_error(c, "log_level: must be one of error, warn, info, debug");
        return;
    }
    log_set_level(level);
    answer_ok(c);
}

static const struct command {
    const char *name, *args;
    bool is_logged;
    void (*run)(struct call *c);
} commands[] = {
#define X(name, args, is_logged, help) {#name, args, is_logged, run_##name},
    ADMIN_COMMANDS(X)
#undef X
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Cuts the line at spaces in place; -1 when there are more words than any command takes. */
static int split(char *line, const char *word[COMMAND_ARGS_MAX + 1])
{
    int n = 0;
    for (char *p = line;;) {
        p += strspn(p, " \t\r");
        if (!*p)
            return n;
        if (n == COMMAND_ARGS_MAX + 1)
            return -1;
        word[n++] = p;
        p += strcspn(p, " \t\r");
        if (*p)
            *p++ = '\0';
    }
}

/* False: the answer comes later. */
static bool dispatch(const struct command_env *env, char *line, struct json_out *j)
{
    const char *word[COMMAND_ARGS_MAX + 1] = {NULL};
    int n = split(line, word);
    const struct command *cmd = n > 0 ? find(word[0]) : NULL;
    struct call c = {.env = env, .out = j};
    char text[COMMAND_LINE_MAX + 100];
    if (n < 0) {
        answer_error(&c, "too many words in the line");
        return true;
    }
    if (!cmd) {
        snprintf(text, sizeof(text), "\"%.64s\" is no command; help lists them", n ? word[0] : "");
        answer_error(&c, text);
        return true;
    }
    if (n > 1 && !*cmd->args) {
        snprintf(text, sizeof(text), "%s takes no arguments", cmd->name);
        answer_error(&c, text);
        return true;
    }
    for (c.argc = 0; c.argc + 1 < (size_t)n; c.argc++)
        c.argv[c.argc] = word[c.argc + 1];
    if (cmd->is_logged)
        log_event(LOG_INFO, "control", "command=%s arg=%.32s %s", cmd->name, n > 1 ? word[1] : "-", env->who);
    cmd->run(&c);
    return !c.is_later;
}

bool command_run(const struct command_env *env, struct span line, struct buf *out)
{
    size_t before = out->len;
    char copy[COMMAND_LINE_MAX + 1];
    struct json_out j = {.buf = out};
    struct call c = {.env = env, .out = &j};
    bool is_text = line.n <= COMMAND_LINE_MAX && utf8_is_valid(line);
    for (size_t i = 0; is_text && i < line.n; i++)
        is_text = line.p[i] >= 0x20 || line.p[i] == '\t' || line.p[i] == '\r'; /* the log stays one line */
    json_obj(&j);
    if (is_text) {
        memcpy(copy, line.p ? (const char *)line.p : "", line.n);
        copy[line.n] = '\0';
        if (!dispatch(env, copy, &j)) {
            out->len = before;
            return false;
        }
    } else {
        answer_error(&c, "a line is text of at most 1024 bytes");
    }
    json_obj_end(&j);
    buf_append_str(out, "\n");
    return true;
}
